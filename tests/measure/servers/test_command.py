"""The command that a run says it was begun with."""

from __future__ import annotations

from typing import Any

import pytest

from loadtest.measure.servers.new_run import OPTIONS, command_of
from loadtest.records.planned import Choice, Goal


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({}, "loadtest run quick"),
        ({"rates": (0.5, 200.0, 1_500.0)}, "loadtest run quick --rate 0.5 --rate 200 --rate 1500"),
        (
            {"rates": (5.0,), "arrivals": "poisson"},
            "loadtest run quick --rate 5 --arrivals poisson",
        ),
        ({"within": Goal(p99_us=300_000)}, "loadtest run quick --within p99=300ms"),
        (
            {"within": Goal(p90_us=1_500, p99_us=2_000_000, error_share=0.02)},
            "loadtest run quick --within p90=1.5ms --within p99=2000ms --within errors=2%",
        ),
    ],
)
def test_loads_at_a_rate_are_typed_as_they_were(choice: dict[str, Any], expected: str) -> None:
    assert command_of(Choice(**choice), "local") == expected


def test_every_choice_is_typed() -> None:
    assert OPTIONS.keys() | {"matrix"} == set(Choice.__struct_fields__)
