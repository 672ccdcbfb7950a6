"""Launches a server on a free port and finds out by probing when it is up."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import psutil

from loadtest import process
from loadtest.errors import CellError
from loadtest.model import Server, Shape
from loadtest.process import Process

HOST = "127.0.0.1"
FIRST_PORT = 8000
PORTS = 1000
"""That many are tried."""
PROBE = "/raw"
READY_WITHIN_S = 20.0
OWNED_WITHIN_S = 2.0
GRACE_S = 0.5
"""Nothing is owed to the generator's connections: what is still in flight was not counted."""


@dataclass(frozen=True)
class Instance:
    """A server that has answered, and what it took to get there."""

    server: Server
    process: Process
    port: int
    launch_s: float


def free_port(preferred: int | None = None) -> int:
    """Return the first port from `preferred` on that nobody has.

    Ports are below the system's own for outgoing connections, so that the generator cannot take
    one in between; and two engines that look at the same moment begin at different ones.
    """
    if preferred is None:
        preferred = FIRST_PORT + os.getpid() % PORTS
    beyond = min(preferred + PORTS, 65_536)
    for port in range(preferred, beyond):
        with socket.socket() as probe:
            # As servers do: a port whose last connections are still in TIME_WAIT is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind((HOST, port))
                return port
    raise CellError("launch", f"no free port between {preferred} and {beyond - 1}")


def argv(
    server: Server, shape: Shape, python: str, port: int, fd: int = -1, host: str = HOST
) -> tuple[str, ...]:
    """Return the command line of a server with its placeholders filled in."""
    filled = _fill(server, shape, python, port, fd, host)
    return tuple(text.format_map(filled) for text in server.argv)


def environment(
    server: Server, shape: Shape, python: str, port: int, fd: int = -1, host: str = HOST
) -> dict[str, str]:
    """Return what a server is told in its environment, beside what the project is told."""
    filled = _fill(server, shape, python, port, fd, host)
    return {
        "DATABASE_POOL_SIZE": str(shape.database_pool),
        **{key: value.format_map(filled) for key, value in server.env.items()},
    }


def _fill(
    server: Server, shape: Shape, python: str, port: int, fd: int, host: str
) -> dict[str, object]:
    module = f"myproject.{server.interface}"
    return {
        "python": python,
        "host": host,
        "port": port,
        "fd": fd,
        "workers": shape.workers,
        "threads": shape.threads,
        "workers*threads": shape.workers * shape.threads,
        "backlog": shape.backlog,
        "keep_alive_s": shape.keep_alive_s,
        "time_limit_s": shape.time_limit_s,
        "module": module,
        "application": f"{module}:application",
    }


def launch(
    server: Server,
    shape: Shape,
    *,
    python: str,
    project: Path,
    env: Mapping[str, str],
    log: Path,
    port: int | None = None,
    cpus: Sequence[int] = (),
) -> Instance:
    """Start a server and return once it has answered; raises CellError with the end of its log."""
    started = time.monotonic()
    port = free_port() if port is None else port
    with listening(server, port, shape.backlog) as fd:
        running = process.start(
            server.name,
            argv(server, shape, python, port, fd),
            env={**env, **environment(server, shape, python, port, fd)},
            cwd=project,
            log=log,
            times=times(server, shape),
            fds=(fd,) if fd >= 0 else (),
            grace_s=GRACE_S,
            cpus=cpus,
        )
    try:
        await_answer(running, port, PROBE)
        _check_owner(running, port)
    except BaseException:
        running.stop()
        raise
    return Instance(server, running, port, time.monotonic() - started)


def times(server: Server, shape: Shape) -> int:
    """Return how often its command is started."""
    return shape.workers if server.processes == "workers" else 1


@contextlib.contextmanager
def listening(server: Server, port: int, backlog: int, host: str = HOST) -> Iterator[int]:
    """Give the descriptor of a listening socket to a server of many processes, -1 to others."""
    if server.processes == "one":
        yield -1
        return
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen(backlog)
        except OSError as error:
            raise CellError("launch", f"port {port}: {error.strerror}") from None
        listener.set_inheritable(True)
        yield listener.fileno()


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
    """Ask until the answer is 200; raises CellError where what runs ends or never answers so."""
    deadline = time.monotonic() + READY_WITHIN_S
    last = "no connection"
    while time.monotonic() < deadline:
        if ended := running.ended():
            raise CellError("launch", f"{ended} before it answered", running.tail())
        connection = http.client.HTTPConnection(host, port, timeout=2)
        try:
            connection.request("GET", path, headers={"Connection": "close"})
            status = connection.getresponse().status
            if status == 200:
                return
            last = f"it answers {path} with status {status}"
        except (OSError, http.client.HTTPException) as error:
            last = str(error) or type(error).__name__
        finally:
            connection.close()
        time.sleep(0.02)
    raise CellError(
        "launch",
        f"{running.name} did not answer within {READY_WITHIN_S:.0f} s: {last}",
        running.tail(),
    )


def _check_owner(running: Process, port: int) -> None:
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
