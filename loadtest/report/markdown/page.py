"""Markdown: pages that were built as data, and the frame of those whose layout is a template."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape as escape_html
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from loadtest.report import units
from loadtest.report.charts.chart import Chart, svg
from loadtest.report.markdown.markup import Markdown, code, escape, fence, folded, table, ticked
from loadtest.report.page import Block, Bullets, Charts, Code, Listed, Page, Section, Shown, View
from loadtest.report.table import SUSPECT


class Pictures:
    """Gathers the charts that a page shows, to be written beside it."""

    def __init__(self) -> None:
        """Begin with none."""
        self._charts: dict[str, Chart] = {}

    def image(self, chart: Chart | None) -> Markdown:
        """Return a chart as an image, its description for those who cannot see it."""
        if chart is None:
            return Markdown("")
        file = f"{chart.name}.svg"
        if self._charts.setdefault(file, chart) is not chart:
            raise ValueError(f"two charts are called {file}")
        return Markdown(f"![{escape(f'{chart.title}: {chart.description}')}]({quote(file)})")

    def files(self) -> dict[str, str]:
        """Return the images that were shown, by their files' names."""
        return {file: svg(chart) for file, chart in self._charts.items()}


def document(page: Page, pictures: Pictures | None = None, level: int = 1) -> str:
    """Return a page of any kind, its title a heading of `level`; without pictures, no chart."""
    below = blocks([*page.lead, *page.answer, *page.sections], pictures, level + 1)
    return "\n\n".join([f"{'#' * level} {ticked(page.title)}", *below]) + "\n"


def files(name: str, page: Page) -> dict[str, str]:
    """Return a page and the charts beside it, each an SVG, by their names."""
    pictures = Pictures()
    return {name: document(page, pictures)} | pictures.files()


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
        elif isinstance(block, Charts):
            yield from map(pictures.image, block.charts) if pictures else ()
        elif isinstance(block, Shown):
            yield table(block.table)
        else:
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
        yield f"{'#' * level} {ticked(heading)}"
        yield text


def page(folder: Path, pictures: Pictures, **values: Any) -> str:
    """Return `report.jinja` of a folder, filled; whatever is no Markdown in it is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folder),
        finalize=lambda value: value if isinstance(value, Markdown) else escape(str(value)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template("report.jinja").render(
        image=pictures.image,
        section=lambda section: Markdown("\n\n".join(blocks([section], pictures, 2))),
        table=table,
        code=code,
        ticked=ticked,
        fence=fence,
        # Inside an HTML block Markdown's own escapes would be shown.
        html=lambda text: Markdown(escape_html(" ".join(text.split()))),
        units=units,
        suspect=SUSPECT,
        **values,
    )
    return re.sub(r"\n{3,}", "\n\n", text)
