"""CPU time at even speed: what drift it takes out, and where it may not be used."""

from __future__ import annotations

from itertools import pairwise
from statistics import stdev

import numpy as np
import pytest
from builders import loaded, outcome, usage
from hypothesis import given
from hypothesis import strategies as st

from loadtest.records.measured import Outcome
from loadtest.stats.cpu_drift import alike, drift_corrected_us, speed_us
from loadtest.stats.ratios import unpaired_t
from loadtest.stats.significance import finding

ANSWERS = 10_000


def measured(
    server_us: float, generator_us: float | None, size: int = 300, number: int = 0
) -> Outcome:
    used = {
        name: usage(us * ANSWERS / 1e6)
        for name, us in (("server", server_us), ("generator", generator_us))
        if us is not None
    }
    load = loaded(ANSWERS, received_bytes=size * ANSWERS)
    return outcome("alpha.json-sync", number, loaded=load, usage=used)


@given(st.floats(1, 5_000), st.floats(1, 500), st.lists(st.floats(0.5, 2), min_size=2, max_size=20))
def test_what_both_were_slowed_by_is_gone(
    server_us: float, generator_us: float, slower: list[float]
) -> None:
    rounds = [measured(server_us * by, generator_us * by) for by in slower]
    usual = speed_us(rounds)
    corrected = [drift_corrected_us(round_, usual) for round_ in rounds]
    for first, second in pairwise(corrected):
        assert first == pytest.approx(second)
    # It stays a time: that of the server at the usual speed.
    assert corrected[0] == pytest.approx(server_us * usual / generator_us)


def test_what_was_not_measured_is_not_evened() -> None:
    lacking = measured(300, None)
    assert drift_corrected_us(lacking, 30) is None
    assert drift_corrected_us(measured(0, 30), 30) is None
    assert not alike([lacking], [measured(300, 30)])
    assert not alike([], [measured(300, 30)])
    assert not alike([measured(300, 30, size=0)], [measured(300, 30)])


@pytest.mark.parametrize(
    ("generator_us", "size", "is_alike"),
    [
        (30, 300, True),
        (38, 300, True),  # processors a quarter slower
        (24, 300, True),
        (65, 300, False),  # a connection for each answer
        (30, 302, True),
        (30, 319, False),  # `Connection: close`
    ],
)
def test_only_what_is_alike_to_the_generator_is_evened(
    generator_us: float, size: int, is_alike: bool
) -> None:
    base = [measured(300, 30), measured(310, 31), measured(290, 29)]
    assert alike(base, [measured(300, generator_us, size)] * 3) is is_alike


def test_ten_rounds_find_5_percent_where_processors_drift_by_8() -> None:
    """As measured: 7 to 10 % between loads, shared by server and wrk but for 2 to 3 %."""
    rng = np.random.default_rng(8)

    def run(by: float) -> list[Outcome]:
        drift, own = np.exp(0.08 * rng.standard_normal(10)), np.exp(0.025 * rng.standard_normal(10))
        return [
            measured(270 * by * d * o, 66 * d, number=at)
            for at, (d, o) in enumerate(zip(drift, own, strict=True))
        ]

    def verdicts(by: float) -> tuple[bool, bool, float]:
        base, new = run(1.0), run(by)
        usual = speed_us(base)
        plain = [[round_.server_cpu_us for round_ in side] for side in (base, new)]
        even = [[drift_corrected_us(round_, usual) for round_ in side] for side in (base, new)]
        separated = [finding(unpaired_t(*each), 0.02) == "higher" for each in (plain, even)]
        return separated[0], separated[1], stdev(filter(None, even[0]))

    many = [verdicts(1.05) for _ in range(200)]
    assert np.mean([by_even for _, by_even, _ in many]) >= 0.95
    assert np.mean([by_plain for by_plain, _, _ in many]) <= 0.5
    none = [verdicts(1.0) for _ in range(200)]
    assert np.mean([by_even for _, by_even, _ in none]) <= 0.05
