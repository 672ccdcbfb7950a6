"""The app against a real Postgres, Valkey and upstream, called as a server would call it."""

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))


def manage(*arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run `manage.py` with nothing in its environment but what is given."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def declared() -> list[dict[str, Any]]:
    """Read the records as the engine does; no service runs yet."""
    listing = manage("endpoints", DJANGO_SECRET_KEY="tests")
    assert listing.returncode == 0, listing.stderr
    return json.loads(listing.stdout)["endpoints"]


@contextmanager
def services(logs: Path) -> Iterator[Mapping[str, str]]:
    """Give the addresses of private services, migrated and seeded; stop them at the end."""
    from loadtest.bench.servers.services import services as start
    from loadtest.plan.servers.project import Project
    from loadtest.records.planned import Shape

    with start(Project(ROOT, sys.executable), logs, Shape()) as running:
        yield running.env


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


@dataclass(frozen=True)
class Answer:
    """What came back; header names are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


Fetch = Callable[[str], Answer]


def _environ(path: str) -> dict[str, Any]:
    path, _, query = path.partition("?")
    environ = {"PATH_INFO": path, "QUERY_STRING": query, "wsgi.input": io.BytesIO()}
    setup_testing_defaults(environ)
    return environ


def by_wsgi(path: str) -> Answer:
    """Ask the WSGI application, on this thread."""
    from myproject.wsgi import application

    started: list[Any] = []
    result = application(_environ(path), lambda *head: started.append(head))
    body = b"".join(result)
    if close := getattr(result, "close", None):
        close()
    ((status, headers),) = started
    names = {name.lower(): value for name, value in headers}
    return Answer(int(status.split()[0]), names, body)


async def by_asgi(path: str) -> Answer:
    """Ask the ASGI application, on the running loop."""
    from myproject.asgi import application

    path, _, query = path.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(b"host", b"127.0.0.1")],
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
    }
    inbox = [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if inbox:
            return inbox.pop()
        return await asyncio.Future()  # the client stays connected

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await application(scope, receive, send)
    start, *rest = sent
    names = {name.decode().lower(): value.decode() for name, value in start["headers"]}
    return Answer(start["status"], names, b"".join(one.get("body", b"") for one in rest))


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
