"""A table built once, columns over items: a format only decorates it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from loadtest.model import Run
from loadtest.report.format import UNKNOWN
from loadtest.summary import Summary

Item = TypeVar("Item")
Value = str | int | float | None
SUSPECT = "?"
"""Behind a number with doubts about it, where there is no room to name them."""


@dataclass(frozen=True)
class Report:
    """All that a format may use."""

    summary: Summary
    run: Run
    read_raw: Callable[[str], str]
    """Takes a `Round.raw`; raises OSError where that file is not kept."""

    def printed(self, path: str) -> str | None:
        """Return what the generator printed in a round; None where that file is not kept."""
        try:
            return self.read_raw(path).strip("\n")
        except OSError:
            return None


@dataclass(frozen=True)
class Column(Generic[Item]):
    """One column: what it is called by programs and by people, its values and their text."""

    key: str
    """With the unit, for programs."""
    title: str
    value: Callable[[Item], Value]
    text: Callable[[Item], str]
    style: Literal["name", "prose", "number"] = "number"
    """A name may be set as code, as it is typed; a number is aligned right."""


@dataclass(frozen=True)
class Table(Generic[Item]):
    """Columns over items, one a row."""

    columns: Sequence[Column[Item]]
    items: Sequence[Item]

    def texts(self) -> list[list[str]]:
        """Return the rows for people."""
        return [[column.text(item) for column in self.columns] for item in self.items]

    def values(self) -> list[list[Value]]:
        """Return the rows for programs."""
        return [[column.value(item) for column in self.columns] for item in self.items]

    def filled(self, *kept: Column[Item]) -> Table[Item]:
        """Return the table without the columns in which no row has anything, but for `kept`."""
        columns = [
            column
            for column in self.columns
            if column in kept or any(column.text(item) != UNKNOWN for item in self.items)
        ]
        return Table(columns, self.items)


def name(key: str, title: str, value: Callable[[Item], str | None]) -> Column[Item]:
    """Return a column of names."""
    return Column(key, title, value, lambda item: value(item) or UNKNOWN, "name")


def prose(key: str, title: str, value: Callable[[Item], str | None]) -> Column[Item]:
    """Return a column of text."""
    return Column(key, title, value, lambda item: value(item) or UNKNOWN, "prose")
