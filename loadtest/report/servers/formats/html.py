"""`index.html`: one self-contained page, the answer first and each claim linked to its rows."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import Any

from loadtest.judge.servers.rows import Ranking, Row, state
from loadtest.judge.servers.summary import Summary
from loadtest.report.charts.chart import Chart
from loadtest.report.concern_tables import blanks, counted, doubts, judged
from loadtest.report.html.anchors import anchors
from loadtest.report.html.page import Drawn, page
from loadtest.report.servers.charts import kind as of_kind
from loadtest.report.servers.charts import of_endpoint
from loadtest.report.servers.failures import losses
from loadtest.report.servers.grouping import by_kind, by_load, median_round, rows_of
from loadtest.report.servers.heatmap import METRICS, columns, lines
from loadtest.report.servers.limitations import bounds
from loadtest.report.servers.noise_tables import noise, twins
from loadtest.report.servers.ranking_tables import costs, ranked, untold
from loadtest.report.servers.report import Report
from loadtest.report.servers.resource_usage import spread, used
from loadtest.report.servers.sentences.claims import control, kind
from loadtest.report.servers.sentences.headline import headline
from loadtest.report.servers.sentences.phrases import title
from loadtest.report.servers.setup import launched
from loadtest.report.table import Table

FILE = "index.html"

LIMITS = {
    "no-number": "no server has a number",
    "alone": "no other has a number",
    "one-round": "one round tells nothing from noise",
    "tied": "all are tied",
    "no-noise-floor": "the noise was not measured",
    "connection-limited": "they show how many requests were let in",
    "suspect": "there are doubts about it",
}
"""Why nothing can be said of a lead."""


def files(report: Report) -> dict[str, str]:
    """Return the one file of this format."""
    return {FILE: render(report)}


def render(report: Report) -> str:
    """Return the page; its layout is `page/page.jinja`."""
    summary, plan = report.summary, report.run.plan
    servers = columns(summary.rankings)
    profiles = {server.name: server for server in plan.servers if not server.duplicate_of}
    drawn = Drawn()
    return page(
        "page.jinja",
        drawn,
        run=report.run,
        launched=launched(report.run),
        plan=plan,
        summary=summary,
        answer=summary.answer,
        headline=headline(summary.answer),
        words_of=cache(kind),
        control=control(summary.answer),
        limits=LIMITS,
        servers=servers,
        profiles=profiles,
        kinds=by_kind(summary.rankings),
        kind_name=title,
        anchors=places(summary, [name for name, _ in servers]),
        metrics=METRICS,
        lines=lambda rankings, metric: lines(rankings, [name for name, _ in servers], metric),
        state=state,
        states=Counter(state(row) for ranking in summary.rankings for row in ranking.rows),
        judged=judged(summary.counts),
        counted=counted(summary.counts),
        noise=noise(summary),
        floors=twins(summary),
        losses=losses(summary.rankings),
        doubts=doubts(summary),
        blanks=blanks(summary),
        bounds=bounds(report),
        ranked=_ranked,
        untold=untold,
        costs=costs,
        endpoint_charts=lambda ranking: [drawn.take(one) for one in of_endpoint(ranking)],
        kind_chart=lambda name, rankings: _taken(drawn, of_kind(name, title(name), rankings)),
        rows_of=cache(lambda server: rows_of(summary.rankings, server)),
        tally=lambda server: Counter(state(row) for _, row in rows_of(summary.rankings, server)),
        use=lambda server: used(report, server),
        spread_of=spread,
        median_round=median_round,
        raw=lambda path: report.printed(path) or f"Not in this folder: {path}",
        argv=lambda name: shlex.join(
            report.run.argv.get(name, profiles[name].argv if name in profiles else ())
        ),
        loads=by_load(summary.rankings),
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


def _taken(drawn: Drawn, chart: Chart | None) -> tuple[str, Chart] | None:
    return drawn.take(chart) if chart else None


def _ranked(ranking: Ranking) -> Table[Row]:
    """Return the ranking without each round's rate, which stands with the server."""
    table = ranked(ranking)
    return Table([column for column in table.columns if column.key], table.items)
