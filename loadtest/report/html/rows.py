"""The rows of an endpoint as a page sets them: texts with the values to sort by, and tie groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Literal

from loadtest.report.table import Column, Item, Table, Value

Tie = Literal["", "first", "inner", "last"]
"""Where a row stands among those that share its rank."""


@dataclass(frozen=True)
class Setting(Generic[Item]):
    """One row of a table: each column with its text and its value."""

    item: Item
    cells: tuple[tuple[Column[Item], str, Value], ...]
    tie: Tie


def settings(table: Table[Item]) -> list[Setting[Item]]:
    """Return the rows of a table."""
    ranked = any(column.key == "rank" for column in table.columns)
    ties = _ties([getattr(item, "rank", None) if ranked else None for item in table.items])
    rows = zip(table.items, table.texts(), table.values(), ties, strict=True)
    return [
        Setting(item, tuple(zip(table.columns, texts, values, strict=True)), tie)
        for item, texts, values, tie in rows
    ]


def _ties(ranks: Sequence[int | None]) -> list[Tie]:
    ties: list[Tie] = []
    for at, rank in enumerate(ranks):
        above = at > 0 and ranks[at - 1] == rank
        below = at + 1 < len(ranks) and ranks[at + 1] == rank
        if rank is None or not (above or below):
            ties.append("")
        else:
            ties.append("inner" if above and below else "last" if above else "first")
    return ties
