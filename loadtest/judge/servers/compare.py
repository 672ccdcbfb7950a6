"""Two runs: what each server costs and each cell shows; better, worse, the same, or cannot tell.

At a rate, CPU per request and p99 are compared where both held it; whether they did is a finding of
its own. Of searches it is the highest rate within the goal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from statistics import median
from typing import Literal

import msgspec

from loadtest.judge.servers.conditions import Difference, differences
from loadtest.judge.servers.cost import ALL, CORES, Shares, floor_of_means, mean, mean_of, shares
from loadtest.judge.servers.decision import Cost
from loadtest.judge.servers.metrics import figures, latencies, p99_of_round
from loadtest.judge.servers.rows import Row
from loadtest.judge.servers.summary import Summary, summarise_stored
from loadtest.judge.servers.turns import merged
from loadtest.judge.servers.within import Search
from loadtest.judge.summary import last
from loadtest.records.errors import UserError
from loadtest.records.measured import Outcome
from loadtest.records.planned import Cell, Interface, Load, Plan, Record
from loadtest.records.run_folder import ServersRun
from loadtest.stats import cpu_drift
from loadtest.stats.noise_floor import Floor, Floors, Twins, by_kind, floors, workload
from loadtest.stats.ratios import Comparison, Rates, moderated, paired, unpaired, unpaired_t
from loadtest.stats.search import NARROW
from loadtest.stats.series import has_number
from loadtest.stats.significance import Finding, adjust, finding, margin

FORMAT = 5
"""Of what `compare --json` prints. 1: the first; 2: a margin for each change; 3: CPU time at even
speed; each change with its server and endpoint; 4: what each server costs, over all endpoints; the
noise of each change; `base` and `new` are the numbers of the runs' reports; `lost` has `why` in
place of `failed`; no `margins`; 5: costs at each rate, a rate that one run alone has held, and the
highest rate within a goal."""

THRESHOLD = 0.05

MOST_RESAMPLED = 10_000
"""Rounds of all figures together whose intervals are by bootstrap: of more it takes minutes, and
they are those of Student's t."""

MOST_NAMED = 100
"""Conditions that forbid a comparison; of more there is a count."""

Answer = Literal["better", "worse", "same", "cannot tell"]
CellFigure = Literal["server_cpu_us", "goodput", "p99_us"]
Figure = Literal["cost", "reaches", CellFigure]

BETTER: dict[Figure, Literal["higher", "lower"]] = {
    "cost": "lower",
    "reaches": "higher",
    "server_cpu_us": "lower",
    "goodput": "higher",
    "p99_us": "lower",
}
"""What is compared, by which way is better; the sharpest first."""

OF_CELLS: tuple[CellFigure, ...] = ("server_cpu_us", "goodput", "p99_us")

APART = NARROW**2 - 1
"""A share that two searches of the same server may differ by: each leaves a bracket open."""


class Change(Record, frozen=True, kw_only=True):
    """One figure of one cell in both runs, or the cost of one server."""

    cell: str | None
    """None of a cost."""
    server: str
    interface: Interface | None
    endpoint: str
    """With its style and rate, as in `json-sync@200`; of a cost `all`, or `all@200`: those at which
    it counts in both runs."""
    endpoints: int
    """How many."""
    rate: float | None
    """Requests a second that were asked for; None: as many as there can be."""
    figure: Figure
    base: float
    new: float
    """As in the report of each run, but for drift-corrected CPU time; a cost in CPU cores for 1,000
    requests/s. `reaches`: the highest rate that kept the goal."""
    drift_corrected: bool
    """CPU time is compared at even speed of the processors, that of BASE; see `cpu_drift`."""
    comparison: Comparison
    """Of the rounds, its noise estimated from all cells (`ratios.moderated`); the ratio is that of
    `base` and `new`. Of `reaches`, the interval is what the brackets of both searches leave
    open."""
    adjusted_p: float | None
    """For all costs, or for all figures of all cells, and for there being both."""
    noise: float | None
    """What two copies of one server differed by in either run at this workload, as a share; None
    where neither shows it."""
    margin: float
    """The difference below which none is called one, as a share: the threshold, or the noise."""
    answer: Answer

    @property
    def ratio(self) -> float:
        """How many times as much it has become."""
        return self.new / self.base


