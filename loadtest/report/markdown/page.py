"""Markdown: pages that were built as data, with their charts beside them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape as escape_html
from urllib.parse import quote

from loadtest.report.charts.chart import Chart, svg
from loadtest.report.markdown.markup import escape, fence, folded, table, ticked
from loadtest.report.page import (
    Block,
    Bullets,
    Charts,
    Code,
    Filter,
    Line,
    Links,
    Listed,
    Matrix,
    Only,
    Page,
    Section,
    Shown,
    View,
)
from loadtest.report.table import Column, Table, number
from loadtest.report.table import name as name_column
from loadtest.report.units import Unlike


class Pictures:
    """Gathers the charts that a page shows, to be written beside it."""

    def __init__(self) -> None:
        """Begin with none."""
        self._charts: dict[str, Chart] = {}
        self._unlike = Unlike()

    def image(self, chart: Chart) -> str:
        """Return a chart as an image, its description for those who cannot see it."""
        file = f"{self._unlike(chart.name)}.svg"
        self._charts[file] = chart
        return f"![{escape(f'{chart.title}: {chart.description}')}]({quote(file)})"

    def files(self) -> dict[str, str]:
        """Return the images that were shown, by their files' names."""
        return {file: svg(chart) for file, chart in self._charts.items()}


def document(page: Page, pictures: Pictures | None = None, level: int = 1, answer: str = "") -> str:
    """Return a page of any kind, its title a heading of `level`; without pictures, no chart.

    An `answer` that is Markdown already stands after the lead.
    """
    lead = blocks(page.lead, pictures, level + 1)
    below = blocks([*page.answer, *page.sections], pictures, level + 1)
    heading = f"{'#' * level} {ticked(page.title)}"
    return "\n\n".join([heading, *lead, *([answer] if answer else []), *below]) + "\n"


def files(name: str, page: Page, answer: str = "") -> dict[str, str]:
    """Return a page and the charts beside it, each an SVG, by their names."""
    pictures = Pictures()
    return {name: document(page, pictures, answer=answer)} | pictures.files()


def blocks(all_: Sequence[Block], pictures: Pictures | None, level: int) -> Iterator[str]:
    """Yield what stands in one place of a page; `level` is that of the next heading."""
    for block in all_:
        if isinstance(block, str):
            yield ticked(block)
        elif isinstance(block, Bullets):
            yield "\n".join(f"- {ticked(text)}" for text in block.texts)
        elif isinstance(block, Listed):
            yield "\n".join(f"- **{escape(what)}**: {ticked(fact)}" for what, fact in block.facts)
        elif isinstance(block, Code):
            yield fence(block.text, "bash")
        elif isinstance(block, Links):
            yield "\n".join(
                f"- {escape(about)}: "
                + ", ".join(f"[{escape(text)}]({quote(file)})" for text, file in files)
                for about, files in block.lines
            )
        elif isinstance(block, Matrix):
            yield from _matrix(block)
        elif isinstance(block, Only):
            yield from blocks(block.blocks if block.format == "markdown" else (), pictures, level)
        elif isinstance(block, Charts):
            yield from map(pictures.image, block.charts) if pictures else ()
        elif isinstance(block, Shown):
            yield table(block.table)
        elif not isinstance(block, Filter):
            below = level + isinstance(block, Section)
            if text := "\n\n".join(blocks(block.blocks, pictures, below)):
                yield from _below(block, text, level)


def _below(block: Section | View, text: str, level: int) -> Iterator[str]:
    if isinstance(block, View):
        yield text if block.first else folded(escape_html(block.title), text)
        return
    heading = f"{block.heading}: {block.gist}" if block.gist else block.heading
    if "markdown" in block.folded:
        # Inside an HTML block Markdown's own escapes and code spans would be shown.
        yield folded(escape_html(" ".join(heading.replace("`", "").split())), text)
    else:
        place = f'<a id="{block.id}"></a>\n\n' if block.id else ""
        yield f"{place}{'#' * level} {ticked(heading)}"
        yield text


def _matrix(matrix: Matrix) -> Iterator[str]:
    """Yield a table for each group in the first of the views, servers down and lines across."""
    _, heading, shows = matrix.views[0]
    tables = [
        f"**{escape(title)}**\n\n{table(_turned(matrix, lines))}" for title, lines in matrix.groups
    ]
    yield folded(escape_html(f"The numbers: {heading.lower()}, {shows}"), "\n\n".join(tables))


def _turned(matrix: Matrix, lines: Sequence[Line]) -> Table[int]:
    def column(line: Line) -> Column[int]:
        name, _, squares = line
        return number(name, lambda at: at, lambda at: squares[at].views[0].text)

    server: Column[int] = name_column("server", "server", lambda at: matrix.columns[at][0])
    return Table((server, *map(column, lines)), range(len(matrix.columns)))
