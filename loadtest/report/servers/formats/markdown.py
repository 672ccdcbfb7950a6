"""`report.md`: the same page as Markdown, with its charts beside it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from loadtest.judge.servers.rows import Ranking
from loadtest.report.markdown import page as markdown
from loadtest.report.markdown.markup import Markdown, code, escape, table, ticked
from loadtest.report.sentences import Name, Sentence, first_few
from loadtest.report.servers.leader_table import decision, shares
from loadtest.report.servers.page import page
from loadtest.report.servers.report import Report
from loadtest.report.servers.sentences import claims, phrases
from loadtest.report.servers.sentences.headline import headline
from loadtest.report.servers.sentences.noise import median_of

SECTIONS = Path(__file__).parent.parent / "sections"

LINKED = 2
"""Endpoints that a sentence links to."""


def files(report: Report) -> dict[str, str]:
    """Return the page and its charts, each an SVG beside it, by their names."""
    return markdown.files("report.md", page(report), _answer(report))


def render(report: Report) -> str:
    """Return the page alone."""
    return files(report)["report.md"]


def _answer(report: Report) -> Markdown:
    summary = report.summary
    answer, places = summary.answer, page(report).places["endpoint"]
    rows = {row.cell: ranking for ranking, row in report.rows}
    return markdown.fill(
        SECTIONS / "answer.jinja",
        summary=summary,
        headline=headline(answer),
        decision=table(decision(answer)) if answer.kinds else "",
        workload_sentences=cache(claims.kind),
        control=claims.control(answer),
        shares=table(shares(answer)) if answer.shares else "",
        linked=lambda sentence: _linked(sentence, rows, places),
        title=phrases.title,
        median_of=median_of(report.run.plan, summary.rounds),
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
