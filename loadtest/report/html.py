"""`index.html`: one self-contained page, the answer first and each claim linked to its rows."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import msgspec
import vl_convert
from markupsafe import Markup, escape

from loadtest.charts import Chart, config, of_endpoint
from loadtest.charts import kind as of_kind
from loadtest.model import Load
from loadtest.ranking import Ranking
from loadtest.report import format as units
from loadtest.report.bounds import bounds
from loadtest.report.doubts import blanks, doubts, judged
from loadtest.report.html_anchors import anchors
from loadtest.report.html_matrix import METRICS, columns, lines, state
from loadtest.report.html_rows import settings
from loadtest.report.launched import launched
from loadtest.report.noise import twins
from loadtest.report.table import Report, Table, costs, counted, losses, noise, ranked
from loadtest.report.use import rows_of, spread, used
from loadtest.report.words import Name, control, headline, kind, title
from loadtest.row import Round, Row
from loadtest.summary import Summary

FILE = "index.html"
PAGE = Path(__file__).parent / "page"
CHANGED = {"better": "valid", "worse": "invalid", "same": "skipped", "cannot tell": "suspect"}
"""The look of what a comparison answers, by that of a verdict."""
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
    profiles = {server.name: server for server in plan.servers if not server.again}
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
        costs=costs,
        endpoint_charts=lambda ranking: [drawn.take(one) for one in of_endpoint(ranking)],
        kind_chart=lambda name, rankings: _taken(drawn, of_kind(name, title(name), rankings)),
        rows_of=cache(lambda server: rows_of(summary.rankings, server)),
        tally=lambda server: Counter(state(row) for _, row in rows_of(summary.rankings, server)),
        use=lambda server: used(report, server),
        spread_of=spread,
        median_round=median_round,
        raw=lambda path: _raw(report, path),
        argv=lambda name: shlex.join(
            report.run.argv.get(name, profiles[name].argv if name in profiles else ())
        ),
        loads=_loads(summary.rankings),
    )


class Drawn:
    """The charts that a page shows; what several of them share, data or drawing, is held once."""

    def __init__(self) -> None:
        """Begin with no chart."""
        self.datasets: dict[str, Any] = {}
        self.drawings: dict[str, Any] = {}
        self.charts: dict[str, tuple[str, str]] = {}

    def take(self, chart: Chart) -> tuple[str, Chart]:
        """Add a chart and return it with its name."""
        spec = dict(chart.spec)
        self.datasets |= spec.pop("datasets", {})
        # What is no name stays in the drawing, which then is this chart's alone.
        data = spec.pop("data")["name"] if "name" in spec.get("data", {}) else ""
        text = msgspec.json.encode(spec)
        drawing = hashlib.sha256(text).hexdigest()[:12]
        self.drawings[drawing] = spec
        self.charts[chart.name] = (drawing, data)
        return chart.name, chart

    def data(self) -> Markup:
        """Return all that the page's script needs to draw them."""
        return data_block(
            {
                "datasets": self.datasets,
                "drawings": self.drawings,
                "charts": self.charts,
                "light": config(),
                "dark": config(dark=True),
            }
        )


def page(template: str, drawn: Drawn | None, **values: Any) -> str:
    """Return a page with our style and scripts in it; whatever is no Markup is escaped.

    `drawn` takes the charts while the template is rendered; None for a page without any.
    """
    style = Markup((PAGE / "page.css").read_text())
    script = _inside_script((PAGE / "page.js").read_text())
    vega = _inside_script(_vega()) if drawn else Markup("")
    return (
        _environment()
        .get_template(template)
        .render(
            **values,
            style=style,
            vega=vega,
            script=script,
            policy=policy([vega, script], [style]),
            # Asked for at the end of the page, when all its charts have been taken.
            charts_json=(drawn or Drawn()).data,
        )
    )


def policy(scripts: Iterable[str], styles: Iterable[str]) -> str:
    """Return a content security policy that lets these very texts run, and nothing else at all.

    Vega runs without `eval`, as its expressions are interpreted (`ast` in `page.js`).
    """
    return (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def ticked(text: str) -> Markup:
    """Return text with what stands between backticks set as code, as Markdown would."""
    parts = [
        Markup("<code>{}</code>").format(part) if at % 2 else escape(part)
        for at, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)


def data_block(value: Any) -> Markup:
    """Return JSON that can stand in a `<script>` element, whatever strings are in it."""
    text = msgspec.json.encode(value).decode()
    # `</script>` and `<!--` would end or change the element; the separators are no JavaScript.
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


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


def by_kind(rankings: Sequence[Ranking]) -> dict[str, list[Ranking]]:
    """Return the rankings by kind of work, the styles of an endpoint one after the other."""
    kinds: dict[str, list[Ranking]] = {}
    for ranking in rankings:
        kinds.setdefault(ranking.endpoint.kind, []).append(ranking)
    for group in kinds.values():
        names = list(dict.fromkeys(ranking.endpoint.name for ranking in group))
        group.sort(key=lambda ranking: names.index(ranking.endpoint.name))
    return kinds


def median_round(row: Row) -> Round | None:
    """Return the round whose raw output stands for the row."""
    rounds = [each for each in row.rounds if each.goodput is not None and each.raw]
    rounds.sort(key=lambda each: each.goodput or 0)
    return rounds[(len(rounds) - 1) // 2] if rounds else None


def _taken(drawn: Drawn, chart: Chart | None) -> tuple[str, Chart] | None:
    return drawn.take(chart) if chart else None


def _ranked(ranking: Ranking) -> Table[Row]:
    """Return the ranking without each round's rate, which stands with the server."""
    table = ranked(ranking)
    return Table([column for column in table.columns if column.key], table.items)


def _loads(rankings: Sequence[Ranking]) -> dict[Load, list[str]]:
    loads: dict[Load, list[str]] = {}
    for ranking in rankings:
        loads.setdefault(ranking.load, []).append(ranking.endpoint.id)
    return loads


def _raw(report: Report, path: str) -> str:
    try:
        return report.read_raw(path).strip("\n")
    except OSError:
        return f"Not in this folder: {path}"


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["ticked"] = ticked
    environment.globals |= {
        "is_name": lambda word: isinstance(word, Name),
        "settings": settings,
        "CHANGED": CHANGED,
        "units": units,
    }
    return environment


@cache
def _vega() -> str:
    """Return Vega, Vega-Lite and Vega-Embed, some 900 kB and a second's work."""
    return str(vl_convert.javascript_bundle())  # type: ignore[call-arg]  # its stub lacks the default


def _inside_script(text: str) -> Markup:
    # Only strings and expressions can hold these, and there they mean the same.
    return Markup(text.replace("</script", r"<\/script").replace("<!--", r"<\!--"))


def _hashes(texts: Iterable[str]) -> str:
    return " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in texts
    )
