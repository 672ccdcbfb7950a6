"""An ASGI application that is right but for the one fault that FAULT names.

Each page waits before it answers, as an app does that asks others, so its rate hangs on the wait
and hardly on how busy the machine is. A load is told by how many requests are in flight, and the
generator by its headers: wrk sends none that it need not.
"""

from __future__ import annotations

import asyncio
import os
import random
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

BODY = b'[{"name": "name", "value": 1}]'
SAME_LENGTH = BODY.replace(b"1", b"2")
WAIT_S = {"/page": 0.01, "/rows": 0.01, "/half_second": 0.5, "/second": 1.0}
SLOW_S = 0.1
"""From here on a wait is exact, and declared."""
FAULT = os.environ.get("FAULT", "none")
LOADED = 12
"""Requests at once: verification asks from 8 connections, and a second client from one."""

Send = Callable[[dict[str, Any]], Awaitable[None]]


@dataclass
class Request:
    """One request to a page."""

    path: str
    client: tuple[str, int]
    of_generator: bool
    send: Send

    async def answer(self, body: bytes = BODY, status: int = 200, declared: int = 0) -> None:
        """Answer, declaring more bytes than come if told to."""
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(declared or len(body)).encode()),
        ]
        await self.send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send({"type": "http.response.body", "body": body, "more_body": bool(declared)})


@dataclass
class State:
    """What this process remembers."""

    in_flight: int = 0
    under_load: int = 0
    """Requests that found many others in flight."""
    first_seen: dict[tuple[str, int], float] = field(default_factory=dict)
    """When the first request of each connection came."""
    generators: set[tuple[str, int]] = field(default_factory=set)
    """The connections that are served, where others of the generator are not."""
    held: list[object] = field(default_factory=list)
    """What is never let go."""
    database: psycopg.Connection[Any] | None = None
    cached: bool = False

    @property
    def loaded(self) -> bool:
        """Say whether a load is on."""
        return self.in_flight > LOADED

    def one_of(self, count: int) -> bool:
        """Say whether this request is the last of `count` under load."""
        self.under_load += self.loaded
        return self.loaded and self.under_load % count == 0

    def ask_postgres(self) -> None:
        """Read one row."""
        if self.database is None:
            self.database = psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)
        assert self.database.execute("SELECT name, value FROM myapp_row LIMIT 1").fetchone()


STATE = State()
FOREVER = threading.Event()


async def app(scope: dict[str, Any], receive: object, send: Send) -> None:
    """Answer the pages, and what is asked to see whether the server is up."""
    headers = dict(scope["headers"])
    request = Request(scope["path"], scope["client"], b"accept-encoding" not in headers, send)
    if request.path not in WAIT_S:
        await request.answer()
        return
    STATE.in_flight += 1
    STATE.first_seen.setdefault(request.client, time.monotonic())
    try:
        await globals()[FAULT](request)
    finally:
        STATE.in_flight -= 1


async def work(path: str) -> None:
    """Do what a page has to do before it can be answered."""
    wait_s = WAIT_S[path]
    # Not all at once, or they are answered at once and for a moment nothing is in flight.
    await asyncio.sleep(wait_s if wait_s >= SLOW_S else wait_s * random.uniform(0.5, 1.5))
    if path == "/rows":
        STATE.ask_postgres()


# The faults --------------------------------------------------------------------------------------


async def none(request: Request) -> None:
    """All is as it should be."""
    await work(request.path)
    await request.answer()


async def error_for_all(request: Request) -> None:
    await work(request.path)
    await request.answer(b"broken", status=500)


async def error_for_all_under_load(request: Request) -> None:
    await work(request.path)
    if STATE.loaded:
        await request.answer(b"broken", status=500)
    else:
        await request.answer()


async def error_for_one_in_a_hundred(request: Request) -> None:
    await work(request.path)
    if STATE.one_of(100):
        await request.answer(b"broken", status=500)
    else:
        await request.answer()


