"""From facts to rows: what each server showed at each endpoint, ranked where there is a number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache

import msgspec

from loadtest.judge import ranking, summary
from loadtest.judge.concern import Explained, is_invalid, weigh
from loadtest.judge.rows import Ended, Versus, ended, make_row, shown
from loadtest.judge.servers import stopping, tables
from loadtest.judge.servers.concerns import CONCERNS
from loadtest.judge.servers.concerns.at_rate import is_short
from loadtest.judge.servers.concerns.evidence import Evidence
from loadtest.judge.servers.control import Share, shares
from loadtest.judge.servers.decide import decide
from loadtest.judge.servers.decision import Decision
from loadtest.judge.servers.metrics import Histograms, p99_of_round
from loadtest.judge.servers.rows import Ranking, Round, Row
from loadtest.judge.servers.tables import Measured, Table
from loadtest.judge.servers.turns import merged
from loadtest.judge.servers.within import (
    Search,
    by_cell,
    copies_apart,
    reach_ranks,
    settled,
    steps,
    unfinished,
)
from loadtest.judge.stopping import EndedBy, ended_by, rounds_begun
from loadtest.records.measured import Ceiling, Launch, Outcome, Run, Segment
from loadtest.records.planned import Cell, Load, Plan
from loadtest.records.run_folder import ServersRun
from loadtest.stats.latency import curve
from loadtest.stats.noise_floor import Floor, Floors, Twin, Twins, floors_of, workload
from loadtest.stats.pairs import judged, turned
from loadtest.stats.ratios import Rates
from loadtest.stats.series import has_number
from loadtest.stats.significance import LEAST_CPU_MARGIN, LEAST_MARGIN

FORMAT = 10
"""Of `summary.json`. 1: the first; 2: verdicts, concerns, shared ranks, ratios, noise floor;
3: CPU time with the databases, memory a worker, processes, threads and sockets seen, the answer,
latency curves, noise floors by ranking, both arms, and comparisons by CPU time; 4: which rankings
have a floor of other work, and servers without any number; gone from the answer: headings, the lead
over the reference, servers behind, what all pairs of views show, and with which views a server
leads; 5: `told` of the answer is `separated`; 6: a pair has one finding, that of
the table which its ranks are of (ratios) or its endpoint's styles are (`over_other_style`);
7: the decision, by what 1,000 requests/s cost, and how many requests that wait were held, in place
of the answer, whose shares stand by themselves; what ranks an endpoint's servers (`by`), and why
nobody has a rank (`unranked`); gone from latency curves: what wrk added; 8: what ended the run,
steps and searches, floors of p99, and the mean of `at_rates.cores` is geometric; 9: of a site, the
shares of its endpoints, what it runs on today and what of it may matter more than its server;
shapes and variants; what keeps up with which step (`stepped`) is as what is searched for;
10: `likely` of the decision has all servers that may be the cheapest."""


class Summary(summary.Summary, frozen=True, kw_only=True):
    """All that the reports show; `summary.json` as it stands."""

    load_share: float | None
    """Share of the run's time in which there was load; None where that isn't known."""
    reference: str | None
    """The server that `versus` compares with."""
    noise_floor: float | None
    """The difference in goodput, as a share, that two identical servers show in this run, over all
    workloads; None without a duplicate. What was judged by is each ranking's own."""
    cpu_noise_floor: float | None
    """Likewise, of the server's CPU time for an answer."""
    twins: tuple[Twins, ...]
    """The reference server and its duplicate at each endpoint that has both, neither invalid."""
    ended: EndedBy | None = None
    """Why the run has fewer rounds, or tries, than it might have: what it asks was decided, its
    budget was spent, what was still open failed in a whole round, or it was interrupted. None where
    it has them all, or nobody knows."""
    left_open: tuple[str, ...]
    """Cells that would get another round, were there time: for the asked precision, or because
    their server's place by cost is open."""
    decision: Decision
    """Which server to deploy, by what it costs, and how sure that is."""
    shares: tuple[Share, ...]
    """What of a request's time is Django's, the largest share first."""
    rankings: tuple[Ranking, ...]
    concerns: tuple[Explained, ...]
    """All that are looked for."""


