"""Servers on the machine of an agent, over a network in memory: what is started there, and told."""

from __future__ import annotations

import dataclasses
import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import contract, machine, plan, server
from census import until
from net import Net, net

from loadtest.bench.load.agents import agent as agent_module
from loadtest.bench.load.agents import master as master_module
from loadtest.bench.load.agents.linked import Address
from loadtest.bench.servers.agents import remote
from loadtest.bench.servers.agents import serving as serving_module
from loadtest.bench.servers.agents.asks import Launch, Look, Prepare, Sample, declared
from loadtest.bench.servers.agents.serving import Serving
from loadtest.bench.servers.service_counters import Counts
from loadtest.plan.servers.project import App, Project
from loadtest.plan.servers.requests import Prepared, Template
from loadtest.records import privacy
from loadtest.records.errors import CellError
from loadtest.records.planned import Server, Shape
from loadtest.system.sampling import Holding

PROFILES = {
    each.name: each
    for each in (server("alpha", recycled=("--replace",), env={"A": "1"}), server("beta"))
}
APP = App(basis={"settings": "as they are", "interpreter": "of either"})
PREPARE = Prepare(shape=Shape(), largest=Shape(), at_once=2, connections=8, declared=declared(APP))
REQUESTS = {"mine": (Prepared("/mine?page=2", headers={"Cookie": "sessionid=of this database"}),)}


@dataclass
class FakeServer:
    """A server that is up."""

    number: int
    events: list[str]
    host: str = "127.0.0.1"
    port: int = 8000
    launch_s: float = 0.5
    requests: Mapping[str, tuple[Prepared, ...]] = field(default_factory=lambda: REQUESTS)

    def counters(self) -> FakeServer:
        return self

    def groups(self) -> dict[str, Any]:
        return {"server": list}

    def read(self, of: Any) -> Counts:
        return Counts(redis=of.redis)

    def sessions(self) -> int:
        return 4

    def scans(self) -> None:
        return None

    def ended(self) -> str | None:
        return None

    def tail(self) -> str:
        return "the end of its log"

    def holding(self) -> Holding:
        return Holding(rss_bytes=1, processes=2, threads=3, connections=None)

    def memory_bytes(self) -> int:
        return 5

    def stop(self) -> None:
        self.events.append(f"stop {self.number}")


@dataclass
class FakeMachine:
    """The machine that serves, in place of its processes."""

    events: list[str] = field(default_factory=list)
    died: CellError | None = None
    launching: Callable[[], object] = lambda: None
    sessions: list[Serving] = field(default_factory=list)

    @contextmanager
    def services(self, *_: object, at_once: int) -> Iterator[str]:
        self.events.append("services up")
        try:
            yield "services"
        finally:
            self.events.append("services down")

    def bench(self, services: str, shape: Shape, folder: Path, *, host: str) -> FakeMachine:
        assert list(folder.iterdir()) == [folder / "logs"]
        assert not list((folder / "logs").iterdir())
        (folder / "logs" / "server-0.log").touch()
        return self

    def repair(self) -> CellError | None:
        return self.died

    def launch(self, profile: Server, name: str) -> FakeServer:
        self.launching()
        self.events.append(f"launch {profile.name}")
        return FakeServer(int(name.rpartition("-")[2]), self.events)

    @staticmethod
    def number(running: Any) -> int:
        number: int = running.launched.number
        return number

    def serves(self, folder: Path) -> Serving:
        folder.mkdir(exist_ok=True)
        project = Project(folder, "python", APP)
        self.sessions.append(Serving(project, PROFILES, Address("127.0.0.1", 1), folder))
        return self.sessions[-1]


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    monkeypatch.setattr(agent_module, "WELCOME_WITHIN_S", 1.0)
    monkeypatch.setattr(master_module, "BACK_WITHIN_S", 0.5)
    monkeypatch.setattr(serving_module, "ENDS_WITHIN_S", 0.1)
    machine = FakeMachine()
    monkeypatch.setattr(serving_module, "services", machine.services)
    monkeypatch.setattr(serving_module, "LocalBench", machine.bench)
    return machine


def asked(of: Serving, what: Any) -> Any:
    return of.answer(msgspec.json.encode(what))


def failing(of: Serving, what: Any) -> None:
    with pytest.raises(CellError, match="is over"):
        asked(of, what)


