"""A clock that somebody sets, and one that is corrected."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from loadtest.system import clock

DAY_S = 86_400


@pytest.mark.parametrize(
    ("passed_s", "ahead_s", "problem"),
    [
        (30, 0, None),
        (30, 0.004, None),
        (DAY_S, 0.0004 * DAY_S, None),
        (30, 5, "the clock went ahead by 5.00 s: somebody set it, or the machine slept"),
        (30, -0.03, "the clock went back by 0.03 s: somebody set it"),
        (1, -5, "the clock went back by 5.00 s: somebody set it"),
    ],
)
def test_a_clock_that_was_set_is_known(
    passed_s: float, ahead_s: float, problem: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    unix, passed = 10**18, 10**15
    fake = SimpleNamespace(time_ns=lambda: unix, monotonic_ns=lambda: passed)
    monkeypatch.setattr(clock, "time", fake)
    since, steady_us = clock.read(), clock.steady_us()
    unix, passed = unix + round((passed_s + ahead_s) * 1e9), passed + round(passed_s * 1e9)
    assert clock.problem(since) == problem
    # What the machine that steers goes by is set by nobody.
    assert clock.steady_us() - steady_us == round(passed_s * 1e6)
