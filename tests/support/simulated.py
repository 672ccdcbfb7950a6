"""Simulated rates: noise is log-normal with a standard deviation of 4 % between launches.

Two kinds have heavier tails: Student's t with 3 degrees of freedom, and stalls, where one round in
ten loses much more.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from loadtest.stats.ratios import Comparison, paired

Floats = NDArray[np.float64]
CV = 0.04
KINDS = ("normal", "t3", "stalls")


def noise(kind: str, shape: tuple[int, ...], rng: np.random.Generator) -> Floats:
    """Return log rates with a standard deviation of 1."""
    if kind == "t3":
        return rng.standard_t(3, shape) / math.sqrt(3)
    if kind == "stalls":
        lost = 3 * rng.exponential(1, shape) * (rng.random(shape) < 0.1)
        return (rng.standard_normal(shape) - lost) / math.sqrt(1 + 0.1 * 18 - 0.09)
    return rng.standard_normal(shape)


def rates(logs: Floats) -> list[list[float]]:
    return [[float(rate) for rate in np.exp(row)] for row in logs]


def pairs(
    kind: str, cells: int, rounds: int, rng: np.random.Generator, by: float = 0.0
) -> list[Comparison]:
    """Return comparisons of as many cells with themselves, made faster by a share."""
    base, new = CV * noise(kind, (2, cells, rounds), rng)
    faster = new + math.log1p(by)
    return [paired(b, n) for b, n in zip(rates(base), rates(faster), strict=True)]


def claims(verdicts: tuple[str, ...]) -> int:
    return sum(verdict in ("higher", "lower") for verdict in verdicts)
