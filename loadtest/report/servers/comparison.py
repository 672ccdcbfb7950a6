"""Two runs compared, as a page: what got worse or better first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import median

from loadtest.judge.servers.compare import BETTER, Answer, Change, Comparisons, Figure, Lost
from loadtest.judge.servers.conditions import Difference
from loadtest.report import units
from loadtest.report.charts.chart import Chart
from loadtest.report.page import Block, Charts, Page, Section, Shown, View
from loadtest.report.servers.charts import Effect, forest
from loadtest.report.table import Column, Table, name, number, prose

TITLES: dict[Figure, str] = {
    "goodput": "requests/s",
    "p99_us": "p99",
    "server_cpu_us": "CPU per request",
}

KEYS: dict[Figure, str] = {"goodput": "goodput", "p99_us": "p99", "server_cpu_us": "cpu"}
"""What the page calls the figures among which it can be switched."""

ORDER: tuple[Answer, ...] = ("worse", "better", "same", "cannot tell")

FEWEST_TOGETHER = 3
"""Cells for which it makes sense to say how all of them moved."""

CHANGED = "What got worse or better"

REST = "Unchanged or undecided"

ONE_RUN = "Cells with a number in one run only"


def page(compared: Comparisons) -> Page:
    """Return the page; Markdown shows it without its charts."""
    counts = {answer: len(_answered(compared.changes, answer)) for answer in ORDER}
    failed = sum(lost.failed and lost.run == "new" for lost in compared.lost)
    title = [f"{units.plural(failed, 'cell')} lost"] if failed else []
    title += [f"{count} {answer}" for answer, count in counts.items()]
    rest = _changes(REST, compared.changes, "same", "cannot tell")
    differences = Shown(_differences_table(compared.differences), "What differs between the runs")
    return Page(
        title=f"loadtest: {', '.join(title)}",
        subject=f"{compared.base} → {compared.new}",
        lead=list(_lead(compared)),
        answer=list(_answer(compared)),
        sections=[
            Section(
                REST,
                [rest or "Nothing: all that both runs measured changed."],
                id="rest",
                gist=f"{counts['same']} same, {counts['cannot tell']} cannot tell",
                folded=("markdown",),
            ),
            Section(
                "Environment",
                [differences if compared.differences else "Nothing that the runs recorded."],
                id="environment",
                gist=f"{units.plural(len(compared.differences), 'difference')} between the two",
                folded=("markdown",),
            ),
            Section("Method", [_method(compared)], id="method", folded=("markdown",)),
        ],
    )


def _lead(compared: Comparisons) -> Iterator[str]:
    yield f"`{compared.base}` → `{compared.new}`: {_verdict(compared)}"
    if forbidding := [each.key for each in compared.differences if each.forbids]:
        yield (
            "Not made under the same conditions, which may be all there is to see here:"
            f" {', '.join(forbidding)}."
        )
    controls = [change for change in compared.changes if change.cell.endswith("-control")]
    # What all of them share may be the machine's doing.
    if moved := _median_change(compared.changes, FEWEST_TOGETHER):
        yield f"All cells together: {moved}."
    if moved := _median_change(controls, 1):
        yield f"Those that bypass the app (control): {moved}."


def _answer(compared: Comparisons) -> Iterator[Block]:
    if views := [
        View(KEYS[figure], TITLES[figure], [Charts([chart])], first=not at)
        for at, (figure, chart) in enumerate(charts(compared))
    ]:
        choices = [(view.key, view.title) for view in views]
        yield Section("Every cell, by how much it changed", views, id="cells", choices=choices)
    if changed := _changes(CHANGED, compared.changes, "worse", "better"):
        yield Section(CHANGED, [changed])
    if compared.lost:
        yield Section(ONE_RUN, [Shown(_lost_table(compared.lost), ONE_RUN)])


def charts(compared: Comparisons) -> Iterator[tuple[Figure, Chart]]:
    """Yield the chart of each figure that both runs have."""
    for figure, better in BETTER.items():
        effects = [
            Effect(
                server=change.server,
                interface=change.interface,
                endpoint=change.endpoint,
                ratio=change.comparison.ratio,
                low=change.comparison.low,
                high=change.comparison.high,
                margin=change.margin,
                answer=change.answer,
                base=_figure(change, change.base),
                new=_figure(change, change.new),
            )
            for change in compared.changes
            if change.figure == figure and change.comparison.ratio
        ]
        if chart := forest(KEYS[figure], f"Change of {TITLES[figure]}", better, effects):
            yield figure, chart


def _verdict(compared: Comparisons) -> str:
    """Return whether anything got worse, and of how much nobody can tell."""
    beyond = f"beyond {_margins(compared)}"
    if not compared.regressed:
        text = f"no regression {beyond} was found."
    elif _answered(compared.changes, "worse"):
        text = f"a regression {beyond}."
    else:
        text = f"no figure got worse {beyond}, but what had a number has none any more."
    if unknown := len(_answered(compared.changes, "cannot tell")):
        of = units.plural(len(compared.changes), "figure")
        text += f" For {unknown} of {of} the runs cannot tell; more rounds may."
    return text


def _margins(compared: Comparisons) -> str:
    """Return the threshold, and where noise made it wider, by which figures and how far."""
    wider = [
        f"{TITLES[figure]} {units.share(widest)}"
        for figure, widest in compared.margins.items()
        if widest > compared.threshold
    ]
    least = units.share(compared.threshold)
    return f"{least} (up to {', '.join(wider)}, which noise alone can show)" if wider else least


def _median_change(changes: Sequence[Change], fewest: int) -> str:
    medians = []
    for figure in BETTER:
        ratios = [
            change.comparison.ratio
            for change in changes
            if change.figure == figure and change.comparison.ratio
        ]
        if len(ratios) >= fewest:
            medians.append(f"{TITLES[figure]} {units.ratio(median(ratios))}")
    return ", ".join(medians)


def _method(compared: Comparisons) -> str:
    pairing = (
        "The two share their rounds: the ratio is the median of each round's, the interval that of"
        " a t test on their logarithms."
        if compared.same_rounds
        else "Two runs share no rounds: the ratio is that of the medians, the interval is"
        " bootstrapped (from 5 rounds up) or that of a t test on the logarithms. What differed"
        " between the runs as a whole, such as a busier neighbour, is in neither; a shift that all"
        " cells share, the controls too, points to it. To be surer, measure both as two servers of"
        " one run."
    )
    drift_corrected = (
        " CPU time is drift-corrected where a response is as long in both runs: the speed of"
        " processors drifts, and what the generator's own CPU time per request varied by in the"
        " same loads is taken out of the server's."
    )
    return (
        f"{pairing} Better or worse: p below 0.05 after Holm's adjustment for all"
        f" {units.plural(len(compared.changes), 'figure')}, and a difference beyond the margin of"
        " its row, which is the threshold or the noise that identical servers showed at that"
        " workload in either run. Same: the whole interval is within the threshold."
        + drift_corrected
        * any(change.drift_corrected for change in compared.changes)
    )


def _answered(changes: Iterable[Change], answer: Answer) -> list[Change]:
    """Return the changes with an answer, the largest first."""

    def distance(change: Change) -> float:
        ratio = change.comparison.ratio or 1.0
        return max(ratio, 1 / ratio)

    return sorted(
        (change for change in changes if change.answer == answer), key=distance, reverse=True
    )


def _changes(label: str, all_: Sequence[Change], *answers: Answer) -> Shown | None:
    """Return figures of cells in both runs, with what is found of each; None without any."""
    changes = [change for answer in answers for change in _answered(all_, answer)]

    columns: tuple[Column[Change], ...] = (
        prose("answer", "", lambda change: change.answer),
        name("cell", "cell", lambda change: change.cell),
        prose(
            "figure",
            "figure",
            lambda change: TITLES[change.figure] + ", drift-corrected" * change.drift_corrected,
        ),
        Column("base", "base", lambda change: change.base, lambda it: _figure(it, it.base)),
        Column("new", "new", lambda change: change.new, lambda it: _figure(it, it.new)),
        number("new / base", lambda change: change.comparison.ratio, units.ratio),
        Column("interval", "95 % interval", lambda change: change.comparison.low, _interval),
        number("margin", lambda change: change.margin, units.share),
        number("rounds", lambda change: change.comparison.rounds, str),
    )
    return Shown(Table(columns, changes), label) if changes else None


def _figure(change: Change, value: float) -> str:
    return units.significant(value) if change.figure == "goodput" else units.latency(value)


def _interval(change: Change) -> str:
    low, high = change.comparison.low, change.comparison.high
    if low is None or high is None:
        return units.UNKNOWN
    return f"{units.ratio(low)} to {units.ratio(high)}"


def _lost_table(all_: Sequence[Lost]) -> Table[Lost]:
    columns: tuple[Column[Lost], ...] = (
        name("cell", "cell", lambda lost: lost.cell),
        prose("run", "no number in", lambda lost: lost.run),
        prose("what", "where it", lambda lost: "failed" if lost.failed else "skipped"),
        prose("reason", "why", lambda lost: lost.reason),
    )
    return Table(columns, all_)


def _differences_table(differences: Sequence[Difference]) -> Table[Difference]:
    columns: tuple[Column[Difference], ...] = (
        prose("key", "what", lambda difference: difference.key),
        prose("base", "base", lambda difference: difference.base),
        prose("new", "new", lambda difference: difference.new),
    )
    return Table(columns, differences)
