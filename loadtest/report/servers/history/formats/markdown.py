"""A history as Markdown: what the last step changed, the steps, then every server's line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from html import escape as escape_html

from loadtest.judge.servers.history import History
from loadtest.report.markdown.markup import code, escape, folded, table
from loadtest.report.markdown.pictures import Pictures
from loadtest.report.servers.history.charts import chart
from loadtest.report.servers.history.sentences import headline, title
from loadtest.report.servers.history.tables import (
    TITLES,
    WORST,
    by_endpoint,
    changed,
    changed_table,
    lines_table,
    steps_table,
)

FILE = "history.md"


def files(history: History) -> dict[str, str]:
    """Return the page and the charts beside it."""
    pictures = Pictures()
    page = _page(history, pictures)
    return {FILE: page} | pictures.files()


def _page(history: History, pictures: Pictures) -> str:
    return "\n\n".join(part for part in _parts(history, pictures) if part) + "\n"


def _parts(history: History, pictures: Pictures) -> Iterator[str]:
    yield f"# {title(history)}"
    yield escape(headline(history))
    yield table(steps_table(history.steps))
    runs = zip(history.runs, history.made, strict=True)
    yield "\n".join(f"- {code(run)}: {escape(at)}" for run, at in runs)
    for number, (run, moved) in enumerate(changed(history).items()):
        if number == 0:
            yield "## What got worse or better, or was lost"
        counts = Counter(change.answer for change in moved)
        summary = ", ".join(f"{counts[each]} {each}" for each in WORST if counts[each])
        yield folded(f"{escape_html(run)}: {summary}", table(changed_table(moved)))
    for endpoint, lines in by_endpoint(history).items():
        yield f"## {escape(endpoint)}"
        yield pictures.image(chart(history, endpoint, lines, "goodput"))
        yield f"{TITLES['goodput']}:"
        yield table(lines_table(history, lines, "goodput"))
        if any(point.server_cpu_us is not None for line in lines for point in line.points):
            yield folded(TITLES["cpu"], table(lines_table(history, lines, "cpu")))
