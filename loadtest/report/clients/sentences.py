"""What a run of HTTP clients answers, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from statistics import median

from loadtest.judge.clients.pairs import Contrast, Question
from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.judge.clients.summary import Summary
from loadtest.judge.rows import Versus
from loadtest.records.clients import Ceiling, Kind, Measure, Row, Run
from loadtest.records.planned import Record
from loadtest.report import sentences
from loadtest.report.clients.columns import MEASURES, seconds
from loadtest.report.sentences import Facts, joined
from loadtest.report.units import latency, plural, ratio, ratio_interval, share, significant
from loadtest.report.units import seconds as in_seconds
from loadtest.stats.noise_floor import FEWEST_PAIRS


class Point(Record, frozen=True, kw_only=True):
    """One question a reader has, with what this run says to it."""

    question: str
    says: tuple[str, ...]
    """Sentences; names that are typed stand in backticks."""
    rows: tuple[str, ...]
    """The ids of the rows it follows from."""
    separated: bool
    """False where the run cannot tell."""


def separated(versus: Versus) -> bool:
    """Say whether two rows were separated."""
    return versus.finding in ("higher", "lower")


def leading(row: Standing) -> bool:
    """Say whether a row is to be named among the fastest: tied with it, or as good as.

    Steady rounds separate what would not decide which client to take.
    """
    return row.reportable and (
        row.rank == 1 or (row.versus is not None and row.versus.finding == "equivalent")
    )


def limited(row: Standing) -> bool:
    """Say whether the server set the pace of a row."""
    return any(raised.concern == "upstream-limited" for raised in row.concerns)


def times(versus: Versus) -> str:
    """Return a ratio of times with its interval: `3.40x (3.21 to 3.62)`."""
    return ratio_interval(versus.ratio, versus.low, versus.high)


def time_us(row: Standing) -> float | None:
    """Return what a row is ranked by, in microseconds: a warm call, or a whole process."""
    if row.warm:
        return row.warm.call_us
    return row.cold.median_s * 1e6 if row.cold else None


def unit(ranking: Ranking) -> str:
    """Return what the time of a table is of."""
    return "per call" if ranking.measure == "warm" else "per process"


def deciding(summary: Summary) -> tuple[Ranking, ...]:
    """Return one table of each group: the warm one, where nothing but the calls is in the time."""
    tables: dict[str, Ranking] = {}
    for ranking in summary.rankings:
        if ranking.group.name not in tables or ranking.measure == "warm":
            tables[ranking.group.name] = ranking
    return tuple(tables.values())


def standings(summary: Summary, measure: Measure) -> dict[str, Standing]:
    """Return the rows that may be shown by one measure, by their ids."""
    return {
        row.row.id: row
        for ranking in summary.rankings
        if ranking.measure == measure
        for row in ranking.reportable
    }


def named(rows: Sequence[Standing]) -> str:
    """Return the labels as a list in words."""
    return listed([f"`{row.row.label}`" for row in rows])


def listed(names: Sequence[str]) -> str:
    """Return names as a list in words."""
    return "".join(joined([(name,) for name in names]))


def manner(row: Row) -> str:
    """Return how a server is asked, whatever the client, to begin a sentence with."""
    words = ["Over TLS" if row.answer.tls else "Over plain HTTP"]
    if row.answer.delay_s:
        words.append(f"of a server that takes {latency(row.answer.delay_s * 1e6)}")
    words.append(f"{row.batch} at a time" if row.batch > 1 else "one after the other")
    return ", ".join(words)


def asked(row: Row) -> str:
    """Return a row's client, with what is asked of the server where that is not the usual."""
    words = [f"`{row.client}`"]
    if row.answer.delay_s:
        words.append(f"at {latency(row.answer.delay_s * 1e6)}")
    if row.answer.tls:
        words.append("over TLS")
    if row.batch > 1:
        words.append(f"{row.batch} at a time")
    return " ".join(words)


