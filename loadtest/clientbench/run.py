"""One run from what was asked for to its folder: upstream up, ceilings, rounds, all recorded."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from loadtest import doctor, machine, results
from loadtest.clientbench import ceiling, driver, store, upstream
from loadtest.clientbench.catalogue import Client
from loadtest.clientbench.driver import Bench, Measurement
from loadtest.clientbench.interpreters import Found
from loadtest.clientbench.job import Expected
from loadtest.clientbench.model import Interpreter, Outcome, Plan, Run
from loadtest.clientbench.preset import key
from loadtest.clientbench.upstream import Upstream
from loadtest.errors import LoadtestError, UserError


def interpreters(
    pythons: Sequence[tuple[str, Mapping[str, Found]]],
) -> dict[str, Interpreter]:
    """Return the interpreters that were found, by the names that rows use."""
    return {
        key(found, lock): found.interpreter
        for _, place in pythons
        for lock, found in place.items()
        if found.interpreter is not None
    }


def check(plan: Plan, out: Path) -> None:
    """Raise UserError for all that would fail every row of a plan, each in one line."""
    lines = list(results.check_writable(out))
    at_once = max((row.batch for row in plan.rows), default=1)
    if line := machine.raise_file_limit(at_once, option="--batch"):
        lines.append(line)
    if all(row.skip for row in plan.rows):
        lines += dict.fromkeys(f"{row.label}: {row.skip}" for row in plan.rows if row.skip)
    if lines:
        raise UserError(*lines)


@contextlib.contextmanager
def answering(plan: Plan) -> Iterator[Upstream | None]:
    """Run the upstream of a plan during the block; None where the plan names another server."""
    if plan.url is not None:
        yield None
        return
    answers = {row.answer for row in plan.rows}
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
    watch: Callable[[Path], contextlib.AbstractContextManager[Watch]],
) -> Path:
    """Run a plan and return its folder; KeyboardInterrupt passes through, what was measured stays.

    Raises CellError where the upstream does not come up.
    """
    with answering(plan) as running:
        bench = Bench(plan, clients, known, running, expected)
        folder = store.create(out, _run(plan, known, command, running))
        writer = results.Writer(folder)
        with contextlib.closing(writer), watch(folder) as watcher:
            for outcome in driver.skipped(plan):
                writer.append(outcome)
            if running is not None:
                _ceilings(plan, running, writer, say)

            def record(outcome: Outcome) -> None:
                writer.append(outcome)
                watcher.outcome(outcome)

            driver.run(bench, record, watcher.began)
    return folder


class Watch:
    """Told of each measurement; this one looks away."""

    def began(self, measurement: Measurement) -> None:
        """Take what is about to be measured."""

    def outcome(self, outcome: Outcome) -> None:
        """Take what became of it."""


def _ceilings(
    plan: Plan, running: Upstream, writer: results.Writer, say: Callable[[str], None]
) -> None:
    wanted = {(row.answer, row.batch) for row in plan.rows if row.skip is None}
    if (wrk := doctor.tool()).advice is not None:
        say(f"no ceiling of the upstream: {wrk.advice}")
        return
    try:
        for one in ceiling.ceilings(running, wanted):
            writer.append(one)
    except LoadtestError as error:
        # Without it the rows only lack one check, and say so.
        say(f"no ceiling of the upstream: {error}")


def _run(
    plan: Plan, known: Mapping[str, Interpreter], command: str, running: Upstream | None
) -> Run:
    versions = {
        "wrk": doctor.wrk_version() if doctor.tool().advice is None else None,
        "upstream": None if running is None else running.software,
    }
    return Run(
        format=store.FORMAT,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        plan=plan,
        machine=machine.describe(versions),
        interpreters=dict(known),
        upstream=None if running is None else running.software,
    )