def summarise(
    run: Run,
    outcomes: Sequence[Outcome],
    histograms: Histograms,
    segments: Sequence[Segment] = (),
    ceilings: Sequence[Ceiling] = (),
    recorded: Sequence[Outcome] = (),
    launches: Sequence[Launch] = (),
) -> Summary:
    """Return the rankings of `run` in the order of its plan; a round's last outcome wins.

    `recorded` are all loads, with those that others had disturbed; none: the outcomes are all.
    """
    plan = run.plan
    if plan.explores:
        # Each try tells where its search lies, what its rate shows, and perhaps the row's figures.
        histograms = cache(histograms)
    # Of a turn that was repeated one load counts, and there was load in all of them.
    loads = recorded or outcomes
    # Of a search, the tries at its rate are what is judged.
    tried = outcomes
    outcomes, searches = settled(plan, outcomes, histograms)
    own = by_cell(tried)
    rows: dict[str, Row] = {}
    disturbed = set()
    for came, evidence in _facts(run, outcomes, histograms, ceilings):
        id_ = evidence.cell.id
        rows[id_] = _row(came, evidence, searches.get(id_), own.get(id_, ()))
        if evidence.disturbed_by_host:
            disturbed.add(id_)
    # A rate that was not held is no measurement at that rate.
    invalid = {id_ for id_, row in rows.items() if row.verdict == "invalid" or row.why_short}
    measured = tables.measured(plan, outcomes, invalid)
    judged_tables = tuple(tables.tables(measured))
    twins = tuple(_with_p99(measured.twins, plan, outcomes, histograms))
    slow = floors_of("p99_us", twins)
    rankings = tuple(_ranking(measured, table, rows, slow) for table in judged_tables)
    rankings = tuple(_by_reach(plan, ranking, searches) for ranking in rankings)
    rows |= {row.cell: row for ranking in rankings for row in ranking.rows}
    left_open = stopping.left_open(measured, judged_tables)
    rounds = rounds_begun(outcomes)
    loaded_s = sum(outcome.warmup_s + outcome.load_s for outcome in loads)
    loaded_s += sum(ceiling.load_s for ceiling in ceilings)
    wall_s = sum(segment.wall_s for segment in segments)
    return Summary(
        format=FORMAT,
        counts=summary.counted([row for ranking in rankings for row in ranking.rows]),
        rounds=rounds,
        # More than the whole: what the stretches took is not known.
        load_share=loaded_s / wall_s if wall_s > 0 and loaded_s <= wall_s else None,
        reference=plan.reference,
        noise_floor=measured.floors.pooled,
        cpu_noise_floor=measured.cpu_floors.pooled,
        twins=twins,
        ended=ended_by(
            plan,
            loads,
            more=plan.has_untried({(of.cell, of.round) for of in outcomes})
            or unfinished(plan, tried, searches),
            left_open=left_open,
            segments=segments,
        ),
        left_open=tuple(sorted(left_open)),
        decision=decide(
            run,
            measured,
            judged_tables,
            rows,
            rounds,
            sum(outcome.repeat > 0 for outcome in recorded),
            launches,
            disturbed,
        ),
        shares=shares(rankings, measured.goodput, measured.floors, measured.interim_looks),
        rankings=rankings,
        concerns=summary.explained(CONCERNS),
    )


def still_open(run: Run, outcomes: Sequence[Outcome], histograms: Histograms) -> frozenset[str]:
    """Return the cells that `summarise` calls left open, judging no more than that takes."""
    outcomes, _ = settled(run.plan, outcomes, histograms)
    invalid = {
        evidence.cell.id
        for _, evidence in _facts(run, outcomes, histograms, ())
        if is_invalid(CONCERNS, evidence) or is_short(evidence)
    }
    measured = tables.measured(run.plan, outcomes, invalid)
    return stopping.left_open(measured, tuple(tables.tables(measured)))


