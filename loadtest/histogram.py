"""Latency histograms: undoing wrk's back-fill, percentiles, sums."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from loadtest.model import Histogram, Loaded

Ints = NDArray[np.int64]


def recover(histogram: Histogram, loaded: Loaded, connections: int) -> Histogram:
    """Return the latencies that were measured, without those wrk added for coordinated omission.

    wrk (`src/stats.c: stats_correct`) takes e = duration // (answers // connections) as the time
    an answer should take and, walking upwards from 2e, adds each bin's count to the bins e, 2e, ...
    below it, down to but not including e. So a bin m above e holds raw[m] + raw[m + e] + ..., and
    raw[m] = bin[m] - bin[m + e]; a bin up to e is untouched. wrk lists no bin below its lowest
    sample: what it added there cannot be seen, and nothing was measured there.
    """
    if loaded.answers < connections:
        return histogram
    expected_us = loaded.duration_us // (loaded.answers // connections)
    values, counts = _arrays(histogram)
    if not values.size:
        return histogram
    at = np.minimum(np.searchsorted(values, values + expected_us), values.size - 1)
    above = np.where(values[at] == values + expected_us, counts[at], 0)
    raw = counts - np.where(values > expected_us, above, 0)
    if (raw < 0).any():
        raise ValueError("these latencies and these counts are not of the same load")
    return _histogram(values[raw > 0], raw[raw > 0])


def backfilled(loaded: Loaded, connections: int, max_us: int) -> bool:
    """Return whether wrk added samples to a load whose highest latency was `max_us`.

    It adds some below each latency of more than 2e (see `recover`) and changes nothing else. A
    printed maximum is good to half a percent: where that is too coarse to tell, it is taken so.
    """
    if loaded.answers < connections:
        return False
    expected_us = loaded.duration_us // (loaded.answers // connections)
    return max_us * 1.01 > 2 * expected_us


def merge(histograms: Iterable[Histogram]) -> Histogram:
    """Return all samples in one histogram."""
    arrays = [_arrays(histogram) for histogram in histograms]
    if not arrays:
        return Histogram(values_us=(), counts=())
    values, at = np.unique(np.concatenate([values for values, _ in arrays]), return_inverse=True)
    counts = np.zeros(values.size, dtype=np.int64)
    np.add.at(counts, at, np.concatenate([counts for _, counts in arrays]))
    return _histogram(values, counts)


def count(histogram: Histogram) -> int:
    """Return the number of samples."""
    return sum(histogram.counts)


def mean(histogram: Histogram) -> float | None:
    """Return the mean in microseconds, None without a sample."""
    samples = count(histogram)
    if not samples:
        return None
    values, counts = _arrays(histogram)
    return float(values @ counts) / samples


def percentile(histogram: Histogram, p: float) -> int | None:
    """Return the smallest latency in microseconds that `p` percent of all samples do not exceed.

    None without a sample. The nearest rank: the answer is always one that was measured.
    """
    if not 0 < p <= 100:
        raise ValueError(f"a percentile is above 0 and at most 100, not {p}")
    samples = count(histogram)
    if not samples:
        return None
    values, counts = _arrays(histogram)
    rank = math.ceil(p * samples / 100)
    return int(values[np.searchsorted(np.cumsum(counts), rank)])


def _arrays(histogram: Histogram) -> tuple[Ints, Ints]:
    return (
        np.asarray(histogram.values_us, dtype=np.int64),
        np.asarray(histogram.counts, dtype=np.int64),
    )


def _histogram(values: Ints, counts: Ints) -> Histogram:
    return Histogram(values_us=tuple(values.tolist()), counts=tuple(counts.tolist()))
