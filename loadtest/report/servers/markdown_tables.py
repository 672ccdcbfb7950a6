"""One endpoint's tables on a page of Markdown: the columns to decide by, and the others folded."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.report.columns import worth
from loadtest.report.markdown.markup import Markdown, table
from loadtest.report.servers.ranking_tables import costs, ranked
from loadtest.report.table import Column, Table

SHOWN = (
    "rank",
    "server",
    "goodput",
    "ratio",
    "ceiling",
    "p50_us",
    "p99_us",
    "server_cpu_us",
    "memory_peak_bytes",
    "verdict",
)
"""Columns of an endpoint's table, so many as a page has room for; the others are folded."""


def ranking_table(ranking: Ranking, notes: dict[str, int]) -> Markdown:
    """Return the columns to decide by; the others are `rest`."""
    full = ranked(ranking)
    if not full.items:
        return Markdown("No server has a number here.")
    columns = {column.key: column for column in (*costs(ranking).columns, *full.columns)}
    columns["verdict"] = Column("verdict", "verdict", lambda row: row.verdict, worth, "prose")
    shown = Table([columns[key] for key in SHOWN if key in columns], full.items).filled(
        *(columns[key] for key in ("rank", "goodput"))
    )
    numbers = [[str(notes[note]) for note in row.notes if note in notes] for row in shown.items]
    suffix = {at: f" [<sup>{' '.join(of)}</sup>](#notes)" for at, of in enumerate(numbers) if of}
    return table(shown, suffix)


def rest(full: Table[Row]) -> Markdown:
    """Return the columns that are not among those to decide by; empty without any."""
    columns = [
        column
        for column in full.columns
        if column.key in ("server", "verdict") or column.key not in SHOWN
    ]
    return table(Table(columns, full.items)) if full.items and len(columns) > 1 else Markdown("")


def titles(rankings: Sequence[Ranking]) -> set[str]:
    """Return the titles of the columns that any table of figures has: no other is explained."""
    return {
        column.title
        for ranking in rankings
        for table in (ranked(ranking), costs(ranking))
        for column in table.columns
        if table.items
    }