async def breaks_off(request: Request) -> None:
    """Every connection ends in the middle of an answer when it is half a second old."""
    await work(request.path)
    # Under load alone: the check after it may get the port of an old connection.
    if STATE.loaded and time.monotonic() - STATE.first_seen[request.client] > 0.5:
        await request.answer(BODY[:10], declared=len(BODY))
    else:
        await request.answer()


async def gives_up(request: Request) -> None:
    """Its own time limit is shorter than what the page takes."""
    await asyncio.sleep(WAIT_S[request.path] / 2)
    await request.answer(BODY[:10], declared=len(BODY))


async def hangs(request: Request) -> None:
    """The generator never gets an answer."""
    if request.of_generator:
        await asyncio.Event().wait()
    await none(request)


async def starves(request: Request) -> None:
    """Only eight of the generator's connections are served, as by a server with too few threads."""
    if request.of_generator and request.client not in STATE.generators:
        if len(STATE.generators) >= 8:
            await asyncio.Event().wait()
        STATE.generators.add(request.client)
    await none(request)


async def stalls(request: Request) -> None:
    """All stand still for a second at every 200th request."""
    await work(request.path)
    if STATE.one_of(200):
        time.sleep(1)  # the whole process, which is the point
    await request.answer()


async def other_page(request: Request) -> None:
    """The page that waits 0.5 s answers where the one that waits 1 s is asked for."""
    await work("/half_second")
    await request.answer()


async def other_page_for_the_generator(request: Request) -> None:
    await work("/half_second" if request.of_generator else request.path)
    await request.answer()


async def other_body_under_load(request: Request) -> None:
    await work(request.path)
    await request.answer(SAME_LENGTH if STATE.loaded else BODY)


async def other_size_for_the_generator(request: Request) -> None:
    await work(request.path)
    await request.answer(BODY * 10 if request.of_generator else BODY)


async def moved_under_load(request: Request) -> None:
    """wrk takes a redirect for a right answer."""
    await work(request.path)
    if STATE.loaded:
        await request.answer(BODY, status=302)
    else:
        await request.answer()


async def moved_for_the_generator(request: Request) -> None:
    await work(request.path)
    if request.of_generator:
        await request.answer(b"", status=302)
    else:
        await request.answer()


async def from_cache(request: Request) -> None:
    await work("/page")
    if not STATE.cached:
        STATE.ask_postgres()
        STATE.cached = True
    await request.answer()


async def too_many_sessions(request: Request) -> None:
    """Connections to the database are kept, whatever the size of the pool."""
    if len(STATE.held) < 30:
        STATE.held.append(psycopg.connect(os.environ["DATABASE_URL"]))
    await none(request)


async def leak(request: Request, take: Callable[[], object]) -> None:
    """Take something for some of the requests, and keep it for good."""
    if STATE.one_of(5) and len(STATE.held) < 200:
        STATE.held.append(take())
    await none(request)


async def leaks_threads(request: Request) -> None:
    await leak(request, lambda: threading.Thread(target=FOREVER.wait, daemon=True).start())


async def leaks_connections(request: Request) -> None:
    await leak(request, socket.socketpair)


async def leaks_memory(request: Request) -> None:
    await leak(request, lambda: b"x" * 1_000_000)


def launches() -> int:
    """Return how often this server was launched, this time included."""
    with Path(os.environ["LAUNCHES"]).open("ab") as file:
        file.write(b".")
        return file.tell()


async def slower_each_time(request: Request) -> None:
    await asyncio.sleep(0.02 * (LAUNCH - 1))
    await none(request)


async def overworked(request: Request) -> None:
    """It cannot keep up: each answer takes half as long again."""
    await asyncio.sleep(WAIT_S[request.path] / 2)
    await none(request)


async def starts_once(request: Request) -> None:
    await none(request)


LAUNCH = launches() if "LAUNCHES" in os.environ else 1
if FAULT == "starts_once" and LAUNCH > 1:
    sys.exit("it does not start a second time")
