"""Names beside the ends of lines: none over another."""

from __future__ import annotations

import math
from collections.abc import Mapping

import altair as alt

from loadtest.report.charts.theme import interface_colour

GAP = 1 / 22
"""Of the height that two labels need between them."""

LEAST = 0.3
"""Decades that a chart of a few alike lines spans as far as its labels are concerned."""


def apart(ends: Mapping[str, float], low: float, high: float) -> dict[str, float]:
    """Return the heights of labels on a logarithmic axis from `low` to `high`.

    `ends` are where the lines end, by name. From the lowest up, what is moved is moved away from
    all before it.
    """
    gap = max(math.log10(high / low), LEAST) * GAP
    at = -math.inf
    placed = {}
    for name, end in sorted(ends.items(), key=lambda item: item[1]):
        at = max(math.log10(end), at + gap)
        placed[name] = float(f"{10**at:.4g}")
    return placed


def written(base: alt.Chart, x: alt.X, y: alt.Y, near: alt.Parameter) -> alt.Chart:
    """Return the data that have a `label`, written to the right of where they stand."""
    names: alt.Chart = (
        base.transform_filter("isValid(datum.label)")
        .mark_text(align="left", dx=8, baseline="middle", fontSize=10)
        .encode(
            x=x,
            y=y,
            text="label:N",
            color=interface_colour(),
            opacity=alt.condition(near, alt.value(1), alt.value(0.25)),
        )
    )
    return names
