"""This machine's clock, and whether somebody set it: generators take times from it."""

from __future__ import annotations

import time
from typing import NamedTuple

READINGS = 5
"""Of which the fastest counts: between two clocks a process may have to wait."""

LEAST_S = 0.005

DRIFT = 0.0005
"""By which a clock that is being corrected may be faster or slower than time passes."""


class Reading(NamedTuple):
    """Both clocks at one instant, in microseconds."""

    unix_us: int
    """Which somebody may set."""
    passed_us: int
    """Since some instant; stands still while the machine sleeps."""


def read() -> Reading:
    """Read both clocks."""
    readings = [(time.monotonic_ns(), time.time_ns(), time.monotonic_ns()) for _ in range(READINGS)]
    before, unix, after = min(readings, key=lambda reading: reading[2] - reading[0])
    return Reading(unix // 1000, (before + after) // 2000)


def problem(since: Reading) -> str | None:
    """Return in words by how much the clock was set since a reading; None: it was not."""
    now = read()
    passed_s = (now.passed_us - since.passed_us) / 1e6
    ahead_s = (now.unix_us - since.unix_us) / 1e6 - passed_s
    if abs(ahead_s) <= LEAST_S + DRIFT * passed_s:
        return None
    if ahead_s < 0:
        return f"the clock went back by {-ahead_s:,.2f} s: somebody set it"
    return f"the clock went ahead by {ahead_s:,.2f} s: somebody set it, or the machine slept"


_BEGAN = read()


def steady_us() -> int:
    """Return the Unix time in microseconds, as if nobody set it since this was imported."""
    return _BEGAN.unix_us + read().passed_us - _BEGAN.passed_us
