"""`index.html`: one self-contained page, the answer first and each claim linked to its rows."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from loadtest.judge.servers.rows import Ranking, Row, state
from loadtest.judge.servers.summary import Summary
from loadtest.records.planned import Endpoint
from loadtest.report.charts.chart import Chart
from loadtest.report.html.anchors import anchors
from loadtest.report.html.page import Drawn, page
from loadtest.report.servers.chapters import caveats, method
from loadtest.report.servers.charts import kind as of_kind
from loadtest.report.servers.charts import of_endpoint
from loadtest.report.servers.grouping import by_kind, median_round, rows_of, spread
from loadtest.report.servers.heatmap import METRICS, columns, lines
from loadtest.report.servers.leader_table import shares
from loadtest.report.servers.ranking_tables import costs, ranked
from loadtest.report.servers.report import Report
from loadtest.report.servers.sentences.claims import control, kind
from loadtest.report.servers.sentences.headline import headline
from loadtest.report.servers.sentences.noise import spread_of_ties
from loadtest.report.servers.sentences.phrases import title
from loadtest.report.servers.sentences.resource_usage import used
from loadtest.report.table import Table

FILE = "index.html"

Attributes = Callable[[Row], dict[str, str | None]]

LIMITS = {
    "no-number": "no server has a number",
    "alone": "no other has a number",
    "one-round": "one round cannot separate a real difference from noise",
    "tied": "all are tied",
    "no-noise-floor": "the noise was not measured",
    "connection-limited": "they show how many requests were let in",
    "suspect": "there are concerns about it",
}
"""Why nothing can be said of a lead."""


def render(report: Report) -> str:
    """Return the page; its layout is `page.jinja` among the templates."""
    summary, plan = report.summary, report.run.plan
    servers = columns(summary.rankings)
    names = [name for name, _ in servers]
    profiles = {server.name: server for server in plan.servers if not server.duplicate_of}
    drawn = Drawn()
    at = places(summary, names)

    def row_attributes(endpoint: Endpoint, *, again: bool = False) -> Attributes:
        """Return what the page's filter goes by; a row that stands `again` is no link's end."""
        text = f"{endpoint.id} {endpoint.kind} {endpoint.title}"
        return lambda row: {
            "id": None if again else at["cell"][row.cell],
            "data-text": " ".join([row.server, text, *(raised.concern for raised in row.concerns)]),
            "data-interface": row.interface or "",
            "data-verdict": state(row),
            "class": "again" if again else state(row),
        }

    return page(
        "page.jinja",
        drawn,
        run=report.run,
        plan=plan,
        summary=summary,
        answer=summary.answer,
        headline=headline(summary.answer),
        workload_sentences=cache(kind),
        control=control(summary.answer),
        shares=shares(summary.answer),
        limits=LIMITS,
        servers=servers,
        profiles=profiles,
        kinds=by_kind(summary.rankings),
        workload=title,
        anchors=at,
        metrics=METRICS,
        lines=lambda rankings, metric: lines(rankings, names, metric),
        state=state,
        states=Counter(state(row) for _, row in report.rows),
        caveats=caveats(report),
        noise=report.caveats.noise,
        method=method(report),
        ranked=_ranked,
        row_attributes=row_attributes,
        spread_of_ties=spread_of_ties,
        costs=costs,
        endpoint_charts=lambda ranking: [drawn.take(chart) for chart in of_endpoint(ranking)],
        kind_chart=lambda name, rankings: _taken(drawn, of_kind(name, title(name), rankings)),
        rows_of=cache(lambda server: rows_of(summary.rankings, server)),
        tally=lambda server: Counter(state(row) for _, row in rows_of(summary.rankings, server)),
        use=lambda server: used(plan, summary.rankings, server),
        spread_of=spread,
        median_round=median_round,
        raw=lambda path: report.printed(path) or f"Not in this folder: {path}",
        argv=lambda name: shlex.join(
            report.run.argv.get(name, profiles[name].argv if name in profiles else ())
        ),
    )


def places(summary: Summary, servers: Sequence[str]) -> dict[str, Any]:
    """Return the anchors of all that can be linked to."""
    rows = [row for ranking in summary.rankings for row in ranking.rows]
    return {
        "server": anchors("server", servers),
        "endpoint": anchors("endpoint", (ranking.endpoint.id for ranking in summary.rankings)),
        "cell": anchors("cell", (row.cell for row in rows)),
        "wrk": anchors("wrk", (row.cell for row in rows)),
        "doubt": anchors("doubt", (each.concern for each in summary.concerns)),
    }


def _taken(drawn: Drawn, chart: Chart | None) -> Chart | None:
    return drawn.take(chart) if chart else None


def _ranked(ranking: Ranking) -> Table[Row]:
    """Return the ranking without each round's rate, which stands with the server."""
    table = ranked(ranking)
    return Table([column for column in table.columns if column.key], table.items)
