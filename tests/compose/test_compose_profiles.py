"""Every profile comes up, healthy, with every endpoint right at the published port."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from demo import DEMO
from paths import ROOT
from real_engine import docker, held

from loadtest.bench.servers.answer_check import verify
from loadtest.plan.servers import matrix, profile
from loadtest.records.errors import CellError
from loadtest.records.planned import Choice, Endpoint

pytestmark = pytest.mark.docker

NAMES = [server.name for server in profile.load_servers(ROOT / "servers")]
PORT = 8000
TOGETHER = 4
"""Profiles that are up at once, each at a port of its own: most of the time is slow answers'."""
AT_ONCE = 2
"""Slow answers: what a server of two workers can wait for."""

Tried = dict[str, Future[list[str]]]
"""What is wrong with each profile, a line an endpoint."""


@pytest.fixture(scope="module")
def tried(request: pytest.FixtureRequest, declared: dict[str, Endpoint]) -> Iterator[Tried]:
    """Try the profiles that were chosen, over services that they share."""
    items = [item for item in request.session.items if isinstance(item, pytest.Function)]
    chosen = [item.callspec.params["name"] for item in items if "tried" in item.fixturenames]
    before = held()
    try:
        docker("compose", "up", "--detach", "--wait", "upstream")
        docker("compose", "up", "--exit-code-from", "prepared", "prepared")
        with ThreadPoolExecutor(TOGETHER) as pool:
            yield {
                name: pool.submit(wrong, name, PORT + number, declared)
                for number, name in enumerate(chosen)
            }
    finally:
        docker("compose", "--profile", "*", "down", "--volumes", "--timeout", "1")
    assert held() == before


@pytest.mark.parametrize("name", NAMES)
def test_a_profile(name: str, tried: Tried) -> None:
    assert tried[name].result() == []


def wrong(name: str, port: int, declared: dict[str, Endpoint]) -> list[str]:
    """Return what is wrong with a profile at a port of its own, over services that are up."""
    ran = subprocess.run(
        ["docker", "compose", "--profile", name, "up", "--detach", "--wait", "--no-deps", name],
        env=os.environ | {"PORT": str(port)},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    if ran.returncode:
        return [ran.stdout + ran.stderr, docker("compose", "logs", name, check=False)]
    problems = [line for server in able(name, declared) if (line := ask(server, port))]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        slow = able(name, declared, slow=True)
        problems += [line for line in pool.map(lambda server: ask(server, port), slow) if line]
    docker("compose", "rm", "--stop", "--force", name)
    return problems


def able(name: str, declared: dict[str, Endpoint], slow: bool = False) -> list[Endpoint]:
    """Return the endpoints that a server can answer, those that wait or those that don't."""
    plan = matrix.expand(
        matrix.load_matrix("standard", DEMO.matrices),
        profile.load_servers(ROOT / "servers"),
        tuple(declared.values()),
        Choice(servers=(name,)),
        {},
    )
    cells = [cell for cell in plan.cells if cell.skip is None and cell.server == name]
    assert len(cells) > len(declared) / 3
    return [cell.endpoint for cell in cells if bool(cell.endpoint.contract.delay_s) == slow]


def ask(endpoint: Endpoint, port: int) -> str | None:
    """Return what is wrong with an endpoint's answer, None if nothing is."""
    try:
        verify("127.0.0.1", port, endpoint, concurrency=1, seconds=0.0, stage="verify")
    except CellError as error:
        return str(error)
    return None
