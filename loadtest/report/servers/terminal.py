"""The table after a run, for a terminal of 100 columns; no colour carries a meaning."""

from __future__ import annotations

import re

from rich.console import Console
from rich.text import Text

from loadtest.report.concern_tables import blanks, counted, doubts, judged
from loadtest.report.servers.failures import losses
from loadtest.report.servers.noise_tables import median_of, noise
from loadtest.report.servers.ranking_tables import leaders
from loadtest.report.servers.report import Report
from loadtest.report.servers.sentences.headline import headline
from loadtest.report.table import SUSPECT
from loadtest.report.terminal import _fitting, decorated
from loadtest.report.units import paragraph, share

LOG_LINES = 4

EXCEPTION = re.compile(r"[\w.]+(Error|Exception|Exit|Interrupt)\b")
"""How a Python traceback ends; a server may have more to say after its worker's."""


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
