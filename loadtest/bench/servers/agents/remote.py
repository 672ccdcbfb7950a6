"""The machine of an agent as a world to measure in: asked for all that `LocalBench` knows here."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from loadtest.bench.load.agents import messages
from loadtest.bench.load.agents.master import Master, Member
from loadtest.bench.load.agents.messages import Ask, Unable
from loadtest.bench.servers.agents.asks import (
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
from loadtest.bench.servers.loaded_server import Bench, LoadedServer
from loadtest.bench.servers.service_counters import Counters, Counts
from loadtest.plan.servers.project import Project
from loadtest.records.errors import CellError
from loadtest.records.planned import Contract, Plan, Record, Server, Stage
from loadtest.records.privacy import conceal
from loadtest.system.sampling import Holding, Members, Sampled

ANSWERS_WITHIN_S = 30.0

LAUNCHES_WITHIN_S = 120.0
"""A server has 20 s once it is its turn, beside others that start."""

PREPARES_WITHIN_S = 1_800.0
"""PostgreSQL is made and filled meanwhile."""

_numbers = itertools.count()


@dataclass(frozen=True)
class There:
    """One session of the machine that serves."""

    master: Master
    member: Member

    def ask(
        self, asked: Record, kind: Any, stage: Stage, within_s: float = ANSWERS_WITHIN_S
    ) -> Any:
        """Return what comes of it; raises CellError, also where the session is over."""
        name, number = self.member.name, next(_numbers)
        if self.member.lost:
            raise CellError(stage, f"agent {name}: {self.member.lost}")
        self.master.expect(self.member, number)
        try:
            self.master.tell(
                self.member, Ask(number=number, asked=msgspec.Raw(msgspec.json.encode(asked)))
            )
            (told,) = self.master.answered([self.member], number, 0, time.monotonic() + within_s)
        except CellError as error:
            raise CellError(stage, error.reason, error.detail) from None
        finally:
            self.master.forget(self.member, number)
        if isinstance(told, Unable):
            raise CellError(stage, f"agent {name}: {told.reason}", told.detail)
        try:
            return messages.read(bytes(told.told), kind)
        except ValueError as error:
            raise CellError(stage, f"agent {name}: {error}") from None


@dataclass(frozen=True)
class _Launched:
    """A server there; where the session is over, so is the server."""

    there: There
    number: int

    def look(self, at: Any, kind: Any) -> Any:
        """Return how it is; None where nobody tells."""
        with contextlib.suppress(CellError):
            return self.there.ask(Look(server=self.number, at=at), kind, "load")
        return None

    def ended(self) -> str | None:
        """Return in words how it ended by itself, None while it runs, or where nobody tells."""
        ended: str | None = self.look("ended", str | None)
        return ended

    def holding(self) -> Holding | None:
        """Return what its processes hold now; None where nobody tells."""
        holding: Holding | None = self.look("holding", Holding | None)
        return holding

    def tail(self) -> str:
        """Return the end of its log."""
        return self.look("tail", str) or ""

    def stop(self) -> None:
        """Stop it and all that it started."""
        with contextlib.suppress(CellError):  # it ends with the session
            self.there.ask(Stop(server=self.number), None, "load")


@dataclass(frozen=True, kw_only=True)
class _Counters(Counters):
    """Its services, as its own machine reaches them."""

    launched: _Launched

    def read(self, contract: Contract) -> Counts:
        """Return the counts of the services that an endpoint needs, but for PostgreSQL's."""
        asked = Count(server=self.launched.number, contract=contract)
        counts: Counts = self.launched.there.ask(asked, Counts, "load")
        return counts

    def sessions(self) -> int | None:
        """Return how many sessions others than this one have in PostgreSQL."""
        sessions: int | None = self.launched.look("sessions", int | None)
        return sessions

    def scans(self) -> int | None:
        """Return how many scans PostgreSQL was told of."""
        scans: int | None = self.launched.look("scans", int | None)
        return scans


@dataclass(frozen=True, kw_only=True)
class _RemoteServer(LoadedServer):
    launched: _Launched

    @contextmanager
    def sampled(self, generator: Members) -> Iterator[Sampled]:
        """Sample it and its services there; the generator and this machine are no part of it."""
        there, number = self.launched.there, self.launched.number
        there.ask(Sample(server=number), None, "load")
        with super().sampled(generator) as sampled:
            yield sampled
            used: Used = there.ask(Sample(server=number, end=True), Used, "load")
        sampled.usage |= used.usage
        sampled.host = used.host

    def memory_bytes(self) -> int | None:
        """Return what its processes hold together; None where nobody tells."""
        memory_bytes: int | None = self.launched.look("memory", int | None)
        return memory_bytes


@dataclass
class RemoteBench(Bench):
    """The machine of the agent that serves, its services up."""

    master: Master
    prepare: Prepare
    project: Project
    folder: Path
    """The run's."""
    _there: There | None = None

    def begin(self) -> None:
        """Have the services started there, once it is there; raises CellError."""
        (member,) = self.master.ready(serves=True)
        there = There(self.master, member)
        there.ask(self.prepare, None, "services", PREPARES_WITHIN_S)
        self._there = there

    def repair(self) -> CellError | None:
        """Start services that have died again; return what died, None if all is well.

        Whoever serves ends all of it with its session, and has all to start again in the next.
        """
        there = self._up
        try:
            if there.member.lost is None:
                there.ask(Repair(), None, "services", PREPARES_WITHIN_S)
                return None
            self.begin()
        except CellError as error:
            return CellError("services", error.reason, error.detail)
        name = there.member.name
        return CellError("services", f"agent {name} was lost, and all servers are started anew")

    def launch(self, profile: Server, name: str) -> LoadedServer:
        """Start a server and return it once it has answered; raises CellError."""
        launched = _Launched(self._up, next(_numbers))
        asked = Launch(number=launched.number, server=profile)
        try:
            up: Up = launched.there.ask(asked, Up, "launch", LAUNCHES_WITHIN_S)
        except CellError:
            launched.stop()  # it may come up later
            raise
        conceal(self.project.confidential({}, up.requests))
        return _RemoteServer(
            launched=launched,
            host=up.address,
            port=up.port,
            launch_s=up.launch_s,
            groups=dict,
            counters=lambda: _Counters(app=self.project.app, env={}, launched=launched),
            folder=self.folder,
            requests=up.requests,
            placement=None,
        )

    @property
    def _up(self) -> There:
        assert self._there is not None
        return self._there


def served(master: Master, plan: Plan, project: Project, folder: Path) -> RemoteBench:
    """Return the machine of the agent that serves; raises CellError where it cannot."""
    prepare = Prepare(
        shape=plan.shape,
        largest=plan.largest(project.app.pooled),
        at_once=plan.at_once,
        connections=max(cell.load.most_connections for cell in plan.cells),
        declared=declared(project.app),
    )
    bench = RemoteBench(master, prepare, project, folder)
    bench.begin()
    return bench
