"""`report.md`: the page to read and to publish, with the generator's own output at its end."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.report import units
from loadtest.report.html.anchors import anchors
from loadtest.report.markdown.markup import Markdown, code, escape, fence, table, ticked
from loadtest.report.markdown.page import Pictures, page
from loadtest.report.sentences import Name, Sentence, first_few
from loadtest.report.servers import charts
from loadtest.report.servers.chapters import caveats, method
from loadtest.report.servers.grouping import by_kind, median_round
from loadtest.report.servers.leader_table import decision, shares
from loadtest.report.servers.markdown_tables import ranking_table, rest
from loadtest.report.servers.ranking_tables import costs, overview, ranked
from loadtest.report.servers.report import Report
from loadtest.report.servers.sentences import claims, phrases
from loadtest.report.servers.sentences.headline import headline
from loadtest.report.servers.sentences.noise import median_of, spread_of_ties
from loadtest.report.servers.sentences.resource_usage import unsteady, used

FILE = "report.md"
SECTIONS = Path(__file__).parent.parent / "sections"

LINKED = 2
"""Endpoints that a sentence links to."""


def files(report: Report) -> dict[str, str]:
    """Return the page and the charts beside it."""
    pictures = Pictures()
    return {FILE: render(report, pictures)} | pictures.files()


def render(report: Report, pictures: Pictures | None = None) -> str:
    """Return the page alone; its layout is `sections/report.jinja`."""
    summary, plan = report.summary, report.run.plan
    answer, rankings = summary.answer, summary.rankings
    notes = _numbered(rankings)
    places = anchors("at", [ranking.endpoint.id for ranking in rankings])
    of_memory = _of_memory(rankings)
    rows = {row.cell: ranking for ranking, row in report.rows}
    return page(
        SECTIONS,
        pictures or Pictures(),
        run=report.run,
        plan=plan,
        summary=summary,
        # The answer.
        headline=headline(answer),
        decision=table(decision(answer)) if answer.kinds else "",
        workload_sentences=cache(claims.kind),
        control=claims.control(answer),
        shares=table(shares(answer)) if answer.shares else "",
        linked=lambda sentence: _linked(sentence, rows, places),
        title=phrases.title,
        rounds=units.plural(summary.rounds, "round"),
        median_of=median_of(plan, summary.rounds),
        # The caveats.
        caveats=report.caveats,
        caveats_section=caveats(report),
        # The matrix, and each endpoint.
        matrix=charts.matrix(summary),
        memory=charts.memory(of_memory) if of_memory else None,
        memory_at=code(of_memory.endpoint.id) if of_memory else "",
        kinds=by_kind(rankings),
        chart_of_kind=lambda kind, of: charts.kind(kind, phrases.title(kind), of),
        anchor=lambda ranking: Markdown(f'<a id="{places[ranking.endpoint.id]}"></a>'),
        titles=_titles(rankings),
        overview=lambda rankings: table(overview(rankings)),
        ranked=lambda ranking: ranking_table(ranking, notes),
        spread=spread_of_ties,
        detail=lambda ranking: rest(ranked(ranking)),
        costs=lambda ranking: rest(costs(ranking)),
        # Each server.
        sections=[
            (server, _section(rankings, server.name))
            for server in plan.servers
            if not server.duplicate_of
        ],
        argv=lambda server: fence(
            shlex.join(report.run.argv.get(server.name, server.argv)), "bash"
        ),
        used=lambda server: used(report.run.plan, rankings, server),
        unsteady=lambda server: unsteady(rankings, server),
        # Method and machine, and what the generator printed.
        method=method(report),
        notes=notes,
        shown=median_round,
        raw=lambda path: _raw(report, path),
        link=lambda number, path: Markdown(f"[round {number}]({quote(path)})"),
    )


def _linked(sentence: Sentence, rows: Mapping[str, Ranking], places: Mapping[str, str]) -> Markdown:
    """Return a sentence with links to the endpoints that it rests on."""
    text = "".join(
        code(part) if isinstance(part, Name) else ticked(part) for part in sentence.words
    )
    ids = list(dict.fromkeys(rows[cell].endpoint.id for cell in sentence.cells if cell in rows))
    if not ids:
        return Markdown(text)
    links = [f"[{escape(id_)}](#{places[id_]})" for id_ in ids]
    return Markdown(f"{text} ({first_few(links, LINKED)})")


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
