"""From stored outcomes to tables: each group's rows by each measure, ranked and judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.judge.clients.concerns import CONCERNS, Evidence, judge
from loadtest.judge.clients.metrics import by_round, cold_figures, cpu_s, time_s, warm_figures
from loadtest.judge.clients.pairs import Contrast, contrasts
from loadtest.judge.clients.rows import Ranking, Round, Standing, placed
from loadtest.judge.concern import Explained
from loadtest.judge.rows import ended
from loadtest.records.clients import Ceiling, Measure, Outcome, Plan, Row, Run
from loadtest.records.planned import Record, Status
from loadtest.stats.noise_floor import by_kind, floors
from loadtest.stats.ratios import Rates

FORMAT = 2
"""Of a clients' `summary.json`. 1: the first; 2: `told` of the advice is `separated`, `again` of
a row is `duplicate_of`."""


class Counts(Record, frozen=True, kw_only=True):
    """How many rows came to which end, each by each measure."""

    measured: int
    failed: int
    skipped: int
    valid: int
    suspect: int
    invalid: int
    """Verdicts, of the measured and of those that failed at work."""


class Summary(Record, frozen=True, kw_only=True):
    """All that the reports show; `summary.json` as it stands."""

    format: int
    preset: str
    title: str
    rounds: int
    """Begun."""
    counts: Counts
    rankings: tuple[Ranking, ...]
    contrasts: tuple[Contrast, ...]
    """Pairs of rows that differ in one thing."""
    ceilings: tuple[Ceiling, ...]
    """Of the upstream, as measured in this run."""
    concerns: tuple[Explained, ...]
    """All that are looked for."""


def summarise(run: Run, outcomes: Sequence[Outcome], ceilings: Sequence[Ceiling] = ()) -> Summary:
    """Return the tables of `run` in the order of its plan; a round's last outcome wins."""
    plan = run.plan
    rounds = 1 + max((one.round for one in outcomes if one.status != "skipped"), default=-1)
    last: dict[tuple[str, Measure], dict[int, Outcome]] = {}
    for outcome in outcomes:
        last.setdefault((outcome.row, outcome.measure), {})[outcome.round] = outcome
    rankings: list[Ranking] = []
    pairs: list[Contrast] = []
    for measure in ("cold", "warm"):
        groups = [group for group in plan.groups if measure in group.measures]
        if not groups:
            continue
        times = by_round(outcomes, measure, rounds)
        noise = floors(by_kind(arms(plan, times)))
        found = [
            Ranking(
                group=group,
                measure=measure,
                noise_floor=noise.at(group.name, rounds),
                rows=placed(
                    [
                        _standing(run, row, measure, last.get((row.id, measure), {}), ceilings)
                        for row in plan.rows
                        if row.group == group.name and row.duplicate_of is None
                    ],
                    noise.at(group.name, rounds),
                ),
            )
            for group in groups
        ]
        shown = {row.row.id for ranking in found for row in ranking.reportable}
        cpu = by_round(outcomes, measure, rounds, of=cpu_s)
        widest = max((one.noise_floor for one in found if one.noise_floor), default=None)
        rankings += found
        pairs += contrasts(plan, measure, _of(times, shown), _of(cpu, shown), widest)
    order = {group.name: at for at, group in enumerate(plan.groups)}
    rankings.sort(key=lambda ranking: order[ranking.group.name])
    return Summary(
        format=FORMAT,
        preset=plan.preset,
        title=plan.title,
        rounds=rounds,
        counts=_counts([row for ranking in rankings for row in ranking.rows]),
        rankings=tuple(rankings),
        contrasts=tuple(pairs),
        ceilings=tuple(ceilings),
        concerns=tuple(
            Explained(concern=one.name, means=one.means, advice=one.advice) for one in CONCERNS
        ),
    )


def _standing(
    run: Run,
    row: Row,
    measure: Measure,
    by_number: dict[int, Outcome],
    ceilings: Sequence[Ceiling],
) -> Standing:
    rounds = tuple(_round(by_number[number]) for number in sorted(by_number))
    came = ended(rounds, row.skip)
    measured = tuple(by_number[one.number - 1] for one in came.measured)
    judged = judge(
        Evidence(
            row=row,
            measure=measure,
            measured=measured,
            failed=tuple(by_number[one.number - 1] for one in came.failed),
            ceiling=next(
                (
                    ceiling
                    for ceiling in ceilings
                    if (ceiling.answer, ceiling.connections) == row.paced_by
                ),
                None,
            ),
            processors=run.machine.processors,
        )
    )
    return Standing(
        row=row,
        status=came.status,
        rank=None,
        tied=False,
        versus=None,
        # Without a number, no concern is no praise.
        verdict=judged.verdict if measured or judged.concerns else None,
        concerns=judged.concerns,
        unchecked=judged.unchecked if measured else (),
        cold=cold_figures(measured),
        warm=warm_figures(measured),
        stage=came.why.stage if came.why else None,
        reason=came.reason,
        rounds_measured=len(came.measured),
        rounds_failed=len(came.failed),
        rounds=rounds,
    )


def _round(outcome: Outcome) -> Round:
    time = time_s(outcome)
    # A measurement that left no number would stand in the table as one.
    unusable = outcome.status == "measured" and time is None
    return Round(
        number=outcome.round + 1,
        status="failed" if unusable else outcome.status,
        stage="result" if unusable else outcome.stage,
        reason="it left no usable time" if unusable else outcome.reason,
        detail=outcome.detail,
        time_s=time,
    )


def arms(plan: Plan, times: dict[str, Rates]) -> Iterator[tuple[str, Rates, Rates]]:
    """Yield the times of each row that was measured twice, and of its second arm, by group."""
    for row in plan.rows:
        if row.duplicate_of is not None and row.duplicate_of in times and row.id in times:
            yield row.group, times[row.duplicate_of], times[row.id]


def _of(times: dict[str, Rates], shown: set[str]) -> dict[str, Rates]:
    return {name: row for name, row in times.items() if name in shown}


def _counts(rows: Sequence[Standing]) -> Counts:
    def ended(status: Status) -> int:
        return sum(row.status == status for row in rows)

    def judged(verdict: str) -> int:
        return sum(row.verdict == verdict for row in rows)

    return Counts(
        measured=ended("measured"),
        failed=ended("failed"),
        skipped=ended("skipped"),
        valid=judged("valid"),
        suspect=judged("suspect"),
        invalid=judged("invalid"),
    )
