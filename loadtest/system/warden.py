"""Runs one command and sees to its end, also when the engine itself is killed.

    python -I -S warden.py [--times N] [--signal TERM] [--grace S] [--remove DIR] ... -- argv

The engine holds the other end of the warden's standard input, the leash. When the leash closes,
because the engine lets go or has died in whatever way, the command is stopped in steps: the
signal to its process group, after the grace a KILL, and once more to whoever is left when the
leader is gone. It exits with the command's status (128 + n for a signal, as shells do). Folders to
remove go in any case, those to undo unless the command ended well.

Runs as a script of its own, on the standard library alone: it has to start in milliseconds.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pwd
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

POLL_S = 0.02

KILL_WAIT_S = 5.0

ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def main(arguments: Sequence[str]) -> int:
    """Run the command until it ends or the leash closes; return its exit status."""
    options = _parse(arguments)
    status = _run(options)
    for folder in options.remove + (options.undo if status else []):
        shutil.rmtree(folder, ignore_errors=True)
    return status


def _run(options: argparse.Namespace) -> int:
    _adopt_orphans()
    if options.cpu:
        os.sched_setaffinity(0, options.cpu)
    woken = _wake_on_signals()
    children: list[subprocess.Popen[bytes]] = []
    first: subprocess.Popen[bytes] | None = None
    try:
        for _ in range(options.times):
            children.append(_spawn(options, children[0].pid if children else 0))
        first = _wait(children, woken)
    except OSError as error:
        sys.stderr.write(f"cannot start {options.argv[0]}: {error.strerror}\n")
        return 127
    finally:
        _ignore_endings()
        if children:
            _stop(children, signal.Signals[f"SIG{options.signal}"], options.grace)
    # Of many, the one that ended by itself: the others were stopped because of it.
    ended = (first or children[0]).returncode
    return 128 - ended if ended < 0 else ended


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="warden", description=__doc__)
    parser.add_argument("--times", type=int, default=1)
    parser.add_argument("--signal", choices=("TERM", "INT", "QUIT"), default="TERM")
    parser.add_argument("--grace", type=float, default=2.0)
    parser.add_argument("--user")
    parser.add_argument("--cpu", type=int, action="append", default=[])
    parser.add_argument("--fd", type=int, action="append", default=[])
    parser.add_argument("--remove", type=Path, action="append", default=[])
    parser.add_argument("--undo", type=Path, action="append", default=[])
    parser.add_argument("argv", nargs="+")
    return parser.parse_args(arguments)


def _adopt_orphans() -> None:
    """Become the parent of grandchildren that leave their group, so that they can be found."""
    if sys.platform == "linux":
        import ctypes

        PR_SET_CHILD_SUBREAPER = 36  # noqa: N806  its name in prctl(2)
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _wake_on_signals() -> int:
    """Return a descriptor that becomes readable when a child ends or the warden is told to end."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    for name in ENDINGS:
        signal.signal(name, _raise_exit)
    return woken


def _ignore_endings() -> None:
    """Let nothing interrupt the end: told twice, it would leave the command behind."""
    for name in ENDINGS:
        signal.signal(name, signal.SIG_IGN)


def _raise_exit(number: int, frame: object) -> None:
    _ignore_endings()
    raise SystemExit(128 + number)


def _spawn(options: argparse.Namespace, group: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        options.argv,
        stdin=subprocess.DEVNULL,
        process_group=group,
        pass_fds=options.fd,
        user=options.user,
        group=None if options.user is None else pwd.getpwnam(options.user).pw_gid,
        extra_groups=None if options.user is None else [],
    )


def _wait(
    children: Sequence[subprocess.Popen[bytes]], woken: int
) -> subprocess.Popen[bytes] | None:
    """Return the first child that has ended, None when the leash is closed before."""
    leash = sys.stdin.fileno()
    while True:
        for child in children:
            if child.poll() is not None:
                return child
        readable, _, _ = select.select([leash, woken], [], [])
        if leash in readable and not os.read(leash, 1):
            return None
        if woken in readable:
            os.read(woken, 4096)


def _stop(
    children: Sequence[subprocess.Popen[bytes]], first: signal.Signals, grace_s: float
) -> None:
    group = children[0].pid

    def gone() -> bool:
        # Ours first: reaping a child behind its Popen's back would lose its exit status.
        ended = [child.poll() is not None for child in children]
        return all(ended) and not _group_exists(group)

    for number, wait_s in ((first, grace_s), (signal.SIGKILL, KILL_WAIT_S)):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
        if _until(gone, wait_s):
            break
    for child in children:
        child.wait()
    _kill_orphans()


def _group_exists(group: int) -> bool:
    """Say whether a process of the group is alive, having reaped those that only wait for it."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-group, os.WNOHANG)[0]:
            pass
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):  # macOS says the latter of zombies
        return False
    return True


def _kill_orphans() -> None:
    """End what has left the group but was adopted (Linux), until nothing more turns up."""
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    for _ in range(100):
        try:
            pids = [int(pid) for pid in children.read_text(encoding="utf-8").split()]
        except OSError:
            return
        if not pids:
            return
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_S)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
