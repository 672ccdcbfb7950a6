"""Another machine's clock, compared by messages that go there and back; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from loadtest.records.measured import Clock

EXCHANGES = 10
"""That a clock is compared by: the fastest of them counts."""


class Exchange(NamedTuple):
    """A message and its answer; microseconds of Unix time, each by its own clock."""

    left_us: int
    """Here."""
    came_us: int
    """There, as is when its answer was sent, `answered_us`."""
    answered_us: int
    back_us: int
    """Here."""

    @property
    def round_trip_us(self) -> int:
        """How long both ways took together."""
        return max(0, self.back_us - self.left_us - (self.answered_us - self.came_us))


def compared(exchanges: Iterable[Exchange]) -> tuple[Clock, int]:
    """Return by how much the other clock is ahead, and the round trip that says so.

    Of several exchanges the fastest: however its time is divided between the two ways, the offset
    is wrong by half of it at most. Raises ValueError without any.
    """
    best = min(exchanges, key=lambda exchange: exchange.round_trip_us)
    ahead_us = (best.came_us - best.left_us + best.answered_us - best.back_us) / 2
    clock = Clock(offset_us=round(ahead_us), within_us=(best.round_trip_us + 1) // 2)
    return clock, best.round_trip_us
