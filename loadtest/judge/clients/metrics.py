"""The figures of one row by one measure: cold as hyperfine shows a command, warm by the call.

Cold and warm never meet in one number: a cold one holds the interpreter, the imports and the work,
a warm one the work alone, of a process that had worked before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import fmean, median, stdev

import numpy as np

from loadtest.records.clients import Measure, Outcome
from loadtest.records.measured import Histogram
from loadtest.records.planned import Record
from loadtest.stats import series
from loadtest.stats.latency import SAMPLES_NEEDED, count, merge, percentile
from loadtest.stats.ratios import Rates

FAR = 14.826
"""Median absolute deviations from the median, ten standard deviations of a normal distribution:
from there on hyperfine calls a time an outlier (its `outlier_detection.rs`)."""


PARTS = ("start", "import", "setup", "work", "end")
"""Of a whole process, one after the other."""


class Outlier(Record, frozen=True, kw_only=True):
    """A time that is far from the others of its row; it is named, and still counts."""

    round: int
    """From 1, as people count."""
    seconds: float


class ColdFigures(Record, frozen=True, kw_only=True):
    """What a whole process took, over its measured rounds."""

    mean_s: float
    stdev_s: float | None
    """None with one round."""
    median_s: float
    min_s: float
    max_s: float
    user_s: float
    """Mean, as the next."""
    system_s: float
    memory_peak_bytes: int
    """The most of all rounds, resident."""
    outliers: tuple[Outlier, ...]
    start_s: float | None
    """Means of the phases, None where they were not recorded: the interpreter itself."""
    import_s: float | None
    setup_s: float | None
    work_s: float | None
    end_s: float | None


class WarmFigures(Record, frozen=True, kw_only=True):
    """What the timed calls of a process that had worked before took, over its measured rounds."""

    call_us: float
    """Wall time / right answers, the median over rounds: with N calls in flight it is an Nth of
    what each of them takes."""
    goodput: float
    """Right answers a second, the median over rounds."""
    p50_us: int | None
    """Of one call from its start to its whole body, rounds merged; None with too few samples."""
    p90_us: int | None
    p99_us: int | None
    samples: int
    cpu_us: float
    """User and system time of the client's process for a right answer, the median over rounds."""
    memory_peak_bytes: int
    connections: float | None
    """That the server accepted, warm-up included, the median over rounds; None: nobody counted."""
    spread: float | None
    """Standard deviation of the logs of the rounds' times, as a share; None with one round."""


def outliers(times_s: Sequence[float]) -> tuple[int, ...]:
    """Return the positions of the times that are far from the others.

    Iglewicz & Hoaglin (1993), "How to detect and handle outliers": the modified z-score
    (x - median) / MAD, with hyperfine's threshold and its way with a MAD of 0, where most are
    alike and any that differs is far from them.
    """
    if len(times_s) < 2:
        return ()
    times = np.asarray(times_s, dtype=np.float64)
    away = np.abs(times - np.median(times))
    usual = float(np.median(away)) or float(np.finfo(np.float64).eps)
    return tuple(int(at) for at in np.flatnonzero(away / usual > FAR))


def cold_figures(measured: Sequence[Outcome]) -> ColdFigures | None:
    """Return what the measured rounds showed of the whole process; None without any."""
    cold = [(outcome, outcome.cold) for outcome in measured if outcome.cold]
    if not cold:
        return None
    times = [each.wall_s for _, each in cold]
    phases = [outcome.phases for outcome, _ in cold]
    return ColdFigures(
        mean_s=fmean(times),
        stdev_s=stdev(times) if len(times) > 1 else None,
        median_s=median(times),
        min_s=min(times),
        max_s=max(times),
        user_s=fmean(each.user_s for _, each in cold),
        system_s=fmean(each.system_s for _, each in cold),
        memory_peak_bytes=max(each.peak_rss_bytes for _, each in cold),
        outliers=tuple(
            Outlier(round=cold[at][0].round + 1, seconds=times[at]) for at in outliers(times)
        ),
        **{f"{part}_s": _mean([getattr(of, f"{part}_s") for of in phases]) for part in PARTS},
    )


def warm_figures(measured: Sequence[Outcome]) -> WarmFigures | None:
    """Return what the measured rounds showed of the calls; None without any."""
    warm = [(outcome, outcome.warm) for outcome in measured if outcome.warm and outcome.answers]
    if not warm:
        return None
    calls = [each.seconds * 1e6 / outcome.answers for outcome, each in warm]
    latencies = merge(each.latencies for _, each in warm)
    seen = [outcome.seen.connections for outcome, _ in warm if outcome.seen]
    return WarmFigures(
        call_us=median(calls),
        goodput=median(outcome.answers / each.seconds for outcome, each in warm),
        p50_us=_percentile(latencies, 50),
        p90_us=_percentile(latencies, 90),
        p99_us=_percentile(latencies, 99),
        samples=count(latencies),
        cpu_us=median(
            (each.user_s + each.system_s) * 1e6 / outcome.answers for outcome, each in warm
        ),
        memory_peak_bytes=max(each.peak_rss_bytes for _, each in warm),
        connections=median(seen) if seen else None,
        spread=spread(calls),
    )


def spread(times: Sequence[float]) -> float | None:
    """Return how much rounds vary: the standard deviation of their logs, as a share of the time."""
    return float(np.log(times).std(ddof=1)) if len(times) > 1 else None


def time_s(outcome: Outcome) -> float | None:
    """Return what a round is compared by: a whole process, or a warm call; None without a number.

    A call that took no measurable time is no number either: there is nothing to compare.
    """
    if outcome.status != "measured":
        return None
    if outcome.measure == "cold":
        return (outcome.cold.wall_s or None) if outcome.cold else None
    if outcome.warm is None or not outcome.answers:
        return None
    return outcome.warm.seconds / outcome.answers or None


def cpu_s(outcome: Outcome) -> float | None:
    """Return the processor time of a round, of the whole process or of a warm call."""
    if outcome.status != "measured" or not outcome.answers:
        return None
    if outcome.measure == "cold":
        return (outcome.cold.user_s + outcome.cold.system_s or None) if outcome.cold else None
    if outcome.warm is None:
        return None
    return (outcome.warm.user_s + outcome.warm.system_s) / outcome.answers or None


def by_round(
    outcomes: Sequence[Outcome], measure: Measure, of: Callable[[Outcome], float | None] = time_s
) -> dict[str, Rates]:
    """Return a time of each row by round, see `series.by_round`."""
    return series.by_round(
        [outcome for outcome in outcomes if outcome.measure == measure],
        lambda outcome: outcome.row,
        of,
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None


def _percentile(latencies: Histogram, p: int) -> int | None:
    return percentile(latencies, p) if count(latencies) >= SAMPLES_NEEDED[p] else None
