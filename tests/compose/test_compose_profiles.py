"""Every profile comes up as a person starts it, every endpoint right at the published port."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from real import ROOT, docker, held

from loadtest import matrix
from loadtest.errors import CellError
from loadtest.matrix import Choice
from loadtest.model import Endpoint
from loadtest.verify import verify

NAMES = [one.name for one in matrix.load_servers(ROOT / "servers")]
AT_ONCE = 2
"""Slow answers: what a server of two workers can wait for."""


@pytest.fixture(scope="module")
def down_at_the_end() -> Iterator[None]:
    """Take down at the end what the tests here leave up for one another."""
    before = held()
    yield
    docker("compose", "--profile", "*", "down", "--volumes", "--timeout", "1")
    assert held() == before


@pytest.mark.usefixtures("down_at_the_end")
@pytest.mark.parametrize("name", NAMES)
def test_a_profile(name: str, declared: dict[str, Endpoint]) -> None:
    docker("compose", "--profile", name, "up", "--detach", "--wait", name)
    try:
        state = docker("compose", "ps", "--format", "{{.Service}} {{.State}} {{.Health}}")
        assert f"{name} running healthy" in state.splitlines()
        wrong = [line for one in able(name, declared) if (line := ask(one))]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            wrong += [line for line in pool.map(ask, able(name, declared, slow=True)) if line]
        assert wrong == []
    finally:
        docker("compose", "--profile", name, "rm", "--stop", "--force", name)


def able(name: str, declared: dict[str, Endpoint], slow: bool = False) -> list[Endpoint]:
    """Return the endpoints that a server can answer, those that wait or those that don't."""
    plan = matrix.expand(
        matrix.load_matrix("standard"),
        matrix.load_servers(ROOT / "servers"),
        tuple(declared.values()),
        Choice(servers=(name,)),
        {},
    )
    cells = [cell for cell in plan.cells if cell.skip is None and cell.server == name]
    assert len(cells) > len(declared) / 3
    return [cell.endpoint for cell in cells if bool(cell.endpoint.contract.delay_s) == slow]


def ask(endpoint: Endpoint) -> str | None:
    """Return what is wrong with an endpoint's answer, None if nothing is."""
    try:
        verify("127.0.0.1", 8000, endpoint, concurrency=1, seconds=0.0, stage="verify")
    except CellError as error:
        return str(error)
    return None
