"""The frame of every Markdown report: its sections are templates, those all share lie here."""

from __future__ import annotations

import re
from html import escape as escape_html
from pathlib import Path
from typing import Any

import jinja2

from loadtest.report import glossary, units
from loadtest.report.markdown.markup import Markdown, code, escape, fence, table, ticked
from loadtest.report.markdown.pictures import Pictures
from loadtest.report.table import SUSPECT

SECTIONS = Path(__file__).parent / "sections"


def page(folder: Path, pictures: Pictures, **values: Any) -> str:
    """Return `report.jinja` of a folder, filled; whatever is no Markdown in it is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, SECTIONS]),
        finalize=lambda value: value if isinstance(value, Markdown) else escape(str(value)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    text = environment.get_template("report.jinja").render(
        image=pictures.image,
        table=table,
        code=code,
        ticked=ticked,
        fence=fence,
        # Inside an HTML block Markdown's own escapes would be shown.
        html=lambda text: Markdown(escape_html(" ".join(text.split()))),
        units=units,
        suspect=SUSPECT,
        glossary=glossary,
        **values,
    )
    return re.sub(r"\n{3,}", "\n\n", text)
