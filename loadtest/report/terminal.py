"""The table after a run, for a terminal of 100 columns; no colour carries a meaning."""

from __future__ import annotations

import re

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from loadtest.report.doubts import blanks, counted, doubts, judged
from loadtest.report.format import paragraph, share
from loadtest.report.losses import losses
from loadtest.report.noise import median_of, noise
from loadtest.report.rankings import leaders
from loadtest.report.table import SUSPECT, Item, Report, Table
from loadtest.report.words import headline

LOG_LINES = 4
EXCEPTION = re.compile(r"[\w.]+(Error|Exception|Exit|Interrupt)\b")
"""How a Python traceback ends; a server may have more to say after its worker's."""
DISPENSABLE = ("p99_us", "ranked", "rank")
"""Columns that the reports have too: rather none of them than names broken in two."""


def show(report: Report, console: Console) -> None:
    """Print the answer, who is ahead at each endpoint, what has no number and what to distrust."""
    summary = report.summary

    def say(text: str, indent: int = 0) -> None:
        console.print(Text(paragraph(text, console.width, indent)))

    for said in headline(summary.answer):
        say(said.plain)
    if summary.answer.kinds:
        console.print()
    console.print(decorated(_fitting(leaders(summary), console.width)), "")
    # Text, not markup: a reason may hold anything, square brackets included.
    say(f"Ranked by 2xx answers a second, {median_of(report)}.")
    say(noise(summary))
    if any(ranking.endpoint.contract.delay_s for ranking in summary.rankings):
        say("`475 of 500`: its ceiling is 500, the requests it works on at once / delay.")
    for loss in losses(summary.rankings).items:
        stage = f" at {loss.stage}" if loss.stage else ""
        console.print()
        say(f"{loss.what}{stage}: {loss.server}: {loss.reason}")
        say(", ".join(loss.endpoints), indent=2)
        for line in _end(loss.detail):
            say(line, indent=4)
    if found := doubts(summary):
        console.print()
        say(f"What to distrust (`{SUSPECT}` beside a number), each case in the reports:")
        for doubt in found:
            say(f"{doubt.explained.concern}: {doubt.counted}", indent=2)
    if missing := blanks(summary):
        names = ", ".join(
            each.concern + ("" if each.cells == each.of else f" ({each.cells} of {each.of})")
            for each in missing
        )
        say("Not checked, as what it takes was not recorded, or too little of it:")
        say(names, indent=2)
    time = f"; load during {share(summary.load_share)} of the time" if summary.load_share else ""
    console.print()
    say(f"{counted(summary.counts)}{time}.")
    say(f"{judged(summary.counts)}.")


def _end(detail: str | None) -> list[str]:
    """Return the last lines of a log, and before them the last exception's, if it is not there."""
    lines = [line.rstrip() for line in (detail or "").splitlines() if line.strip()]
    end = lines[-LOG_LINES:]
    raised = [line for line in lines[:-LOG_LINES] if EXCEPTION.match(line)]
    return end if any(map(EXCEPTION.match, end)) else raised[-1:] + end


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
