"""Services that the environment names: reachable or not, in seconds and in one line."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from loadtest.bench.servers import external_services
from loadtest.bench.servers.services import Services
from loadtest.bench.servers.services import services as start_services
from loadtest.measure.servers.preflight import named_services
from loadtest.plan.servers.project import DEMO, Project
from loadtest.records.errors import UserError
from loadtest.records.planned import Shape

URLS = {
    "DATABASE_URL": "postgresql://postgres:secret@127.0.0.1:{port}/postgres",
    "REDIS_URL": "redis://127.0.0.1:{port}/0",
    "UPSTREAM_URL": "http://127.0.0.1:{port}",
}


@pytest.fixture
def silent() -> Iterator[int]:
    """Give the port of something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_what_is_there_says_its_version(services: Services) -> None:
    addresses = {
        address.variable: address for address in external_services.named(services.env, DEMO)
    }
    assert [named.problem for named in addresses.values()] == [None, None, None]
    assert (addresses["DATABASE_URL"].version or "").partition(".")[0].isdigit()
    assert (addresses["REDIS_URL"].version or "").partition(".")[0].isdigit()


def test_nothing_is_asked_where_nothing_is_named() -> None:
    assert external_services.named({"PATH": "/bin"}, DEMO) == []


@pytest.mark.parametrize("variable", URLS)
def test_nobody_is_there(variable: str) -> None:
    (address,) = external_services.named({variable: URLS[variable].format(port=9)}, DEMO)
    assert address.problem is not None
    assert address.problem.startswith(f"{variable}: ")
    assert "refused" in address.problem
    assert "unset it for a private one" in address.problem
    assert "\n" not in address.problem
    assert "secret" not in address.problem


@pytest.mark.slow
def test_a_silent_one_costs_seconds(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_services, "WITHIN_S", 1)  # which libpq takes as 2
    # It would wait for ever otherwise.
    urls = {name: url.format(port=silent) for name, url in URLS.items()}
    addresses = external_services.named(urls, DEMO)
    assert all(address.problem for address in addresses)


@pytest.mark.parametrize(
    "env",
    [
        {"DATABASE_URL": "no address"},
        {"DATABASE_URL": "postgresql://h:x/y"},
        {"REDIS_URL": "nowhere"},
        {"REDIS_URL": "redis://h:x"},
        {"UPSTREAM_URL": "ftp://127.0.0.1"},
        {"UPSTREAM_URL": "http://127.0.0.1:x"},
    ],
    ids=str,
)
def test_what_is_no_address(env: dict[str, str]) -> None:
    (address,) = external_services.named(env, DEMO)
    assert address.problem is not None
    assert address.problem.startswith(f"{next(iter(env))}: ")


def test_the_doctor_and_the_services_say_it(
    services: Services, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in services.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")
    good, bad, also = named_services()
    assert good.state.startswith("PostgreSQL ")
    assert (good.advice, also.advice) == (None, None)
    assert bad.fatal
    assert bad.advice is not None
    with pytest.raises(UserError) as caught, start_services(project, tmp_path, Shape()):
        pass
    assert caught.value.lines == (bad.advice,)
    assert not list(tmp_path.iterdir())  # nothing was started
