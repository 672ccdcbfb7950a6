"""The one place that spawns processes: argument lists, a clean environment, a sure end.

Every process runs under a warden (see `warden.py`), which stops it in steps when told to, and also
when the engine is killed; but for the short ones of `timed`, whose own start is measured. A warden
without a command keeps each temporary folder.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NoReturn

import psutil

from loadtest.records.errors import LoadtestError, UserError
from loadtest.system import sampling
from loadtest.system.sampling import Holding

WARDEN = Path(__file__).parent / "warden.py"

ISOLATED = ("-I", "-S")
"""The warden needs the standard library alone, and starts faster without a look at the rest."""

INHERITED = frozenset(
    {"PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "SSL_CERT_FILE"}
    | {"DYLD_LIBRARY_PATH", "LD_LIBRARY_PATH", "VIRTUAL_ENV"}
)
"""What a process keeps of our environment: enough to run, nothing that tunes a server."""

CANNOT_START = 127
"""The warden's exit status where there is no such command, as of shells."""

STOP_SPARE_S = 10.0
"""Beyond the grace: for the KILL and for the warden itself."""

KEEPER_GRACE_S = 30.0
"""For the end of the processes that have a keeper's folder for a home."""

MOST_PRINTED_BYTES = 64 * 2**20
"""Of what a command prints for its caller."""

ELSEWHERE = "name a folder that can be written, as in `export TMPDIR=/var/tmp`"


class CommandError(LoadtestError):
    """A command that was to succeed did not; `detail` is the end of what it said."""

    detail: str

    def __init__(self, reason: str, detail: str, printed: str = "") -> None:
        """Take with the reason and the detail what it had printed for its caller by then."""
        super().__init__(reason, detail)
        self.printed = printed


@dataclass(frozen=True)
class Process:
    """A command under its warden, its output going to a file."""

    name: str
    warden: subprocess.Popen[bytes]
    log: Path
    grace_s: float

    def exit_status(self) -> int | None:
        """Return the status it ended with, None while it runs; 128 + n after signal n."""
        status = self.warden.poll()
        return 128 - status if status is not None and status < 0 else status

    def ended(self) -> str | None:
        """Return in words how it ended, None while it runs."""
        status = self.exit_status()
        if status is None:
            return None
        if status > 128:
            with contextlib.suppress(ValueError):
                return f"{self.name} was ended by {signal.Signals(status - 128).name}"
        return f"{self.name} exited with status {status}"

    def tree(self) -> list[psutil.Process]:
        """Return the processes of the command, its own first, without the warden's two."""
        children = _children()
        seconds = children.get(self.warden.pid, ())
        below = [pid for second in seconds for pid in children.get(second, ())]
        for pid in below:
            below += children.get(pid, ())
        members: list[psutil.Process] = []
        for pid in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                members.append(psutil.Process(pid))
        return members

    def holding(self) -> Holding:
        """Return what these processes hold now."""
        return sampling.holding(self.tree())

    def tail(self, lines: int = 20) -> str:
        """Return the end of its output."""
        return tail(self.log, lines)

    def wait(self, timeout_s: float) -> int:
        """Return the exit status; raises subprocess.TimeoutExpired."""
        deadline = time.monotonic() + timeout_s
        # Popen looks every 50 ms, which would be idle time after each load of a second.
        with contextlib.suppress(AttributeError, OSError):
            ended = os.pidfd_open(self.warden.pid)
            try:
                select.select([ended], [], [], timeout_s)
            finally:
                os.close(ended)
        return self.warden.wait(max(0.0, deadline - time.monotonic()))

    def stop(self) -> None:
        """Let go of the leash and wait until the warden has seen to the end of everything."""
        assert self.warden.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.warden.stdin.close()
        for wait_s, end in (
            (self.grace_s + STOP_SPARE_S, self.warden.terminate),
            (STOP_SPARE_S, self.warden.kill),  # its second process sees to the rest
        ):
            try:
                self.warden.wait(wait_s)
                return
            except subprocess.TimeoutExpired:
                end()
        self.warden.wait()


@dataclass(frozen=True)
class Folder:
    """A temporary folder of our own, and what keeps it."""

    path: Path
    keeper: Process


@contextlib.contextmanager
def folder(prefix: str, parent: Path | None = None) -> Iterator[Folder]:
    """Give a folder that nobody else can read, and that goes with the block, or with us.

    Its keeper is there before it is, and holds out until the last process that has it for a home
    has ended, whatever ends them and the engine. It is made in the system's own place for such
    folders where `parent` names no other. Raises UserError where it cannot be made.
    """
    try:
        path = Path(parent or tempfile.gettempdir(), prefix + secrets.token_hex(6))
    except OSError as error:  # nowhere
        raise UserError(f"{error.strerror}; {ELSEWHERE}") from None
    with open(os.devnull, "ab") as nowhere:
        keeper = _warden([f"--remove={path}"], nowhere, nowhere, None, None)
    with running(
        Process(f"the keeper of {path}", keeper, Path(os.devnull), KEEPER_GRACE_S)
    ) as kept:
        try:
            path.mkdir(mode=0o700)
        except OSError as error:
            raise UserError(f"{path.parent}: {error.strerror}; {ELSEWHERE}") from None
        try:
            yield Folder(path, kept)
        finally:
            kept.stop()
            shutil.rmtree(path, ignore_errors=True)  # its keeper may have been killed


