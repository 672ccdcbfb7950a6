"""One stretch of a run: services up, ceilings measured, what is missing measured, all recorded."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from loadtest.bench.load.ceiling import asked, ceilings
from loadtest.bench.servers.compose.attached import RunningBench
from loadtest.bench.servers.compose.bench import ComposeBench
from loadtest.bench.servers.compose.stack import stack
from loadtest.bench.servers.local import LocalBench
from loadtest.bench.servers.protocol import Bench
from loadtest.bench.servers.services import services as running_services
from loadtest.judge.servers import summary
from loadtest.measure.servers import measuring
from loadtest.measure.watching import Trial, Watcher
from loadtest.plan.servers import schedule
from loadtest.plan.servers.project import Project
from loadtest.plan.servers.schedule import Batch
from loadtest.records.errors import LoadtestError
from loadtest.records.measured import Begun, Ceiling, Outcome, Run, Segment
from loadtest.records.planned import Cell, Plan
from loadtest.records.run_folder import SERVERS, Writer, read
from loadtest.stats.significance import LOOKS


def measure(
    folder: Path, run: Run, project: Project, watcher: Watcher, say: Callable[[str], None]
) -> None:
    """Measure what is missing or failed in a run's folder.

    However it ends, what was measured is in the folder; KeyboardInterrupt passes through.
    """
    stored = read(folder, SERVERS)
    done = {
        (outcome.cell, outcome.round)
        for outcome in stored.outcomes
        if outcome.status in ("measured", "skipped")
    }

    def is_done(cell: Cell, round_: int) -> bool:
        return (cell.id, round_) in done

    outcomes = list(stored.outcomes)
    with _recording(folder) as writer:

        def record(outcome: Outcome) -> None:
            writer.append(outcome)
            outcomes.append(outcome)
            watcher.ended(outcome)

        measuring.record_skips(run.plan, writer.append, is_done)
        with watcher.showing(), _bench(folder, run, project) as bench:
            _measure_ceilings(folder, run, stored.ceilings, writer, say)
            spent_s = sum(segment.wall_s for segment in stored.segments)
            for todo in _stretches(folder, run.plan, is_done, outcomes, spent_s):
                trials = _trials(todo)
                watcher.add(trials.values())

                def began(cell: Cell, round_: int, trials: _Trials = trials) -> None:
                    watcher.began(trials[cell.id, round_])

                measuring.run(run.plan, todo, bench, record, began)


_Trials = dict[tuple[str, int], Trial]


def _trials(todo: Sequence[Batch]) -> _Trials:
    return {
        (cell.id, batch.round): Trial(
            cell.id, batch.round, cell.server, cell.endpoint.id, schedule.planned_s(batch, cell)
        )
        for batch in todo
        for cell in batch.cells
    }


@contextmanager
def _bench(folder: Path, run: Run, project: Project) -> Iterator[Bench]:
    """Give the world that a run's launcher stands for, its services up."""
    shape, placed, logs = run.plan.shape, run.placement, folder / "logs"
    if run.engine is not None:
        with stack(project, logs, run.engine, shape, placed) as containers:
            yield ComposeBench(containers, folder, placed)
    elif run.launcher == "running":
        yield RunningBench(project.app, os.environ, folder, placed)
    else:
        cpus = placed.services if placed else ()
        with running_services(project, logs, shape, cpus) as services:
            yield LocalBench(services, shape, folder, placed)


def _stretches(
    folder: Path,
    plan: Plan,
    is_done: Callable[[Cell, int], bool],
    outcomes: Sequence[Outcome],
    spent_s: float,
) -> Iterator[list[Batch]]:
    """Yield the plan's rounds, then one round after the other of the cells that are still open.

    `outcomes` grows while this is iterated over; `spent_s` is what earlier stretches of the run
    took of its budget.
    """
    began = time.monotonic()
    yield schedule.batches(plan, is_done)
    # The ranks allow for so many looks at the data and no more; the plan's own rounds are one.
    while (still_open := _still_open(folder, plan)) and (
        (round_ := 1 + max(one.round for one in outcomes)) < plan.rounds + max(LOOKS) - 1
    ):
        todo = schedule.one_round(plan, round_, still_open)
        ends_s = spent_s + time.monotonic() - began + schedule.total_s(todo)
        if plan.budget_s is not None and ends_s > plan.budget_s:
            return
        yield todo
        if not any(one.round == round_ and one.status == "measured" for one in outcomes):
            return  # what fails every time would stay open for ever


def _still_open(folder: Path, plan: Plan) -> frozenset[str]:
    """Return what the report of the run as it stands would call open, invalid cells left out."""
    if plan.precision is None:
        return frozenset()
    return frozenset(summary.summarise_stored(read(folder, SERVERS)).left_open)


def _measure_ceilings(
    folder: Path, run: Run, known: Sequence[Ceiling], writer: Writer, say: Callable[[str], None]
) -> None:
    measured = {(ceiling.connections, ceiling.body_bytes) for ceiling in known}
    missing = asked(run.plan) - measured
    try:
        for ceiling in ceilings(missing, folder, run.placement):
            writer.append(ceiling)
    except LoadtestError as error:
        # Without it the cells only lack one check, and say so.
        say(f"no ceiling of the generator: {error}")


@contextmanager
def _recording(folder: Path) -> Iterator[Writer]:
    """Give the writer of a folder; the stretch it was open for is recorded as well."""
    writer = Writer(folder)
    began_at, began = time.time(), time.monotonic()
    writer.append(Begun(started_at=began_at))
    try:
        yield writer
    finally:
        writer.append(Segment(started_at=began_at, wall_s=time.monotonic() - began))
        writer.close()
