"""Differences with their uncertainty: how much faster, how sure, and what noise alone shows.

Rates are of one server or cell, by round; None where a round was not measured. All work is on
logarithms: noise is a share of the rate, and the difference of two logs is the log of a ratio.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import special

from loadtest.records.planned import Record

Rates = Sequence[float | None]

Floats = NDArray[np.float64]

LEVEL = 0.95


class Prior(NamedTuple):
    """What the noise of one table's comparisons is drawn towards, see `moderated`."""

    most: float
    """Degrees of freedom that a comparison may borrow from the rest of its table."""
    towards: Literal["usual", "mean"]
    """The variance that is usual in the table, or the mean of all, which is above it."""


ALIKE = Prior(10.0, "usual")
"""Where all are about equally noisy."""

UNLIKE = Prior(6.0, "mean")
"""Where each has a noise of its own, as servers have in what they cost: the usual is too little for
the noisy ones, and equals would be told apart more often than `LEVEL` says."""

RESAMPLES = 9_999

FEWEST_RESAMPLED = 5
"""Rounds; fewer have too few distinct resamples, and their intervals hold the truth too rarely."""

LEAST_SPREAD = 1e-9
"""A smaller one is the rounding of floating point."""

MOST_LOG = 300.0
"""Of a ratio; beyond it is nothing that was measured, and the end of floating point is near."""


class Estimate(Record, frozen=True, kw_only=True):
    """What a test needs: a mean log ratio whose standard error is `spread / sqrt(weight)`."""

    mean: float
    spread: float
    """Standard deviation of the log ratio of one round (paired) or of one log rate (unpaired)."""
    weight: float
    """Rounds (paired); n * m / (n + m) of the two numbers of rounds (unpaired)."""
    freedom: float
    """Degrees of freedom of `spread`."""


class Comparison(Record, frozen=True, kw_only=True):
    """How new compares with base."""

    ratio: float | None
    """new / base: the median over rounds of each round's ratio (paired), or of the medians."""
    low: float | None
    """95 % interval of the ratio; None with fewer than 2 rounds."""
    high: float | None
    p: float | None
    """Two-sided: how often noise alone would differ as much; of this comparison by itself."""
    rounds: int
    """In which both were measured (paired); of the one with fewer (unpaired)."""
    method: Literal["t", "bootstrap"] | None
    """Of the interval."""
    estimate: Estimate | None


def paired(base: Rates, new: Rates) -> Comparison:
    """Compare two that met the same conditions round by round: t test on the log ratios.

    Student (1908), as `scipy.stats.ttest_rel` of the logs; `base[i]` and `new[i]` are of the same
    round, and a round that lacks one of them does not count. The ratio shown is the median, which
    one bad round hardly moves; interval and test are of the mean, for which they hold at 3 rounds.
    Mean and median are at most one standard deviation apart (Hotelling & Solomons, 1932), so this
    interval always holds the ratio of up to 6 rounds, and of more but for one time in a thousand;
    once it was `moderated`, that is no longer certain.
    """
    both = [(b, n) for b, n in zip(base, new, strict=True) if b is not None and n is not None]
    if not both:
        return _unknown(rounds=0)
    logs = _logs([n for _, n in both]) - _logs([b for b, _ in both])
    ratio = math.exp(float(np.median(logs)))
    if len(both) < 2:
        return _unknown(rounds=1, ratio=ratio)
    estimate = Estimate(
        mean=float(logs.mean()),
        spread=float(logs.std(ddof=1)),
        weight=len(both),
        freedom=len(both) - 1,
    )
    return _tested(ratio, len(both), estimate)


