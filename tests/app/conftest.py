"""The app against a real Postgres, Valkey and upstream, called as a server would call it."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from app_calls import Fetch, by_asgi, by_wsgi
from demo import DEMO, PROJECT


@contextmanager
def services(logs: Path) -> Iterator[Mapping[str, str]]:
    """Give the addresses of private services, migrated and seeded; stop them at the end."""
    from loadtest.bench.servers.services import services as start
    from loadtest.records.planned import Shape

    with start(PROJECT, logs, Shape()) as running:
        told = PROJECT.environment(running.env)
        yield {**running.env, **{name: told[name] for name in DEMO.env}}


@pytest.fixture(scope="session", autouse=True)
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, str]]:
    """Set Django up once, on services that are there."""
    with services(tmp_path_factory.mktemp("logs")) as env, pytest.MonkeyPatch.context() as patch:
        patch.setenv("DJANGO_SETTINGS_MODULE", "myproject.settings")
        patch.setenv("DJANGO_SECRET_KEY", "tests")
        for name, value in env.items():
            patch.setenv(name, value)
        import django
        from django.db import connection

        django.setup()
        yield env
        connection.close()
        connection.close_pool()


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.Runner]:
    """Keep one event loop, as an ASGI server does for the life of a process."""
    from myapp import clients

    with asyncio.Runner() as runner:
        yield runner
        runner.run(_close(clients.kept_async_httpx._client, clients.kept_aiohttp._client))


async def _close(httpx_client: Any, aiohttp_session: Any) -> None:
    if httpx_client:
        await httpx_client.aclose()
    if aiohttp_session:
        await aiohttp_session.close()


@pytest.fixture
def fetch(loop: asyncio.Runner) -> Mapping[str, Fetch]:
    """Give a function for each interface that asks for a path."""
    return {"wsgi": by_wsgi, "asgi": lambda path: loop.run(by_asgi(path))}