WhyLost = Literal["failed", "not held", "not known", "skipped", "unplanned"]


class Lost(Record, frozen=True, kw_only=True):
    """A cell that has a number, or holds its rate, in one run only."""

    cell: str
    server: str
    endpoint: str
    """With its style."""
    run: Literal["base", "new"]
    """The run that has none."""
    why: WhyLost
    """`failed`: it was measured there and failed or came out invalid. `not held`: the server did
    not answer as fast as requests were to come. `not known`: its search was cut short, or
    the generator was late, before it had a rate."""
    reason: str

    @property
    def regressed(self) -> bool:
        """Whether it had a number and can no longer be measured, or no longer holds its rate."""
        return self.why in ("failed", "not held") and self.run == "new"


class Comparisons(Record, frozen=True, kw_only=True):
    """All that `compare` shows."""

    format: int
    base: str
    new: str
    """Names of the folders."""
    threshold: float
    same_rounds: bool
    """Whether the two share their rounds, and are compared round by round."""
    differences: tuple[Difference, ...]
    changes: tuple[Change, ...]
    """Costs first, then cells, figure by figure."""
    lost: tuple[Lost, ...]

    @property
    def costs(self) -> tuple[Change, ...]:
        """The changes of what servers cost."""
        return tuple(change for change in self.changes if change.cell is None)

    @property
    def of_cells(self) -> tuple[Change, ...]:
        """All other changes."""
        return tuple(change for change in self.changes if change.cell is not None)

    @property
    def regressed(self) -> bool:
        """Whether a figure got worse, or a cell failed or no longer holds its rate."""
        worse = any(change.answer == "worse" for change in self.changes)
        return worse or any(lost.regressed for lost in self.lost)

    @property
    def conclusive(self) -> bool:
        """Whether most of what decides could be judged.

        The servers' costs decide, for they can be told best: fifty single figures of which one or
        another stays open say little of a run. Without costs all figures do.
        """
        deciding = self.costs or self.changes
        judged = sum(change.answer != "cannot tell" for change in deciding)
        return 2 * judged > len(deciding)


def compare(
    base: ServersRun, new: ServersRun, threshold: float = THRESHOLD, force: bool = False
) -> Comparisons:
    """Compare what each server costs and every cell that both runs have; `threshold` is a share.

    Rounds are paired only where both sides met the same conditions in them, and two runs never do:
    each has its own hour and neighbours. So they are paired if both folders hold the same run, one
    being a copy of the other, and compared as two samples otherwise. P values are adjusted over all
    costs, and over all figures of all cells; each of the two takes half of the false alarms. Raises
    UserError for runs that are not comparable, unless `force`.
    """
    differ = differences(base.run, new.run)
    forbids = [f"{d.key}: {d.base} in BASE, {d.new} in NEW" for d in differ if d.forbids]
    if forbids and not force:
        raise UserError(
            "the two runs were not made under the same conditions; --force compares them",
            *forbids[:MOST_NAMED],
            *([f"and {len(forbids) - MOST_NAMED:,} more"] if len(forbids) > MOST_NAMED else []),
        )
    rounds = 1 + max((of.round for run in (base, new) for of in run.outcomes), default=-1)
    before, after = (_read(run, rounds) for run in (base, new))
    shared = [cell for cell in before.rows if cell in after.rows]
    if not any(before.rows[cell].reportable for cell in shared):
        raise UserError(_nothing_shared(base, new))
    origins = [(of.run.created_at, of.run.plan.seed) for of in (base, new)]
    same_rounds = origins[0] == origins[1]
    correctable = cpu_drift.CONDITIONS.isdisjoint(difference.key for difference in differ)
    by_rate: dict[float | None, list[str]] = {}
    for cell in shared:
        by_rate.setdefault(before.cells[cell].load.rate, []).append(cell)
    cells = [
        [
            _of_cell(before, after, cell, figure, correctable)
            for cell in same
            if _comparable(before, after, cell, figure)
        ]
        for figure in OF_CELLS
        for same in by_rate.values()
    ]
    costs = [*_costs(before, after, correctable)]
    families = [family for family in (costs, cells) if any(family)]

    def judged(family: Sequence[Sequence[_Pair]]) -> Iterator[Change]:
        comparisons: list[Comparison] = []
        separate = unpaired if sum(map(len, family)) * rounds <= MOST_RESAMPLED else unpaired_t
        for table in family:
            # Noise is of a kind within a figure at a rate: a p99 says nothing of how steady CPU
            # time is, nor a rate that is held of one that is not.
            compared = [(paired if same_rounds else separate)(of.base, of.new) for of in table]
            comparisons += moderated(compared)
        pairs = [pair for table in family for pair in table]
        ps = adjust([comparison.p for comparison in comparisons])
        for pair, comparison, p in zip(pairs, comparisons, ps, strict=True):
            raised = None if p is None else min(1.0, p * len(families))
            yield _change(before, after, pair, comparison, raised, threshold)

    return Comparisons(
        format=FORMAT,
        base=base.folder.name,
        new=new.folder.name,
        threshold=threshold,
        same_rounds=same_rounds,
        differences=differ,
        changes=(
            *(change for family in families for change in judged(family)),
            *(
                _reaching(before, after, cell, threshold)
                for cell in shared
                if before.reach(cell) and after.reach(cell)
            ),
        ),
        lost=(*_lost(before, after, "new"), *_lost(after, before, "base")),
    )


