"""`report.md`: the page to read and to publish, with the generator's own output at its end."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape as escape_html
from pathlib import Path
from urllib.parse import quote

import jinja2

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.report import units
from loadtest.report.concern_tables import blanks, counted, doubts, judged, where
from loadtest.report.html.anchors import anchors
from loadtest.report.markdown.markup import Markdown, code, escape, fence, table, ticked
from loadtest.report.markdown.pictures import Pictures
from loadtest.report.sentence import Name, Said
from loadtest.report.servers import charts
from loadtest.report.servers.failures import losses
from loadtest.report.servers.grouping import by_kind, by_load, median_round
from loadtest.report.servers.leader_table import decision, shares
from loadtest.report.servers.limitations import bounds
from loadtest.report.servers.markdown_tables import costs_table, detail, ranking_table, titles
from loadtest.report.servers.noise_tables import median_of, noise, twins
from loadtest.report.servers.ranking_tables import overview, untold
from loadtest.report.servers.report import Report
from loadtest.report.servers.resource_usage import unsteady, used
from loadtest.report.servers.sentences import claims, phrases
from loadtest.report.servers.sentences.headline import headline
from loadtest.report.servers.setup import launched
from loadtest.report.table import SUSPECT

FILE = "report.md"
SECTIONS = Path(__file__).parent.parent / "sections"

LINKED = 2
"""Endpoints that a sentence links to."""


def files(report: Report) -> dict[str, str]:
    """Return the page and the charts beside it."""
    pictures = Pictures()
    page = _page(report, pictures)
    return {FILE: page} | pictures.files()


def render(report: Report) -> str:
    """Return the page alone; its layout is `sections/report.jinja`."""
    return _page(report, Pictures())


def _page(report: Report, pictures: Pictures) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(SECTIONS),
        finalize=lambda value: value if isinstance(value, Markdown) else escape(str(value)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    summary, plan = report.summary, report.run.plan
    notes = _numbered(summary.rankings)
    places = anchors("at", [ranking.endpoint.id for ranking in summary.rankings])
    of_memory = _of_memory(summary.rankings)
    rows = {row.cell: ranking for ranking in summary.rankings for row in ranking.rows}
    page = environment.get_template("report.jinja").render(
        run=report.run,
        launched=launched(report.run),
        plan=plan,
        summary=summary,
        # The answer.
        headline=headline(summary.answer),
        decision=table(decision(summary.answer)) if summary.answer.kinds else "",
        kind_said=cache(claims.kind),
        control=claims.control(summary.answer),
        shares=table(shares(summary.answer)) if summary.answer.shares else "",
        said_=lambda said: _said(said, rows, places),
        title=phrases.title,
        rounds=units.plural(summary.rounds, "round"),
        # What to distrust.
        counted=counted(summary.counts),
        median_of=median_of(report),
        judged=judged(summary.counts),
        noise=ticked(noise(summary)),
        unshown=[ticked(line) for line in bounds(report)],
        doubts=doubts(summary),
        where=lambda doubt: table(where(doubt.cases)),
        # Ours, with code spans as Markdown has them.
        advice=lambda doubt: Markdown(doubt.explained.advice),
        blanks=blanks(summary),
        twins=table(twins(summary)),
        losses=losses(summary.rankings),
        # The matrix, and each endpoint.
        matrix=charts.matrix(summary),
        memory=charts.memory(of_memory) if of_memory else None,
        memory_at=code(of_memory.endpoint.id) if of_memory else "",
        image=pictures.image,
        kinds=by_kind(summary.rankings),
        chart_of_kind=lambda kind, of: charts.kind(kind, phrases.title(kind), of),
        anchor=lambda ranking: Markdown(f'<a id="{places[ranking.endpoint.id]}"></a>'),
        titles=_titles(summary.rankings),
        overview=lambda rankings: table(overview(rankings)),
        ranked=lambda ranking: ranking_table(ranking, notes),
        untold=untold,
        detail=detail,
        costs=costs_table,
        # Each server.
        sections=[
            (server, _section(summary.rankings, server.name))
            for server in plan.servers
            if not server.duplicate_of
        ],
        argv=lambda server: fence(
            shlex.join(report.run.argv.get(server.name, server.argv)), "bash"
        ),
        used=lambda server: used(report, server),
        unsteady=lambda server: unsteady(summary.rankings, server),
        # Method and machine, and what the generator printed.
        loads=by_load(summary.rankings),
        versions=[f"{name} {v}" for name, v in sorted(report.run.machine.versions.items())],
        columns=titles(summary.rankings),
        notes=notes,
        suspect=SUSPECT,
        shown=median_round,
        raw=lambda path: _raw(report, path),
        link=lambda number, path: Markdown(f"[round {number}]({quote(path)})"),
        table=table,
        code=code,
        ticked=ticked,
        # Inside an HTML block Markdown's own escapes would be shown.
        html=lambda text: Markdown(escape_html(" ".join(text.split()))),
        fence=fence,
        units=units,
    )
    return re.sub(r"\n{3,}", "\n\n", page)


def _said(said: Said, rows: Mapping[str, Ranking], places: Mapping[str, str]) -> Markdown:
    """Return a sentence with links to the endpoints that it rests on."""
    text = "".join(code(part) if isinstance(part, Name) else _parts(part) for part in said.words)
    ids = dict.fromkeys(rows[cell].endpoint.id for cell in said.cells if cell in rows)
    if not ids:
        return Markdown(text)
    links = [f"[{escape(one)}](#{places[one]})" for one in list(ids)[:LINKED]]
    more = f" and {len(ids) - LINKED} more" if len(ids) > LINKED else ""
    return Markdown(f"{text} ({', '.join(links)}{more})")


def _parts(text: str) -> str:
    """Return a part of a sentence; the spaces at its ends part it from the next."""
    if not text.strip():
        return text
    lead, trail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{lead}{ticked(text)}{trail}"


def _of_memory(rankings: Sequence[Ranking]) -> Ranking | None:
    """Return the first endpoint of Django's where memory was measured."""
    for ranking in rankings:
        if ranking.endpoint.style != "control" and charts.memory(ranking):
            return ranking
    return None


def _numbered(rankings: Sequence[Ranking]) -> dict[str, int]:
    """Return the numbers of the servers' notes; an endpoint's own stands under its heading."""
    notes = dict.fromkeys(
        note
        for ranking in rankings
        for row in ranking.rows
        for note in row.notes
        if note != ranking.endpoint.note
    )
    return {note: number for number, note in enumerate(notes, start=1)}


def _section(rankings: Sequence[Ranking], server: str) -> dict[str, list[tuple[Ranking, Row]]]:
    """Return the rows of one server by the endpoint's name."""
    section: dict[str, list[tuple[Ranking, Row]]] = {}
    for ranking in rankings:
        for row in ranking.rows:
            if row.server == server:
                section.setdefault(ranking.endpoint.name, []).append((ranking, row))
    return section


def _titles(rankings: Sequence[Ranking]) -> dict[str, str]:
    """Return each endpoint's heading by its name; a title that two of them share gets the name."""
    titles = {ranking.endpoint.name: ranking.endpoint.title for ranking in reversed(rankings)}
    shared = Counter(titles.values())
    return {
        name: f"{title} ({name})" if shared[title] > 1 else title for name, title in titles.items()
    }


def _raw(report: Report, path: str) -> Markdown:
    text = report.printed(path)
    return Markdown(f"Not in this folder: {code(path)}.") if text is None else fence(text, "bash")
