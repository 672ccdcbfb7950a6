"""Runs one command and sees to its end, also when the engine itself is killed.

    python -I -S warden.py [--times=N] [--signal=TERM] [--grace=S] [--remove=DIR] ... [-- argv]

The engine holds the other end of the warden's standard input, the leash. When the leash closes,
because the engine lets go or has died in whatever way, the command is stopped in steps: the
signal to its process group, after the grace a KILL, and once more to whoever is left when the
leader is gone. It exits with the command's status (128 + n for a signal, as shells do). Folders to
remove go in any case, those to undo unless the command ended well. Without a command it waits for
the end of the leash, as the keeper of a folder does.

A warden is two processes, so that either can be killed: the first watches the second, which does
the work, and does what is left of it where that is gone (Linux); the second stops the command where
the first is gone.

Runs as a script of its own, on the standard library alone, and as little of that as it can: each
load has a warden, and while one starts nothing is loaded.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

POLL_S = 0.02
KILL_WAIT_S = 5.0
ENDINGS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
"""As prctl(2) has them."""

IPC_RMID = 0
"""As shmctl(2) has it."""


class Options:
    """What a warden is told."""

    def __init__(self, arguments: Sequence[str]) -> None:
        """Read it, of our own code: argparse would take longer than all else that a warden does."""
        end = arguments.index("--") if "--" in arguments else len(arguments)
        self.argv = [*arguments[end + 1 :]]
        names = ("times", "signal", "grace", "user", "cpu", "fd", "remove", "undo", "single")
        told: dict[str, list[str]] = {f"--{name}": [] for name in names}
        for argument in arguments[:end]:
            name, _, value = argument.partition("=")
            told[name].append(value)
        self.times = int(*told["--times"] or "1")
        self.signal = signal.Signals[f"SIG{(told['--signal'] or ['TERM'])[0]}"]
        self.grace_s = float(*told["--grace"] or "2")
        self.user = next(iter(told["--user"]), None)
        self.cpus = [*map(int, told["--cpu"])]
        self.fds = [*map(int, told["--fd"])]
        self.remove, self.undo = told["--remove"], told["--undo"]
        self.single = bool(told["--single"])


def main(arguments: Sequence[str]) -> int:
    """Run the command until it ends or the leash closes; return its exit status."""
    options = Options(arguments)
    if options.single:
        return _work(options)
    partner, held = os.pipe()
    _adopt_orphans()
    second = os.fork()
    if second == 0:
        os.close(held)
        return _work(options, partner)
    os.close(partner)
    return _watch(second, options)


def _watch(second: int, options: Options) -> int:
    """Wait for the second process, and do what it leaves to do where it is killed."""

    def pass_on(number: int, frame: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(second, number)

    for name in ENDINGS:
        signal.signal(name, pass_on)
    status = os.waitstatus_to_exitcode(os.waitpid(second, 0)[1])
    if status >= 0:
        return status
    _ignore_endings()
    if options.argv:
        # The system has told the command; see `_spawn`.
        _until(_childless, options.grace_s)
        _kill_orphans()
    else:
        while os.read(sys.stdin.fileno(), 1):
            pass
    _tidy(options, well=False)
    return 128 - status


def _work(options: Options, partner: int | None = None) -> int:
    status = 1
    try:
        status = _run(options, partner)
    finally:
        _tidy(options, well=status == 0)
    return status


def _tidy(options: Options, *, well: bool) -> None:
    for folder in options.remove + ([] if well else options.undo):
        import shutil  # Takes milliseconds, which few wardens need to spend.

        with contextlib.suppress(OSError):
            for name in os.listdir(folder):
                _free_segment(os.path.join(folder, name, "postmaster.pid"))
        shutil.rmtree(folder, ignore_errors=True)


def _free_segment(lock: str) -> None:
    """Free the System V segment that a killed PostgreSQL leaves, as its lock file names it."""
    import ctypes

    with contextlib.suppress(OSError, AttributeError, IndexError, ValueError):
        with open(lock, encoding="utf-8") as text:
            _, segment = text.read().splitlines()[6].split()
        # As the one who made it: where the file says another's, it is not ours to free.
        os.seteuid(os.stat(lock).st_uid)
        try:
            ctypes.CDLL(None).shmctl(int(segment), IPC_RMID, None)
        finally:
            os.seteuid(os.getuid())


def _run(options: Options, partner: int | None) -> int:
    _adopt_orphans()
    if options.cpus:
        os.sched_setaffinity(0, options.cpus)
    woken = _wake_on_signals()
    children: list[subprocess.Popen[bytes]] = []
    first: subprocess.Popen[bytes] | None = None
    try:
        for _ in range(options.times if options.argv else 0):
            children.append(_spawn(options, children[0].pid if children else 0))
        first = _wait(children, woken, partner)
    except OSError as error:
        sys.stderr.write(f"cannot start {options.argv[0]}: {error.strerror}\n")
        return 127
    finally:
        _ignore_endings()
        if children:
            _stop(children, options.signal, options.grace_s)
    if not children:
        return 0
    # Of many, the one that ended by itself: the others were stopped because of it.
    ended = (first or children[0]).returncode
    return 128 - ended if ended < 0 else ended


def _adopt_orphans() -> None:
    """Become the parent of grandchildren that leave their group, so that they can be found."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


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


def _spawn(options: Options, group: int) -> subprocess.Popen[bytes]:
    def end_with_us() -> None:
        _prctl(PR_SET_PDEATHSIG, options.signal)

    return subprocess.Popen(
        options.argv,
        stdin=subprocess.DEVNULL,
        process_group=group,
        pass_fds=options.fds,
        user=options.user,
        group=None if options.user is None else pwd.getpwnam(options.user).pw_gid,
        extra_groups=None if options.user is None else [],
        # Last of all, since a change of the user undoes it. There is no other thread here.
        preexec_fn=end_with_us,
    )


def _wait(
    children: Sequence[subprocess.Popen[bytes]], woken: int, partner: int | None
) -> subprocess.Popen[bytes] | None:
    """Return the first child that has ended, None when the leash or the partner ends before.

    Who has no child to stop goes on without the partner.
    """
    ends = [sys.stdin.fileno(), *([partner] if children and partner is not None else [])]
    while True:
        for child in children:
            if child.poll() is not None:
                return child
        readable, _, _ = select.select([*ends, woken], [], [])
        if any(end in readable and not os.read(end, 1) for end in ends):
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


def _childless() -> bool:
    """Say whether no child is left, having reaped those that have ended."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return True
    return False


def _kill_orphans() -> None:
    """End what has left the group but was adopted (Linux), until nothing more turns up."""
    for _ in range(100):
        try:
            with open(f"/proc/self/task/{os.getpid()}/children", encoding="utf-8") as children:
                pids = [int(pid) for pid in children.read().split()]
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
    ended = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(ended)  # Python would take milliseconds to tidy up.
