"""Two runs compared, as a page: what it says first, then what got worse or better."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from statistics import median
from typing import Any

from loadtest.judge.servers.compare import APART, BETTER, Answer, Change, Comparisons, Figure, Lost
from loadtest.report import units
from loadtest.report.charts.chart import Chart
from loadtest.report.page import BOTH, Block, Bullets, Charts, Page, Section, Shown, View
from loadtest.report.sentences import between, macros
from loadtest.report.servers.charts import forest
from loadtest.report.table import Column, Table, name, number, prose
from loadtest.stats.noise_floor import MOST

TITLES: dict[Figure, str] = {
    "cost": "cost",
    "reaches": "highest rate within the goal",
    "server_cpu_us": "CPU per request",
    "goodput": "requests/s",
    "p99_us": "p99",
}

KEYS: dict[Figure, str] = {
    "reaches": "reaches",
    "server_cpu_us": "cpu",
    "goodput": "goodput",
    "p99_us": "p99",
}
"""What the page calls those among which it can be switched."""

NOT_SLOWER: tuple[Figure, ...] = ("reaches", "server_cpu_us")
"""Figures of which worse does not mean slower."""

ORDER: tuple[Answer, ...] = ("worse", "better", "same", "cannot tell")

FEWEST_TOGETHER = 3
"""Cells for which it makes sense to say how all of them moved."""

MOST_DIFFERENCES = 500
"""That are listed: nobody reads more, and a folder of others may have any number."""

MOST_KEYS = 50
"""Of conditions that forbid a comparison, in a sentence."""

SHOWN_OPEN = 12
"""Rows of what got worse or better; more are folded."""

CHANGED = "What got worse or better"

LOST = (
    ("failed", "Failed in NEW", "why it has no number any more"),
    ("not held", "Cannot keep the rate in NEW", "why not"),
)
"""Why a cell of NEW is a regression, with the heading and what stands beside it."""

MACROS = macros(Path(__file__).with_suffix(".jinja"))


def page(compared: Comparisons) -> Page:
    """Return the page; Markdown shows it without its charts."""
    cells = compared.of_cells
    changed = _of(cells, "worse", "better")
    number = len(compared.differences)
    differences = _texts(
        "What differs between the runs",
        compared.differences[:MOST_DIFFERENCES],
        *(("key", "what"), ("base", "base"), ("new", "new")),
    )
    more = [f"And {number - MOST_DIFFERENCES:,} more."] if number > MOST_DIFFERENCES else []
    elsewhere = [Bullets(lines)] if (lines := list(_elsewhere(compared.lost, cells))) else []
    drawn = dict(charts(compared))
    cost = drawn.pop("cost", None)
    views = [
        View(KEYS[figure], TITLES[figure], [Charts([chart])], first=not at)
        for at, (figure, chart) in enumerate(drawn.items())
    ]
    sections = [
        Section(
            "Every figure, by how much it changed",
            views,
            "figures",
            choices=[(view.key, view.title) for view in views],
        ),
        _listing("More that got worse or better", "more", changed[SHOWN_OPEN:]),
        _listing("What did not change", "same", _of(cells, "same")),
        _listing("What cannot be told", "open", _of(cells, "cannot tell")),
        Section("Cells in one run only", elsewhere, "lost"),
        Section(
            "Environment",
            [differences if number else "Nothing that the runs recorded differs.", *more],
            id="environment",
            gist=f"{units.plural(number, 'difference')} between the two",
            folded=BOTH,
        ),
        Section("Method", [_method(compared)], "method", folded=BOTH),
    ]
    return Page(
        title=say("title", **_verdict(compared)),
        subject=f"{compared.base} → {compared.new}",
        lead=list(_lead(compared)),
        answer=list(_answer(compared, cost, changed[:SHOWN_OPEN])),
        sections=[section for section in sections if section.blocks],
    )


def say(macro: str, **facts: Any) -> str:
    """Return what `comparison.jinja` says of these facts."""
    return " ".join(str(getattr(MACROS, macro)(**facts)).split())


def _verdict(compared: Comparisons) -> dict[str, Any]:
    """Return what the title is made of."""
    costs = compared.costs
    worse = _of(compared.of_cells, "worse")
    slower = {change.endpoint for change in worse if change.figure not in NOT_SLOWER}
    fewer = {change.endpoint for change in worse if change.figure == "reaches"}
    lost = Counter(each.why for each in compared.lost if each.regressed)
    return {
        "regressed": compared.regressed,
        "conclusive": compared.conclusive,
        "forced": any(each.forbids for each in compared.differences),
        "failed": lost["failed"],
        "not_held": lost["not held"],
        "servers": len({change.server for change in costs}),
        "dearer": _by_server(_of(costs, "worse")),
        "cheaper": _by_server(_of(costs, "better")),
        "untold": len(_by_server(_of(costs, "cannot tell"))),
        "endpoints": len({change.endpoint for change in compared.of_cells}),
        "slower": slower,
        "fewer": fewer,
        "costlier": sorted({change.endpoint for change in worse} - slower - fewer),
    }


def _by_server(changes: Sequence[Change]) -> list[Change]:
    """Return the first change of each server, which may have one at each rate."""
    return [*{change.server: change for change in reversed(changes)}.values()][::-1]


def _lead(compared: Comparisons) -> Iterator[str]:
    yield f"`{compared.base}` → `{compared.new}`"
    if compared.same_rounds:
        yield say("one_run")
    if forbidding := [each.key for each in compared.differences if each.forbids]:
        few, more = forbidding[:MOST_KEYS], len(forbidding) - MOST_KEYS
        yield say("conditions", keys=[*few, *([f"{more:,} more"] if more > 0 else [])])
    cells = compared.of_cells
    if open_ := len(_of(cells, "cannot tell")):
        searched = all(change.figure == "reaches" for change in cells)
        facts = {
            "conclusive": compared.conclusive,
            "open": open_,
            "figures": len(cells),
            "searched": searched,
        }
        yield say("open", **facts)
    timed = {change.cell for change in cells if change.rate and change.figure == "server_cpu_us"}
    slow = {change.cell for change in cells if change.figure == "p99_us"}
    if timed - slow:
        yield say("without_p99", cells=len(timed - slow))
    # What all of them share may be the machine's doing.
    controls = [change for change in cells if change.endpoint.endswith("-control")]
    moved = {"cells": _median_change(cells, FEWEST_TOGETHER), "controls": _median_change(controls)}
    if any(moved.values()):
        yield say("shift", **moved)


def _answer(
    compared: Comparisons, chart: Chart | None, changed: Sequence[Change]
) -> Iterator[Block]:
    for rate, costs in groupby(compared.costs, attrgetter("rate")):
        of_rate = list(costs)
        over = units.plural(max(change.endpoints for change in of_rate), "endpoint")
        at = f" at {rate:,.10g} requests/s" if rate else ""
        heading = f"CPU cores for 1,000 requests/s{at}, over {over}"
        drawn = [Charts([chart])] if chart and of_rate[-1] is compared.costs[-1] else []
        yield Section(heading, [_changes(heading, of_rate), *drawn])
    if changed:
        yield Section(CHANGED, [_changes(CHANGED, changed)])
    for why, heading, reason in LOST:
        if lost := [each for each in compared.lost if each.regressed and each.why == why]:
            columns = (("cell", "cell"), ("reason", reason))
            yield Section(heading, [_texts(heading, lost, *columns)])
    yield Section("How many figures", [Shown(_counts_table(compared), "How many figures")])


def _listing(heading: str, id_: str, changes: Sequence[Change]) -> Section:
    gist = units.plural(len(changes), "figure")
    blocks = [_changes(heading, changes)] if changes else []
    return Section(heading, blocks, id_, gist=gist, folded=BOTH)


def charts(compared: Comparisons) -> Iterator[tuple[Figure, Chart]]:
    """Yield the chart of each figure that both runs have."""
    for figure, better in BETTER.items():
        changes = [change for change in compared.changes if change.figure == figure]
        title = f"Change of {TITLES[figure]}"
        if chart := forest(figure, title, better, changes, _text(figure)):
            yield figure, chart


def _median_change(changes: Sequence[Change], fewest: int = 1) -> str:
    ratios: dict[Figure, list[float]] = {}
    for change in changes:
        ratios.setdefault(change.figure, []).append(change.ratio)
    medians = ((figure, median(each)) for figure, each in ratios.items() if len(each) >= fewest)
    return ", ".join(f"{TITLES[figure]} {units.ratio(ratio)}" for figure, ratio in medians)


def _elsewhere(all_: Sequence[Lost], changes: Sequence[Change]) -> Iterator[str]:
    """Yield a line for each reason why cells have a number in one run only, but for failures."""
    servers, endpoints = ({getattr(of, key) for of in changes} for key in ("server", "endpoint"))
    for run in ("base", "new"):
        absent = [lost for lost in all_ if lost.run == run and lost.why == "unplanned"]
        if absent:
            yield say(
                "absent",
                run=run.upper(),
                endpoints=len({lost.endpoint for lost in absent} - endpoints),
                servers=len({lost.server for lost in absent} - servers),
                cells=sum(lost.server in servers and lost.endpoint in endpoints for lost in absent),
            )
        others = [lost for lost in all_ if lost.run == run and lost.why != "unplanned"]
        by_reason = Counter((lost.why, lost.reason) for lost in others if not lost.regressed)
        for (why, reason), cells in by_reason.items():
            what = "cannot keep the rate" if why == "not held" else why
            yield f"{units.plural(cells, 'cell')} {what} in {run.upper()}: {reason}."


def _method(compared: Comparisons) -> str:
    searched = [change for change in compared.changes if change.figure == "reaches"]
    tested = [change for change in compared.changes if change.figure != "reaches"]
    return say(
        "method",
        same_rounds=compared.same_rounds,
        rounds=between({change.comparison.rounds for change in tested}, str),
        rated=any(change.rate for change in compared.changes),
        searched=bool(searched),
        least=APART,
        families=len({change.cell is None for change in tested}),
        drift_corrected=any(change.drift_corrected for change in compared.changes),
    )


def _of(changes: Sequence[Change], *answers: Answer) -> list[Change]:
    """Return the changes with these answers, by figure, the largest first."""

    def order(change: Change) -> tuple[int, int, float]:
        distance = abs(math.log(change.ratio))
        return answers.index(change.answer), list(BETTER).index(change.figure), -distance

    return sorted((change for change in changes if change.answer in answers), key=order)


def _changes(label: str, changes: Sequence[Change]) -> Shown:
    """Return figures of both runs, with what is found of each."""
    columns: tuple[Column[Change], ...] = (
        prose("answer", "", lambda change: change.answer),
        name("cell", "cell" if changes[0].cell else "server", lambda it: it.cell or it.server),
        prose("figure", "figure", _title),
        Column("ratio", "new / base (95 %)", lambda change: change.ratio, _interval),
        Column("margin", "counts as noise", lambda change: change.margin, _noise),
        Column("base", "base", lambda change: change.base, lambda it: _text(it.figure)(it.base)),
        Column("new", "new", lambda change: change.new, lambda it: _text(it.figure)(it.new)),
    )
    return Shown(Table(columns, changes).filled(), label)


def _title(change: Change) -> str | None:
    """Return which figure it is; a table of costs says that itself."""
    parts = [TITLES[change.figure]] * (change.figure != "cost")
    return ", ".join(parts + ["drift-corrected"] * change.drift_corrected) or None


def _text(figure: Figure) -> Callable[[float], str]:
    return units.latency if figure in ("server_cpu_us", "p99_us") else units.significant


def _interval(change: Change) -> str:
    return units.ratio_interval(change.ratio, change.comparison.low, change.comparison.high)


def _noise(change: Change) -> str:
    """Return the ratios that are no change, as `0.76x to 1.31x`."""
    if change.noise is None:
        return "not known"
    if change.noise >= MOST:
        return "more than 10x"
    return f"{units.ratio(1 / (1 + change.margin))} to {units.ratio(1 + change.margin)}"


def _counts_table(compared: Comparisons) -> Table[Figure]:
    def count(answer: Answer) -> Column[Figure]:
        return number(
            answer,
            lambda figure: sum(
                (of.figure, of.answer) == (figure, answer) for of in compared.changes
            ),
            str,
        )

    figures = [figure for figure in BETTER if any(of.figure == figure for of in compared.changes)]
    first: Column[Figure] = prose("figure", "figure", lambda figure: TITLES[figure])
    return Table((first, *map(count, ORDER)), figures)


def _texts(label: str, all_: Sequence[Any], *columns: tuple[str, str]) -> Shown:
    """Return a table of fields that are text, each with its heading."""
    (first, title), *others = columns
    shown = [prose(key, heading, attrgetter(key)) for key, heading in others]
    return Shown(Table([name(first, title, attrgetter(first)), *shown], all_), label)
