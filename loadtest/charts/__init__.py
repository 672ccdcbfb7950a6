"""Charts of a run, each one Vega-Lite spec; none of them ever holds an invalid number.

`overview` is about the whole run, `of_endpoint` about one ranking.
"""

from __future__ import annotations

from loadtest.charts.chart import Chart, Spec
from loadtest.charts.svg import svg
from loadtest.charts.theme import config, themed
from loadtest.ranking import Ranking
from loadtest.summary import Summary

__all__ = ["Chart", "Spec", "config", "of_endpoint", "overview", "svg", "themed"]


def overview(summary: Summary) -> tuple[Chart, ...]:
    """Return the heat maps, one for each figure: `matrix-goodput`, `matrix-p50`, ..."""
    return ()


def of_endpoint(ranking: Ranking) -> tuple[Chart, ...]:
    """Return `goodput-X`, `latency-X` and `memory-X` of the endpoint X, as in `json-sync`.

    A chart for which there are no numbers is left out.
    """
    return ()