def _facts(
    run: Run, outcomes: Sequence[Outcome], histograms: Histograms, ceilings: Sequence[Ceiling]
) -> Iterator[tuple[Ended[Outcome, Round], Evidence]]:
    """Yield each cell's rounds, and the facts that its number is judged by.

    To keep them would be to keep all latencies.
    """
    last = summary.last(outcomes, lambda outcome: outcome.cell)
    servers = {server.name: server for server in run.plan.servers}
    for cell in run.plan.cells:
        came = ended(last.get(cell.id, {}), _round)
        yield (
            came,
            Evidence(
                plan=run.plan,
                cell=msgspec.structs.replace(cell, load=_sent(cell, came.measured)),
                server=servers[cell.server],
                measured=came.measured,
                failed=came.failed,
                histograms=histograms,
                ceilings=ceilings,
                system=run.machine.system,
            ),
        )


def _sent(cell: Cell, measured: Sequence[Outcome]) -> Load:
    """Return the load that a cell's number is of."""
    tried = [outcome.tried for outcome in measured if outcome.tried]
    return tried[0] if tried else cell.load


def _row(
    came: Ended[Outcome, Round], evidence: Evidence, search: Search | None, loads: Sequence[Outcome]
) -> Row:
    cell, figures = evidence.cell, evidence.figures
    note = cell.endpoint.note
    timed = figures is not None and figures.p50_us is not None
    return make_row(
        Row,
        came,
        weigh(CONCERNS, evidence),
        cell.skip,
        cell=cell.id,
        server=cell.server,
        interface=evidence.server.interface,
        versus_cpu=None,
        figures=figures,
        curve=curve(evidence.pooled.raw, evidence.pooled.late) if timed else None,
        search=search,
        steps=(
            steps(evidence.plan, cell, evidence.server, loads, evidence.histograms)
            if cell.load.explores
            else ()
        ),
        notes=((note,) if note else ()) + evidence.server.limits,
    )


def _with_p99(
    arms: Sequence[Twins], plan: Plan, outcomes: Sequence[Outcome], histograms: Histograms
) -> Iterator[Twins]:
    """Yield both arms with the p99 of each round, where they are of a load at a rate."""
    cells = {cell.id: cell for cell in plan.cells}
    last = summary.last(outcomes, lambda outcome: outcome.cell)

    def with_p99(arm: Twin) -> Twin:
        cell = cells[arm.cell]
        rounds = [last[arm.cell].get(number) for number in range(len(arm.goodput))]
        p99s_us = (
            p99_of_round(cell, of, histograms) if of and has_number(of) else None for of in rounds
        )
        return msgspec.structs.replace(arm, p99_us=tuple(p99s_us) if cell.load.rate else ())

    for of in arms:
        yield msgspec.structs.replace(of, first=with_p99(of.first), second=with_p99(of.second))


