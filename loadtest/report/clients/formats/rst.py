"""`report.rst`: tables in reStructuredText, in the form in which such comparisons are published.

Command, Mean, Min, Max, Relative, as hyperfine's tables have them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from statistics import fmean, stdev

from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.records.text import printable
from loadtest.report.clients.columns import MEASURES, marked, relative
from loadtest.report.clients.report import Report
from loadtest.report.clients.sentences import doubt
from loadtest.report.table import Column, Item, Table, name
from loadtest.report.units import UNKNOWN, significant

FILE = "report.rst"


def render(report: Report) -> str:
    """Return a heading for each group and a table for each measure of it."""
    return "\n\n".join(_parts(report)) + "\n"


def _parts(report: Report) -> Iterator[str]:
    summary = report.summary
    yield heading(summary.title, "=")
    caveats = report.caveats
    yield from map(escape, doubt(summary))
    yield f"{caveats.counted}; {caveats.judged}. {escape(caveats.noise)}"
    for tables in report.groups:
        yield heading(tables[0].group.title, "-")
        yield escape(tables[0].group.about)
        for ranking in tables:
            yield f"{MEASURES[ranking.measure]}, {len(ranking.reportable)} with a number:"
            yield table(published(ranking))


def published(ranking: Ranking) -> Table[Standing]:
    """Return the five columns; milliseconds of a process, or microseconds of a call."""
    scale, unit = (1e3, "ms") if ranking.measure == "cold" else (1e6, "us per call")

    def times(row: Standing) -> list[float]:
        return [each.time_s * scale for each in row.rounds if each.time_s is not None]

    def mean(row: Standing) -> str:
        known = times(row)
        if not known:
            return row.status
        text = significant(fmean(known))
        return marked(f"{text} ± {significant(stdev(known))}" if len(known) > 1 else text, row)

    def extreme(title: str, of: Callable[[Sequence[float]], float]) -> Column[Standing]:
        def text(row: Standing) -> str:
            return significant(of(times(row))) if row.reportable else UNKNOWN

        return Column(title, f"{title} [{unit}]", lambda row: None, text)

    columns: tuple[Column[Standing], ...] = (
        name("command", "Command", lambda row: row.row.label),
        Column("mean", f"Mean [{unit}]", lambda row: None, mean),
        extreme("Min", min),
        extreme("Max", max),
        Column("relative", "Relative", lambda row: None, relative),
    )
    return Table(columns, ranking.rows)


def heading(text: str, line: str) -> str:
    """Return a title above its line."""
    title = escape(text)
    return f"{title}\n{line * len(title)}"


BEGINS = r"^(?=[^\w\s\\`*|_].|\w+[.)](?:\s|$))"
"""Of a line, what would make a directive of it, which may read files, or a list."""


def escape(text: str) -> str:
    """Return text on one line that is shown as it is."""
    return re.sub(rf"{BEGINS}|[\\`*|_]", r"\\\g<0>", printable(" ".join(text.split())))


def literal(text: str) -> str:
    """Return text as an inline literal, in which nothing is escaped."""
    line = printable(" ".join(text.split()))
    # A literal can hold neither its own end nor nothing.
    return f"``{line}``" if line and "``" not in line and not line.endswith("`") else escape(line)


def table(table: Table[Item]) -> str:
    """Return a simple table: columns are parted by the lines of `=` above them."""
    head = [escape(column.title) for column in table.columns]
    body = [
        [
            literal(text) if column.style == "name" else escape(text)
            for column, text in zip(table.columns, row, strict=True)
        ]
        for row in table.texts()
    ]
    widths = [max(map(len, column)) for column in zip(head, *body, strict=True)]
    rule = "  ".join("=" * width for width in widths)
    return "\n".join([rule, _line(head, widths), rule, *(_line(r, widths) for r in body), rule])


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(w) for cell, w in zip(cells, widths, strict=True)).rstrip()
