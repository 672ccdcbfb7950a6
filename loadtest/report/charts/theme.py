"""How all charts look: colours that even the colour-blind can tell apart, on light and on dark."""

from __future__ import annotations

from functools import cache
from typing import Any

import altair as alt

from loadtest.report.charts.chart import Spec

INTERFACES = {"WSGI": "#1b84c9", "ASGI": "#d9730d", "unknown": "#808080"}
"""Blue, orange and grey, after Okabe & Ito (2008), each at least 3 to 1 against white and black."""

SHAPES = {"WSGI": "circle", "ASGI": "square", "unknown": "diamond"}

ANSWERS = {
    "worse": "triangle-down",
    "better": "triangle-up",
    "same": "circle",
    "cannot tell": "circle",
}
"""How a figure changed, as a shape; what nobody can tell is hollow as well."""

HOLLOW = "A hollow mark is a suspect number."


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
    return {
        "background": back,
        "font": "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif",
        "view": {"stroke": None, "continuousWidth": 520, "continuousHeight": 300},
        "axis": {
            "labelColor": text,
            "titleColor": faint,
            "titleFontWeight": "normal",
            "gridColor": grid,
            "domainColor": faint,
            "tickColor": faint,
            "labelLimit": 200,
        },
        "axisBand": {"grid": False},
        "legend": {
            "labelColor": text,
            "titleColor": faint,
            "titleFontWeight": "normal",
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


def interface_colour() -> Any:
    """Return the encoding of a server's interface as a colour."""
    return alt.Color("interface:N", title="interface", scale=_colours(), legend=_legend())


def interface_fill() -> Any:
    """Return the same for the inside of a mark, which doubt empties."""
    return alt.Fill("interface:N", title="interface", scale=_colours(), legend=_legend())


def interface_shape() -> Any:
    """Return the encoding of a server's interface as a shape; its legend is the colour's."""
    return alt.Shape(
        "interface:N",
        title="interface",
        scale=alt.Scale(domain=list(SHAPES), range=list(SHAPES.values())),
        legend=_legend(),
    )


def answer_shape() -> Any:
    """Return the encoding of what is found of a change as a shape."""
    return alt.Shape(
        "answer:N",
        title="change",
        scale=alt.Scale(domain=list(ANSWERS), range=list(ANSWERS.values())),
        legend=alt.Legend(orient="top", values=["worse", "better"]),
    )


def _colours() -> Any:
    return alt.Scale(domain=list(INTERFACES), range=list(INTERFACES.values()))


def _legend() -> Any:
    # The very same for colour, fill and shape: Vega-Lite makes one legend of them, and complains
    # of what they do not agree on.
    return alt.Legend(orient="top", values=["WSGI", "ASGI"])


def hollow() -> Any:
    """Return the encoding of doubt: a mark without a fill."""
    return alt.condition("datum.doubts == ''", alt.value(0.9), alt.value(0))


def finished(chart: Any) -> Spec:
    """Return an Altair chart as a template: without its data, and without Altair's own look."""
    spec: Spec = chart.to_dict(validate=False)
    for unused in ("config", "datasets", "data", "$schema"):
        spec.pop(unused, None)
    return spec


def nearest() -> alt.Parameter:
    """Return a selection of the server nearest to the pointer."""
    return alt.selection_point(
        name="near", fields=["server"], on="pointerover", nearest=True, clear="pointerout"
    )
