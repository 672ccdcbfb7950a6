"""A run of servers for the loop: what it has to measure, and the world that it is measured in."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from msgspec.structs import replace

from loadtest.bench.load.agents.master import Master
from loadtest.bench.load.ceiling import asked, ceilings
from loadtest.bench.load.generator import Generator, Generators
from loadtest.bench.servers.agents import remote
from loadtest.bench.servers.compose.attached import RunningBench
from loadtest.bench.servers.compose.bench import ComposeBench
from loadtest.bench.servers.compose.stack import stack
from loadtest.bench.servers.loaded_server import Bench, GeneratedBench
from loadtest.bench.servers.local import LocalBench
from loadtest.bench.servers.services import services as running_services
from loadtest.measure.loop import Done, Key, Shown, Trials
from loadtest.measure.servers import measuring
from loadtest.plan.servers import schedule
from loadtest.plan.servers.project import Project
from loadtest.plan.servers.schedule import Batch
from loadtest.records.measured import Ceiling, Outcome, Run
from loadtest.records.planned import Cell, Load, Plan
from loadtest.system import listening


@dataclass(frozen=True)
class ServerTrials(Trials[Batch, Outcome]):
    """The cells of a plan, in batches that share a server process."""

    unit: ClassVar[str] = "load"

    plan: Plan
    next_loads: Callable[[Sequence[Outcome]], Mapping[str, Load]] = lambda outcomes: {}
    """Of a search, by cell."""
    bracketed: Callable[[Sequence[Outcome]], Mapping[str, str]] = lambda outcomes: {}
    """Between which rates each highest one lies by now, by cell."""

    @property
    def turns(self) -> int:
        """As the plan has it."""
        return self.plan.turns

    def key(self, outcome: Outcome) -> Key:
        """Return the cell's id with the turn, and the round."""
        return (outcome.cell, outcome.turn), outcome.round

    def skipped(self, done: Done) -> Iterator[Outcome]:
        """Yield the outcomes of the cells of which the plan says that they cannot be measured."""
        for round_ in range(self.plan.rounds):
            for cell in self.plan.cells:
                if cell.skip and cell.planned_in(round_) and ((cell.id, 0), round_) not in done:
                    yield Outcome(cell=cell.id, round=round_, status="skipped", reason=cell.skip)

    def of_round(
        self, round_: int, done: Done, wanted: Collection[str] | None, turns: int
    ) -> list[Batch]:
        """Return the batches of a round, in order; `wanted` are cells by their id."""
        return schedule.one_round(
            self.plan, round_, wanted, lambda cell, at, turn: ((cell.id, turn), at) in done, turns
        )

    def has_untried(self, outcomes: Sequence[Outcome]) -> bool:
        """Say whether a cell was not tried in one of its rounds, in whichever turns."""
        return self.plan.has_untried({(outcome.cell, outcome.round) for outcome in outcomes})

    def tries(self, round_: int, done: Done, known: Sequence[Outcome]) -> list[Batch] | None:
        """Return the batches of a round of a search, each cell under its next load."""
        loads = self.next_loads(known)
        if not loads:
            return None
        return [
            replace(
                batch,
                sweeps=tuple(
                    replace(
                        sweep,
                        cells=tuple(replace(cell, load=loads[cell.id]) for cell in sweep.cells),
                    )
                    for sweep in batch.sweeps
                ),
            )
            for batch in self.of_round(round_, done, loads.keys(), 1)
        ]

    def so_far(self, known: Sequence[Outcome]) -> Mapping[str, str]:
        """Return the rates between which a search goes on, by cell."""
        return self.bracketed(known)

    def shown(self, batch: Batch, known: Sequence[Outcome]) -> dict[Key, Shown]:
        """Return the cells of a batch as they are shown."""
        duplicates = {server.name for server in self.plan.servers if server.duplicate_of}
        return {
            ((cell.id, turn), round_): Shown(
                name=cell.id,
                round=round_,
                group=cell.at,
                label=cell.server + _tried(cell.load),
                cost=planned_s,
                aside=cell.server in duplicates,
            )
            for round_, turn, cell, planned_s in schedule.turns([batch])
        }


def _tried(load: Load) -> str:
    """Return at which rate a search tries; what is at a fixed one says so itself."""
    return f" at {load.rate:,.10g}/s" if load.explores and load.rate else ""


class MadeBy(NamedTuple):
    """What makes the loads of a run, and the address of this machine that it loads."""

    generators: Generators = Generator
    host: str = listening.HOST
    master: Master | None = None
    """What knows the agent that starts the servers, where one does."""


HERE = MadeBy()


@dataclass(frozen=True)
class ServerBench:
    """Where the batches of a run are measured, its services up."""

    of: Run
    folder: Path
    bench: Bench
    made_by: MadeBy
    repair: measuring.Repair = field(default_factory=measuring.Repair)

    def ceilings(self, known: Sequence[Ceiling]) -> Iterator[Ceiling]:
        """Yield what the generator reaches; raises LoadtestError where that cannot be measured."""
        measured = {(ceiling.connections, ceiling.body_bytes) for ceiling in known}
        lacking = asked(self.of.plan) - measured
        return ceilings(
            lacking, self.folder, self.of.placement, self.made_by.generators, self.made_by.host
        )

    def run(
        self, todo: Sequence[Batch], record: Callable[[Any], None], began: Callable[[Key], None]
    ) -> None:
        """Measure batch after batch."""

        def watch(cell: Cell, round_: int, turn: int) -> None:
            began(((cell.id, turn), round_))

        bench = GeneratedBench(self.bench, self.made_by.generators)
        measuring.run(self.of.plan, todo, bench, record, watch, self.repair)


@contextmanager
def bench(
    folder: Path, run: Run, project: Project, made_by: MadeBy = HERE
) -> Iterator[ServerBench]:
    """Give the world that a run's launcher stands for, its services up."""
    with _bench(folder, run, project, made_by) as where:
        yield ServerBench(run, folder, where, made_by)


@contextmanager
def _bench(folder: Path, run: Run, project: Project, made_by: MadeBy) -> Iterator[Bench]:
    shape, placed, logs = run.plan.shape, run.placement, folder / "logs"
    if run.engine is not None:
        with stack(project, logs, run.engine, shape, placed) as containers:
            yield ComposeBench(containers, folder, placed)
    elif run.launcher == "running":
        yield RunningBench(project.app, os.environ, folder, placed)
    elif run.launcher == "agent":
        assert made_by.master is not None
        yield remote.served(made_by.master, run.plan, project, folder)
    else:
        cpus = placed.services if placed else ()
        largest = run.plan.largest(project.app.pooled)
        with running_services(project, logs, largest, cpus, run.plan.at_once) as services:
            yield LocalBench(services, shape, folder, placed, made_by.host)
