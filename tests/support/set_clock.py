"""A clock of this process that somebody sets."""

from __future__ import annotations

import time
from types import SimpleNamespace

import pytest

from loadtest.bench.load.agents import agent
from loadtest.system import clock


def set_clock(monkeypatch: pytest.MonkeyPatch, ahead_s: float) -> None:
    """Set the clock by which loads are checked and agents compared; wrk has the machine's."""
    fake = SimpleNamespace(
        time_ns=lambda: time.time_ns() + round(ahead_s * 1e9), monotonic_ns=time.monotonic_ns
    )
    monkeypatch.setattr(clock, "time", fake)
    monkeypatch.setattr(agent, "now_us", lambda: clock.read().unix_us)
