"""The queue that loads at a rate are held against, and how a server's log is read."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks import md1
from benchmarks.open_loop import seen_by


def erlang(rho: float, at: float) -> float:
    """Return the share of M/D/1's requests that wait no longer, as Erlang has it."""
    total = 0.0
    for k in range(int(at) + 1):
        x = rho * (k - at)
        total += x**k / math.factorial(k) * math.exp(-x)
    return (1 - rho) * total


@pytest.mark.parametrize("rho", [0.02, 0.5, 0.8, 0.9])
def test_the_truth_of_a_queue_is_the_known_one(rho: float) -> None:
    for at in (0.0, 0.3, 1.0, 2.5, 7.9):
        assert md1.waits_within(rho, at) == pytest.approx(erlang(rho, at), abs=1e-9)
    p99 = md1.percentile(rho)
    assert md1.waits_within(rho, p99 - 1) == pytest.approx(0.99)
    assert md1.load_within(p99) == pytest.approx(rho, rel=1e-6)


def test_the_truth_of_a_long_queue_keeps_its_digits() -> None:
    shares = [md1.waits_within(0.95, at) for at in range(300)]
    assert all(after >= before - 1e-12 for before, after in itertools.pairwise(shares))
    assert shares[-1] == pytest.approx(1)
    assert [md1.percentile(rho) for rho in (0.5, 0.8, 0.9)] == pytest.approx(
        [4.336, 11.356, 22.898], abs=0.001
    )


def test_a_drawn_queue_has_the_known_mean_and_p99() -> None:
    arrivals = np.cumsum(np.random.default_rng(3).exponential(1 / 0.8, 1_600_000))
    times = md1.in_system(arrivals, 1.0)
    assert times.mean() == pytest.approx(md1.mean(0.8), rel=0.03)
    assert np.quantile(times, 0.99) == pytest.approx(md1.percentile(0.8), rel=0.05)


def test_a_log_of_whole_milliseconds_has_ten_in_each_bin(tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    # Five at the beginning of each millisecond: all bins have fifty.
    log.write_text("".join(f"{1_796_028_937 + ms / 1000:.3f}\n" * 5 for ms in range(3_217)))
    assert seen_by(log) == (5_000.0, 0.0)
