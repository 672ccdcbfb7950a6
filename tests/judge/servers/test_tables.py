"""Who costs more than whom: tables of servers whose noise differs."""

from __future__ import annotations

from loadtest.judge.servers.tables import cost_pairs
from loadtest.stats.pairs import all_pairs

COSTS_US = {
    "steady": [19.4, 20.0, 19.3, 20.7],
    "steady too": [21.1, 20.1, 21.0, 20.3],
    "likewise": [21.3, 20.1, 19.1, 20.9],
    "and this": [19.9, 19.4, 19.6, 19.0],
    "noisy": [19.5, 17.0, 25.0, 22.1],
    "noisy, by chance below": [15.6, 15.9, 18.4, 15.0],
}
"""Of equal servers: the noise of the first four is 3 %, that of the last two 15 %."""


def test_a_noisy_server_is_not_judged_by_the_noise_of_steady_ones() -> None:
    assert not any(pair.separated for pair in cost_pairs(COSTS_US, None, 4).judged.values())
    # What is usual in this table would say that the last costs less than the second.
    rates: dict[str, list[float | None]] = {
        name: [1 / us for us in row] for name, row in COSTS_US.items()
    }
    assert any(pair.separated for pair in all_pairs(rates, 0.05, 4).judged.values())
