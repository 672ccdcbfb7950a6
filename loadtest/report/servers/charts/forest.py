"""How many times each cell's figure another run has, with intervals, endpoint by endpoint."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import altair as alt

from loadtest.records.planned import Interface
from loadtest.report.charts.chart import Chart, Spec, stem, with_data
from loadtest.report.charts.theme import (
    ANSWERS,
    answer_shape,
    finished,
    interface_colour,
    interface_fill,
)
from loadtest.report.servers.charts.data import interface

ACROSS = 4
"""Endpoints in a line of the chart."""

SPAN = 1.6
"""How far intervals may reach, as a power of the furthest ratio: a wide one hides all else."""

LEAST = 1.1
"""The axis reaches at least so far to either side, or noise would fill it."""

TICKS: tuple[tuple[float, tuple[float, ...]], ...] = (
    (1.15, (0.9, 0.95, 1, 1.05, 1.1)),
    (1.5, (0.7, 0.85, 1, 1.2, 1.4)),
    (3, (0.5, 0.7, 1, 1.4, 2)),
    (math.inf, (0.1, 0.2, 0.5, 1, 2, 5, 10)),
)
"""What the axis is marked with, up to a reach: as many as have room for their labels."""

RATIO = "datum.value == 1 ? 'same' : format(datum.value, '.2~f') + 'x'"


@dataclass(frozen=True)
class Effect:
    """One figure of one cell: what it became."""

    server: str
    interface: Interface | None
    endpoint: str
    ratio: float
    low: float | None
    """Lower end of its 95 % interval; None where there were too few rounds for one."""
    high: float | None
    margin: float
    """The difference below which it counts as noise, as a share."""
    answer: Literal["better", "worse", "same", "cannot tell"]
    base: str
    new: str
    """The figure in either run, for people."""


def forest(
    name: str, title: str, better: Literal["higher", "lower"], effects: Sequence[Effect]
) -> Chart | None:
    """Return the chart of one figure; None where no cell has it in both runs."""
    if not effects:
        return None
    reach = _reach(effects)
    values = [_value(effect, reach) for effect in effects]
    intervals = any("low" in value for value in values)
    cut = any(value.get("cut") for value in values)
    side = "right" if better == "higher" else "left"
    counts = ((sum(effect.answer == answer for effect in effects), answer) for answer in ANSWERS)
    summary = ", ".join(f"{count} {answer}" for count, answer in counts if count)
    return Chart(
        name=stem("forest", name),
        title=title,
        description=(
            f"{summary}; further to the {side} is better."
            + (" The line is the 95 % interval." if intervals else "")
            + (" One that would hide all else is cut off." if cut else "")
            + " Differences within the grey band count as noise."
        ),
        spec=_sorted(
            with_data(_template(intervals), stem("forest", name), values), values, reach, side
        ),
    )


def _reach(effects: Sequence[Effect]) -> float:
    """Return the ratio that the axis ends at, to either side of 1."""
    ratios = max(abs(math.log(effect.ratio)) for effect in effects)
    ends = max(
        (abs(math.log(end)) for effect in effects for end in (effect.low, effect.high) if end),
        default=0.0,
    )
    bands = max(math.log1p(effect.margin) for effect in effects)
    furthest = max(math.log(LEAST), bands * 1.1, min(ends, SPAN * ratios), ratios)
    return math.exp(furthest * 1.05)


def _value(effect: Effect, reach: float) -> dict[str, Any]:
    value: dict[str, Any] = {
        "server": effect.server,
        "interface": interface(effect.interface),
        "endpoint": effect.endpoint,
        "ratio": _four(effect.ratio),
        "base": effect.base,
        "new": effect.new,
        "answer": effect.answer,
        "near": _four(1 / (1 + effect.margin)),
        "far": _four(1 + effect.margin),
    }
    if effect.low is not None and effect.high is not None:
        value["low"], value["high"] = _four(effect.low), _four(effect.high)
        value["from"] = _four(max(effect.low, 1 / reach))
        value["to"] = _four(min(effect.high, reach))
        value["cut"] = effect.low < 1 / reach or effect.high > reach
    return value


def _four(value: float) -> float:
    return float(f"{value:.4g}")


def _sorted(spec: Spec, values: list[dict[str, Any]], reach: float, side: str) -> Spec:
    """Return a spec with WSGI first, endpoints in their order, and an axis up to `reach`."""
    rows = dict.fromkeys((value["interface"] != "WSGI", value["server"]) for value in values)
    servers = [server for _, server in sorted(rows, key=lambda row: row[0])]
    endpoints = list(dict.fromkeys(value["endpoint"] for value in values))
    layers = []
    for layer in spec["spec"]["layer"]:
        encoding = {**layer["encoding"], "y": {**layer["encoding"]["y"], "sort": servers}}
        if "axis" in encoding["x"]:
            scale = {**encoding["x"]["scale"], "domain": [_four(1 / reach), _four(reach)]}
            title = f"{encoding['x']['title']}; better to the {side}"
            ticks = next(ticks for up_to, ticks in TICKS if reach < up_to)
            shown = [tick for tick in ticks if 1 / reach < tick < reach]
            axis = {**encoding["x"]["axis"], "values": shown}
            encoding["x"] = {**encoding["x"], "scale": scale, "title": title, "axis": axis}
        layers.append({**layer, "encoding": encoding})
    return {
        **spec,
        "facet": {**spec["facet"], "sort": endpoints},
        "spec": {**spec["spec"], "layer": layers},
    }


@cache
def _template(intervals: bool) -> Spec:
    base = alt.Chart()
    server = alt.Y("server:N", title=None)
    band = base.mark_rect(color="#808080", opacity=0.16).encode(x="near:Q", x2="far:Q", y=server)
    equal = base.mark_tick(thickness=1, size=17, color="#808080").encode(x=alt.datum(1), y=server)
    separated = "datum.answer == 'better' || datum.answer == 'worse'"
    interval = base.mark_rule(strokeWidth=2).encode(
        x="from:Q",
        x2="to:Q",
        y=server,
        color=interface_colour(),
        opacity=alt.condition(separated, alt.value(0.9), alt.value(0.45)),
    )
    point = base.mark_point(size=60, strokeWidth=1.5, opacity=1, clip=True).encode(
        x=alt.X(
            "ratio:Q",
            title="new against base",
            scale=alt.Scale(type="log", nice=False),
            axis=alt.Axis(labelExpr=RATIO, labelOverlap=True),
        ),
        y=server,
        color=interface_colour(),
        fill=interface_fill(),
        fillOpacity=alt.condition("datum.answer == 'cannot tell'", alt.value(0), alt.value(0.9)),
        shape=answer_shape(),
        tooltip=["server:N", "endpoint:N", "base:N", "new:N", "ratio:Q", "low:Q", "high:Q"]
        + ["answer:N"],
    )
    layers = [band, equal, *([interval] if intervals else []), point]
    return finished(
        alt.layer(*layers, data=alt.NamedData("forest"))
        .properties(width=240, height={"step": 17})
        .facet(facet=alt.Facet("endpoint:N", title=None), columns=ACROSS)
    )
