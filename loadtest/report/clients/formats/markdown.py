"""`report.md`: the answers first, then the caveats, each table, and how it was made."""

from __future__ import annotations

from pathlib import Path

from loadtest.report.clients.charts import of_ranking
from loadtest.report.clients.columns import MEASURES, phases, ranked
from loadtest.report.clients.report import Report
from loadtest.report.clients.sentences import MEASURED, READING, facts, outliers
from loadtest.report.markdown.page import page
from loadtest.report.markdown.pictures import Pictures

FILE = "report.md"

SECTIONS = Path(__file__).parent.parent / "sections"


def files(report: Report) -> dict[str, str]:
    """Return the page and its charts, each an SVG beside it, by their names."""
    pictures = Pictures()
    return {FILE: render(report, pictures)} | pictures.files()


def render(report: Report, pictures: Pictures | None = None) -> str:
    """Return the page alone; its layout is `sections/report.jinja`."""
    return page(
        SECTIONS,
        pictures or Pictures(),
        run=report.run,
        summary=report.summary,
        advice=report.advice,
        caveats=report.caveats,
        bounds=(),
        twins="",
        about=MEASURED,
        groups=report.groups,
        measures=MEASURES,
        ranked=ranked,
        phases=phases,
        outliers=outliers,
        charts=of_ranking,
        facts=facts(report.run, report.summary),
        reading=READING,
    )