UNDECIDED = "this run cannot tell; more rounds may"


def reuse(summary: Summary) -> Point | None:
    """Say what a new client for each call costs; None where no row makes one."""
    pairs = _pairs(summary, "reuse")
    if not pairs:
        return None
    rows = standings(summary, pairs[0].measure)
    slower: dict[str, dict[Contrast, float]] = {}
    for pair in pairs:
        before, after = time_us(rows[pair.base]), time_us(rows[pair.new])
        if pair.versus.finding == "higher" and before and after:
            slower.setdefault(manner(rows[pair.base].row), {})[pair] = after - before
    says = []
    for how, more_us in slower.items():
        priced = (
            f"`{rows[pair.base].row.client}` {latency(us)}, {times(pair.versus)}"
            for pair, us in sorted(more_us.items(), key=lambda item: item[1])
        )
        says.append(f"{how}, a new client for each call costs more by: {'; '.join(priced)}.")
    if says:
        says[0] = f"It matters. {says[0]}"
        if pairs[0].measure == "warm":
            says.append(
                "That is the client's own time, so it weighs less the longer the server takes to"
                " answer."
            )
    says += _others(pairs, rows, "A new client for each call", "slower")
    return _point("When does reuse matter?", says, pairs)


def driving(summary: Summary) -> Point | None:
    """Compare the best way with asyncio with the best with threads; None without both."""
    pairs = _pairs(summary, "driving")
    if not pairs:
        return None
    rows = standings(summary, pairs[0].measure)
    says = []
    for pair in pairs:
        threads, tasks = rows[pair.base], rows[pair.new]
        text = f"`{tasks.row.label}` (asyncio) against `{threads.row.label}` (threads): "
        if separated(pair.versus):
            text += f"{times(pair.versus)} the time"
        elif pair.versus.finding == "equivalent":
            text += "takes as long"
            text += ", as the server sets the pace of both" * (limited(threads) and limited(tasks))
        else:
            text += f"which is faster {UNDECIDED}"
        if pair.cpu_ratio is not None:
            text += f"; {ratio(pair.cpu_ratio)} the CPU time"
        says.append(f"{text}.")
    mixed = any(rows[pair.base].row.client != rows[pair.new].row.client for pair in pairs)
    says.append(
        "Each is the fastest in its group"
        + "; the two use different clients, so part of the gap is the client" * mixed
        + "."
    )
    return _point("Threads or asyncio?", says, pairs)


def python(summary: Summary) -> Point | None:
    """Compare interpreters; None with one alone."""
    pairs = _pairs(summary, "python")
    if not pairs:
        return None
    rows = standings(summary, pairs[0].measure)
    says = [
        f"`{rows[pair.new].row.label}` takes {times(pair.versus)} the time of"
        f" `{rows[pair.base].row.label}`."
        for pair in pairs
        if separated(pair.versus)
    ]
    says += _others([p for p in pairs if not separated(p.versus)], rows, "Another Python", "slower")
    return _point("Which Python?", says, pairs)


def _pairs(summary: Summary, question: Question) -> list[Contrast]:
    """Return the pairs of one question: warm where there are any, or else cold."""
    pairs = [pair for pair in summary.contrasts if pair.question == question]
    return [pair for pair in pairs if pair.measure == "warm"] or pairs


def _others(
    pairs: Sequence[Contrast], rows: dict[str, Standing], subject: str, worse: str
) -> Iterator[str]:
    """Yield what is no slowdown: pairs that are alike, that are tied, that are faster."""

    def of(finding: str) -> str:
        return ", ".join(
            asked(rows[pair.base].row) for pair in pairs if pair.versus.finding == finding
        )

    if names := of("equivalent"):
        yield f"{subject} makes no difference to {names}."
    if names := of("lower"):
        yield f"{subject} is faster with {names}."
    if names := of("inconclusive"):
        yield f"Whether it is {worse} with {names}, {UNDECIDED}."


