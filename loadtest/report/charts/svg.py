"""Charts as SVG files."""

from __future__ import annotations

import vl_convert

from loadtest.report.charts.chart import Chart
from loadtest.report.charts.theme import themed
from loadtest.report.generated_marker import signed


def svg(chart: Chart) -> str:
    """Return a chart, on a light ground, as one SVG that asks for nothing from anywhere."""
    spec = themed(chart.spec)
    # What each mark says to a screen reader is lost in an image: the page beside it says it. A
    # font that a reader's machine lacks may be wider than it was measured: there is room for it.
    spec["config"] = {**spec["config"], "aria": False, "font": "sans-serif"}
    drawn = vl_convert.vegalite_to_svg(
        spec | {"padding": {"left": 24, "right": 24, "top": 8, "bottom": 8}}
    )
    return signed(drawn)
