"""Latency percentile curves: few points that say what a whole histogram does."""

from __future__ import annotations

import math

import numpy as np

from loadtest.model import Histogram, Record

PERCENTILES = (
    0.0,
    10.0,
    25.0,
    50.0,
    75.0,
    90.0,
    95.0,
    98.0,
    99.0,
    99.5,
    99.9,
    99.95,
    99.99,
    99.999,
)
"""0 is the lowest latency; the highest, 100, is added where there is any."""
BEYOND = 10
"""Samples above a percentile; with fewer it hangs on a handful of answers. p99 needs 1,000."""


class Curve(Record, frozen=True, kw_only=True):
    """The latencies of a cell, all rounds together, at as many percentiles as they allow for."""

    percentiles: tuple[float, ...]
    """Ascending; 0 and 100 are the lowest and the highest, a single answer each."""
    raw_us: tuple[int, ...]
    """Latencies as measured, one a percentile."""
    backfilled_us: tuple[int, ...]
    """With wrk's correction for coordinated omission, likewise; empty where it added nothing."""


def curve(raw: Histogram, backfilled: Histogram) -> Curve | None:
    """Return the percentiles of both; None without a sample.

    How many of them follows from the samples as measured: those that were added are no evidence.
    """
    samples = sum(raw.counts)
    if not samples:
        return None
    shown = (*(p for p in PERCENTILES if p <= 50 or samples * (100 - p) / 100 >= BEYOND), 100.0)
    added = sum(backfilled.counts) != samples
    return Curve(
        percentiles=shown,
        raw_us=_at(raw, shown),
        backfilled_us=_at(backfilled, shown) if added else (),
    )


def _at(histogram: Histogram, percentiles: tuple[float, ...]) -> tuple[int, ...]:
    """Return the latencies by the nearest rank, as `histogram.percentile` does one by one."""
    values = np.asarray(histogram.values_us, dtype=np.int64)
    below = np.cumsum(np.asarray(histogram.counts, dtype=np.int64))
    total = int(below[-1])
    ranks = [max(1, math.ceil(p * total / 100)) for p in percentiles]
    return tuple(values[np.searchsorted(below, ranks)].tolist())
