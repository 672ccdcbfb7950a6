"""What follows a run of servers in the terminal: what was decided, and what each server costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from rich.console import Console

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.report.servers.columns import GOODPUT, SERVER
from loadtest.report.servers.cost import narrow_table
from loadtest.report.servers.rate_tables import narrow, tables
from loadtest.report.servers.report import Report
from loadtest.report.servers.sentences.decision import about
from loadtest.report.table import SUSPECT, Column, Table, name
from loadtest.report.terminal import Writer
from loadtest.report.units import UNKNOWN, plural, share

MOST_TABLES = 50
"""Of rates and of endpoints: a plan may have thousands."""

MOST_ENDPOINTS = 100
"""Likewise, of a table."""


def show(report: Report, console: Console, spell: Callable[[str], str] = str) -> None:
    """Print what was decided, what each server costs, and the caveats."""
    decision, loaded = report.summary.decision, report.summary.load_share
    to = Writer(console, spell)
    for paragraph in report.paragraphs:
        to.paragraph(paragraph)
    rated = [narrow(each) for each in tables(decision)]
    # At a rate its own table says what each takes there.
    if decision.cost and decision.cost.rate is None:
        to.table(narrow_table(decision), fitting=True)
        to.say(about(decision.cost).replace("`", ""))
        if rated:
            to.say()
    elif not rated:
        fastest = _fastest(report.summary.rankings)
        to.table(replace(fastest, items=fastest.items[:MOST_ENDPOINTS]))
        if (more := len(fastest.items) - MOST_ENDPOINTS) > 0:
            to.say(f"The reports have {plural(more, 'more endpoint')}.")
        to.say(f"By responses a second that were right; `{SUSPECT}`: in doubt.")
    for each in rated[:MOST_TABLES]:
        to.say(f"{each.title.replace('`', '')}:")
        to.say()
        to.table(each.table, fitting=True)
    if (more := len(rated) - MOST_TABLES) > 0:
        to.say(f"The reports have {plural(more, 'more table')} of other rates or endpoints.")
    if rated:
        to.say(f"`{UNKNOWN}`: not known, as a rate was not held or got too few responses.")
    for paragraph in report.further:
        to.say()
        to.say(f"{paragraph.lead} {paragraph.text}".replace("`", ""))
    to.caveats(report.caveats, f"; load during {share(loaded)} of the time" if loaded else "")


def _fastest(rankings: tuple[Ranking, ...]) -> Table[Ranking]:
    """Return the first two of each endpoint by requests/s, where no cost is known."""

    def nth(number: int, title: str, column: Column[Row]) -> Column[Ranking]:
        def text(ranking: Ranking) -> str:
            rows = [row for row in ranking.rows if row.reportable]
            return column.text(rows[number]) if len(rows) > number else UNKNOWN

        return Column(title, title, lambda ranking: None, text, column.style)

    first = (nth(0, "first", SERVER), nth(0, "requests/s", GOODPUT))
    next_ = (nth(1, "next", SERVER), nth(1, "requests/s", GOODPUT))
    return Table(
        (name("endpoint", "endpoint", lambda ranking: ranking.at), *first, *next_),
        [each for each in rankings if any(row.reportable for row in each.rows)],
    )
