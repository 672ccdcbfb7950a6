"""A comparison of two runs as tables, for every format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from loadtest.judge.servers.compare import Answer, Change, Figure
from loadtest.judge.servers.conditions import Difference
from loadtest.report import units
from loadtest.report.table import Column, Table, Value, name, prose

TITLES: dict[Figure, str] = {
    "goodput": "requests/s",
    "p99_us": "p99",
    "server_cpu_us": "CPU per request",
}

ORDER: tuple[Answer, ...] = ("worse", "better", "same", "cannot tell")


def answered(changes: Iterable[Change], answer: Answer) -> list[Change]:
    """Return the changes with an answer, the largest first."""

    def distance(change: Change) -> float:
        ratio = change.comparison.ratio or 1.0
        return max(ratio, 1 / ratio)

    return sorted(
        (change for change in changes if change.answer == answer), key=distance, reverse=True
    )


def changes_table(changes: Sequence[Change]) -> Table[Change]:
    """Return figures of cells in both runs, with what is found of each."""

    def number(
        title: str, value: Callable[[Change], Value], text: Callable[[Change], str]
    ) -> Column[Change]:
        return Column(title, title, value, text)

    columns: tuple[Column[Change], ...] = (
        prose("answer", "", lambda change: change.answer),
        name("cell", "cell", lambda change: change.cell),
        prose("figure", "figure", _figure),
        number(
            "base", lambda change: change.base, lambda change: value(change.figure, change.base)
        ),
        number("new", lambda change: change.new, lambda change: value(change.figure, change.new)),
        number(
            "new / base",
            lambda change: change.comparison.ratio,
            lambda change: ratio(change.comparison.ratio),
        ),
        number("95 % interval", lambda change: change.comparison.low, _interval),
        number("margin", lambda change: change.margin, lambda change: units.share(change.margin)),
        number(
            "rounds",
            lambda change: change.comparison.rounds,
            lambda change: str(change.comparison.rounds),
        ),
    )
    return Table(columns, changes)


def _figure(change: Change) -> str:
    return f"{TITLES[change.figure]}{', drift-corrected' if change.drift_corrected else ''}"


def value(figure: Figure, number: float) -> str:
    """Return a figure as people read it."""
    return units.significant(number) if figure == "goodput" else units.latency(number)


def _interval(change: Change) -> str:
    low, high = change.comparison.low, change.comparison.high
    return units.UNKNOWN if low is None else f"{ratio(low)} to {ratio(high)}"


def ratio(value: float | None) -> str:
    """Return a ratio as `1.12x`, or that it is unknown."""
    return units.UNKNOWN if value is None else units.ratio(value)


def differences_table(differences: Sequence[Difference]) -> Table[Difference]:
    """Return what differs between two environments."""
    columns: tuple[Column[Difference], ...] = (
        prose("key", "what", lambda difference: difference.key),
        prose("base", "base", lambda difference: difference.base),
        prose("new", "new", lambda difference: difference.new),
    )
    return Table(columns, differences)