def _point(question: str, says: Sequence[str], pairs: Sequence[Contrast]) -> Point:
    return Point(
        question=question,
        says=tuple(says),
        rows=tuple(dict.fromkeys(name for pair in pairs for name in (pair.base, pair.new))),
        separated=any(pair.versus.finding != "inconclusive" for pair in pairs),
    )


CALLS_S = 100
"""For which the price in CPU time is worked out."""


def cpu(summary: Summary) -> Point | None:
    """Compare the CPU time of a call; None with fewer than two clients."""
    ranking = _widest(summary, "warm")
    if ranking is None:
        return None
    costs = _by_client(ranking, lambda row: row.warm.cpu_us if row.warm else None)
    if len(costs) < 2:
        return None
    names, values = list(costs), list(costs.values())
    listed = ", ".join(f"`{name}` {latency(us)}" for name, us in costs.items())
    return Point(
        question="What does it cost in CPU time?",
        says=(
            f"{ranking.group.title}, per call with a kept client: {listed}.",
            f"At {CALLS_S} calls/s that is {share(values[0] * CALLS_S / 1e6)} of a CPU core"
            f" for `{names[0]}` and {share(values[-1] * CALLS_S / 1e6)} for `{names[-1]}`.",
        ),
        rows=tuple(row.row.id for row in ranking.reportable),
        separated=True,
    )


def start(summary: Summary) -> Point | None:
    """Say what a process pays before its first call; None where nothing was measured cold."""
    ranking = _widest(summary, "cold")
    if ranking is None:
        return None
    imports = _by_client(ranking, lambda row: _us(row.cold.import_s) if row.cold else None)
    starts = [us for row in ranking.reportable if row.cold and (us := _us(row.cold.start_s))]
    if not imports or not starts:
        return None
    listed = ", ".join(f"`{name}` {latency(us)}" for name, us in imports.items())
    says = [
        f"The interpreter needs {latency(median(starts))}, then the import: {listed}. A server pays"
        " that once in each worker; a management command or a function pays it each time."
    ]
    says += _break_even(summary, imports)
    return Point(
        question="What does it cost at the start?",
        says=tuple(says),
        rows=tuple(row.row.id for row in ranking.reportable),
        separated=True,
    )


def _break_even(summary: Summary, imports: dict[str, float]) -> Iterator[str]:
    """Yield from how many calls on the faster client has made up for its longer import."""
    quick = next(iter(imports))
    for ranking in deciding(summary):
        if ranking.measure != "warm" or not ranking.reportable:
            continue
        fast = ranking.reportable[0]
        slow = next((row for row in ranking.reportable if row.row.client == quick), None)
        if slow is None or leading(slow) or fast.row.client not in imports:
            continue
        saved = (time_us(slow) or 0.0) - (time_us(fast) or 0.0)
        more = imports[fast.row.client] - imports[quick]
        if saved > 0 and more > 0:
            yield (
                f"A process that makes fewer than about {significant(more / saved)} calls finishes"
                f" sooner with `{quick}` than with the faster `{fast.row.client}`"
                f" ({ranking.group.title})."
            )
            return


def _widest(summary: Summary, measure: Measure) -> Ranking | None:
    """Return the table of a measure that has the most clients: one load for all of them."""
    tables = [ranking for ranking in summary.rankings if ranking.measure == measure]
    return max(
        tables, key=lambda table: len({row.row.client for row in table.reportable}), default=None
    )


def _by_client(ranking: Ranking, of: Callable[[Standing], float | None]) -> dict[str, float]:
    """Return the middle of a figure over each client's rows that keep it, the lowest first."""
    values: dict[str, list[float]] = {}
    for row in ranking.reportable:
        value = of(row)
        if value is not None and row.row.reuse == "kept":
            values.setdefault(row.row.client, []).append(value)
    return dict(
        sorted(((name, median(each)) for name, each in values.items()), key=lambda item: item[1])
    )