def _ranking(of: Measured, table: Table, rows: Mapping[str, Row], slow: Floors) -> Ranking:
    kind, names = workload(table.endpoint, table.load), table.pairs.rates
    floor, cpu_floor = of.floors.of(kind), of.cpu_floors.of(kind)
    taking_part = [rows[cell.id] for cell in table.cells]
    rounds = max((row.rounds_measured for row in taking_part), default=0)
    reference = next((c.id for c in table.cells if c.server == of.plan.reference), None)
    goodput = {cell: of.goodput[cell] for cell in names}
    cpu_us = {cell: of.cpu_us[cell] for cell in names if cell in of.cpu_us}
    # What ranks them has one finding for each pair, the other figure is no more than compared.
    if table.by == "cost":
        versus = _versus(goodput, reference, floor, of.interim_looks)
        versus_cpu = ranking.versus(
            cpu_us, reference, lambda name, over: turned(table.pairs.finding(name, over))
        )
    else:
        versus = ranking.versus(goodput, reference, table.pairs.finding)
        versus_cpu = _versus(cpu_us, reference, cpu_floor, of.interim_looks, LEAST_CPU_MARGIN)
    shown = versus_cpu if table.by == "cost" else versus
    return Ranking(
        endpoint=table.endpoint,
        load=table.load,
        by=table.by,
        noise_floor=floor(rounds) if floor else None,
        cpu_noise_floor=cpu_floor(rounds) if cpu_floor else None,
        p99_noise_floor=slow.at(kind, rounds) if table.load.rate else None,
        noise_borrowed=floor is not None and kind not in of.floors.kinds,
        unranked=ranking.unranked(table.pairs),
        rows=tuple(
            msgspec.structs.replace(
                row, versus=versus.get(row.cell), versus_cpu=versus_cpu.get(row.cell)
            )
            for row in ranking.placed(taking_part, table.pairs, shown, _order)
        ),
    )


def _order(row: Row) -> tuple[float, str]:
    return 0.0, row.server


def _by_reach(plan: Plan, of: Ranking, searches: Mapping[str, Search]) -> Ranking:
    """Return a ranking of a search by the rates between which each server's highest lies."""
    if of.load.within is None:
        return of
    own = {row.cell: row.search for row in of.rows if row.search and row.reportable}
    ranks = reach_ranks(own, copies_apart(plan, of.at, searches))
    rows = [
        msgspec.structs.replace(
            row,
            rank=ranks.get(row.cell),
            tied=[*ranks.values()].count(ranks.get(row.cell, 0)) > 1,
            versus=None,
        )
        for row in of.rows
    ]
    # Of those without a rank the order is as it was.
    low = {cell: search.low or 0.0 for cell, search in own.items()}
    order = sorted(rows, key=lambda row: (row.rank or len(rows) + 1, -low.get(row.cell, 0.0)))
    return msgspec.structs.replace(of, unranked=None, rows=tuple(order))


def _versus(
    rates: Mapping[str, Rates],
    reference: str | None,
    floor: Floor | None,
    interim_looks: int,
    near: float = LEAST_MARGIN,
) -> dict[str, Versus]:
    """Return how a figure that ranks nobody compares with the reference's: no other pairs."""
    if reference is None or reference not in rates:
        return {}
    others = [(cell, reference) for cell in rates if cell != reference]
    pairs = judged(others, rates, floor, interim_looks, near)
    return ranking.versus(rates, reference, pairs.finding)


def _round(outcome: Outcome) -> Round:
    unusable = _unusable(outcome) if outcome.status == "measured" else None
    measured = has_number(outcome)
    return Round(
        number=outcome.round + 1,
        status="failed" if unusable else outcome.status,
        stage="load" if unusable else outcome.stage,
        reason=unusable or shown(outcome.reason),
        detail=outcome.detail,
        goodput=outcome.loaded.goodput if measured and outcome.loaded else None,
        server_cpu_us=outcome.server_cpu_us if measured else None,
        raw=outcome.raw or next((p.raw for load in outcome.loads for p in load.parts), None),
    )


def _unusable(outcome: Outcome) -> str | None:
    """Return why a load that ran to its end is no measurement: zeros would rank as numbers."""
    loaded = outcome.loaded
    if loaded is None or loaded.duration_us <= 0:
        return "the load left no result"
    if loaded.answers == 0:
        return "no request was answered"
    if loaded.status_errors >= loaded.answers:
        return f"all {loaded.answers} responses were errors"
    return None


def summarise_stored(stored: ServersRun) -> Summary:
    """Return the rows of a run with their verdicts, from all that its folder holds."""
    return summarise(
        stored.run,
        merged(stored.outcomes, stored.afterwards),
        stored.histogram,
        stored.segments,
        stored.ceilings,
        stored.outcomes,
        stored.launches,
    )
