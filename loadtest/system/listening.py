"""Ports of this machine: a free one, whether what was started answers on it, and who listens."""

from __future__ import annotations

import contextlib
import http.client
import io
import math
import os
import socket
import time
from collections.abc import Collection, Iterator
from functools import partial
from types import SimpleNamespace
from typing import Any, Protocol, cast

import psutil

from loadtest.records.errors import CellError
from loadtest.records.planned import Record
from loadtest.system.process import Process

HOST = "127.0.0.1"
FIRST_PORT = 8000

PORTS = 1000
"""That many are tried."""

APART = 37
"""Ports between where two engines begin that were started one after the other: each has several."""

READY_WITHIN_S = 60.0
"""Somebody's project may take long to be imported, by several servers at once."""

OWNED_WITHIN_S = 2.0

MOST_BODY_BYTES = 2**20
"""Of an answer to a probe; what comes behind is not waited for."""


def free_port(preferred: int | None = None, taken: Collection[int] = (), host: str = HOST) -> int:
    """Return the first port from `preferred` on that nobody has, and that is not `taken`.

    Ports are below the system's own for outgoing connections, so that the generator cannot take
    one in between; and two engines that look at the same moment begin at different ones.
    """
    if preferred is None:
        preferred = FIRST_PORT + os.getpid() * APART % PORTS
    beyond = min(preferred + PORTS, 65_536)
    for port in range(preferred, beyond):
        if port in taken:
            continue
        with socket.socket() as probe:
            # As servers do: a port whose last connections are still in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((host, port))
                return port
    raise CellError("launch", f"no free port between {preferred} and {beyond - 1}")


class Response(Record, frozen=True, kw_only=True):
    """What came back for one request."""

    status: int
    server: str | None
    """As the header `Server` has it."""
    body: bytes


def get(host: str, port: int | None, path: str, timeout_s: float) -> Response:
    """Ask for a path over a connection of its own; raises OSError or HTTPException."""
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    with contextlib.closing(connection):
        connection.request("GET", path, headers={"Connection": "close"})
        answer = answer_of(connection, timeout_s)
        return Response(
            status=answer.status,
            server=answer.headers.get("Server"),
            body=b"".join(_parts(answer, MOST_BODY_BYTES)),
        )


def answer_of(connection: http.client.HTTPConnection, within_s: float) -> http.client.HTTPResponse:
    """Return the answer to what was asked on a connection; raises OSError or HTTPException.

    Also its body will, where any part of it comes later than `within_s` behind the first byte.
    """
    connection.response_class = partial(_response, within_s)  # type: ignore[assignment]
    return connection.getresponse()


def _response(within_s: float, sock: socket.socket, **of: Any) -> http.client.HTTPResponse:
    in_time = SimpleNamespace(makefile=lambda _: io.BufferedReader(_InTime(sock, within_s)))
    return http.client.HTTPResponse(cast("socket.socket", in_time), **of)


class _InTime(io.RawIOBase):
    """What comes on a socket: its own timeout is of each part of it alone."""

    def __init__(self, sock: socket.socket, within_s: float) -> None:
        self._raw = sock.makefile("rb", buffering=0)
        self._within_s = within_s
        self._deadline = math.inf

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if time.monotonic() > self._deadline:
            raise TimeoutError(f"an answer that goes on for over {self._within_s:g} s")
        count = self._raw.readinto(buffer)
        self._deadline = min(self._deadline, time.monotonic() + self._within_s)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class LongBodyError(http.client.HTTPException):
    """A body is longer than it may be."""


def body_of(response: http.client.HTTPResponse, most_bytes: int) -> bytes:
    """Return a whole body of at most so many bytes; raises OSError or HTTPException."""
    body = b"".join(_parts(response, most_bytes))
    if response.read(1):
        raise LongBodyError(f"a body of over {most_bytes:,} bytes")
    if response.length:
        raise http.client.IncompleteRead(body, response.length)
    return body


def _parts(response: http.client.HTTPResponse, most_bytes: int) -> Iterator[bytes]:
    """Yield a body as it comes."""
    while response.length != 0 and most_bytes > 0:
        if response.length is None:
            part = response.read1(most_bytes)
        else:  # `read1` does not count that down
            part = response.read(min(len(response.peek()), most_bytes))
        if not part:
            return
        most_bytes -= len(part)
        yield part


class Awaited(Protocol):
    """What is expected to answer: a process, or a container."""

    @property
    def name(self) -> str:
        """What it is called where it fails."""

    def ended(self) -> str | None:
        """Return in words how it ended, None while it runs."""

    def tail(self) -> str:
        """Return the end of its log."""


def await_answer(running: Awaited, port: int, path: str, host: str = HOST) -> None:
    """Ask until there is an answer, whatever it is; raises CellError where that never comes."""
    deadline = time.monotonic() + READY_WITHIN_S
    last = "no connection"
    while time.monotonic() < deadline:
        if ended := running.ended():
            raise CellError("launch", f"{ended} before it answered", running.tail())
        try:
            get(host, port, path, 2)
            return
        except (OSError, http.client.HTTPException) as error:
            last = str(error) or type(error).__name__
        time.sleep(0.02)
    raise CellError(
        "launch",
        f"{running.name} did not answer within {READY_WITHIN_S:.0f} s: {last}",
        running.tail(),
    )


def check_owner(running: Process, port: int) -> None:
    """Make sure that who listens is the child: a stale server would be measured in its place.

    Asked more than once: the system's tables are not read at one instant, and on a busy machine
    one look can miss a socket.
    """
    deadline = time.monotonic() + OWNED_WITHIN_S
    while not any(_listens(member, port) for member in running.tree()):
        if time.monotonic() > deadline:
            raise CellError(
                "launch", f"port {port} is answered by a process that is not {running.name}"
            )
        time.sleep(0.05)


def _listens(member: psutil.Process, port: int) -> bool:
    with contextlib.suppress(psutil.Error):
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            for connection in member.net_connections("tcp")
        )
    return False
