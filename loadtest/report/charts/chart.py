"""A chart: a Vega-Lite spec with its data inside, for the page and, drawn once, for Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]

Values = Sequence[dict[str, Any]]


@dataclass(frozen=True)
class Chart:
    """One chart; the same spec is interactive in a page and an SVG in a file."""

    name: str
    """Stem of its file, unique in a report."""
    title: str
    description: str
    """What it shows, in a sentence or two with the finding, for those who cannot see it."""
    spec: Spec
    """Vega-Lite with its data inside and no colour of text or background: see `themed`."""


def with_data(template: Spec, name: str, values: Values) -> Spec:
    """Return a spec over `values`, named so that the charts of a page can share them.

    The template is not copied and must not be changed: making one takes Altair longer than drawing
    it, and a report has one of its kind for each endpoint.
    """
    return {**template, "data": {"name": name}, "datasets": {name: list(values)}}


def stem(*parts: str) -> str:
    """Return the parts as a file's name without its suffix; they may come from outside."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", "-".join(parts)).strip("-.")
