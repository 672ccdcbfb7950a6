"""What follows a run of servers in the terminal: the answer, and who is ahead at each endpoint."""

from __future__ import annotations

from rich.console import Console

from loadtest.report.servers.ranking_tables import leaders
from loadtest.report.servers.report import Report
from loadtest.report.servers.sentences.headline import headline
from loadtest.report.servers.sentences.noise import median_of
from loadtest.report.terminal import Writer
from loadtest.report.units import share


def show(report: Report, console: Console) -> None:
    """Print the answer, who is ahead at each endpoint, and the caveats."""
    summary = report.summary
    to = Writer(console)
    for sentence in headline(summary.answer):
        to.say(sentence.plain)
    if summary.answer.kinds:
        to.say()
    to.table(leaders(summary), fitting=True)
    to.say(f"Ranked by 2xx requests/s, {median_of(report.run.plan, summary.rounds)}.")
    if any(ranking.endpoint.contract.delay_s for ranking in summary.rankings):
        to.say("`475 of 500`: its ceiling is 500, the requests it works on at once / delay.")
    loaded = summary.load_share
    to.caveats(report.caveats, f"; load during {share(loaded)} of the time" if loaded else "")