def unpaired(base: Rates, new: Rates, seed: int = 0) -> Comparison:
    """Compare two that share no rounds: t test on the log rates, and an interval by bootstrap.

    Test: see `unpaired_t`. Interval: `scipy.stats.bootstrap` (percentile, of the difference of the
    mean logs), its level raised for few rounds as Hesterberg (2015), "What teachers should know
    about the bootstrap", expands it; below `FEWEST_RESAMPLED` rounds the test's own.
    """
    tested = unpaired_t(base, new)
    fewer, estimate = tested.rounds, tested.estimate
    if estimate is None or fewer < FEWEST_RESAMPLED or estimate.spread < LEAST_SPREAD:
        return tested
    from scipy.stats import bootstrap  # Takes most of a second to import.

    widened = math.sqrt(fewer / (fewer - 1)) * quantile(estimate.freedom)
    resampled: Any = bootstrap(
        _both_logs(base, new),
        lambda base, new, axis: new.mean(axis=axis) - base.mean(axis=axis),
        n_resamples=RESAMPLES,
        confidence_level=float(1 - 2 * special.ndtr(-widened)),
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return msgspec.structs.replace(
        tested,
        low=_exp(float(resampled.confidence_interval.low)),
        high=_exp(float(resampled.confidence_interval.high)),
        method="bootstrap",
    )


def unpaired_t(base: Rates, new: Rates) -> Comparison:
    """Compare two that share no rounds by Student's t alone: `scipy.stats.ttest_ind` of the logs.

    Student (1908). What differed between two runs as a whole, another day or another neighbour, is
    not in it.
    """
    logs = _both_logs(base, new)
    n, m = (each.size for each in logs)
    fewer, freedom = min(n, m), n + m - 2
    if not fewer:
        return _unknown(rounds=0)
    ratio = math.exp(float(np.median(logs[1]) - np.median(logs[0])))
    if fewer < 2:
        return _unknown(rounds=1, ratio=ratio)
    squares = sum(float(((each - each.mean()) ** 2).sum()) for each in logs)
    estimate = Estimate(
        mean=float(logs[1].mean() - logs[0].mean()),
        spread=math.sqrt(squares / freedom),
        weight=n * m / (n + m),
        freedom=freedom,
    )
    return _tested(ratio, fewer, estimate)


def _both_logs(base: Rates, new: Rates) -> list[Floats]:
    return [_logs([rate for rate in rates if rate is not None]) for rates in (base, new)]


def moderated(
    table: Sequence[Comparison], independent: float | None = None, prior: Prior = ALIKE
) -> tuple[Comparison, ...]:
    """Return the comparisons of one table, each noise estimate drawn towards that of all of them.

    Empirical Bayes: Smyth (2004), "Linear models and empirical Bayes methods", section 6.2. Three
    rounds say little about their own noise, but the table says what noise is like on this machine;
    a cell that is steady by chance no longer looks certain, and the others need fewer rounds. What
    may be borrowed is capped by the `prior`, because Smyth's variances are better behaved than a
    benchmark's. Bootstrapped intervals stay as they are; with fewer than 3 comparisons all do.
    So many of the comparisons are `independent`, or all: the 15 pairs of 6 are of 5 differences.
    """
    known = [c.estimate for c in table if c.estimate and c.estimate.spread > LEAST_SPREAD]
    if len(known) < 3:
        return tuple(table)
    freedom = np.array([estimate.freedom for estimate in known])
    variance = np.array([estimate.spread**2 for estimate in known])
    borrowed, usual = shared_noise(freedom, variance)
    borrowed = min(prior.most, borrowed)
    target = usual if prior.towards == "usual" else float(np.average(variance, weights=freedom))
    all_rounds = float(freedom.mean()) * min(len(known), independent or len(known))

    def drawn(comparison: Comparison) -> Comparison:
        if comparison.ratio is None or comparison.estimate is None:
            return comparison
        own = comparison.estimate
        total = own.freedom + borrowed
        spread = math.sqrt((borrowed * target + own.freedom * own.spread**2) / total)
        # Even a noise that all share is known no better than from all their rounds together.
        estimate = msgspec.structs.replace(
            own, spread=spread, freedom=max(own.freedom, min(total, all_rounds))
        )
        tested = _tested(comparison.ratio, comparison.rounds, estimate)
        if comparison.method == "t":
            return tested
        return msgspec.structs.replace(comparison, p=tested.p, estimate=estimate)

    return tuple(map(drawn, table))


def shared_noise(freedom: Floats, variance: Floats) -> tuple[float, float]:
    """Return how many degrees of freedom a variance may borrow from the others, and what is usual.

    Smyth (2004), section 6.2: a scaled F distribution fitted to the logs of the variances, of which
    there are at least 3. Where they differ by no more than chance, all may be borrowed: infinity.
    """
    logs = np.log(variance) - special.digamma(freedom / 2) + np.log(freedom / 2)
    excess = float(logs.var(ddof=1) - special.polygamma(1, freedom / 2).mean())
    usual = math.exp(float(logs.mean()))
    if excess <= 0:
        return math.inf, usual
    borrowed = 2 * _trigamma_inverse(excess)
    return borrowed, usual * math.exp(float(special.digamma(borrowed / 2)) - math.log(borrowed / 2))


def half_width(comparison: Comparison) -> float | None:
    """Return how far the interval reaches either way, as a share: 0.03 for 3 %; None without one.

    Of the logs, so that both ways are alike: sqrt(high / low) - 1.
    """
    if comparison.low is None or comparison.high is None:
        return None
    return math.sqrt(comparison.high / comparison.low) - 1


def _tested(ratio: float, rounds: int, estimate: Estimate) -> Comparison:
    """Return the interval and the p value of Student's t."""
    error = estimate.spread / math.sqrt(estimate.weight)
    reach = quantile(estimate.freedom) * error
    if estimate.spread < LEAST_SPREAD:
        p = float(abs(estimate.mean) < LEAST_SPREAD)
    else:
        p = 2 * float(special.stdtr(estimate.freedom, -abs(estimate.mean) / error))
    return Comparison(
        ratio=ratio,
        low=_exp(estimate.mean - reach),
        high=_exp(estimate.mean + reach),
        p=p,
        rounds=rounds,
        method="t",
        estimate=estimate,
    )


def _unknown(rounds: int, ratio: float | None = None) -> Comparison:
    return Comparison(
        ratio=ratio, low=None, high=None, p=None, rounds=rounds, method=None, estimate=None
    )


def _exp(log: float) -> float:
    return math.exp(max(-MOST_LOG, min(MOST_LOG, log)))


def _logs(rates: Sequence[float]) -> Floats:
    if any(rate <= 0 for rate in rates):
        raise ValueError("a rate of 0 is a failure, not a number to compare")
    return np.log(np.asarray(rates, dtype=np.float64))


def quantile(freedom: float) -> float:
    """Return how many standard errors a 95 % interval of Student's t reaches either way."""
    return float(special.stdtrit(freedom, (1 + LEVEL) / 2))


def _trigamma_inverse(y: float) -> float:
    """Return x with trigamma(x) = y, for y > 0; trigamma(x) is from 1 / x to 1 / x + 1 / x**2."""
    from scipy.optimize import brentq  # Takes a tenth of a second to import.

    return float(brentq(lambda x: special.polygamma(1, x) - y, 0.5 / y, 2 / y + 1))
