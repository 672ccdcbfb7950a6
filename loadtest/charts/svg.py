"""Charts as SVG files."""

from __future__ import annotations

from loadtest.charts.chart import Chart
from loadtest.charts.theme import themed


def svg(chart: Chart) -> str:
    """Return a chart as one SVG that asks for nothing from anywhere."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(themed(chart.spec)))
