"""What follows a clients' run in the terminal: what it answers, and its tables."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from loadtest.report.clients.columns import MEASURES, narrow
from loadtest.report.clients.report import Report
from loadtest.report.clients.sentences import doubt, notes
from loadtest.report.terminal import Writer


def show(report: Report, console: Console, spell: Callable[[str], str] = str) -> None:
    """Print what follows from the run, each table, and the caveats."""
    summary = report.summary
    to = Writer(console, spell)
    for sentence in doubt(summary):
        to.say(sentence)
        to.say()
    for point in report.advice:
        to.say(f"{point.question}{'' if point.separated else ' This run cannot tell.'}")
        for sentence in point.says:
            to.say(sentence, indent=2)
    to.say()
    for ranking in summary.rankings:
        to.say(f"{ranking.group.title}. {MEASURES[ranking.measure]}.")
        to.table(narrow(ranking))
        for note in notes(ranking):
            to.say(note)
            to.say()
    to.caveats(report.caveats, "; each row counts once by each measure")