def start(
    name: str,
    argv: Sequence[str],
    *,
    log: Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    home: Folder | None = None,
    errors: Path | None = None,
    times: int = 1,
    fds: Sequence[int] = (),
    user: str | None = None,
    stop_signal: str = "TERM",
    grace_s: float = 2.0,
    undo: Sequence[Path] = (),
    cpus: Sequence[int] = (),
) -> Process:
    """Start a command under a warden.

    `env` is added to an allow-list of our own; `home` is a folder that it runs in and that stays
    until it has ended; `log` gets its output and, without `errors`, its errors; `times` starts it
    that often, to one inherited socket in `fds`; `undo` names folders that go unless it ended well;
    `cpus` are the processors it is kept on, all by default (Linux).
    """
    options = [f"--times={times}", f"--signal={stop_signal}", f"--grace={grace_s}"]
    options += [f"--fd={fd}" for fd in fds] + [f"--undo={folder}" for folder in undo]
    options += [f"--cpu={cpu}" for cpu in cpus]
    options += [f"--user={user}"] if user else []
    inherited = [*fds]
    if home is not None:
        cwd = cwd or home.path
        assert home.keeper.warden.stdin is not None
        # The keeper waits until its leash is held by nobody, so the warden holds it as well.
        inherited.append(home.keeper.warden.stdin.fileno())
    with open(log, "ab") as out, open(errors or os.devnull, "ab") as separate:
        errors_to = separate if errors else out
        warden = _warden([*options, "--", *argv], out, errors_to, env, cwd, inherited)
    return Process(name=name, warden=warden, log=log, grace_s=grace_s)


_FRESH_S = 0.01
_looked: tuple[float, dict[int, list[int]]] = (-math.inf, {})


def _children() -> Mapping[int, Sequence[int]]:
    """Return the ids of the children of each process of this machine, by its id.

    A walk of its table takes milliseconds; who asks for several trees at one instant shares it.
    """
    global _looked
    if time.monotonic() - _looked[0] > _FRESH_S:
        children: dict[int, list[int]] = {}
        for pid, parent in _parents():
            children.setdefault(parent, []).append(pid)
        _looked = (time.monotonic(), children)
    return _looked[1]


def _parents() -> Iterator[tuple[int, int]]:
    """Yield each process of this machine with its parent, by id."""
    if not os.path.exists("/proc/self/stat"):
        for process in psutil.process_iter(["ppid"]):
            yield process.pid, process.info["ppid"]
        return
    # As psutil does, without its check that no id was given out anew, which takes most of the time.
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/stat", "rb") as stat:
            # The command's name, which may hold anything, ends with the last bracket.
            _, parent, _ = stat.read().rpartition(b")")[2].split(None, 2)
            yield int(pid), int(parent)


def become(
    argv: Sequence[str], *, env: Mapping[str, str], times: int = 1, fds: Sequence[int] = ()
) -> NoReturn:
    """Put a warden with a command in this process's place, as a container's only one.

    It ends the command when it is told to, or ends with it; nothing holds its leash. Where it is
    killed, so is its container.
    """
    leash, held = os.pipe()
    os.dup2(leash, 0)
    for fd in (held, *fds):
        os.set_inheritable(fd, True)
    options = ["--single", f"--times={times}", *(f"--fd={fd}" for fd in fds)]
    os.execve(sys.executable, [sys.executable, *ISOLATED, str(WARDEN), *options, "--", *argv], env)


