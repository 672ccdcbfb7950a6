"""A table built once, columns over items: a format only decorates it."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar

from loadtest.records.text import printable
from loadtest.report.units import UNKNOWN

Item = TypeVar("Item")
Item_contra = TypeVar("Item_contra", contravariant=True)
Other = TypeVar("Other")
Number = TypeVar("Number", int, float)
Value = str | int | float | None

FORMULA = r"(?:^|(?<=[;\t\r\n]))(?=[=+\-@\t\r\uff1d\uff0b\uff0d\uff20])"
"""Where a spreadsheet begins to compute; some do so at wide letters, too."""

SUSPECT = "?"
"""Behind a number with doubts about it, where there is no room to name them."""


@dataclass(frozen=True)
class Column(Generic[Item_contra]):
    """One column: what it is called by programs and by people, its values and their text."""

    key: str
    """With the unit, for programs."""
    title: str
    value: Callable[[Item_contra], Value]
    text: Callable[[Item_contra], str]
    style: Literal["name", "prose", "number"] = "number"
    """A name may be set as code, as it is typed; a number is aligned right."""
    hint: Callable[[Item_contra], str | None] = lambda item: None
    """More about a cell, for those who point at it."""

    def of(self, item: Callable[[Other], Item_contra | None]) -> Column[Other]:
        """Return the column for what holds such an item, or lacks one."""

        def value(other: Other) -> Value:
            held = item(other)
            return None if held is None else self.value(held)

        def text(other: Other) -> str:
            held = item(other)
            return UNKNOWN if held is None else self.text(held)

        return Column(self.key, self.title, value, text, self.style)


@dataclass(frozen=True)
class Table(Generic[Item]):
    """Columns over items, one a row."""

    columns: Sequence[Column[Item]]
    items: Sequence[Item]

    def texts(self) -> list[list[str]]:
        """Return the rows for people."""
        return [[printable(column.text(item)) for column in self.columns] for item in self.items]

    def values(self) -> list[list[Value]]:
        """Return the rows for programs."""
        return [[column.value(item) for column in self.columns] for item in self.items]

    def titled(self, titles: Mapping[str, str]) -> Table[Item]:
        """Return the table with other titles, by the keys of its columns."""
        columns = [replace(each, title=titles.get(each.key, each.title)) for each in self.columns]
        return Table(columns, self.items)

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


def number(
    title: str,
    value: Callable[[Item], Number | None],
    text: Callable[[Number], str],
    key: str | None = None,
) -> Column[Item]:
    """Return a column of numbers for people; `text` takes what is known, the key is the title."""

    def known(item: Item) -> str:
        figure = value(item)
        return UNKNOWN if figure is None else text(figure)

    return Column(key or title, title, value, known)


def words(title: str, text: Callable[[Item], str], key: str | None = None) -> Column[Item]:
    """Return a column that says something to people alone; the key is the title."""
    return Column(key or title, title, lambda item: None, text)


def sheet(tables: Sequence[Table[Any]]) -> str:
    """Return tables of the same columns below one another, with one header.

    A text that a spreadsheet would compute with stands behind an apostrophe, also where it would
    begin a cell by another separator than ours.
    """
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for table in tables[:1]:
        writer.writerow(column.key for column in table.columns)
    for table in tables:
        writer.writerows(map(_literal, row) for row in table.values())
    return file.getvalue()


def _literal(value: Value) -> Value:
    return printable(re.sub(FORMULA, "'", value)) if isinstance(value, str) else value
