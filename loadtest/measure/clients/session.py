"""A run of HTTP clients for the loop: what it has to measure, and who answers."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from msgspec.structs import replace

from loadtest.bench.clients import upstream
from loadtest.bench.clients.upstream import Upstream
from loadtest.measure import preflight
from loadtest.measure.clients.measuring import Measurement, round_of
from loadtest.measure.loop import Done, Key, Shown, Trials
from loadtest.records.clients import Interpreter, Measure, Outcome, Plan, Run
from loadtest.records.errors import UserError
from loadtest.records.measured import Machine
from loadtest.records.privacy import public
from loadtest.records.run_folder import FORMAT, check_writable
from loadtest.system import limits, machine, process

Wanted = tuple[str, Measure]
"""A row's id, and how it is measured."""

ROUGHLY_S = 1.0
"""What a measurement takes where none was made yet, for planning alone."""


@dataclass(frozen=True)
class ClientTrials(Trials[Measurement, Outcome]):
    """The rows of a plan by their measures."""

    plan: Plan

    def key(self, outcome: Outcome) -> Key:
        """Return the row's id with the measure, and the round."""
        return (outcome.row, outcome.measure), outcome.round

    def skipped(self, done: Done) -> Iterator[Outcome]:
        """Yield the outcomes of rows that cannot be measured, one for each measure."""
        for group in self.plan.groups:
            for row in self.plan.rows:
                for measure in group.measures if row.group == group.name and row.skip else ():
                    if ((row.id, measure), 0) not in done:
                        yield Outcome(
                            row=row.id, round=0, measure=measure, status="skipped", reason=row.skip
                        )

    def of_round(
        self, round_: int, done: Done, wanted: Collection[Wanted] | None, turns: int
    ) -> list[Measurement]:
        """Return the measurements of a round; the order of what is left is as it was."""
        return [
            measurement
            for measurement in round_of(self.plan, round_)
            if measurement.key not in done and (wanted is None or measurement.key[0] in wanted)
        ]

    def shown(self, measurement: Measurement, known: Sequence[Outcome]) -> dict[Key, Shown]:
        """Return a measurement as it is shown, for as long as those before took."""
        row, measure, round_ = measurement
        took_s = [
            outcome.wall_s
            for outcome in known
            if (outcome.row, outcome.measure) == (row.id, measure) and outcome.wall_s
        ]
        cost = median(took_s) if took_s else ROUGHLY_S
        label = f"{measure}  {row.id}"
        return {measurement.key: Shown(f"{row.id}, {measure}", round_, "", label, cost)}


def check(plan: Plan, out: Path) -> None:
    """Raise UserError for all that would fail every row of a plan, each in one line."""
    lines = list(check_writable(out))
    at_once = max((row.batch for row in plan.rows), default=1)
    if line := machine.raise_file_limit(at_once, option="--batch"):
        lines.append(line)
    lines += limits.raise_limits()
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
        process.folder("loadtest-clients-") as logs,
        upstream.running(answers, logs.path / "upstream.log") as running,
    ):
        yield running


def new_run(
    plan: Plan, known: Mapping[str, Interpreter], command: str, running: Upstream | None
) -> Run:
    """Return a run that can start; where interpreters lie on this machine is left out."""
    rows = [replace(row, skip=row.skip and public(row.skip)) for row in plan.rows]
    return Run(
        format=FORMAT,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command,
        plan=replace(plan, rows=tuple(rows)),
        machine=this_machine(running),
        interpreters={key: replace(each, path=public(each.path)) for key, each in known.items()},
        upstream=None if running is None else running.software,
    )


def this_machine(running: Upstream | None) -> Machine:
    """Return what a run says of the machine that it is made on."""
    versions = {
        "wrk": preflight.wrk_version() if preflight.tool().advice is None else None,
        "upstream": None if running is None else running.software,
    }
    return machine.describe(versions)