def _warden(
    arguments: Sequence[str],
    out: IO[bytes],
    errors: IO[bytes],
    env: Mapping[str, str] | None,
    cwd: Path | None,
    fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            [sys.executable, *ISOLATED, str(WARDEN), *arguments],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=errors,
            env=environment(env),
            cwd=cwd,
            pass_fds=fds,
            # Ctrl-C in a terminal goes to the engine alone, which then stops things in order.
            start_new_session=True,
        )
    except BlockingIOError:
        raise UserError(
            "no further process can be started; end some, or allow more with `ulimit -u unlimited`"
        ) from None
    except OSError as error:
        if error.errno != errno.E2BIG:
            raise
        raise UserError(
            "a command, or what it is told, is longer than this system allows; shorten [env],"
            " `path` or settings in loadtest.toml"
        ) from None


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a child: the allow-list of ours and what is added."""
    return {key: os.environ[key] for key in INHERITED & os.environ.keys()} | dict(extra or {})


@contextlib.contextmanager
def running(process: Process) -> Iterator[Process]:
    """Stop a process at the end of the block, however it is left."""
    try:
        yield process
    finally:
        process.stop()


def run(
    name: str,
    argv: Sequence[str],
    *,
    log: Path,
    timeout_s: float,
    errors: Path | None = None,
    **options: Any,
) -> None:
    """Run a command to its end, with the options of `start`.

    Raises CommandError with the end of what it said.
    """
    process = start(name, argv, log=log, errors=errors, grace_s=1.0, **options)
    with running(process):
        try:
            status = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise CommandError(
                f"{name} did not end within {timeout_s:.0f} s", tail(errors or log)
            ) from None
    if status != 0:
        raise CommandError(str(process.ended()), tail(errors or log))


def output(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path,
    status: int = 0,
    timeout_s: float = 60.0,
    fds: Sequence[int] = (),
) -> str:
    """Return what a short command prints; raises CommandError, also where it cannot be run."""
    with _file() as out, _file() as errors:
        options = ["--grace=1", *(f"--fd={fd}" for fd in fds)]
        warden = _warden([*options, "--", *argv], out, errors, env, cwd, fds)
        command = Process(name=argv[0], warden=warden, log=Path(os.devnull), grace_s=1.0)
        try:
            with running(command):
                ended = command.wait(timeout_s)
        except subprocess.TimeoutExpired:
            reason = f"{argv[0]} did not end within {timeout_s:.0f} s"
            raise CommandError(reason, "", _text(out)) from None
        if ended == status:
            return _text(out)
        complaint, printed = _text(errors).strip(), _text(out)
    if ended == CANNOT_START:
        raise CommandError(complaint, "")
    raise CommandError(str(command.ended()), complaint, printed)


@contextlib.contextmanager
def handed(data: bytes) -> Iterator[tuple[int, str]]:
    """Give a descriptor for a child to inherit, and the path by which it reads the data there.

    The file has no name: nothing of it stands in a folder, and in no command line.
    """
    with _file() as file:
        file.write(data)
        file.seek(0)
        yield file.fileno(), f"/dev/fd/{file.fileno()}"


def _file() -> IO[bytes]:
    """Return a file without a name; raises UserError where the system allows none."""
    try:
        return tempfile.TemporaryFile()
    except OSError as error:
        raise UserError(f"{error.strerror}; {ELSEWHERE}") from None


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read(MOST_PRINTED_BYTES).decode("utf-8", "replace")


def tail(path: Path, lines: int = 20) -> str:
    """Return the last lines of a file, without reading more than its last 16 kB."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, path.stat().st_size - 16_384))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.rstrip().splitlines()[-lines:])


@dataclass(frozen=True)
class Timed:
    """A command that has ended, as the system saw it.

    Without its peak memory: on Linux that is at least the engine's own, since the system counts
    what the process was before it became the command.
    """

    began_at_s: float
    """On the monotonic clock, just before it was spawned; `ended_at_s` once its end was known."""
    ended_at_s: float
    status: int
    """128 + n after signal n, as of shells."""
    user_s: float
    system_s: float
    """With those of its own children that it waited for."""
    output: str
    errors: str
    overdue: bool
    """It was killed because its time was over."""


def timed(argv: Sequence[str], *, timeout_s: float) -> Timed:
    """Run a short command bare, without a warden, and time it from outside.

    For commands whose own start is what is measured: a warden's interpreter would take longer than
    many of them. Where the engine is killed the command goes on, so it must be one that ends by
    itself. Raises CommandError where it cannot be spawned.
    """
    with _file() as out, _file() as errors:
        began_at_s = time.monotonic()
        try:
            child = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=errors,
                env=environment(),
                start_new_session=True,
            )
        except OSError as error:
            raise CommandError(f"{argv[0]} cannot be run: {error.strerror}", "") from None
        overdue = threading.Event()

        def end() -> None:
            overdue.set()
            child.kill()

        limit = threading.Timer(timeout_s, end)
        limit.daemon = True  # an interruption may come before it can be cancelled
        try:
            limit.start()
            _, state, used = os.wait4(child.pid, 0)
            ended_at_s = time.monotonic()
            child.returncode = os.waitstatus_to_exitcode(state)  # it has been waited for
        except BaseException:
            child.kill()
            child.wait()
            raise
        finally:
            limit.cancel()
        status = child.returncode
        return Timed(
            began_at_s=began_at_s,
            ended_at_s=ended_at_s,
            status=status if status >= 0 else 128 - status,
            user_s=used.ru_utime,
            system_s=used.ru_stime,
            output=_text(out),
            errors=_text(errors),
            overdue=overdue.is_set(),
        )
