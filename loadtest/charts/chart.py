"""A chart: a Vega-Lite spec with its data inside, for the page and, drawn once, for Markdown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

Spec = dict[str, Any]


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
