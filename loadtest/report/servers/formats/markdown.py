"""`report.md`: the same page as Markdown, with its charts beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loadtest.report.markdown import page as markdown
from loadtest.report.markdown.markup import escape, table, ticked
from loadtest.report.sentences import Paragraph, first_few
from loadtest.report.servers.cost import table as costs
from loadtest.report.servers.page import page
from loadtest.report.servers.rate_tables import tables
from loadtest.report.servers.report import Report
from loadtest.report.servers.sentences.decision import about

LINKED = 2
"""Endpoints that a paragraph links to."""


def files(report: Report) -> dict[str, str]:
    """Return the page and its charts, each an SVG beside it, by their names."""
    built = page(report)
    return markdown.files(
        "report.md", built, "\n\n".join(_answer(report, built.places["endpoint"]))
    )


def _answer(report: Report, places: Mapping[str, str]) -> Iterator[str]:
    """Yield what was decided, and what each server costs; `places` are those of the endpoints."""
    decision = report.summary.decision
    for paragraph in report.paragraphs:
        yield _linked(paragraph, report, places)
    if decision.cost:
        yield table(costs(decision))
        yield ticked(about(decision.cost))
    for each in tables(decision):
        yield f"**{ticked(each.title)}**"
        yield table(each.table)
    for paragraph in report.further:
        yield _linked(paragraph, report, places)
    if report.overhead:
        yield _linked(report.overhead, report, places)


def _linked(paragraph: Paragraph, report: Report, places: Mapping[str, str]) -> str:
    """Return a paragraph with links to the endpoints that it rests on."""
    text = f"**{ticked(paragraph.lead)}** {ticked(paragraph.text)}"
    at = {row.cell: ranking.at for ranking, row in report.rows}
    ids = dict.fromkeys(at[cell] for cell in paragraph.cells if cell in at)
    links = [f"[{escape(id_)}](#{places[id_]})" for id_ in ids]
    return f"{text} ({first_few(links, LINKED)})" if links else text
