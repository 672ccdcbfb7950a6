"""The sections of a report of servers that stand in every format alike: caveats and method."""

from __future__ import annotations

from loadtest.report import caveats as of_any_kind
from loadtest.report import method as of_any_run
from loadtest.report.page import Block, Bullets, Section, Shown
from loadtest.report.servers.noise_tables import twins
from loadtest.report.servers.ranking_tables import ranked
from loadtest.report.servers.report import Report
from loadtest.report.servers.sentences.method import bounds, facts, reading


def caveats(report: Report) -> Section:
    """Return the caveats, with the noise and with what this machine and this load cannot show."""
    own: list[Block] = []
    if report.summary.twins:
        noise: list[Block] = [
            "It took part twice, as if it were two servers. In 95 of 100 cases two copies of one"
            " server stay closer together than the noise floor, which is taken for each workload"
            " from its own rounds and, since they are few, drawn towards what is usual in this run;"
            " a workload without a second copy gets the largest floor.",
            Shown(twins(report.summary), "The noise of this run"),
        ]
        heading = f"Noise: `{report.summary.reference}` against itself"
        gist = "how far two copies of one server differ, for each workload"
        own.append(Section(heading, noise, id="noise", gist=gist, folded=("html",)))
    limits = Bullets(list(bounds(report.run, report.summary.rankings)))
    own.append(Section("What this machine and this load cannot show", [limits]))
    return of_any_kind.chapter(report.caveats, own)


def method(report: Report) -> Section:
    """Return how the run was made and how to read it."""
    run, summary = report.run, report.summary
    tables = [ranked(ranking, summary.reference) for ranking in summary.rankings]
    shown = {column.key for table in tables if table.items for column in table.columns}
    return of_any_run.chapter(
        facts(run, summary),
        reading(summary.reference, shown),
        run.command,
        run.source.notes if run.source else (),
        imported=run.source is not None,
    )
