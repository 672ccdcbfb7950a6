"""Markdown from text of others: nothing in it can break a line, a table or a page."""

from __future__ import annotations

import re
from collections.abc import Iterable

from loadtest.records.text import printable
from loadtest.report import units
from loadtest.report.table import Column, Item, Table


def escape(text: str) -> str:
    """Return text on one line that Markdown shows as it is, in a table too."""
    line = _line_of(text)
    # An underscore inside a word is literal, and names are full of them.
    return re.sub(r"[\\`*\[\]<>|~&]|^[#+-](?=.)|(?<!\w)_|_(?!\w)", r"\\\g<0>", line)


def code(text: str) -> str:
    """Return text as a code span, whatever backticks it holds."""
    line = _line_of(text)
    ticks = "`" * (_longest_run(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{ticks}{pad}{line}{pad}{ticks}"


def ticked(text: str) -> str:
    """Return text with the code spans between its backticks; all else in it is escaped.

    A space at either end stays, as it parts the text from what stands beside it.
    """
    if text.count("`") % 2 or "``" in text:
        # A backtick that is left over begins no span, and spans side by side would be another one.
        return escape(text)
    lead, trail = (" " * end.isspace() for end in (text[:1], text[1:][-1:]))
    parts = text.split("`")
    # Each part by itself would lose the spaces beside a span.
    escaped = re.sub(r"\\`", "`", escape(text)).split("`")
    spans = "".join(code(part) if at % 2 else escaped[at] for at, part in enumerate(parts))
    return f"{lead}{spans}{trail}"


def fence(text: str, language: str = "") -> str:
    """Return text as a code block, between fences longer than any run of backticks in it."""
    ticks = "`" * max(3, _longest_run(text) + 1)
    return f"{ticks}{language}\n{printable(text).strip(chr(10))}\n{ticks}"


def folded(summary: str, text: str) -> str:
    """Return text that opens below a line of ours."""
    return f"<details><summary>{printable(summary)}</summary>\n\n{text}\n\n</details>"


def table(table: Table[Item]) -> str:
    """Return a table."""

    def cell(column: Column[Item], text: str) -> str:
        # In a table a bar ends the cell, even inside a code span, where no escape is sure.
        named = column.style == "name" and text != units.UNKNOWN and "|" not in text
        return code(text) if named else escape(text)

    lines = [
        _line(escape(column.title) for column in table.columns),
        _line("---:" if column.style == "number" else "---" for column in table.columns),
        *(_line(map(cell, table.columns, texts)) for texts in table.texts()),
    ]
    return "\n".join(lines)


def _line_of(text: str) -> str:
    return printable(" ".join(text.split()))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
