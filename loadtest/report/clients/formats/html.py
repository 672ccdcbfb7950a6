"""`index.html`: the page of a clients' run, in the frame of the servers' page."""

from __future__ import annotations

from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.report.clients.charts import of_ranking
from loadtest.report.clients.columns import MEASURES, phases, ranked
from loadtest.report.clients.distrust import counted, doubts, losses, noise, outliers, where
from loadtest.report.clients.report import Report
from loadtest.report.html.anchors import anchors
from loadtest.report.html.page import Drawn, page

FILE = "index.html"


def files(report: Report) -> dict[str, str]:
    """Return the file by its name."""
    return {FILE: render(report)}


def render(report: Report) -> str:
    """Return the page; its layout is `clients.jinja` beside the servers'."""
    summary = report.summary
    drawn = Drawn()
    ids = [row.row.id for ranking in summary.rankings for row in ranking.rows]
    return page(
        "clients.jinja",
        drawn,
        run=report.run,
        plan=report.run.plan,
        summary=summary,
        advice=report.advice,
        groups=_groups(summary.rankings),
        measures=MEASURES,
        at={
            "row": anchors("row", ids),
            "doubt": anchors("doubt", (each.concern for each in summary.concerns)),
        },
        counted=counted(summary.counts),
        noise=noise(summary),
        doubts=doubts(summary),
        where=where,
        losses=losses(summary),
        ranked=ranked,
        phases=phases,
        outliers=outliers,
        state=state,
        charts=lambda ranking: [drawn.take(chart) for chart in of_ranking(ranking)],
    )


def state(row: Standing) -> str:
    """Return what became of a row, in a word: its verdict, or why it has no number."""
    return (row.verdict or "valid") if row.measured else row.status


def _groups(rankings: tuple[Ranking, ...]) -> list[list[Ranking]]:
    """Return the tables of each group together."""
    found: dict[str, list[Ranking]] = {}
    for ranking in rankings:
        found.setdefault(ranking.group.name, []).append(ranking)
    return list(found.values())
