"""The table after a run, for a terminal of 100 columns; no colour carries a meaning."""

from __future__ import annotations

from textwrap import wrap

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table as RichTable
from rich.text import Text

from loadtest.report.doubts import blanks, doubts, judged
from loadtest.report.format import plural, share
from loadtest.report.table import SUSPECT, Item, Report, Table, counted, leaders, losses, noise

WIDTH = 100


def show(report: Report, console: Console) -> None:
    """Print who is ahead at each endpoint, then what has no number and what to distrust."""
    summary = report.summary
    console.print(_decorated(leaders(summary)), "")
    # Text, not markup: a reason may hold anything, square brackets included.
    rounds = plural(summary.rounds, "round")
    lines = [f"Ranked by 2xx answers a second, median of {rounds}.", noise(summary)]
    if any(ranking.endpoint.contract.delay_s for ranking in summary.rankings):
        lines.append("`475 of 500`: its ceiling is 500, the requests it works on at once / delay.")
    console.print(Text("\n".join(lines)))
    for loss in losses(summary.rankings).items:
        stage = f" at {loss.stage}" if loss.stage else ""
        console.print(Text(f"\n{loss.what}{stage}: {loss.server}: {loss.reason}"))
        console.print(Padding(Text(", ".join(loss.endpoints)), (0, 0, 0, 2), expand=False))
    found = doubts(summary)
    if found:
        lines = [f"What to distrust (`{SUSPECT}` beside a number), each case in the reports:"]
        lines += [f"  {doubt.explained.concern}: {doubt.counted}" for doubt in found]
        console.print(Text("\n" + "\n".join(lines)))
    if missing := blanks(summary):
        names = ", ".join(
            each.concern + ("" if each.cells == each.of else f" ({each.cells} of {each.of})")
            for each in missing
        )
        lines = ["Not checked, as nothing was recorded to check it by:"]
        lines += wrap(names, WIDTH, initial_indent="  ", subsequent_indent="  ")
        console.print(Text("\n".join(lines)))
    time = f"; load during {share(summary.load_share)} of the time" if summary.load_share else ""
    console.print(Text(f"\n{counted(summary.counts)}{time}.\n{judged(summary.counts)}."))


def _decorated(table: Table[Item]) -> RichTable:
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
