"""Rows measured for real: one way to a row, and upstreams that behave badly."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import client_facts

from loadtest.bench.clients.upstream import Upstream
from loadtest.measure.clients import measuring
from loadtest.measure.clients.measuring import Bench
from loadtest.plan.clients import catalogue
from loadtest.plan.clients.own_server import Expected
from loadtest.records.clients import (
    Interpreter,
    Measure,
    Outcome,
    Plan,
    Row,
)

KEY = "here"
HERE = Interpreter(path=sys.executable, version="3", implementation="CPython", versions={})

Talk = Callable[[socket.socket, int], None]
"""What a server does with a connection, which has a number."""

RIGHT = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


def row(client: str = "urllib3", **changes: Any) -> Row:
    fields: dict[str, Any] = {
        "group": "test",
        "kind": None,
        "mode": "sequential",
        "requests": 20,
        "batch": 1,
        "chunk": None,
        "python": KEY,
    }
    return client_facts.row(client, **fields | changes)


def plan(*rows: Row, **changes: Any) -> Plan:
    fields: dict[str, Any] = {
        "rounds": 1,
        "warmup_requests": 2,
        "timeout_s": 60.0,  # no machine is too busy for that
    }
    return client_facts.plan(list(rows), [client_facts.group("test")], **fields | changes)


def bench(
    *rows: Row,
    upstream: Upstream | None = None,
    expected: Expected | None = None,
    folder: Path = catalogue.FOLDER,
    **changes: Any,
) -> Bench:
    return Bench(
        plan=plan(*rows, **changes),
        clients=catalogue.clients(folder),
        interpreters={KEY: HERE},
        upstream=upstream,
        expected=expected,
    )


def measure(row: Row, measure: Measure = "warm", **settings: Any) -> Outcome:
    return measuring.measure(bench(row, **settings), row, measure, 0)


def right(outcome: Outcome) -> Outcome:
    assert outcome.status == "measured", f"{outcome.stage}: {outcome.reason}\n{outcome.detail}"
    assert outcome.answers == outcome.calls
    assert not outcome.errors
    return outcome


def at(port: int, **changes: Any) -> Expected:
    fields: dict[str, Any] = {
        "url": f"http://127.0.0.1:{port}/",
        "body_bytes": 5,
        "sha256": None,
    }
    return Expected(**fields | changes)


@contextlib.contextmanager
def serving(talk: Talk) -> Iterator[int]:
    """Run a server that treats each connection so, and give its port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)

        def accept() -> None:
            number = 0
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=serve, args=(connection, number), daemon=True).start()
                    number += 1

        def serve(connection: socket.socket, number: int) -> None:
            with connection, contextlib.suppress(OSError):
                talk(connection, number)

        threading.Thread(target=accept, daemon=True).start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)


def answers(connection: socket.socket, number: int, after: bytes = b"") -> None:
    """Answer each request on a connection; `after` is sent in place of all but the first."""
    first = True
    while connection.recv(65_536):
        connection.sendall(RIGHT if first or not after else after)
        first = False


def resets(connection: socket.socket, number: int) -> None:
    """Take a request and reset the connection."""
    connection.recv(65_536)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Gate:
    """Answers when as many requests are in flight as it is told to expect, and 10 ms later."""

    def __init__(self, size: int) -> None:
        """Let `size` requests through at a time."""
        self.most = 0
        self.connections = 0
        self._inside = 0
        self._lock = threading.Lock()
        self._together = threading.Barrier(size)

    def __call__(self, connection: socket.socket, number: int) -> None:
        """Hold what is asked on a connection until the others are there."""
        with self._lock:
            self.connections += 1
        while connection.recv(65_536):
            with self._lock:
                self._inside += 1
                self.most = max(self.most, self._inside)
            self._together.wait(60)  # or nobody gets an answer
            time.sleep(0.01)
            with self._lock:  # before the answer, upon which the client may send the next
                self._inside -= 1
            connection.sendall(RIGHT)


def stalls(connection: socket.socket, number: int) -> None:
    """Take requests and never answer."""
    while connection.recv(65_536):
        pass


def garbage(connection: socket.socket, number: int) -> None:
    """Answer what is no HTTP."""
    connection.recv(65_536)
    connection.sendall(b"\x00\x01\x02 not HTTP\r\n\r\n")


def cut_off(connection: socket.socket, number: int) -> None:
    """Promise a body and close in the middle of it."""
    connection.recv(65_536)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe")


def closed_port() -> int:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return int(closed.getsockname()[1])
