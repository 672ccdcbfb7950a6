"""From stored outcomes to tables: each group's rows by each measure, ranked and judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from loadtest.judge import ranking, summary
from loadtest.judge.clients.concerns import CONCERNS, Evidence
from loadtest.judge.clients.decision import Decision, decide
from loadtest.judge.clients.metrics import by_round, cold_figures, cpu_s, time_s, warm_figures
from loadtest.judge.clients.pairs import Contrast, contrasts
from loadtest.judge.clients.rows import Ranking, Round, Standing
from loadtest.judge.clients.stopping import Key, Table, open_rows, tables
from loadtest.judge.concern import Explained, is_invalid, weigh
from loadtest.judge.rows import Ended, ended, make_row, shown
from loadtest.judge.stopping import rounds_begun, usable
from loadtest.records.clients import MEASURES, Ceiling, Measure, Outcome, Plan, Row, Run

FORMAT = 4
"""Of a clients' `summary.json`. 1: the first; 2: `told` of the advice is `separated`, `again` of
a row is `duplicate_of`; 3: rows that were measured and lost a round are counted, and a row's
finding against the fastest is that of its rank; 4: `decision` is what the run says, a noise
floor of fewer than three pairs of rounds is null, `cpu_ratio` of a contrast is `cpu`, and
`unranked` says why no row has a rank."""


class Summary(summary.Summary, frozen=True, kw_only=True):
    """All that the reports show; `summary.json` as it stands."""

    preset: str
    title: str
    rankings: tuple[Ranking, ...]
    contrasts: tuple[Contrast, ...]
    """Pairs of rows that differ in one thing."""
    decision: Decision
    ceilings: tuple[Ceiling, ...]
    """Of the upstream, as measured in this run."""
    concerns: tuple[Explained, ...]
    """All that are looked for."""


def summarise(run: Run, outcomes: Sequence[Outcome], ceilings: Sequence[Ceiling] = ()) -> Summary:
    """Return the tables of `run` in the order of its plan; a round's last outcome wins."""
    plan = run.plan
    facts = _facts(run, outcomes, ceilings)
    rows = {key: _standing(*of) for key, of in facts.items()}
    invalid = {key for key, row in rows.items() if row.verdict == "invalid"}
    rankings: list[Ranking] = []
    pairs: list[Contrast] = []
    judged = [(_ranking(plan, table, rows), table) for table in tables(plan, outcomes, invalid)]
    for measure in MEASURES:
        of_measure = [(ranking, table) for ranking, table in judged if ranking.measure == measure]
        times = {name: each for _, table in of_measure for name, each in table.times.items()}
        cpu = by_round(outcomes, measure, cpu_s)
        floor = max((r.noise_floor for r, _ in of_measure if r.noise_floor), default=None)
        pairs += contrasts(plan, measure, times, usable(cpu, cpu.keys() - times.keys()), floor)
        rankings += [ranking for ranking, _ in of_measure]
    order = {group.name: at for at, group in enumerate(plan.groups)}
    rankings.sort(key=lambda ranking: order[ranking.group.name])
    return Summary(
        format=FORMAT,
        preset=plan.preset,
        title=plan.title,
        rounds=rounds_begun(outcomes),
        counts=summary.counted([row for ranking in rankings for row in ranking.rows]),
        rankings=tuple(rankings),
        contrasts=tuple(pairs),
        decision=decide(plan, outcomes, judged, invalid),
        ceilings=tuple(ceilings),
        concerns=summary.explained(CONCERNS),
    )


def still_open(run: Run, outcomes: Sequence[Outcome]) -> frozenset[Key]:
    """Return the rows that another round should measure, judging no more than that takes."""
    facts = _facts(run, outcomes, ())
    invalid = {key for key, (_, evidence) in facts.items() if is_invalid(CONCERNS, evidence)}
    return open_rows(run.plan, outcomes, invalid)


def _facts(
    run: Run, outcomes: Sequence[Outcome], ceilings: Sequence[Ceiling]
) -> dict[Key, tuple[Ended[Outcome, Round], Evidence]]:
    """Return each row's rounds by each measure, and the facts that its number is judged by."""
    last = summary.last(outcomes, lambda outcome: (outcome.row, outcome.measure))
    paced_by = {(ceiling.answer, ceiling.connections): ceiling for ceiling in reversed(ceilings)}
    measures = {group.name: group.measures for group in run.plan.groups}

    def facts(row: Row, measure: Measure) -> tuple[Ended[Outcome, Round], Evidence]:
        came = ended(last.get((row.id, measure), {}), _round)
        return came, Evidence(
            row=row,
            measure=measure,
            measured=came.measured,
            failed=came.failed,
            ceiling=paced_by.get(row.paced_by),
            processors=run.machine.processors,
        )

    return {
        (row.id, measure): facts(row, measure)
        for row in run.plan.rows
        for measure in measures[row.group]
    }


def _ranking(plan: Plan, table: Table, rows: Mapping[Key, Standing]) -> Ranking:
    group, measure = table.group, table.measure
    versus = ranking.versus(table.times, table.fastest, table.finding)
    placed = ranking.placed(
        [
            rows[row.id, measure]
            for row in plan.rows
            if row.group == group.name and row.duplicate_of is None
        ],
        table.pairs,
        versus,
        lambda row: (table.middle(row.name), row.name),
    )
    return Ranking(
        group=group,
        measure=measure,
        noise_floor=table.noise_floor,
        unranked=ranking.unranked(table.pairs),
        rows=tuple(msgspec.structs.replace(row, versus=versus.get(row.name)) for row in placed),
    )


def _standing(came: Ended[Outcome, Round], evidence: Evidence) -> Standing:
    return make_row(
        Standing,
        came,
        weigh(CONCERNS, evidence),
        evidence.row.skip,
        row=evidence.row,
        cold=cold_figures(evidence.measured),
        warm=warm_figures(evidence.measured),
    )


def _round(outcome: Outcome) -> Round:
    time = time_s(outcome)
    # A measurement that left no number would stand in the table as one.
    unusable = outcome.status == "measured" and time is None
    return Round(
        number=outcome.round + 1,
        status="failed" if unusable else outcome.status,
        stage="result" if unusable else outcome.stage,
        reason="it left no usable time" if unusable else shown(outcome.reason),
        detail=outcome.detail,
        time_s=time,
    )
