"""Tables for the terminal, as wide as it is."""

from __future__ import annotations

from rich import box
from rich.table import Table as RichTable
from rich.text import Text

from loadtest.report.table import Item, Table

DISPENSABLE = ("p99_us", "ranked", "rank")
"""Columns that the reports have too: rather none of them than names broken in two."""


def _fitting(table: Table[Item], width: int) -> Table[Item]:
    """Return the table without the columns that are dispensable, where it is too wide with them."""
    texts = [[column.title for column in table.columns], *table.texts()]
    widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
    spare = width - sum(widths) - len(widths) + 1
    columns = dict(zip(table.columns, widths, strict=True))
    for key in DISPENSABLE:
        for column in table.columns:
            if spare < 0 and column.key == key:
                spare += columns.pop(column) + 1
    return Table(list(columns), table.items)


def decorated(table: Table[Item]) -> RichTable:
    """Return a table as a terminal shows it, without lines between its columns."""
    made = RichTable(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for column in table.columns:
        number = column.style == "number"
        made.add_column(
            Text(column.title),
            justify="right" if number else "left",
            no_wrap=number,
            overflow="fold",
        )
    for row in table.texts():
        made.add_row(*map(Text, row))
    return made
