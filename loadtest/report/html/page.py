"""The frame of every page: our style and scripts in one file, a strict policy."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any, get_args

import jinja2
import msgspec
from markupsafe import Markup, escape

from loadtest.records.text import printable
from loadtest.report import units
from loadtest.report.charts import chart as charts
from loadtest.report.page import Block, Page

TEMPLATES = Path(__file__).parent / "templates"

LONGEST_OUTCOME = 100
"""Characters of a number with the word behind it; all else is prose."""

LOOKS = {
    **{verdict: verdict for verdict in ("suspect", "invalid", "failed", "skipped")},
    "better": "valid",
    "worse": "invalid",
    "lost": "failed",
    "same": "skipped",
    "cannot tell": "suspect",
}
"""Words that are set as badges, each with its look."""


def document(
    shown: Page, template: str = "document.jinja", parts: Sequence[str] = (), **values: Any
) -> str:
    """Return a page of any kind as one self-contained file; what charts need only if it has some.

    `template` may have an answer of its own, from `values`; whatever is no Markup is escaped.
    `parts` of it have a style and a script among the templates.
    """
    style, script = (
        "\n".join(
            (TEMPLATES / f"{part}.{ending}").read_text(encoding="utf-8")
            for part in ("page", *parts)
        )
        for ending in ("css", "js")
    )
    return (
        _environment()
        .get_template(template)
        .render(
            **values,
            page=shown,
            style=Markup(style),
            script=_inside_script(script),
            chart_style=charts.style(),
            chart_script=_inside_script(charts.script()),
            shapes=charts.shapes,
            policy=policy,
        )
    )


def policy(scripts: Iterable[str], styles: Iterable[str]) -> str:
    """Return a content security policy that lets these very texts run, and nothing else at all."""
    return (
        f"default-src 'none'; script-src {_hashes(scripts)}; style-src {_hashes(styles)};"
        " img-src data:; base-uri 'none'; form-action 'none'"
    )


def ticked(text: str) -> Markup:
    """Return text with what stands between backticks set as code, as Markdown would."""
    parts = [
        Markup("<code>{}</code>").format(printable(part)) if at % 2 else escape(units.signs(part))
        for at, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)


def outcome(text: str) -> tuple[str, str]:
    """Return a number and the word behind it that says how it changed or what became of it.

    Either may be empty; prose is no number, but may be such a word.
    """
    if len(text) > LONGEST_OUTCOME:  # which would be tried for long, too
        return text, ""
    match = re.fullmatch(f"([^ ]*[0-9][^ ]*(?: [a-zµ]+)?)? ?({'|'.join(LOOKS)})", text)
    return (match[1] or "", match[2]) if match else (text, "")


def data_block(value: Any) -> Markup:
    """Return JSON that can stand in a `<script>` element, whatever strings are in it."""
    text = printable(msgspec.json.encode(value).decode())
    # `</script>` and `<!--` would end or change the element.
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


@cache
def _environment() -> jinja2.Environment:
    environment = charts.templates(TEMPLATES)
    environment.filters["ticked"] = ticked
    environment.tests |= {
        kind.__name__.lower(): lambda block, kind=kind: isinstance(block, kind)
        for kind in get_args(Block)
    }
    environment.globals |= {
        "outcome": outcome,
        "LOOKS": LOOKS,
        "units": units,
        "data_block": data_block,
    }
    return environment


def _inside_script(text: str) -> Markup:
    # Only strings and expressions can hold these, and there they mean the same.
    return Markup(text.replace("</script", r"<\/script").replace("<!--", r"<\!--"))


def _hashes(texts: Iterable[str]) -> str:
    return " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
        for text in texts
    )