def _us(seconds: float | None) -> float | None:
    return None if seconds is None else seconds * 1e6


def advice(summary: Summary) -> tuple[Point, ...]:
    """Return the questions that the run is about, each with its answer."""
    questions = (_client, reuse, driving, python, cpu, start)
    return tuple(point for ask in questions if (point := ask(summary)) is not None)


def _client(summary: Summary) -> Point | None:
    tables = deciding(summary)
    leads = [_leads(ranking) for ranking in tables]
    if not leads:
        return None
    sentences = [sentence for sentence, _ in leads]
    winners = [
        _clients(ranking) for ranking, (_, known) in zip(tables, leads, strict=True) if known
    ]
    if len(winners) > 1:
        counts = {name: sum(name in each for each in winners) for each in winners for name in each}
        first = max(counts, key=lambda name: counts[name])
        sentences.insert(
            0,
            f"`{first}` is among the fastest in {counts[first]} of the {len(winners)} tables in"
            " which clients could be separated.",
        )
    if choice := _by_view(tables):
        sentences.insert(0, choice)
    return Point(
        question="Which client?",
        says=tuple(sentences),
        rows=tuple(row.row.id for ranking in tables for row in ranking.reportable),
        separated=bool(winners),
    )


VIEWS: dict[Kind, str] = {"sync": "in a sync view", "async": "in an async one"}


def _by_view(tables: Sequence[Ranking]) -> str | None:
    """Return what is fastest of what each kind of view can call, where one table has both kinds."""
    both = [table for table in tables if {row.row.kind for row in table.reportable} >= VIEWS.keys()]
    widest = max(
        both, key=lambda table: len({row.row.client for row in table.reportable}), default=None
    )
    if widest is None or min(row.rounds_measured for row in widest.reportable) < 2:
        return None
    parts = []
    for kind, view in VIEWS.items():
        of = [row for row in widest.reportable if row.row.kind == kind]
        best = dict.fromkeys(f"`{row.row.client}`" for row in of if row.rank == of[0].rank)
        parts.append(
            f"{view} {listed(list(best))} {'are' if len(best) > 1 else 'is'} fastest"
            f" ({latency(time_us(of[0]))} {unit(widest)})"
        )
    return f"{widest.group.title}: {', '.join(parts)}."


def _leads(ranking: Ranking) -> tuple[str, bool]:
    """Return who is ahead in one table, and whether that is known."""
    title, shown = ranking.group.title, ranking.reportable
    if not shown:
        return f"{title}: no row has a number that may be compared.", False
    if len(shown) == 1:
        return f"{title}: only `{shown[0].row.label}` has a number to show.", False
    leaders = [row for row in shown if leading(row)]
    rest = [row for row in shown if not leading(row)]
    if not rest:
        return _tie(ranking), False
    text = (
        f"{title}: {named(leaders)} {'are' if len(leaders) > 1 else 'is'} fastest with"
        f" {latency(time_us(leaders[0]))} {unit(ranking)}"
    )
    if len(leaders) > 1:
        alike = all(map(_alike, leaders))
        text += ", no difference that matters" if alike else ", tied"
    text += f"; then `{rest[0].row.label}`, {_longer(rest[0])}"
    if len(rest) > 1:
        text += f"; last `{rest[-1].row.label}`, {_longer(rest[-1])}"
    if any(map(limited, leaders)):
        text += ". The server set the pace of the fastest, which may be faster still"
    return f"{text}.", True


def _tie(ranking: Ranking) -> str:
    """Return what is to be said of rows that all share the first rank."""
    title, shown = ranking.group.title, ranking.reportable
    text = f"{title}: {plural(len(shown), 'row')}, the fastest with {latency(time_us(shown[0]))}"
    text += f" {unit(ranking)}"
    if min(row.rounds_measured for row in shown) < 2:
        return f"{text}; {sentences.ONE_ROUND}."
    if all(map(_alike, shown)):
        text += "; it makes no difference which"
    else:
        text += "; this run cannot separate them"
    if all(map(limited, shown)):
        text += ", as the server sets the pace of all"
    return f"{text}."


