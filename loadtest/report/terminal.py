"""What follows a run in the terminal, as wide as it is; no colour carries a meaning."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import accumulate

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from loadtest.report.caveats import Caveats
from loadtest.report.columns import K, R
from loadtest.report.sentences import Paragraph
from loadtest.report.table import SUSPECT, Item, Table
from loadtest.report.units import paragraph as filled
from loadtest.report.units import plural

LOG_LINES = 4

MOST_LOSSES = 20
"""Reasons for which something has no number: of more nobody reads all at once."""

COMMAND = re.compile(r"`(?:[^\s`]+ -m )?[^\s`]*loadtest [^`\n]+`")

HELD = "\xa0"
"""In place of the blanks between words that stay on one line."""

EXCEPTION = re.compile(r"[\w.]+(Error|Exception|Exit|Interrupt)\b")
"""How a Python traceback ends; a server may have more to say after its worker's."""


class Writer:
    """Writes paragraphs and tables into a console."""

    def __init__(self, console: Console, spell: Callable[[str], str] = str) -> None:
        """Write into this one; `spell` returns a text with commands as they can be typed."""
        self._console, self._spell = console, spell

    def say(self, text: str = "", indent: int = 0) -> None:
        """Write a paragraph, or an empty line."""
        # Text, not markup: a reason may hold anything, square brackets included.
        self._console.print(Text(self._filled(self._held(text), indent)), soft_wrap=True)

    def paragraph(self, paragraph: Paragraph) -> None:
        """Write a paragraph, its lead in bold, and an empty line."""
        lead, text = (
            self._held(part).replace("`", "") for part in (paragraph.lead, paragraph.text)
        )
        # Where a line breaks, a blank becomes its end: the lead is as long as before.
        lines = Text(f"{self._filled(f'{lead} {text}')}\n")
        lines.stylize("bold", 0, len(lead))
        self._console.print(lines, soft_wrap=True)

    def _held(self, text: str) -> str:
        """Return a text whose commands can be typed, and stay on a line that is to be copied."""
        return COMMAND.sub(lambda each: each[0].replace(" ", HELD), self._spell(text))

    def _filled(self, text: str, indent: int = 0) -> str:
        return filled(text, self._console.width, indent).replace(HELD, " ")

    def table(self, table: Table[Item], *, fitting: bool = False) -> None:
        """Write a table and an empty line; `fitting` drops the last columns that do not fit."""
        shown = _fitting(table, self._console.width) if fitting else table
        self._console.print(_decorated(shown), "")

    def caveats(self, caveats: Caveats[K, R], more: str = "") -> None:
        """Write what has no number, what to mistrust and what could not be checked."""
        losses = caveats.losses
        for loss in losses[:MOST_LOSSES]:
            self.say()
            self.say(f"{loss.at}: {loss.reason}")
            for label in loss.rows:
                self.say(label, indent=2)
            for line in _end(loss.detail):
                self.say(line, indent=4)
        if (more_lost := len(losses) - MOST_LOSSES) > 0:
            self.say()
            more = plural(more_lost, "more reason")
            self.say(f"The reports have {more} why something has no number.")
        if caveats.doubts:
            self.say()
            self.say(f"Caveats (`{SUSPECT}` beside a number), each case in the reports:")
            for doubt in caveats.doubts:
                self.say(f"{doubt.explained.concern}: {doubt.counted}", indent=2)
        if caveats.blanks:
            names = (
                each.concern + ("" if each.rows == each.of else f" ({each.rows} of {each.of})")
                for each in caveats.blanks
            )
            self.say("Checks that could not run, as the data was not recorded, or too little:")
            self.say(", ".join(names), indent=2)
        self.say()
        self.say(f"{caveats.counted}{more}.")
        self.say(f"{caveats.judged}.")


def _fitting(table: Table[Item], width: int) -> Table[Item]:
    texts = [[column.title for column in table.columns], *table.texts()]
    widths = [max(map(len, column)) + 1 for column in zip(*texts, strict=True)]
    count = max(1, sum(end - 1 <= width for end in accumulate(widths)))
    return Table(table.columns[:count], table.items)


def _decorated(table: Table[Item]) -> RichTable:
    """Return a table as a terminal shows it, without lines between its columns."""
    decorated = RichTable(box=box.SIMPLE_HEAD, padding=0, show_edge=False)
    for column in table.columns:
        number = column.style == "number"
        decorated.add_column(
            Text(column.title),
            justify="right" if number else "left",
            no_wrap=number,
            overflow="fold",
        )
    for row in table.texts():
        decorated.add_row(*map(Text, row))
    return decorated


def _end(detail: str | None) -> list[str]:
    """Return the last lines of a log, and before them the last exception's, if it is not there."""
    lines = [line.rstrip() for line in (detail or "").splitlines() if line.strip()]
    end = lines[-LOG_LINES:]
    raised = [line for line in lines[:-LOG_LINES] if EXCEPTION.match(line)]
    return end if any(map(EXCEPTION.match, end)) else raised[-1:] + end
