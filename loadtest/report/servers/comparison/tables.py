"""A comparison of two runs as tables and sentences, for every format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import median

from loadtest.judge.servers.compare import BETTER, Answer, Change, Comparisons, Figure
from loadtest.judge.servers.conditions import Difference
from loadtest.report import units
from loadtest.report.table import Column, Table, Value, name, prose

TITLES: dict[Figure, str] = {
    "goodput": "answers/s",
    "p99_us": "p99",
    "server_cpu_us": "CPU/answer",
}

ORDER: tuple[Answer, ...] = ("worse", "better", "same", "cannot tell")

FEWEST_TOGETHER = 3
"""Cells for which it makes sense to say how all of them moved."""


def verdict(made: Comparisons) -> tuple[str, str]:
    """Return whether anything got worse, and of how much nobody can tell, which may be empty."""
    beyond = f"beyond {_margins(made)}"
    if made.regressed and not answered(made.changes, "worse"):
        text = f"no figure got worse {beyond}, but what had a number has none any more."
    else:
        text = f"a regression {beyond}." if made.regressed else f"no regression {beyond} was found."
    unknown = len(answered(made.changes, "cannot tell"))
    if not unknown:
        return text, ""
    of = f"{unknown} of {units.plural(len(made.changes), 'figure')}"
    return text, f" For {of} the runs cannot tell; more rounds may."


def _margins(made: Comparisons) -> str:
    """Return the threshold, and where noise made it wider, by which figures and how far."""
    wider = [
        f"{TITLES[figure]} {units.share(widest)}"
        for figure, widest in made.margins.items()
        if widest > made.threshold
    ]
    least = units.share(made.threshold)
    return f"{least} (up to {', '.join(wider)}, as noise alone shows that)" if wider else least


def answered(changes: Iterable[Change], answer: Answer) -> list[Change]:
    """Return the changes with an answer, the largest first."""
    found = [change for change in changes if change.answer == answer]
    return sorted(found, key=lambda change: -_distance(change))


def _distance(change: Change) -> float:
    ratio = change.comparison.ratio or 1.0
    return max(ratio, 1 / ratio)


def changes_table(changes: Sequence[Change]) -> Table[Change]:
    """Return figures of cells in both runs, with what is found of each."""
    columns: tuple[Column[Change], ...] = (
        prose("answer", "", lambda change: change.answer),
        name("cell", "cell", lambda change: change.cell),
        prose("figure", "figure", _figure),
        _number("base", _base, lambda change: change.base),
        _number("new", _new, lambda change: change.new),
        _number("change", _change, lambda change: change.comparison.ratio),
        _number("95 % interval", _interval, lambda change: change.comparison.low),
        _number("margin", lambda change: units.share(change.margin), lambda one: one.margin),
        _number("rounds", lambda change: str(change.comparison.rounds), _rounds),
    )
    return Table(columns, changes)


def _number(
    title: str, text: Callable[[Change], str], value: Callable[[Change], Value]
) -> Column[Change]:
    return Column(title, title, value, text)


def _figure(change: Change) -> str:
    return f"{TITLES[change.figure]}{', drift-corrected' if change.drift_corrected else ''}"


def _base(change: Change) -> str:
    return value(change.figure, change.base)


def _new(change: Change) -> str:
    return value(change.figure, change.new)


def _change(change: Change) -> str:
    return _percent(change.comparison.ratio)


def _rounds(change: Change) -> int:
    return change.comparison.rounds


def value(figure: Figure, value: float) -> str:
    """Return a figure as people read it."""
    return units.significant(value) if figure == "goodput" else units.latency(value)


def _interval(change: Change) -> str:
    one = change.comparison
    return units.UNKNOWN if one.low is None else f"{_percent(one.low)} to {_percent(one.high)}"


def _percent(ratio: float | None) -> str:
    """Return a ratio as `+12.3 %`, and as `x 3.2` where a percentage would mislead."""
    if ratio is None:
        return units.UNKNOWN
    if ratio >= 2:
        return f"x {units.significant(ratio)}"
    return f"{(ratio - 1) * 100:+.1f} %"


def together(changes: Sequence[Change]) -> str:
    """Return how the median cell moved: what all of them share may be the machine's doing."""
    controls = [change for change in changes if change.cell.endswith("-control")]
    said = []
    if moved := _median_change(changes, FEWEST_TOGETHER):
        said.append(f"All cells together: {moved}.")
    if moved := _median_change(controls, 1):
        said.append(f"Those that bypass the app (control): {moved}.")
    return " ".join(said)


def _median_change(changes: Sequence[Change], fewest: int) -> str:
    said = []
    for figure in BETTER:
        ratios = [
            change.comparison.ratio
            for change in changes
            if change.figure == figure and change.comparison.ratio
        ]
        if len(ratios) >= fewest:
            said.append(f"{TITLES[figure]} {_percent(median(ratios))}")
    return ", ".join(said)


def differences_table(found: Sequence[Difference]) -> Table[Difference]:
    """Return what differs between two environments."""
    columns: tuple[Column[Difference], ...] = (
        prose("key", "what", lambda one: one.key),
        prose("base", "base", lambda one: one.base),
        prose("new", "new", lambda one: one.new),
    )
    return Table(columns, found)


def method(made: Comparisons) -> str:
    """Return how the two runs were compared."""
    pairing = (
        "The two share their rounds: the ratio is the median of each round's, the interval that of"
        " a t test on their logarithms."
        if made.same_rounds
        else "Two runs share no rounds: the ratio is that of the medians, the interval is"
        " bootstrapped (from 5 rounds up) or that of a t test on the logarithms. What differed"
        " between the runs as a whole, such as a busier neighbour, is in neither; a shift that all"
        " cells share, the controls too, points to it. To be surer, measure both as two servers of"
        " one run."
    )
    return (
        f"{pairing} Better or worse: p below 0.05 after Holm's adjustment for all"
        f" {units.plural(len(made.changes), 'figure')}, and a difference beyond the margin of its"
        " row, which is the threshold or the noise that identical servers showed at that kind of"
        f" work in either run. Same: the whole interval is within the threshold."
        f"{_drift_corrected(made)}"
    )


def _drift_corrected(made: Comparisons) -> str:
    if not any(change.drift_corrected for change in made.changes):
        return ""
    return (
        " CPU time is *drift-corrected* where an answer is as long in both runs: the speed of"
        " processors drifts, and what the generator's own CPU time for an answer varied by in the"
        " same loads is taken out of the server's."
    )