def test_services_that_are_up_too_late_are_stopped_at_once(
    there: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, goes_on = threading.Event(), threading.Event()

    @contextmanager
    def slowly(*_: object, at_once: int) -> Iterator[str]:
        began.set()
        goes_on.wait(30)
        with there.services(at_once=at_once) as services:
            yield services

    monkeypatch.setattr(serving_module, "services", slowly)
    serving = there.serves(tmp_path)
    late = threading.Thread(target=failing, args=(serving, PREPARE))
    late.start()
    assert began.wait(30)
    serving.end()
    goes_on.set()
    late.join(30)
    assert there.events == ["services up", "services down"]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b'{"ask":"run","argv":["sh"]}',
        b'{"ask":"stop","server":-1}',
        b'{"ask":"stop","server":0,"signal":"KILL"}',
        b'{"ask":"look","server":0,"at":"stop"}',
        b"[" * 10_000,
    ],
)
def test_what_is_none_of_the_list_is_refused(
    there: FakeMachine, tmp_path: Path, text: bytes
) -> None:
    with pytest.raises(ValueError, match="no message of ours"):
        there.serves(tmp_path).answer(text)
    assert there.events == []


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "gamma"},
        {"argv": ("sh", "-c", "id")},
        {"env": {"LD_PRELOAD": "x.so"}},
        {"processes": "workers"},
        {"recycled": ("--exec", "id")},
        {"profile": "beta"},
        {"variant": "another"},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_server_that_is_declared_differently_is_not_started(
    there: FakeMachine, tmp_path: Path, changes: dict[str, Any]
) -> None:
    serving = there.serves(tmp_path)
    asked(serving, PREPARE)
    strange = msgspec.structs.replace(PROFILES["alpha"], **changes)
    with pytest.raises(CellError, match="declared differently"):
        asked(serving, Launch(number=0, server=strange))
    again = msgspec.structs.replace(PROFILES["alpha"], name="alpha-again", duplicate_of="alpha")
    asked(serving, Launch(number=0, server=again))
    serving.end()
    assert there.events == ["services up", "launch alpha-again", "stop 0", "services down"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"basis": {"settings": "another", "interpreter": "of either"}}, "settings"),
        ({"basis": {"interpreter": "of either"}}, "settings"),
        ({"requests": {"mine": Template(path="/mine")}}, r"\[\[endpoint\]\]"),
        ({"basis": {"settings": "as they are", "interpreter": "another"}}, None),
    ],
)
def test_another_project_is_not_started(
    there: FakeMachine, tmp_path: Path, changes: dict[str, Any], named: str | None
) -> None:
    of = msgspec.structs.replace(PREPARE, declared=declared(dataclasses.replace(APP, **changes)))
    serving = there.serves(tmp_path)
    if named is None:
        asked(serving, of)
    else:
        with pytest.raises(CellError, match=f"differs in {named}; have the same on both"):
            asked(serving, of)
    serving.end()
    assert there.events == ([] if named else ["services up", "services down"])


def test_nothing_is_started_once_a_session_is_over(there: FakeMachine, tmp_path: Path) -> None:
    serving = there.serves(tmp_path)
    with pytest.raises(CellError, match="no services"):
        asked(serving, Launch(number=0, server=PROFILES["alpha"]))
    asked(serving, PREPARE)
    with pytest.raises(CellError, match="up already"):
        asked(serving, PREPARE)
    with pytest.raises(CellError, match="no server has this number"):
        asked(serving, Look(server=7, at="ended"))
    began, goes_on = threading.Event(), threading.Event()
    there.launching = lambda: (began.set(), goes_on.wait(30))
    beta = Launch(number=0, server=PROFILES["beta"])
    late = threading.Thread(target=failing, args=(serving, beta))
    late.start()
    assert began.wait(30)
    serving.end()
    with pytest.raises(CellError, match="is over"):
        asked(serving, Launch(number=0, server=PROFILES["alpha"]))
    assert there.events == ["services up", "services down"]
    # What was being started is stopped once it is up.
    goes_on.set()
    late.join(30)
    assert there.events[2:] == ["launch beta", "stop 0"]