def _nothing_shared(base: ServersRun, new: ServersRun) -> str:
    """Return what to do about two runs without a cell in common."""
    plans = base.run.plan, new.run.plan
    first, second = ({(cell.server, cell.endpoint.id) for cell in plan.cells} for plan in plans)
    loads = [
        " and ".join(
            dict.fromkeys(
                _loaded(cell.load)
                for cell in plan.cells
                if (cell.server, cell.endpoint.id) in first & second
            )
        )
        for plan in plans
    ]
    if loads[0] != loads[1]:
        return (
            f"{base.folder} was loaded {loads[0]}, {new.folder} {loads[1]};"
            " `loadtest run` both with the same --rate"
        )
    return (
        f"{new.folder} has no cell that has a number in {base.folder};"
        " `loadtest run` both with the same servers and endpoints"
    )


def _loaded(load: Load) -> str:
    if load.within:
        return "in search of the highest rate"
    return f"at {load.rate:,.10g} requests/s" if load.rate else "in closed loops"


def _comparable(before: _Side, after: _Side, cell: str, figure: CellFigure) -> bool:
    """Say whether a figure of a cell means the same in both runs.

    At a rate requests/s are what was asked for, until they are not; and what a request costs and
    how long it takes where the server cannot keep up is of another rate.
    """
    if not (before.shows(cell, figure) and after.shows(cell, figure)):
        return False
    held = not (before.rows[cell].why_short or after.rows[cell].why_short)
    return before.cells[cell].load.rate is None or held != (figure == "goodput")


def _change(
    before: _Side,
    after: _Side,
    pair: _Pair,
    comparison: Comparison,
    p: float | None,
    threshold: float,
) -> Change:
    row, cell = after.rows[pair.cells[0]], after.cells[pair.cells[0]]
    base, new = before.reported(pair, pair.base), after.reported(pair, pair.new)
    shown = _of_reported(comparison, new / base)
    known = [side.noise(pair, comparison.rounds) for side in (before, after)]
    noise = max((floor for floor in known if floor is not None), default=None)
    beyond = margin(noise, threshold)
    both = (comparison, shown)
    return Change(
        cell=None if pair.figure == "cost" else pair.cells[0],
        server=row.server,
        interface=row.interface,
        endpoint=over_all(cell.load.rate) if pair.figure == "cost" else cell.at,
        endpoints=len(pair.cells),
        rate=cell.load.rate,
        figure=pair.figure,
        base=base,
        new=new,
        drift_corrected=pair.drift_corrected,
        comparison=shown,
        adjusted_p=p,
        noise=noise,
        margin=beyond,
        answer=_answer(pair.figure, *(finding(of, beyond, p, near=threshold) for of in both)),
    )


def over_all(rate: float | None) -> str:
    """Return what stands in place of an endpoint, of a cost: `all`, or `all@200`."""
    return ALL if rate is None else f"{ALL}@{rate:g}"


