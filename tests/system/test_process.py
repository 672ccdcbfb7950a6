"""Real processes that behave badly: whatever they do, nothing is left of them."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from census import PATIENCE_S, Census, until
from paths import BAD, ROOT

from loadtest.records.errors import UserError
from loadtest.system import process
from loadtest.system.process import CommandError, Process

pytestmark = pytest.mark.real

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets orphans be adopted")

GRACE_S = 20.0
"""For who ends when asked to: however busy the machine is, it does."""
NO_GRACE_S = 0.3


def bad(name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(BAD / f"{name}.py"), *arguments]


@contextmanager
def started(
    argv: list[str], log: Path, *, ready: str = "ready", grace_s: float = GRACE_S, **options: object
) -> Iterator[Process]:
    running = process.start("it", argv, log=log, grace_s=grace_s, **options)  # type: ignore[arg-type]
    try:
        until(lambda: ready in log.read_text(), f"{ready!r} in {log.read_text()!r}")
        yield running
    finally:
        running.stop()


def test_a_warden_that_does_not_end_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that is given no processor for as long: who stops it goes on all the same."""
    monkeypatch.setattr(process, "STOP_SPARE_S", 0.1)
    with subprocess.Popen(bad("ignores_term"), stdin=-1, stdout=-1) as deaf:
        assert deaf.stdout is not None
        assert b"ready" in deaf.stdout.readline()
        try:
            Process("it", deaf, tmp_path / "log", grace_s=0.0).stop()
            assert deaf.returncode == -signal.SIGKILL
        finally:
            deaf.kill()


BEHAVIOURS = [
    bad("never_listens"),
    bad("ignores_term"),
    bad("leaves_worker", "term"),
    pytest.param(bad("leaves_group"), marks=linux),
    bad("forks"),
    pytest.param(bad("forks", "leave"), marks=linux),
]


@pytest.mark.parametrize(
    "argv", BEHAVIOURS, ids=lambda argv: " ".join([Path(argv[1]).stem, *argv[2:]])
)
def test_stopped_nothing_is_left(argv: list[str], census: Census, tmp_path: Path) -> None:
    ready = "thinking" if "never" in argv[1] else "ready"
    with started(argv, tmp_path / "log", ready=ready, grace_s=NO_GRACE_S) as running:
        assert running.ended() is None
        assert census.alive()
        running.stop()
        # At once, not soon: the port and the memory are the next server's.
        assert census.names() == []


ENGINE = """
import sys
from pathlib import Path
from loadtest.system import process
logs, grace_s, *argv = sys.argv[1:]
with process.folder("home-") as home:
    process.start("it", argv, log=Path(logs, "log"), grace_s=float(grace_s), home=home)
    process.start("other", argv, log=Path(logs, "other"), grace_s=float(grace_s))
    print("up", flush=True)
    sys.stdin.read()
"""


