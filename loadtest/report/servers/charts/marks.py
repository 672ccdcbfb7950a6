"""What the charts of servers are drawn with: colours by interface, hollow marks, labelled lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from loadtest.judge.servers.rows import Row
from loadtest.records.planned import Interface
from loadtest.report.charts.chart import Values, field, fields, layer, looks, short, where
from loadtest.report.charts.theme import BLUE, GREY, ORANGE, Spec

COLOURS = {"WSGI": BLUE, "ASGI": ORANGE, "unknown": GREY}

SHAPES = {"WSGI": "circle", "ASGI": "square", "unknown": "diamond"}

# The same legend for colour, fill and shape: Vega-Lite makes one of them, and complains of what
# they do not agree on.
COLOUR, SHAPE = (
    looks("interface:N", of, "interface", values=["WSGI", "ASGI"]) for of in (COLOURS, SHAPES)
)

ANSWERS = {
    "worse": "triangle-down",
    "better": "triangle-up",
    "same": "circle",
    "cannot tell": "circle",
}
"""How a figure changed, as a shape; what nobody can tell is hollow as well."""

CHANGE = looks("answer:N", ANSWERS, "change", values=["worse", "better"])

UNTOLD = "datum.answer == 'cannot tell'"

DOUBTED = "datum.doubts != ''"

HOLLOW = "A hollow mark is a suspect number."

RATE: Spec = {"title": "requests/s (2xx)", "scale": {"zero": True}, "axis": {"format": "~s"}}

NEAR = {"type": "point", "fields": ["server"], "on": "pointerover", "nearest": True}
"""A selection of the server nearest to the pointer."""

LABEL: Spec = {"align": "left", "baseline": "middle", "fontSize": 10}

GAP = 1 / 22
"""Of the height that two labels need between them."""

LEAST = 0.3
"""Decades that a chart of a few alike lines spans as far as its labels are concerned."""


def identity(server: str, interface: Interface | None) -> dict[str, Any]:
    """Return the fields that say which server a mark is of."""
    return {"server": server, "interface": interface.upper() if interface else "unknown"}


def doubts(row: Row) -> str:
    """Return the concerns about a row's number; empty where it is valid."""
    return ", ".join(raised.concern for raised in row.concerns)


def points(
    shape: Spec, hollow: str, tooltip: str, encoding: Spec, size: int, only: str = "", **look: Any
) -> Spec:
    """Return marks in the interface's colour, empty where `hollow` holds."""
    colours = {"color": COLOUR, "fill": COLOUR, "fillOpacity": where(hollow, 0, 0.9)}
    encoding = {**colours, "shape": shape, "tooltip": fields(tooltip), **encoding}
    return layer("point", encoding, only, size=size, **{"strokeWidth": 2, "opacity": 1, **look})


def by_endpoint(values: Values, by: str, columns: int, layers: Sequence[Spec]) -> Spec:
    """Return a chart for each endpoint, with a line for each server, side by side.

    Endpoints are in the order of the values; servers are those of WSGI, then those of ASGI, the
    ones with the highest `by` first.
    """
    best: dict[tuple[bool, str], float] = {}
    for value in values:
        key = (value["interface"] != "WSGI", value["server"])
        best[key] = max(best.get(key, 0.0), value.get(by, 0.0))
    servers = [server for _, server in sorted(best, key=lambda key: (key[0], -best[key]))]
    y = field("server:N", title=None, sort=servers)
    endpoints = list(dict.fromkeys(value["endpoint"] for value in values))
    return {
        "facet": field("endpoint:N", title=None, sort=endpoints),
        "columns": columns,
        "spec": {"width": 240, "height": {"step": 17}, "encoding": {"y": y}, "layer": layers},
    }


def near(value: float, otherwise: float) -> Spec:
    """Return the encoding of being the server nearest to the pointer."""
    return {"condition": {"param": "near", "value": value}, "value": otherwise}


def labelled_lines(
    width: int, x: Spec, y: Spec, points: Spec, dashes: Spec | None = None, **look: Any
) -> Spec:
    """Return a line for each server that lights up near the pointer, its `labels` at its end."""
    line = {"detail": field("server:N"), "color": COLOUR, "opacity": near(0.9, 0.15)}
    if dashes:
        line["strokeDash"] = dashes
    label = {"text": field("label:N"), "color": COLOUR, "opacity": near(1, 0.25)}
    return {
        "width": width,
        "height": 320,
        "encoding": {"x": x, "y": y},
        "layer": [
            layer("line", line, "!isValid(datum.label)", strokeWidth=1.8, **look),
            points | {"params": [{"name": "near", "select": {**NEAR, "clear": "pointerout"}}]},
            layer("text", label, "isValid(datum.label)", dx=8, **LABEL),
        ],
    }


def labels(ends: Values, y: str, heights: Sequence[float], **right: Any) -> list[dict[str, Any]]:
    """Return the names of lines, to be written at `right`, none over another.

    `ends` are their last points, `heights` what a logarithmic axis spans. From the lowest up, what
    is moved is moved away from all before it.
    """
    gap = max(math.log10(max(heights) / min(heights)), LEAST) * GAP
    at = -math.inf
    placed = []
    for end in sorted(ends, key=lambda end: end[y]):
        at = max(math.log10(end[y]), at + gap)
        server = {"server": end["server"], "interface": end["interface"]}
        placed.append({"label": end["server"], **server, y: short(10**at), **right})
    return placed