def _reaching(before: _Side, after: _Side, cell: str, threshold: float) -> Change:
    """Return how the highest rate within the goal changed.

    What is known of it in each run is a bracket; where something else than the server's answers
    was short at its upper end, it has none.
    """
    base, new = before.searches[cell], after.searches[cell]
    row, at = after.rows[cell], after.cells[cell].at
    assert base.low is not None
    assert new.low is not None
    ratio, low, high = new.low / base.low, new.low / base.most, new.most / base.low
    copies = [side.copies_apart(at) for side in (before, after)]
    noise = max((apart - 1 for apart in copies if apart is not None), default=None)
    near = max(threshold, APART)
    beyond = margin(noise, near)
    answer: Answer = "cannot tell"
    if low > 1 and ratio > 1 + beyond:
        answer = "better"
    elif high < 1 and ratio < 1 / (1 + beyond):
        answer = "worse"
    elif 1 / (1 + near) <= low and high <= 1 + near:
        answer = "same"
    return Change(
        cell=cell,
        server=row.server,
        interface=row.interface,
        endpoint=at,
        endpoints=1,
        rate=None,
        figure="reaches",
        base=base.low,
        new=new.low,
        drift_corrected=False,
        comparison=Comparison(
            ratio=ratio,
            low=low or None,
            high=high if math.isfinite(high) else None,
            p=None,
            rounds=min(base.tries, new.tries),
            method=None,
            estimate=None,
        ),
        adjusted_p=None,
        noise=noise,
        margin=beyond,
        answer=answer,
    )


def _of_reported(comparison: Comparison, ratio: float) -> Comparison:
    """Return a comparison whose ratio is that of the reports' numbers.

    They are medians of rounds, a p99 that of all rounds together; the interval is that of the mean
    over rounds, which may differ a little.
    """
    if comparison.low is None or comparison.high is None:
        return msgspec.structs.replace(comparison, ratio=ratio)
    low, high = min(comparison.low, ratio), max(comparison.high, ratio)
    return msgspec.structs.replace(comparison, ratio=ratio, low=low, high=high)


def _answer(figure: Figure, by_round: Finding, shown: Finding) -> Answer:
    """Return what both show, the rounds and the numbers that a reader sees."""
    if by_round != shown or shown == "inconclusive":
        return "cannot tell"
    if shown == "equivalent":
        return "same"
    return "better" if shown == BETTER[figure] else "worse"


def _is_open(search: Search, other: Search | None) -> bool:
    """Say whether a search without a rate leaves open if there is one as high as the other's.

    It was the generator that missed, or a higher rate, and lower ones were not tried.
    """
    reached = other.low if other and other.low else 0.0
    cut = search.unfinished and (search.high is None or search.high > reached)
    return search.low is None and (search.why == "generator" or cut)


def _lost(having: _Side, lacking: _Side, run: Literal["base", "new"]) -> Iterator[Lost]:
    """Yield the cells with a number in the one run that have none in the other, which is `run`.

    Those, too, that hold their rate in the one alone.
    """
    for cell, row in having.rows.items():
        other = lacking.rows.get(cell)
        if not row.reportable:
            continue
        why: WhyLost = "unplanned"
        reason = "not in its plan"
        if other and other.reportable:
            if row.why_short or not other.why_short:
                continue
            why, reason = "not held", other.why_short
        elif other:
            why = "skipped" if other.status == "skipped" else "failed"
            if other.search and _is_open(other.search, row.search):
                why = "not known"
            reason = other.why_invalid or other.reason or "no number"
        yield Lost(
            cell=cell,
            server=row.server,
            endpoint=having.cells[cell].at,
            run=run,
            why=why,
            reason=reason,
        )


@dataclass(frozen=True)
class _Pair:
    """One figure of one cell by round, or a cost, over several."""

    cells: tuple[str, ...]
    figure: Figure
    drift_corrected: bool
    base: Rates
    new: Rates
    shares: Shares = None
    """Of the base run's traffic, of each cell: what both runs' costs are weighed by."""