def _alike(row: Standing) -> bool:
    return row.versus is None or row.versus.finding == "equivalent"


def _longer(row: Standing) -> str:
    return times(row.versus) + " as long" if row.versus else "by how much is unknown"


def _clients(ranking: Ranking) -> set[str]:
    return {row.row.client for row in ranking.reportable if leading(row)}


def outliers(ranking: Ranking) -> str | None:
    """Return the times that stand apart, in a sentence; None where there are none."""
    apart = [
        f"`{row.row.label}` took {seconds(outlier.seconds)} in round {outlier.round}"
        for row in ranking.reportable
        if row.cold
        for outlier in row.cold.outliers
    ]
    if not apart:
        return None
    return (
        f"Outliers, which are in the mean all the same: {'; '.join(apart)}. Look for what else ran"
        " then."
    )


def noise(summary: Summary) -> str:
    """Return what a difference has to exceed to count."""
    differ = []
    for measure in MEASURES:
        floors = [each.noise_floor for each in summary.rankings if each.measure == measure]
        if span := sentences.between(floors, share):
            differ.append(f"{span} ({measure})")
    known = [each.noise_floor for each in summary.rankings if each.noise_floor is not None]
    if summary.rounds < FEWEST_PAIRS or (known and sentences.unsure_of_noise(known)):
        return sentences.noise_of_too_few("Rows")
    if not known:
        return sentences.unknown_noise("row")
    return sentences.noise("one row", " and ".join(differ), "Rows")


MEASURED = (
    "Cold is a whole process, timed from outside as hyperfine times a command; warm is the calls"
    " alone, in a process that had made others before. The two are never mixed. Rows that share a"
    " rank are tied."
)

READING: Facts = [
    (
        "time per call",
        "The time of all warm calls / their number, so with N in flight a single call takes about N"
        " times that (`p50` to `p99` show it).",
    ),
    (
        "relative (95 %)",
        "How many times as long as the fastest of its table, paired round by round, with its 95 %"
        " interval.",
    ),
    ("CPU per call", "Processor time of the client's process."),
    ("connections", "As the server counted them in a round."),
    ("-", "Unknown, or too few calls for that percentile."),
]


def facts(run: Run, summary: Summary) -> Facts:
    """Return what a run was made of."""
    plan = run.plan
    return [
        *sentences.machine(run.machine),
        (
            "Made",
            f"{run.created_at}, {plural(summary.rounds, 'round')} with every row measured once in"
            f" each, in an order shuffled by seed {plan.seed}",
        ),
        ("Server", run.upstream or plan.url or "unknown"),
        (
            "A call",
            f"may take {in_seconds(plan.timeout_s)}; a warm measurement follows"
            f" {plural(plan.warmup_requests, 'call')} of warm-up, or as many as are in flight if"
            " that is more. Every response is checked: status, length and digest",
        ),
        *(
            (f"{python.implementation} {python.version}", sentences.versions(python.versions))
            for _, python in sorted(run.interpreters.items())
        ),
        *(("Most the server gives", _most(ceiling)) for ceiling in summary.ceilings),
    ]


def _most(ceiling: Ceiling) -> str:
    answer = ceiling.answer
    return (
        f"{significant(ceiling.requests_s)} requests/s on"
        f" {plural(ceiling.connections, 'connection')} ({ceiling.tool}), of"
        f" {plural(answer.body_bytes or 0, 'byte')}"
        f"{f' after {in_seconds(answer.delay_s)}' if answer.delay_s else ''}"
        f"{' over TLS' if answer.tls else ''}{'' if answer.keep_alive else ' without keep-alive'}"
    )
