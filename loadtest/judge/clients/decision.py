"""What a run of HTTP clients decides, as records; the report has the words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations, product
from operator import itemgetter
from statistics import median

from loadtest.judge import ranking
from loadtest.judge.clients.metrics import by_round, cpu_s
from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.judge.clients.stopping import Key, Table, tables
from loadtest.judge.rows import Versus
from loadtest.records.clients import Kind, Measure, Outcome, Plan
from loadtest.records.planned import Record
from loadtest.stats.pairs import judged, ordered
from loadtest.stats.ratios import Rates, paired

KINDS: tuple[Kind, ...] = ("sync", "async")

LEAST_ROUNDS = 3
"""For an interval of a figure that is not a ratio of two times."""

WIDE = 10.0
"""Times the lower end of an interval of a number of calls; a wider one helps nobody."""

MUCH_NOISE = 0.5
"""A noise floor, as a share, from which on the noise is said before anything else."""


class Contender(Record, frozen=True, kw_only=True):
    """One of the rows that are compared with each other."""

    row: str
    """Its id."""
    label: str
    client: str
    us: float
    """Wall or processor time of a process or a call, the median over rounds."""
    versus: Versus | None
    """Against the first; None for that."""
    doubts: tuple[str, ...]
    """The concerns about it."""

    @property
    def behind(self) -> bool:
        """Whether it was shown to take longer than the first."""
        return self.versus is not None and self.versus.finding == "higher"


class Lead(Record, frozen=True, kw_only=True):
    """Who takes the least among rows of one table that were compared with each other."""

    group: str
    title: str
    """Of the group."""
    measure: Measure
    kind: Kind | None
    """Of the clients, where these alone are compared: what a sync or an async view can call."""
    rows: tuple[Contender, ...]
    """With a number that may be shown, the least first."""
    clear: bool
    """Each of `first` was separated from each of `rest`; if not, the very first alone was."""
    alike: bool
    """Those of `first` were shown to differ by less than matters."""
    rounds: int
    """That each of the rows has at least."""

    @property
    def first(self) -> list[Contender]:
        """The one with the lowest median, and those that were not separated from it."""
        return [row for row in self.rows if not row.behind]

    @property
    def rest(self) -> list[Contender]:
        """Those that were; without any, the run cannot tell who leads."""
        return [row for row in self.rows if row.behind]

    @property
    def limited(self) -> bool:
        """Whether the server set the pace of `first`."""
        return all("upstream-limited" in row.doubts for row in self.first)


class BreakEven(Record, frozen=True, kw_only=True):
    """From how many calls on the faster of two clients has made up for its longer import."""

    quick: str
    """The client that is imported sooner."""
    fast: str
    title: str
    """Of the table in which the other is faster."""
    low: float
    """Of the 95 % interval over rounds, in calls."""
    high: float


class Start(Record, frozen=True, kw_only=True):
    """What a process pays before its first call."""

    rows: tuple[str, ...]
    interpreter_s: float
    imports: tuple[tuple[str, float], ...]
    """Clients with the seconds of their import, the quickest first."""
    break_even: BreakEven | None


class Decision(Record, frozen=True, kw_only=True):
    """What a run can say to who has to choose a client."""

    leads: tuple[Lead, ...]
    """Of each group: by warm calls, where nothing but the calls is in the time, or else cold."""
    views: tuple[Lead, ...]
    """Of the sync and of the async clients of one table, where it has two of a kind and separates
    them; without the one whose first are the first of all."""
    cpu: Lead | None
    """By the processor time of a call, with a client that is kept."""
    start: Start | None
    numbers: int
    """Rows, each once by each measure, that have a number."""
    busy: int
    """Among them those during which other programs took processor time."""
    unstable: int
    noisy: bool
    """So many of these, or such a noise floor, that it has to be said first."""


def decide(
    plan: Plan,
    outcomes: Sequence[Outcome],
    known: Sequence[tuple[Ranking, Table]],
    invalid: Collection[Key],
) -> Decision:
    """Return what the tables of a run come to."""
    # By warm calls where there are any: the last one of a group stays.
    of_groups = {
        of.group.name: (of, table)
        for of, table in sorted(known, key=lambda it: it[0].measure == "warm")
    }
    deciding = [of_groups[group.name] for group in plan.groups if group.name in of_groups]
    numbers = [row for of, _ in known for row in of.reportable]
    doubts = [{raised.concern for raised in row.concerns} for row in numbers]
    disturbed = sum(bool(of & {"noisy-host", "unstable"}) for of in doubts)
    floors = [of.noise_floor or 0.0 for of, _ in known]
    return Decision(
        leads=tuple(_lead(of, table, of.reportable) for of, table in deciding),
        views=_views(deciding),
        cpu=_cpu(plan, outcomes, deciding, invalid),
        start=_start([of for of, _ in known], outcomes, deciding),
        numbers=len(numbers),
        busy=sum("noisy-host" in of for of in doubts),
        unstable=sum("unstable" in of for of in doubts),
        noisy=2 * disturbed > len(numbers) or max(floors, default=0.0) > MUCH_NOISE,
    )


def _lead(of: Ranking, table: Table, rows: Sequence[Standing], kind: Kind | None = None) -> Lead:
    """Compare some rows of a table; of those that are not separated nobody is named."""
    by_id = {row.name: row for row in rows if row.name in table.times}
    names = [name for name in ordered(table.pairs.rates) if name in by_id]
    base = names[0] if names else None
    versus = ranking.versus({name: table.times[name] for name in names}, base, table.finding)
    contenders = tuple(
        Contender(
            row=name,
            label=by_id[name].row.label,
            client=by_id[name].row.client,
            us=table.middle(name) * 1e6,
            versus=versus.get(name),
            doubts=tuple(raised.concern for raised in by_id[name].concerns),
        )
        for name in names
    )
    first = [row.row for row in contenders if not row.behind]
    across = product(first, [row.row for row in contenders if row.behind])
    return Lead(
        group=of.group.name,
        title=of.group.title,
        measure=of.measure,
        kind=kind,
        rows=contenders,
        clear=all(table.finding(name, over) == "lower" for name, over in across),
        alike=all(table.finding(*pair) == "equivalent" for pair in combinations(first, 2)),
        rounds=min((by_id[name].rounds_measured for name in names), default=0),
    )


def _widest(of: Iterable[tuple[Ranking, Table]]) -> tuple[Ranking, Table] | None:
    """Return the table with the most clients: one load for all of them."""

    def clients(pair: tuple[Ranking, Table]) -> int:
        return len({row.row.client for row in pair[0].reportable})

    return max(of, key=clients, default=None)


def _views(deciding: Sequence[tuple[Ranking, Table]]) -> tuple[Lead, ...]:
    """Compare the clients of each kind of view, where there are two to choose from."""

    def of_kind(of: Ranking, kind: Kind) -> list[Standing]:
        return [row for row in of.reportable if row.row.kind == kind]

    widest = _widest(pair for pair in deciding if all(of_kind(pair[0], kind) for kind in KINDS))
    if widest is None:
        return ()
    of_all = _lead(*widest, widest[0].reportable)
    leads = (_lead(*widest, of_kind(widest[0], kind), kind) for kind in KINDS)
    return tuple(
        lead
        for lead in leads
        if lead.rest
        and len({row.client for row in lead.rows}) > 1
        and [row.row for row in lead.first] != [row.row for row in of_all.first]
    )


def _cpu(
    plan: Plan,
    outcomes: Sequence[Outcome],
    deciding: Sequence[tuple[Ranking, Table]],
    invalid: Collection[Key],
) -> Lead | None:
    """Compare the processor time of a call, between clients that are kept."""
    widest = _widest(pair for pair in deciding if pair[0].measure == "warm")
    if widest is None:
        return None
    of = widest[0]
    kept = [row for row in of.reportable if row.row.reuse == "kept"]
    if len({row.row.client for row in kept}) < 2:
        return None
    cpu = tables(plan, outcomes, invalid, cpu_s)
    same = next(each for each in cpu if (each.group, each.measure) == (of.group, of.measure))
    lead = _lead(of, same, kept)
    # A clock may be too coarse for what some calls take.
    return lead if len(lead.rows) > 1 else None


def _start(
    known: Sequence[Ranking], outcomes: Sequence[Outcome], deciding: Sequence[tuple[Ranking, Table]]
) -> Start | None:
    """Return what a process pays before its first call; None where nothing was measured cold."""
    cold = [
        (row, row.cold)
        for of in known
        if of.measure == "cold"
        for row in of.reportable
        if row.cold and row.cold.start_s is not None and row.cold.import_s is not None
    ]
    if not cold:
        return None
    seconds: dict[str, list[float]] = {}
    for row, figures in cold:
        seconds.setdefault(row.row.client, []).append(figures.import_s or 0.0)
    imports = sorted(((name, median(all_)) for name, all_ in seconds.items()), key=itemgetter(1))
    by_row = by_round(outcomes, "cold", lambda outcome: outcome.phases.import_s)
    at = {row.row.client: by_row[row.name] for row, _ in reversed(cold)}
    warm = (pair for pair in deciding if pair[0].measure == "warm")
    even = (_break_even(imports[0][0], at, *pair) for pair in warm)
    return Start(
        rows=tuple(row.name for row, _ in cold),
        interpreter_s=median(figures.start_s or 0.0 for _, figures in cold),
        imports=tuple(imports),
        break_even=next((each for each in even if each), None),
    )


def _break_even(
    quick: str, imports: Mapping[str, Rates], of: Ranking, table: Table
) -> BreakEven | None:
    """Return where the table's fastest client meets the one that is imported sooner.

    By the extra import / what a call saves, in each of three rounds or more. None unless the two
    were separated by both.
    """
    lead = _lead(of, table, of.reportable)
    slow = next((row.row for row in lead.rest if row.client == quick), None)
    leaders = {row.client for row in lead.first}
    if slow is None or len(leaders) != 1 or not leaders < imports.keys() or quick in leaders:
        return None
    (fast,) = leaders
    if judged([(fast, quick)], imports, None).finding(fast, quick) != "higher":
        return None
    of_calls = (table.times[name] for name in (slow, lead.rows[0].row))
    calls = [
        (long - short) / (each - less)
        for long, short, each, less in zip(imports[fast], imports[quick], *of_calls, strict=False)
        if long and short and each and less and each != less
    ]
    if len(calls) < LEAST_ROUNDS or min(calls) <= 0:
        return None
    low, high = (interval := paired([1.0] * len(calls), calls)).low, interval.high
    if low is None or high is None or high > WIDE * low:
        return None
    return BreakEven(quick=quick, fast=fast, title=of.group.title, low=low, high=high)