@contextmanager
def served(there: FakeMachine, folder: Path) -> Iterator[tuple[Net, remote.RemoteBench]]:
    """Give a master, its agents and the world of the one that serves."""
    with net(folder, 1, served=True) as made:
        made.agent("a")
        serving_agent(there, made, "s")
        makers = made.master.await_all(30)
        assert [member.joining.serves for member in makers] == [False, True]
        yield (
            made,
            remote.served(made.master, plan(PROFILES.values()), Project(folder, "", APP), folder),
        )


def serving_agent(there: FakeMachine, made: Net, name: str) -> None:
    made.agent(
        name,
        machine=machine(versions={"Django": "5.2"}),
        serves=lambda: there.serves(made.folder / "there"),
    )


def test_a_server_there_is_asked_for_all_that_is_known_here(
    there: FakeMachine, tmp_path: Path
) -> None:
    with served(there, tmp_path) as (_, bench):
        running = bench.launch(PROFILES["beta"], "beta.json-sync.r0")
        assert (running.host, running.port, running.launch_s) == ("127.0.0.1", 8000, 0.5)
        assert (running.ended(), running.tail()) == (None, "the end of its log")
        assert running.holding() == FakeServer(0, []).holding()
        assert running.memory_bytes() == 5
        counters = running.counters()
        assert (counters.sessions(), counters.scans()) == (4, None)
        assert counters.read(contract(redis=3)) == Counts(redis=3)
        with running.sampled(list) as sampled:
            time.sleep(0.01)  # as short as no load is
        assert sampled.usage.keys() == {"server", "generator"}
        assert sampled.host is not None
        assert running.requests == REQUESTS
        assert bench.repair() is None
        there.died = CellError("services", "PostgreSQL was ended", "its log")
        died = bench.repair()
        assert died is not None
        assert (died.stage, died.detail) == ("services", "its log")
        assert died.reason.endswith(": PostgreSQL was ended")
        running.stop()
        assert there.events[-2:] == ["launch beta", f"stop {there.number(running)}"]
    until(lambda: there.events[-1] == "services down", "the services to end")


def test_what_cannot_be_done_there_fails_what_asked_for_it(
    there: FakeMachine, tmp_path: Path
) -> None:
    with served(there, tmp_path) as (made, bench):
        with pytest.raises(CellError, match="it is declared differently") as refused:
            bench.launch(server("gamma"), "x")
        assert refused.value.stage == "launch"
        running = bench.launch(PROFILES["beta"], "x")
        with pytest.raises(CellError, match="nothing was sampled"):
            asked(there.sessions[-1], Sample(server=there.number(running), end=True))

        def broken() -> None:
            raise RuntimeError("oh dear")

        there.launching = broken
        with pytest.raises(CellError, match="oh dear"):
            bench.launch(PROFILES["beta"], "x")
        # An agent that makes loads serves nothing, whoever asks.
        (maker,) = made.master.ready()
        with pytest.raises(CellError, match="serves nothing"):
            remote.There(made.master, maker).ask(Look(server=0, at="tail"), str, "load")
        assert running.ended() is None


