"""Where a number stands on an axis, and the ticks that have room there."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

Text = Callable[[float], str]

STRIDES = (4, 3, 2)
"""Decades from tick to tick on a very long axis."""

MANTISSAS = ((1,), (1, 3), (1, 2, 5))
"""Of the ticks in each decade on a shorter one; on the shortest they are in equal steps."""

STEPS = (5, 2.5, 2, 1, 0.5, 0.2, 0.1)
"""In powers of ten below what the axis spans."""

ROOM = 0.2
"""Of the axis that a label needs, where the chart is as narrow as on a phone."""

MARGIN = 0.04
"""Of the axis that is free beyond the outermost marks."""

BEYOND = 1.08
"""Times as far as its lines an axis goes, where their names are led to their places."""

LEAST = 1.1
"""Times as high as its low end a logarithmic axis reaches at least, or noise would fill it."""

SPAN = 1.6
"""How far intervals may reach, as a power of what the marks span: a wide one hides all else."""


@dataclass(frozen=True)
class Scale:
    """An axis from `low` to `high`, logarithmic unless it is said to be linear."""

    low: float
    high: float
    ticks: Sequence[tuple[float, str]]
    linear: bool = False

    def at(self, value: float) -> float:
        """Return where a value stands, as a share of the axis; beyond it, at its end."""
        low, high, value = (
            each if self.linear else math.log(each) for each in (self.low, self.high, value)
        )
        return min(1.0, max(0.0, (value - low) / (high - low)))

    def cuts(self, value: float | None) -> bool:
        """Say whether a value lies beyond the axis."""
        return value is not None and not self.low <= value <= self.high


def logarithmic(
    marks: Iterable[float], ends: Iterable[float | None], text: Text, around: float | None = None
) -> Scale:
    """Return the axis of positive marks, and of their intervals' ends as far as those may reach.

    With `around` it goes as far to either side of that.
    """
    logs = [math.log(mark) for mark in marks]
    low, high = min(logs), max(logs)
    free = max((high - low) * (SPAN - 1) / 2, math.log(LEAST) / 2)
    reached = [math.log(end) for end in ends if end]
    low = min(low, max(low - free, min(reached, default=low)))
    high = max(high, min(high + free, max(reached, default=high)))
    if around:
        middle = math.log(around)
        reach = max(high - middle, middle - low, math.log(LEAST))
        low, high = middle - reach, middle + reach
    elif high - low < math.log(LEAST):
        low, high = (low + high - math.log(LEAST)) / 2, (low + high + math.log(LEAST)) / 2
    margin = (high - low) * MARGIN
    bare = Scale(math.exp(low - margin), math.exp(high + margin), ())
    return Scale(bare.low, bare.high, _labelled(bare, text))


def from_zero(high: float, text: Text) -> Scale:
    """Return a linear axis from 0 to a number, or to 1 where that is 0 as well."""
    bare = Scale(0.0, (high or 1.0) * (1 + MARGIN), (), linear=True)
    return Scale(0.0, bare.high, _labelled(bare, text), linear=True)


def _labelled(scale: Scale, text: Text) -> list[tuple[float, str]]:
    """Return the most ticks that have room for their labels."""
    fitting: list[list[float]] = []
    for candidates in _candidates(scale):
        ticks = [each for each in candidates if scale.low <= each <= scale.high]
        places = [scale.at(each) for each in ticks]
        if all(b - a >= ROOM for a, b in pairwise(places)):
            fitting.append(ticks)
    return [(each, text(each)) for each in max(fitting, key=len)]


def _candidates(scale: Scale) -> Iterator[list[float]]:
    if not scale.linear:
        decades = range(math.floor(math.log10(scale.low)), math.ceil(math.log10(scale.high)))
        for stride in STRIDES:
            yield [float(f"1e{decade}") for decade in decades if decade % stride == 0]
        for mantissas in MANTISSAS:
            yield [float(f"{each}e{decade}") for decade in decades for each in mantissas]
    decade = math.floor(math.log10(scale.high - scale.low))
    for step in (float(f"{each}e{decade}") for each in STEPS):
        counts = range(math.ceil(scale.low / step), math.floor(scale.high / step) + 1)
        yield [float(f"{count * step:.6g}") for count in counts]
