"""One run from what was asked for to its folder: upstream up, ceilings, rounds, all recorded."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from loadtest.bench.clients import upstream, upstream_ceiling
from loadtest.bench.clients.upstream import Upstream
from loadtest.measure.clients import measuring, resume
from loadtest.measure.clients.measuring import Bench, Measurement
from loadtest.measure.servers import preflight
from loadtest.measure.watching import Trial, Watcher
from loadtest.plan.clients.catalogue import Client
from loadtest.plan.clients.own_server import Expected
from loadtest.records import run_folder
from loadtest.records.clients import Ceiling, Interpreter, Outcome, Plan, Run
from loadtest.records.errors import LoadtestError, UserError
from loadtest.records.measured import Machine
from loadtest.records.run_folder import Writer
from loadtest.system import machine


def check(plan: Plan, out: Path) -> None:
    """Raise UserError for all that would fail every row of a plan, each in one line."""
    lines = list(run_folder.check_writable(out))
    at_once = max((row.batch for row in plan.rows), default=1)
    if line := machine.raise_file_limit(at_once, option="--batch"):
        lines.append(line)
    if all(row.skip for row in plan.rows):
        lines += dict.fromkeys(row.skip for row in plan.rows if row.skip)
    if lines:
        raise UserError(*lines)


@contextlib.contextmanager
def answering(plan: Plan) -> Iterator[Upstream | None]:
    """Run the upstream of a plan during the block; None where the plan names another server."""
    if plan.url is not None:
        yield None
        return
    answers = {answer for row in plan.rows for answer in (row.answer, row.paced_by[0])}
    with (
        tempfile.TemporaryDirectory(prefix="loadtest-clients-") as logs,
        upstream.running(answers, Path(logs) / "upstream.log") as running,
    ):
        yield running


def measure(
    plan: Plan,
    clients: Mapping[str, Client],
    known: Mapping[str, Interpreter],
    out: Path,
    command: str,
    *,
    expected: Expected | None,
    say: Callable[[str], None],
    watcher: Watcher,
    created: Callable[[Path], None],
) -> None:
    """Run a plan; KeyboardInterrupt passes through, what was measured stays.

    `created` is told the folder, before anything is measured.

    Raises CellError where the upstream does not come up.
    """
    with answering(plan) as running:
        folder = run_folder.create(out, _run(plan, known, command, running))
        created(folder)
        _fill(folder, Bench(plan, clients, known, running, expected), say, watcher)


def go_on(
    folder: Path,
    clients: Mapping[str, Client],
    *,
    expected: Expected | None,
    say: Callable[[str], None],
    watcher: Watcher,
) -> None:
    """Measure what is missing or failed in a run's folder; raises UserError where it may not be."""
    run = run_folder.read(folder, run_folder.CLIENTS).run
    check(run.plan, folder.parent)
    with answering(run.plan) as running:
        resume.check(run, clients, _machine(running))
        bench = Bench(run.plan, clients, run.interpreters, running, expected)
        _fill(folder, bench, say, watcher)


def _fill(folder: Path, bench: Bench, say: Callable[[str], None], watcher: Watcher) -> None:
    """Measure what a run's folder does not have yet."""
    stored = run_folder.read(folder, run_folder.CLIENTS)
    done = resume.done(stored)
    writer = Writer(folder)
    watcher.add(_trial(measurement) for measurement in measuring.order(bench.plan, done))
    with contextlib.closing(writer), watcher.showing():
        for outcome in measuring.skipped(bench.plan, done):
            writer.append(outcome)
        if bench.upstream is not None:
            _ceilings(bench.plan, bench.upstream, stored.ceilings, writer, say)

        def record(outcome: Outcome) -> None:
            writer.append(outcome)
            watcher.ended(outcome)

        def began(measurement: Measurement) -> None:
            watcher.began(_trial(measurement))

        measuring.run(bench, record, began, done)


def _trial(measurement: Measurement) -> Trial:
    row, measure, round_ = measurement
    return Trial(f"{row.id}, {measure}", round_, "", f"{measure}  {row.id}")


def _ceilings(
    plan: Plan,
    running: Upstream,
    known: Sequence[Ceiling],
    writer: run_folder.Writer,
    say: Callable[[str], None],
) -> None:
    wanted = {row.paced_by for row in plan.rows if row.skip is None}
    wanted -= {(one.answer, one.connections) for one in known}
    if not wanted:
        return
    if (wrk := preflight.tool()).advice is not None:
        say(f"no ceiling of the upstream: {wrk.advice}")
        return
    try:
        for one in upstream_ceiling.ceilings(running, wanted):
            writer.append(one)
    except LoadtestError as error:
        # Without it the rows only lack one check, and say so.
        say(f"no ceiling of the upstream: {error}")


def _run(
    plan: Plan, known: Mapping[str, Interpreter], command: str, running: Upstream | None
) -> Run:
    return Run(
        format=run_folder.FORMAT,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        plan=plan,
        machine=_machine(running),
        interpreters=dict(known),
        upstream=None if running is None else running.software,
    )


def _machine(running: Upstream | None) -> Machine:
    versions = {
        "wrk": preflight.wrk_version() if preflight.tool().advice is None else None,
        "upstream": None if running is None else running.software,
    }
    return machine.describe(versions)