@pytest.mark.parametrize(
    "error",
    [
        CellError("launch", "no server of mine", "of mine\n" * 50_000),
        RuntimeError("a server of mine"),
    ],
    ids=["of ours", "of others"],
)
def test_why_something_cannot_be_done_there_is_told_whatever_it_is(
    there: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(remote, "LAUNCHES_WITHIN_S", 5.0)
    monkeypatch.setattr(privacy, "_concealed", {"of mine"})

    def broken() -> None:
        raise error

    there.launching = broken
    with served(there, tmp_path) as (_, bench):
        with pytest.raises(CellError, match=r"server \.\.\.") as told:
            bench.launch(PROFILES["beta"], "x")
        assert "of mine" not in f"{told.value.reason} {told.value.detail}"


def test_an_agent_that_serves_is_lost_and_comes_back(there: FakeMachine, tmp_path: Path) -> None:
    with served(there, tmp_path) as (made, bench):
        running = bench.launch(PROFILES["alpha"], "x")
        made.end("s")
        (member,) = (each for each in made.master.places if each.joining.serves)
        member.lost = "nothing came from it"
        assert running.ended() is None
        assert (running.tail(), running.holding(), running.memory_bytes()) == ("", None, None)
        assert running.counters().scans() is None
        running.stop()
        with pytest.raises(CellError, match="nothing came from it"), running.sampled(list):
            pass
        died = bench.repair()
        assert died is not None
        assert "1 of 1 agents are missing" in died.reason
        until(lambda: there.events[-1] == "services down", "the services to end")
        serving_agent(there, made, "s2")
        made.master.await_all(30)
        died = bench.repair()
        assert died is not None
        assert (died.stage, died.reason) == (
            "services",
            f"agent {member.name} was lost, and all servers are started anew",
        )
        assert bench.repair() is None
        assert bench.launch(PROFILES["alpha"], "x").ended() is None
    assert there.events.count("services up") == 2
    assert there.events.count(f"stop {there.number(running)}") == 1


def test_who_serves_takes_no_part_where_nobody_asked_for_that(
    there: FakeMachine, tmp_path: Path
) -> None:
    with net(tmp_path, 1) as made:
        serving_agent(there, made, "s")
        until(lambda: "s" in made.why, "it to be refused")
        assert "starts its servers itself; leave out --serves" in made.why["s"]
    with net(tmp_path, 1, served=True) as made:
        serving_agent(there, made, "s")
        until(lambda: made.master.places, "the first to join")
        serving_agent(there, made, "t")
        until(lambda: "t" in made.why, "the second to be refused")
        assert "starts the servers of this run" in made.why["t"]


def test_services_that_do_not_start_there_end_the_run(there: FakeMachine, tmp_path: Path) -> None:
    def broken(*_: object, at_once: int) -> None:
        raise CellError("services", "PostgreSQL not up in 20 s")

    there.services = broken  # type: ignore[method-assign, assignment]
    serving_module.services = broken  # type: ignore[assignment]
    with pytest.raises(CellError, match="PostgreSQL not up in 20 s"):  # noqa: SIM117
        with served(there, tmp_path):
            pass


def test_answers_of_several_threads_come_in_the_order_they_were_signed_in(
    there: FakeMachine, tmp_path: Path
) -> None:
    with served(there, tmp_path) as (made, bench):
        carry = made.wire.carry

        def slowly(source: str, target: str, text: str) -> None:
            if source == "s":
                time.sleep(len(text) % 5 / 1_000)  # one that was signed later may be sooner
            carry(source, target, text)

        made.wire.carry = slowly  # type: ignore[method-assign]
        launched: list[int] = []
        threads = [
            threading.Thread(
                target=lambda: launched.append(bench.launch(PROFILES["beta"], "x").port)
            )
            for _ in range(12)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(launched) == 12
        assert not [text for text in made.notes if "came before" in text]


def test_a_server_that_comes_up_too_late_is_stopped(
    there: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = threading.Event()
    there.launching = lambda: goes_on.wait(30)
    monkeypatch.setattr(remote, "LAUNCHES_WITHIN_S", 0.1)
    with served(there, tmp_path) as (_, bench):
        with pytest.raises(CellError, match="did not answer in time"):
            bench.launch(PROFILES["alpha"], "x")
        goes_on.set()
        until(lambda: there.events[-1].startswith("stop"), "it to be stopped")
        assert [event.split()[0] for event in there.events] == ["services", "launch", "stop"]


def test_a_folder_into_which_something_is_still_written_ends_no_agent(
    there: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove = os.rmdir

    def rmdir(path: str, **more: Any) -> None:
        if path == "logs":
            raise OSError(errno.ENOTEMPTY, "Directory not empty")
        remove(path, **more)

    monkeypatch.setattr(os, "rmdir", rmdir)
    serving = there.serves(tmp_path)
    asked(serving, PREPARE)
    serving.end()
    assert there.events == ["services up", "services down"]


def test_who_serves_is_waited_for_though_who_loads_was_in_vain(
    there: FakeMachine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(there, tmp_path) as (made, _):
        maker, server = made.master.places
        for lost, name in ((maker, "a"), (server, "s")):
            made.end(name)
            lost.lost = "nothing came from it"
        with pytest.raises(CellError, match="1 of 1 agents are missing"):
            made.master.ready()
        monkeypatch.setattr(master_module, "BACK_WITHIN_S", 30.0)
        back = threading.Timer(0.1, serving_agent, (there, made, "s2"))
        back.start()
        assert made.master.ready(serves=True)
        back.join()
