"""The side of the machine that serves: its own servers and services, for the time of one session.

A server that is asked for has to be declared here as it was sent: what runs is this installation's
and this project's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Condition
from typing import Any

from loadtest.bench.load.agents import messages, network
from loadtest.bench.load.agents.linked import Address
from loadtest.bench.servers.agents.asks import (
    ASKS,
    Count,
    Launch,
    Look,
    Prepare,
    Repair,
    Sample,
    Stop,
    Up,
    Used,
    declared,
)
from loadtest.bench.servers.loaded_server import LoadedServer
from loadtest.bench.servers.local import LocalBench
from loadtest.bench.servers.services import services
from loadtest.plan.servers.lineup import is_declared
from loadtest.plan.servers.project import Project
from loadtest.records.errors import CellError
from loadtest.records.planned import Server
from loadtest.records.privacy import public_log
from loadtest.system import machine, sampling
from loadtest.system.sampling import Sampled

ENDS_WITHIN_S = 2.0
"""Of what is asked at the end of a session."""


@dataclass
class _Served:
    """A server that was started, and what samples it meanwhile."""

    running: LoadedServer
    sampling: ExitStack = field(default_factory=ExitStack)
    sampled: Sampled | None = None

    def stop(self) -> None:
        self.sampling.close()
        self.running.stop()


@dataclass
class Serving:
    """What one session with a machine that steers has started here."""

    project: Project
    profiles: Mapping[str, Server]
    master: Address
    """Servers have the address of this machine by which it is reached."""
    folder: Path
    """A temporary one."""
    _bench: LocalBench | None = None
    _servers: dict[int, _Served] = field(default_factory=dict)
    _unwanted: set[int] = field(default_factory=set)
    """Numbers of servers that were to stop, and were not up."""
    _held: ExitStack = field(default_factory=ExitStack)
    _over: bool = False
    _busy: int = 0
    _changed: Condition = field(default_factory=Condition)

    def answer(self, text: bytes) -> Any:
        """Do what is asked, and return what came of it.

        Raises ValueError for what is none of `ASKS`, LoadtestError where it cannot be done.
        """
        asked = messages.read(text, ASKS)
        with self._working():
            return self._do(asked)

    def end(self) -> None:
        """Stop all that was started, and begin nothing more.

        What is being started and takes longer than a moment is stopped as soon as it is up.
        """
        with self._changed:
            self._over = True
            self._changed.wait_for(lambda: not self._busy, ENDS_WITHIN_S)
        with self._held, ThreadPoolExecutor(max_workers=max(1, len(self._servers))) as pool:
            list(pool.map(_Served.stop, self._servers.values()))

    @contextmanager
    def _working(self) -> Iterator[None]:
        with self._changed:
            self._check()
            self._busy += 1
        try:
            yield
        finally:
            with self._changed:
                self._busy -= 1
                self._changed.notify_all()

    def _do(self, asked: Any) -> Any:
        match asked:
            case Prepare():
                self._prepare(asked)
            case Repair():
                if died := self._up().repair():
                    raise died
            case Launch():
                return self._launch(asked.number, asked.server)
            case Look():
                return self._look(asked)
            case Count():
                return self._served(asked.server).running.counters().read(asked.contract)
            case Sample():
                return self._sample(asked)
            case Stop():
                self._stop(asked.server)
        return None

    def _prepare(self, asked: Prepare) -> None:
        if self._bench is not None:
            raise CellError("services", "they are up already")
        own = declared(self.project.app)
        both = own | asked.declared
        if differ := [name for name in both if own.get(name) != asked.declared.get(name)]:
            raise CellError(
                "services",
                f"its project differs in {' and '.join(differ)}; have the same on both, and"
                " start the agent again",
            )
        if problem := machine.raise_file_limit(asked.connections):
            raise CellError("services", problem)
        host = network.address_towards(*self.master)
        with ExitStack() as starting:
            # What a session before left in its logs is not to be read in this one.
            kept = TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True)
            folder = Path(starting.enter_context(kept))
            logs = folder / "logs"
            logs.mkdir()
            up = starting.enter_context(
                services(self.project, logs, asked.largest, at_once=asked.at_once)
            )
            with self._changed:
                self._check()
                self._held.push(starting.pop_all())
                self._bench = LocalBench(up, asked.shape, folder, host=host)

    def _launch(self, number: int, server: Server) -> Up:
        bench = self._up()
        if not is_declared(server, self.profiles, self.project.app, recycles=True):
            raise CellError(
                "launch",
                f"it is declared differently in {self.project.folder}; have the same on both",
            )
        served = _Served(bench.launch(server, f"server-{number}"))
        running = served.running
        with ExitStack() as starting:
            starting.callback(served.stop)
            with self._changed:
                self._check()
                if number in self._unwanted or number in self._servers:
                    raise CellError("launch", "nobody waits for it any more")
                starting.pop_all()
                self._servers[number] = served
        return Up(
            address=running.host,
            port=running.port,
            launch_s=running.launch_s,
            requests=dict(running.requests),
        )

    def _stop(self, number: int) -> None:
        with self._changed:
            if number not in self._servers:
                self._unwanted.add(number)
                return
        self._servers[number].stop()

    def _look(self, asked: Look) -> Any:
        running = self._served(asked.server).running
        looks: Mapping[str, Callable[[], Any]] = {
            "ended": running.ended,
            "holding": running.holding,
            "memory": running.memory_bytes,
            "tail": lambda: public_log(running.tail()),
            "sessions": running.counters().sessions,
            "scans": running.counters().scans,
        }
        return looks[asked.at]()

    def _sample(self, asked: Sample) -> Used | None:
        served = self._served(asked.server)
        served.sampling.close()
        if not asked.end:
            groups = served.running.groups()
            served.sampled = served.sampling.enter_context(sampling.sampling(groups, "server"))
            return None
        sampled, served.sampled = served.sampled, None
        if sampled is None or sampled.host is None:
            raise CellError("load", "nothing was sampled")
        return Used(usage=sampled.usage, host=sampled.host)

    def _check(self) -> None:
        if self._over:
            raise CellError("launch", "the session is over")

    def _up(self) -> LocalBench:
        if self._bench is None:
            raise CellError("services", "no services were asked for")
        return self._bench

    def _served(self, number: int) -> _Served:
        if number not in self._servers:
            raise CellError("launch", "no server has this number")
        return self._servers[number]
