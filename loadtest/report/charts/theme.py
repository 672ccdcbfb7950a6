"""How all charts look: colours that even the colour-blind can tell apart, on light and on dark."""

from __future__ import annotations

from functools import cache
from typing import Any

Spec = dict[str, Any]

BLUE, ORANGE, GREY = "#1b84c9", "#d9730d", "#808080"
"""After Okabe & Ito (2008), each at least 3 to 1 against white and black."""


def themed(spec: Spec, *, dark: bool = False) -> Spec:
    """Return a spec with the colours of its text, axes and background set."""
    return {**spec, "config": {**spec.get("config", {}), **config(dark=dark)}}


@cache
def config(*, dark: bool = False) -> Spec:
    """Return Vega-Lite's `config` for all charts of a page."""
    text, faint, grid, back = (
        ("#e6e6e6", "#b0b0b0", "#3a3f45", "#16191d")
        if dark
        else ("#1f2328", "#57606a", "#d9dee3", "#ffffff")
    )
    names = {"labelColor": text, "titleColor": faint, "titleFontWeight": "normal"}
    return {
        "background": back,
        "font": "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif",
        "view": {"stroke": None, "continuousWidth": 520, "continuousHeight": 300},
        "axis": {
            **names,
            "gridColor": grid,
            "domainColor": faint,
            "tickColor": faint,
            "labelLimit": 200,
        },
        "axisBand": {"grid": False},
        "legend": {
            **names,
            # Of a symbol that stands for a shape, in whatever colour.
            "symbolBaseFillColor": faint,
            "symbolBaseStrokeColor": faint,
        },
        "header": {"labelColor": text, "titleColor": faint},
        "title": {"color": text, "subtitleColor": faint, "anchor": "start", "fontSize": 14},
        "text": {"color": text},
        "rule": {"color": faint},
        "tick": {"color": faint},
    }
