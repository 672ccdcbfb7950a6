"""The tests here run on a real engine: the one that `tests/compose/engine` started for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from real_engine import HOME, docker, held


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Skip what would need an engine: none of a person's own is used without being asked."""
    for item in items:
        if HOME is None and item.get_closest_marker("docker"):
            item.add_marker(pytest.mark.skip(reason="needs a Docker engine: `make test-compose`"))


@pytest.fixture
def bystander() -> Iterator[str]:
    """Give somebody else's container, network and volume, which have to stay as they are."""
    for kind in ("container", "network", "volume"):  # of a test that was killed
        docker(kind, "rm", "--force", "theirs", check=False)
    docker("network", "create", "theirs")
    docker("volume", "create", "theirs")
    argv = ("--network", "theirs", "--volume", "theirs:/data", "--entrypoint", "sleep")
    container = docker(
        "run", "--detach", "--name", "theirs", *argv, "loadtest-valkey", "3600"
    ).strip()
    try:
        yield container
    finally:
        docker("rm", "--force", container)
        docker("network", "rm", "theirs")
        docker("volume", "rm", "theirs")


@pytest.fixture
def nothing_left(bystander: str) -> Iterator[str]:
    """Make sure that the engine holds in the end what it held before, and that alone."""
    before = held()
    yield bystander
    assert held() == before
