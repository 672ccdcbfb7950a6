"""The app, called as a server would call it, and its own `manage.py`."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from wsgiref.util import setup_testing_defaults

from paths import ROOT


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
    return Answer(start["status"], names, b"".join(part.get("body", b"") for part in rest))
