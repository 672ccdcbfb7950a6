"""`index.html`: the page of a clients' run, in the frame of the servers' page."""

from __future__ import annotations

from loadtest.judge.clients.rows import Standing
from loadtest.report.clients.charts import of_ranking
from loadtest.report.clients.columns import MEASURES, phases, ranked, state
from loadtest.report.clients.report import Report
from loadtest.report.clients.sentences import MEASURED, READING, facts, outliers
from loadtest.report.html.anchors import anchors
from loadtest.report.html.page import Drawn, page

FILE = "index.html"


def render(report: Report) -> str:
    """Return the page; its layout is `clients.jinja` beside the servers'."""
    summary = report.summary
    drawn = Drawn()
    at = anchors("row", [row.row.id for _, row in report.rows])
    linked: set[str] = set()

    def attributes(row: Standing) -> dict[str, str | None]:
        """Return those of a row; the first of its measures is what links lead to."""
        first = row.row.id not in linked
        linked.add(row.row.id)
        return {"id": at[row.row.id] if first else None, "class": state(row)}

    return page(
        "clients.jinja",
        drawn,
        run=report.run,
        plan=report.run.plan,
        summary=summary,
        advice=report.advice,
        groups=report.groups,
        measures=MEASURES,
        at={"row": at, "doubt": anchors("doubt", (each.concern for each in summary.concerns))},
        caveats=report.caveats,
        about=MEASURED,
        facts=facts(report.run, summary),
        reading=READING,
        ranked=ranked,
        phases=phases,
        outliers=outliers,
        state=state,
        attributes=attributes,
        charts=lambda ranking: [drawn.take(chart) for chart in of_ranking(ranking)],
    )
