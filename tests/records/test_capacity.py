"""How many requests a server can work on at once: its workers, its threads, its database pools."""

from __future__ import annotations

from typing import Any

import pytest
from builders import contract, server

from loadtest.records.planned import Shape

SHAPE = Shape(workers=2, threads=4, database_pool=16)


@pytest.mark.parametrize(
    ("of", "waits_in", "most"),
    [
        ({"in_flight": "workers"}, "the database", 2),
        ({"in_flight": "workers * threads"}, "the database", 8),
        ({"in_flight": "connections"}, "the database", 32),
        ({"in_flight": "connections", "processes_seen": "workers + 1"}, "the database", 32),
        # A pool is a process's.
        ({"in_flight": "connections", "processes_seen": "1"}, "the database", 16),
        ({"in_flight": "connections"}, "the view", 500),
    ],
)
def test_what_waits_in_the_database_needs_a_connection_of_a_pool(
    of: dict[str, Any], waits_in: str, most: int
) -> None:
    waits = contract(delay_s=0.05, postgres=1, pooled=waits_in == "the database")
    assert server(**of).capacity(SHAPE, 500, waits) == most


def test_a_server_with_a_shape_of_its_own_is_held_to_that() -> None:
    own = Shape(workers=3, threads=5)
    of = server(in_flight="workers * threads", processes_seen="workers + 1", shape=own)
    assert of.capacity(SHAPE, 500) == 15
    assert of.expected_processes(SHAPE) == 4
    assert server(processes_seen="workers + 1").expected_processes(SHAPE) == 3


def test_the_connections_of_the_load_are_a_limit_too() -> None:
    waits = contract(delay_s=0.05, postgres=1, pooled=True)
    assert server().capacity(SHAPE, 10, waits) == 10
