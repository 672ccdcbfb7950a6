"""The tables after a clients' run, for a terminal of 100 columns; no colour carries a meaning."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from loadtest.report.clients.columns import MEASURES, narrow
from loadtest.report.clients.distrust import counted, doubts, losses, noise, outliers
from loadtest.report.clients.report import Report
from loadtest.report.table import SUSPECT
from loadtest.report.terminal import decorated
from loadtest.report.units import paragraph


def show(report: Report, console: Console) -> None:
    """Print each table, what follows from them, and what to distrust."""
    summary = report.summary

    def say(text: str, indent: int = 0) -> None:
        # Text, not markup: a reason may hold anything, square brackets included.
        console.print(Text(paragraph(text, console.width, indent)))

    for ranking in summary.rankings:
        say(f"{ranking.group.title}. {MEASURES[ranking.measure]}.")
        console.print(decorated(narrow(ranking)), "")
        if said := outliers(ranking):
            say(said)
            console.print()
    for point in report.advice:
        say(f"{point.question}{'' if point.separated else ' This run cannot tell.'}")
        for sentence in point.says:
            say(sentence, indent=2)
    if found := doubts(summary):
        console.print()
        say(f"What to distrust (`{SUSPECT}` beside a number), each case in the reports:")
        for doubt in found:
            say(f"{doubt.explained.concern}: {doubt.counted}", indent=2)
    for loss in losses(summary).items:
        at = f" at {loss.stage}" if loss.stage else ""
        console.print()
        say(f"{loss.what}{at}: {loss.reason}")
        for row in loss.rows:
            say(row, indent=2)
    console.print()
    say(noise(summary))
    say(f"{counted(summary.counts)}.")
