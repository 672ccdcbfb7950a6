"""Launching real servers, small and bad ones, as the engine launches any."""

from __future__ import annotations

import contextlib
import math
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders import server as profile
from census import Census
from paths import BAD

from loadtest.bench.servers import instance
from loadtest.bench.servers.instance import Instance, launch
from loadtest.plan.servers.project import App, Project
from loadtest.records.errors import CellError
from loadtest.records.planned import Server, Shape
from loadtest.system import listening

pytestmark = pytest.mark.real


def bad(name: str, *arguments: str, **changes: Any) -> Server:
    return profile("it", argv=("{python}", str(BAD / f"{name}.py"), *arguments), **changes)


@contextmanager
def launched(server: Server, tmp_path: Path, **options: Any) -> Iterator[Instance]:
    instance = launch(
        server,
        options.pop("shape", Shape()),
        Project(tmp_path, sys.executable, App(env={"POOL": "{postgres.pool}"})),
        env=options.pop("env", {}),
        log=tmp_path / "server.log",
        **options,
    )
    try:
        yield instance
    finally:
        instance.process.stop()


def ask(port: int) -> int:
    connection = HTTPConnection(listening.HOST, port, timeout=60)
    connection.request("GET", "/")
    pid = int(connection.getresponse().read())
    connection.close()
    return pid


def test_a_server_that_is_up(census: Census, tmp_path: Path) -> None:
    with launched(bad("answers", "{port}"), tmp_path) as instance:
        assert instance.launch_s > 0
        assert instance.process.ended() is None
        assert ask(instance.port) in {process.pid for process in instance.process.tree()}
    assert census.names() == []
    # The next one may have the port at once, whatever still lingers on it.
    with launched(bad("answers", "{port}"), tmp_path, port=instance.port):
        pass


@pytest.fixture
def over_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Give what lets the time to be ready be over once the log has certain words in it."""

    def when(words: str) -> None:
        def monotonic() -> float:
            log = tmp_path / "server.log"
            return math.inf if log.exists() and words in log.read_text() else 0.0

        clock = SimpleNamespace(monotonic=monotonic, sleep=time.sleep)
        monkeypatch.setattr(listening, "time", clock)

    return when


def test_one_that_never_listens(
    census: Census, tmp_path: Path, over_once: Callable[[str], None]
) -> None:
    over_once("thinking about it")
    with (
        pytest.raises(CellError, match=r"it did not answer within 60 s: .*refused") as caught,
        launched(bad("never_listens"), tmp_path),
    ):
        pass
    assert caught.value.stage == "launch"
    assert caught.value.detail == "thinking about it"
    assert census.names() == []


def test_one_that_answers_wrongly_is_up(tmp_path: Path) -> None:
    """What it has to answer is known of its endpoints alone, which are asked next."""
    with launched(bad("answers", "{port}", "--status", "503"), tmp_path) as instance:
        assert instance.process.ended() is None


def test_one_that_exits_at_once(tmp_path: Path) -> None:
    with (
        pytest.raises(CellError, match=r"^it exited with status 3 before it answered$") as caught,
        launched(bad("exits_at_once"), tmp_path),
    ):
        pass
    assert caught.value.stage == "launch"
    assert caught.value.detail == "cannot import name 'application'"


def test_one_that_is_not_there(tmp_path: Path) -> None:
    with (
        pytest.raises(CellError, match="exited with status 127") as caught,
        launched(profile("it", argv=(str(tmp_path / "nowhere"),)), tmp_path),
    ):
        pass
    assert "cannot start" in (caught.value.detail or "")


@contextmanager
def stale(*arguments: str) -> Iterator[int]:
    """Give the port of a server of somebody else's that answers everything."""
    with socket.socket() as listener:
        listener.bind((listening.HOST, 0))
        listener.listen()
        port, fd = listener.getsockname()[1], listener.fileno()
        argv = [sys.executable, str(BAD / "answers.py"), str(port), "--fd", str(fd), *arguments]
        with subprocess.Popen(argv, pass_fds=[fd], stdout=subprocess.PIPE) as other:
            try:
                assert other.stdout is not None
                other.stdout.readline()
                yield port
            finally:
                other.kill()


def test_an_answer_of_somebody_else_is_none_of_its(census: Census, tmp_path: Path) -> None:
    """A stale server that kept the port would be measured in the place of each."""
    with (
        stale() as port,
        pytest.raises(CellError, match=f"port {port} is answered by a process that is not it"),
        launched(bad("never_listens"), tmp_path, port=port),
    ):
        pass
    assert not [name for name in census.names() if "never_listens" in name]


def test_a_port_that_is_taken_is_not_used(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first = listening.free_port()
        taken.bind((listening.HOST, first))
        taken.listen()
        assert listening.free_port(first) > first
        with launched(bad("answers", "{port}"), tmp_path) as instance:
            assert instance.port != first
            assert ask(instance.port)


@pytest.mark.parametrize("processes", ["one", "workers"])
def test_told_to_use_a_taken_port_it_fails(processes: str, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((listening.HOST, 0))
        port = taken.getsockname()[1]
        with (
            pytest.raises(CellError) as caught,
            launched(bad("answers", "{port}", processes=processes), tmp_path, port=port),
        ):
            pass
    assert caught.value.stage == "launch"
    assert "in use" in f"{caught.value.reason} {caught.value.detail}"


def test_the_last_port_there_is() -> None:
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # somebody else has it: as good
            taken.bind((listening.HOST, 65_535))
        with pytest.raises(CellError, match="no free port between 65535 and 65535"):
            listening.free_port(65_535)


def test_many_processes_on_one_socket(census: Census, tmp_path: Path) -> None:
    server = bad("answers", "{port}", "--fd", "{fd}", processes="workers")
    with launched(server, tmp_path, shape=Shape(workers=3)) as instance:
        tree = instance.process.tree()
        assert len(tree) == 3
        assert ask(instance.port) in {process.pid for process in tree}
    assert census.names() == []
    with socket.socket() as probe:  # nobody listens any more, nor do we
        assert probe.connect_ex((listening.HOST, instance.port)) != 0


def test_workers_go_with_their_leader(census: Census, tmp_path: Path) -> None:
    server = bad("answers", "{port}", "--workers", "{workers}", "--ignore-term")
    with launched(server, tmp_path, shape=Shape(workers=3)) as instance:
        assert len(instance.process.tree()) == 3
        instance.process.tree()[0].kill()
        instance.process.wait(20)
        assert instance.process.ended() == "it was ended by SIGKILL"
        assert census.names() == []


def test_the_environment_is_filled_in(tmp_path: Path) -> None:
    code = "import os; print(os.environ['A'], os.environ['POOL'], os.environ['B'])"
    server = profile("it", argv=("{python}", "-c", code), env={"A": "{workers*threads} of {port}"})
    with (
        pytest.raises(CellError) as caught,
        launched(
            server,
            tmp_path,
            env={"B": "given"},
            port=8123,
            shape=Shape(workers=3, threads=5, database_pool=7),
        ),
    ):
        pass
    assert caught.value.detail == "15 of 8123 7 given"


def test_a_server_under_other_settings_is_refused(tmp_path: Path) -> None:
    served = tmp_path / "served"
    for written in (None, "", "shop.settings\n", "loadtest_settings\nshop.settings\n"):
        if written is not None:
            served.write_text(written)
        with pytest.raises(CellError, match="does not run under loadtest_settings"):
            instance.check_settings(served)
    served.write_text("loadtest_settings\n")
    instance.check_settings(served)