@dataclass(frozen=True, eq=False)
class _Side:
    """A run as far as it is compared."""

    plan: Plan
    summary: Summary
    cells: Mapping[str, Cell]
    rows: Mapping[str, Row]
    """By cell."""
    searches: Mapping[str, Search]
    """Likewise."""
    measured: Mapping[str, Mapping[int, Outcome]]
    """By cell, those of duplicates too, and round; only what is a number."""
    p99_us: Callable[[str, int], int | None]
    """Of a cell in a round. Latencies are read when it is asked for: most figures need none."""
    rounds: int
    """Of whichever run has more."""

    def shows(self, cell: str, figure: CellFigure) -> bool:
        """Say whether a figure of a cell was measured and may be shown."""
        if cell in self.searches:
            return False  # Its tries are at rates of their own.
        reported = self.rows[cell].reportable
        known = reported is not None and getattr(reported, figure)
        return bool(known) and any(self.rates(cell, figure, None))

    def shares(self, cells: Sequence[str]) -> Shares:
        """Return the share of a site's requests that each of some cells stands for."""
        return shares(self.plan, [self.cells[cell].endpoint for cell in cells])

    def reach(self, cell: str) -> float | None:
        """Return the highest rate of a search that kept the goal; None without one."""
        search = self.searches.get(cell)
        return search.low if search and self.rows[cell].reportable else None

    def copies_apart(self, at: str) -> float | None:
        """Return how many times as much one copy of a server took at an endpoint as the other."""
        return self._apart.get(at)

    @cached_property
    def _apart(self) -> Mapping[str, float | None]:
        return {each.endpoint: each.apart for each in reversed(self.summary.decision.searched)}

    def reported(self, pair: _Pair, rates: Rates) -> float:
        """Return a figure as the run's report has it; drift-corrected CPU time of the `rates`."""
        if pair.drift_corrected:
            return median(filter(None, rates)) / (CORES if pair.figure == "cost" else 1)
        reported = [self.rows[cell].reportable for cell in pair.cells]
        if pair.figure == "cost":
            costs_us = [of.server_cpu_us or 0.0 for of in reported if of]
            return mean(costs_us, pair.shares) / CORES
        return float(getattr(reported[0], pair.figure))

    def rates(self, cell: str, figure: CellFigure, usual_us: float | None) -> Rates:
        """Return a figure by round, None where it has none, as too few answers for a p99.

        `usual_us`: that of drift-corrected CPU time, see `cpu_drift`.
        """
        rates: list[float | None] = []
        for number in range(self.rounds):
            of = self.measured[cell].get(number)
            if of is None:
                rates.append(None)
            elif usual_us is not None:
                rates.append(cpu_drift.drift_corrected_us(of, usual_us))
            elif figure == "p99_us":
                rates.append(self.p99_us(cell, number) or None)
            elif figure == "goodput":
                rates.append(of.loaded.goodput if of.loaded else None)
            else:
                rates.append(of.server_cpu_us or None)
        return rates

    def noise(self, pair: _Pair, rounds: int) -> float | None:
        """Return the difference that two copies of one server show, where that is known."""
        cells = [self.cells[cell] for cell in pair.cells]
        if pair.figure == "cost":
            over = frozenset(cell.at for cell in cells)
            floor = self._floor_of_cost(over, pair.drift_corrected)
        else:
            assert pair.figure != "reaches"
            kind = workload(cells[0].endpoint, cells[0].load)
            floor = self._floors(pair.figure, pair.drift_corrected).of(kind)
        return floor(rounds) if floor else None

    @cache  # noqa: B019  it lives as long as the comparison
    def _floors(self, figure: CellFigure, drift_corrected: bool) -> Floors:
        """Return the floors of a figure by workload."""
        return floors(
            by_kind((of.kind, *self._arms(of, figure, drift_corrected)) for of in self._twins)
        )

    @cache  # noqa: B019  likewise
    def _floor_of_cost(self, over: Collection[str], drift_corrected: bool) -> Floor | None:
        """Return the floor of the cost over some endpoints."""
        twins = [of for of in self._twins if of.endpoint in over]
        arms = [self._arms(of, "server_cpu_us", drift_corrected) for of in twins]
        return floor_of_means(arms, self.shares([of.first.cell for of in twins]))

    @property
    def _twins(self) -> list[Twins]:
        """Those that are no search, whose tries are at rates of their own."""
        return [of for of in self.summary.twins if of.first.cell in self.measured]

    def _arms(self, of: Twins, figure: CellFigure, drift_corrected: bool) -> tuple[Rates, Rates]:
        # Any speed will do for a ratio.
        usual_us = 1.0 if drift_corrected else None
        first, second = (self.rates(arm.cell, figure, usual_us) for arm in (of.first, of.second))
        return first, second