@contextmanager
def engine(argv: list[str], logs: Path, ready: str, grace_s: float) -> Iterator[None]:
    """Give an engine of two processes, one of them in a folder of its own, and kill it."""
    with subprocess.Popen(
        [sys.executable, "-c", ENGINE, str(logs), str(grace_s), *argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    ) as begun:
        try:
            assert begun.stdout is not None
            assert begun.stdout.readline() == b"up\n"
            for log in ("log", "other"):
                until(lambda log=log: ready in (logs / log).read_text(), ready)  # type: ignore[misc]
            yield
        finally:
            begun.kill()


@pytest.mark.parametrize(
    "argv", BEHAVIOURS, ids=lambda argv: " ".join([Path(argv[1]).stem, *argv[2:]])
)
def test_the_engine_killed_nothing_is_left(argv: list[str], census: Census, tmp_path: Path) -> None:
    ready = "thinking" if "never" in argv[1] else "ready"
    with engine(argv, tmp_path, ready, NO_GRACE_S):
        assert len(census.leftovers()) == 1
    census.empty()
    assert census.leftovers() == []


AT_HOME = """
import os, signal, time
def late(number, frame):
    time.sleep(0.5)
    print("at home in", os.getcwd(), flush=True)
    raise SystemExit
signal.signal(signal.SIGTERM, late)
print("ready", flush=True)
while True:
    signal.pause()
"""


def test_a_folder_stays_for_as_long_as_it_is_a_home(census: Census, tmp_path: Path) -> None:
    """The engine is gone, and who was in the folder takes its time."""
    with engine([sys.executable, "-c", AT_HOME], tmp_path, "ready", GRACE_S):
        (home,) = census.leftovers()
    census.empty()
    assert f"at home in {census.folder / home}" in (tmp_path / "log").read_text()
    assert census.leftovers() == []


def halves(of: Process) -> tuple[psutil.Process, psutil.Process]:
    """Return the two processes of a warden."""
    first = psutil.Process(of.warden.pid)
    until(first.children, "the second half")
    return first, first.children()[0]


@linux
@pytest.mark.parametrize("half", [0, 1], ids=["first", "second"])
@pytest.mark.parametrize(
    "argv", BEHAVIOURS, ids=lambda argv: " ".join([Path(argv[1]).stem, *argv[2:]])
)
def test_a_killed_warden_leaves_nothing(
    argv: list[str], half: int, census: Census, tmp_path: Path
) -> None:
    ready = "thinking" if "never" in argv[1] else "ready"
    with started(argv, tmp_path / "log", ready=ready, grace_s=NO_GRACE_S) as running:
        halves(running)[half].kill()
        until(running.ended, "the end of the warden")
        assert running.ended() == "it was ended by SIGKILL"
        census.empty()


@linux
def test_with_both_halves_killed_the_system_tells_the_command(
    census: Census, tmp_path: Path
) -> None:
    with started(bad("never_listens"), tmp_path / "log", ready="thinking") as running:
        for half in halves(running):
            half.suspend()
        for half in halves(running):
            half.kill()
        census.empty()


@linux
@pytest.mark.parametrize("half", [0, 1], ids=["first", "second"])
def test_a_killed_keeper_leaves_no_folder(half: int, census: Census) -> None:
    with process.folder("home-") as home:
        halves(home.keeper)[half].kill()
        time.sleep(0.2)
        assert census.leftovers() == [home.path.name], "it is still in use"
    assert census.leftovers() == []
    census.empty()


def test_a_folder_is_ours_alone_and_goes_with_its_block(census: Census) -> None:
    with process.folder("home-") as home:
        assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
        assert census.leftovers() == [home.path.name]
        (home.path / "deep").mkdir()
        (home.path / "deep" / "file").write_text("x")
    assert census.leftovers() == []
    assert census.names() == []


def test_a_folder_that_cannot_be_made(census: Census) -> None:
    with (
        pytest.raises(UserError, match=r"nowhere: No such file or directory; .*TMPDIR=/var/tmp"),
        process.folder("home-", census.folder / "nowhere"),
    ):
        pass
    assert census.names() == []


def segments() -> set[int]:
    """Return the System V segments that there are."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {int(line.split()[1]) for line in lines}


@linux
def test_what_a_killed_postgres_has_in_memory_goes_with_its_folder(census: Census) -> None:
    private, new = 0, 0o1600
    segment = ctypes.CDLL(None).shmget(private, 4096, new)
    assert segment in segments()
    with process.folder("home-") as home:
        lock = home.path / "data" / "postmaster.pid"
        lock.parent.mkdir()
        lock.write_text(f"1\n/data\n1700000000\n5432\n/home\n\n   123456 {segment}\nready\n")
    assert segment not in segments()


def test_a_warden_told_to_end_undoes(tmp_path: Path) -> None:
    folder = tmp_path / "half-made"
    folder.mkdir()
    options = {"undo": [folder]}
    with started(bad("never_listens"), tmp_path / "log", ready="thinking", **options) as running:
        running.warden.terminate()
        assert running.wait(PATIENCE_S) == 128 + signal.SIGTERM
        assert not folder.exists()


def test_a_leader_that_is_killed_takes_its_workers_along(census: Census, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(bad("leaves_worker", "kill"), log, grace_s=NO_GRACE_S) as running:
        until(lambda: running.ended() is not None, "the end of the warden")
        assert running.exit_status() == 128 + signal.SIGKILL
        assert running.ended() == "it was ended by SIGKILL"
        assert census.names() == []


def test_a_leader_that_exits_takes_its_workers_along(census: Census, tmp_path: Path) -> None:
    with started(bad("leaves_worker", "exit"), tmp_path / "log", grace_s=NO_GRACE_S) as running:
        assert running.wait(PATIENCE_S) == 0
        assert running.ended() == "it exited with status 0"
        assert census.names() == []


@pytest.mark.parametrize("status", [0, 1, 3, 99])
def test_the_exit_status_is_passed_on(status: int, tmp_path: Path) -> None:
    log = tmp_path / "log"
    running = process.start("it", bad("exits_at_once", str(status)), log=log)
    assert running.wait(PATIENCE_S) == status
    assert running.ended() == f"it exited with status {status}"
    assert running.tail() == "cannot import name 'application'"
    running.stop()
    assert running.exit_status() == status


@pytest.mark.parametrize("name", ["SIGTERM", "SIGSEGV", "SIGKILL"])
def test_the_signal_is_passed_on_as_shells_do(name: str, tmp_path: Path) -> None:
    number = signal.Signals[name]
    with started(bad("never_listens"), tmp_path / "log", ready="thinking") as running:
        running.tree()[0].send_signal(number)
        assert running.wait(PATIENCE_S) == 128 + number
        assert running.ended() == f"it was ended by {name}"


def test_what_cannot_be_started_says_why(tmp_path: Path) -> None:
    running = process.start("it", [str(tmp_path / "nowhere")], log=tmp_path / "log")
    assert running.wait(PATIENCE_S) == 127
    assert running.tail() == f"cannot start {tmp_path}/nowhere: No such file or directory"
    (tmp_path / "text").write_text("no program")
    running = process.start("it", [str(tmp_path / "text")], log=tmp_path / "log")
    assert running.wait(PATIENCE_S) == 127
    assert "Permission denied" in running.tail()


def test_what_is_longer_than_a_process_may_be_told_is_said() -> None:
    with pytest.raises(UserError, match="is longer than this system allows; shorten"):
        process.output(["true"], env={"A": "x" * 3_000_000}, cwd=Path("/"))


def test_many_on_one_socket_all_answer_and_all_go(census: Census, tmp_path: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port, fd = listener.getsockname()[1], listener.fileno()
        argv = bad("answers", str(port), "--fd", str(fd))
        log = tmp_path / "log"
        with started(argv, log, ready="listening", times=3, fds=[fd]) as running:
            until(lambda: log.read_text().count("listening") == 3, "three of them")
            listener.close()
            assert len(running.tree()) == 3
            assert len({os.getpgid(process.pid) for process in running.tree()}) == 1
            assert ask(port) in {str(process.pid) for process in running.tree()}
            # One that dies takes the others along: half a server is none.
            running.tree()[1].kill()
            assert running.wait(PATIENCE_S) == 128 + signal.SIGKILL
            assert census.names() == []


def ask(port: int) -> str:
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return connection.makefile("rb").read().rpartition(b"\r\n\r\n")[2].decode()


def test_stopping_twice_is_once(tmp_path: Path) -> None:
    with started(bad("never_listens"), tmp_path / "log", ready="thinking") as running:
        running.stop()
        running.stop()
        assert running.ended() == "it was ended by SIGTERM"


def test_the_first_signal_can_be_another(tmp_path: Path) -> None:
    options = {"stop_signal": "INT"}
    with started(bad("never_listens"), tmp_path / "log", ready="thinking", **options) as running:
        running.stop()
        assert "KeyboardInterrupt" in running.tail()


def test_a_warden_told_to_end_ends_its_command_first(census: Census, tmp_path: Path) -> None:
    with started(bad("ignores_term"), tmp_path / "log", grace_s=2.0) as running:
        running.warden.terminate()
        # And a second time, in the middle of the grace: an impatient person does that.
        until(lambda: "no" in running.tail(), "the refusal of its command")
        running.warden.send_signal(signal.SIGINT)
        running.warden.wait(PATIENCE_S)
        assert census.names() == []


def test_the_environment_is_an_allow_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "20")
    monkeypatch.setenv("PYTHONASYNCIODEBUG", "1")
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "elsewhere")
    argv = [sys.executable, "-c", "import os; print(sorted(os.environ))"]
    process.run("it", argv, log=tmp_path / "log", timeout_s=PATIENCE_S, env={"GIVEN": "1"})
    names = set(re.findall(r"'(\w+)'", (tmp_path / "log").read_text()))
    assert {"GIVEN", "PATH"} <= names
    assert not names & {"WEB_CONCURRENCY", "PYTHONASYNCIODEBUG", "DJANGO_SETTINGS_MODULE"}


def test_errors_can_go_to_a_file_of_their_own(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="it exited with status 3") as caught:
        process.run(
            "it",
            bad("exits_at_once"),
            log=tmp_path / "log",
            errors=tmp_path / "errors",
            timeout_s=PATIENCE_S,
        )
    assert caught.value.detail == "cannot import name 'application'"
    assert (tmp_path / "log").read_text() == ""


def test_a_command_that_does_not_end_is_ended(census: Census, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="it did not end within 0 s"):
        process.run("it", bad("never_listens"), log=tmp_path / "log", timeout_s=0.2)
    assert census.names() == []


def test_what_a_child_is_handed_has_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder, and a command line, would show it to others."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    read = "import sys; print(open(sys.argv[1]).read(), len(sys.argv))"
    with process.handed(b"secret") as (fd, path):
        assert list(tmp_path.iterdir()) == []
        argv = [sys.executable, "-c", read, path]
        assert process.output(argv, env={}, cwd=tmp_path, fds=(fd,)) == "secret 2\n"


def test_output(tmp_path: Path) -> None:
    def output(code: str, **options: object) -> str:
        argv = [sys.executable, "-c", code]
        return process.output(argv, env={}, cwd=tmp_path, **options)  # type: ignore[arg-type]

    assert output("print('said')") == "said\n"
    with pytest.raises(CommandError, match="exited with status 1") as caught:
        output("raise SystemExit('oh dear')")
    assert caught.value.detail == "oh dear"
    with pytest.raises(CommandError, match="did not end within 0 s"):
        output("import time; time.sleep(60)", timeout_s=0.2)
    with pytest.raises(CommandError, match=r"cannot start \./nowhere: No such file"):
        process.output(["./nowhere"], env={}, cwd=tmp_path)


def test_the_engine_killed_no_short_command_is_left(census: Census, tmp_path: Path) -> None:
    """A management command without its database would wait for long."""
    code = "from loadtest.system import process; from pathlib import Path; import sys\n"
    code += "process.output(sys.argv[1:], env={}, cwd=Path())"
    argv = bad("never_listens")
    with subprocess.Popen([sys.executable, "-c", code, *argv], cwd=ROOT) as engine:
        # The command itself: engine and warden name it as well, behind their own.
        until(lambda: any(name.split()[2:3] == argv[1:] for name in census.names()), "its start")
        engine.kill()
    census.empty()
    assert census.leftovers() == []


def test_the_tail_of_a_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    assert process.tail(log) == ""
    log.write_bytes(
        b"x" * 100_000 + b"\n" + b"".join(b"line %d\n" % i for i in range(30)) + b"\xff"
    )
    assert process.tail(log, 3) == "line 28\nline 29\n\ufffd"
    assert len(process.tail(log).splitlines()) == 20


@linux
def test_no_descriptor_of_ours_leaks(tmp_path: Path) -> None:
    """A leash held by another child would keep a warden's command alive after our end."""
    with (
        started(bad("never_listens"), tmp_path / "a", ready="thinking") as first,
        started(bad("never_listens"), tmp_path / "b", ready="thinking") as second,
    ):
        for running, other in ((first, second), (second, first)):
            assert other.warden.stdin is not None
            leash = pipes(os.getpid(), other.warden.stdin.fileno())
            for half in halves(running):
                assert leash.isdisjoint(pipes(half.pid))
            for member in running.tree():
                assert not pipes(member.pid), member.cmdline()


def pipes(pid: int, *numbers: int) -> set[str]:
    """Return the pipes that a process has open, at some numbers or at all."""
    entries = [str(number) for number in numbers] or os.listdir(f"/proc/{pid}/fd")
    links = {os.readlink(f"/proc/{pid}/fd/{entry}") for entry in entries}
    return {link for link in links if link.startswith("pipe:")}


def test_a_bare_command_is_timed_and_told() -> None:
    before_s = time.monotonic()
    done = process.timed(
        [sys.executable, "-c", "import sys, time; print(1); time.sleep(0.2); sys.exit(3)"],
        timeout_s=PATIENCE_S,
    )
    assert (done.status, done.output, done.overdue) == (3, "1\n", False)
    assert before_s < done.began_at_s < done.began_at_s + 0.2 < done.ended_at_s < time.monotonic()
    assert 0.001 < done.user_s + done.system_s < done.ended_at_s - done.began_at_s


def test_a_bare_command_that_is_overdue_is_killed() -> None:
    done = process.timed([sys.executable, "-c", "import time; time.sleep(60)"], timeout_s=0.3)
    assert (done.status, done.overdue) == (128 + signal.SIGKILL, True)
    with pytest.raises(CommandError, match="/nowhere cannot be run: No such file"):
        process.timed(["/nowhere"], timeout_s=1)


def test_what_needs_a_file_says_where_none_can_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where no file may have a byte, `ulimit -f 0`."""

    def refuse() -> None:
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found")

    monkeypatch.setattr("tempfile.TemporaryFile", refuse)
    for begin in (
        lambda: process.output(["true"], env={}, cwd=Path("/")),
        lambda: process.timed(["true"], timeout_s=1.0),
    ):
        with pytest.raises(UserError, match="No usable temporary directory found; name a folder"):
            begin()


def test_what_a_command_prints_without_end_is_read_in_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "MOST_PRINTED_BYTES", 1_000)
    argv = [sys.executable, "-c", "print('x' * 10**6)"]
    assert process.output(argv, env={}, cwd=tmp_path) == "x" * 1_000