def _of_cell(
    before: _Side, after: _Side, cell: str, figure: CellFigure, correctable: bool
) -> _Pair:
    """Return a figure of a cell that both runs have, CPU time drift-corrected where that holds.

    Not at a rate: what a request costs the generator there is mostly waiting for its time.
    """
    usual_us = None
    if correctable and figure == "server_cpu_us" and not before.cells[cell].load.rate:
        outcomes = [side.measured[cell].values() for side in (before, after)]
        usual_us = cpu_drift.speed_us(outcomes[0]) if cpu_drift.alike(*outcomes) else None
    base, new = (side.rates(cell, figure, usual_us) for side in (before, after))
    return _Pair((cell,), figure, usual_us is not None, base, new)


def _costs(before: _Side, after: _Side, correctable: bool) -> Iterator[list[_Pair]]:
    """Yield what each server costs at each rate, over the endpoints that count in both runs."""
    base, new = (side.summary.decision.overall for side in (before, after))
    for rate, cost in base.items():
        if rate in new:
            yield _costs_at(before, after, cost, new[rate], correctable)


def _costs_at(before: _Side, after: _Side, base: Cost, new: Cost, correctable: bool) -> list[_Pair]:
    second = {place.server: {*place.cells} for place in new.places}
    both = [
        [
            cell
            for cell in place.cells
            if cell in second.get(place.server, ())
            and _comparable(before, after, cell, "server_cpu_us")
        ]
        for place in base.places
    ]
    costs = [
        [_of_cell(before, after, cell, "server_cpu_us", correctable) for cell in cells]
        for cells in both
    ]
    if not all(pair.drift_corrected == correctable for pairs in costs for pair in pairs):
        # All or none: a mean of both would be of neither.
        return _costs_at(before, after, base, new, correctable=False)
    means = [
        _Pair(
            tuple(cell for pair in pairs for cell in pair.cells),
            "cost",
            correctable,
            mean_of([pair.base for pair in pairs], shares),
            mean_of([pair.new for pair in pairs], shares),
            shares,
        )
        for pairs, shares in zip(costs, map(before.shares, both), strict=True)
        if pairs
    ]
    # Where no round has most of the endpoints, as each was measured in another, there is no cost.
    return [each for each in means if any(each.base) and any(each.new)]


def _read(stored: ServersRun, rounds: int) -> _Side:
    """Return what a run has to compare."""
    plan = stored.run.plan
    summary = summarise_stored(stored)
    servers = {server.name: server for server in plan.servers}
    rows = {row.cell: row for ranking in summary.rankings for row in ranking.rows}
    loads = merged(stored.outcomes, stored.afterwards)
    # Of steps the closed loop: the others are at rates of their own.
    planned = [outcome for outcome in loads if not outcome.tried_rate]
    outcomes = last(planned, lambda outcome: outcome.cell)
    cells = {cell.id: cell for cell in plan.cells}

    @cache
    def p99_us(id_: str, number: int) -> int | None:
        cell, outcome = cells[id_], outcomes[id_][number]
        # At a rate that of few requests counts as well.
        if cell.load.rate is not None:
            return p99_of_round(cell, outcome, stored.histogram)
        in_all = latencies(cell, [outcome], stored.histogram)
        return figures(plan, cell, servers[cell.server], [outcome], in_all).p99_us

    return _Side(
        plan=plan,
        summary=summary,
        cells=cells,
        rows=rows,
        searches={cell: row.search for cell, row in rows.items() if row.search},
        measured={
            cell.id: {
                number: outcome
                for number, outcome in outcomes.get(cell.id, {}).items()
                if has_number(outcome)
            }
            for cell in plan.cells
            if not cell.load.within
        },
        p99_us=p99_us,
        rounds=rounds,
    )
