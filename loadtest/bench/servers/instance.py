"""Launches a server on a free port and finds out by probing when it is up."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from loadtest.plan.servers.profile import command
from loadtest.plan.servers.project import NOT_THERE, SERVED, SETTINGS, Project
from loadtest.records.errors import CellError
from loadtest.records.planned import Server, Shape
from loadtest.system import process
from loadtest.system.listening import HOST, await_answer, check_owner, free_port
from loadtest.system.process import Process

GRACE_S = 0.5
"""Nothing is owed to the generator's connections: what is still in flight was not counted."""

LAUNCHES_AT_ONCE = 2 + (os.cpu_count() or 1)
"""Starting a server is work for one processor, and some waiting."""


@dataclass(frozen=True)
class Instance:
    """A server that has answered, and what it took to get there."""

    process: Process
    port: int
    launch_s: float


def launch(
    server: Server,
    shape: Shape,
    project: Project,
    *,
    env: Mapping[str, str],
    log: Path,
    port: int | None = None,
    cpus: Sequence[int] = (),
    host: str = HOST,
) -> Instance:
    """Start a server and return once it has answered; raises CellError with the end of its log.

    `env` is what it is told of the services, `host` the address of this machine that it has.
    """
    started = time.monotonic()
    port = free_port(host=host) if port is None else port
    served = log.with_suffix(".served").absolute()
    served.unlink(missing_ok=True)
    with listening(server, port, shape.backlog, host) as fd:
        started_by = command(server, shape, project, port, fd, host)
        running = process.start(
            server.name,
            started_by.argv,
            env={
                **project.environment(env, server.variant, server.sized(shape)),
                **started_by.env,
                SERVED: str(served),
            },
            cwd=project.folder,
            log=log,
            times=started_by.times,
            fds=(fd,) if fd >= 0 else (),
            grace_s=GRACE_S,
            cpus=cpus,
        )
    try:
        await_answer(running, port, NOT_THERE, host)
        check_owner(running, port)
        if project.app.applications:
            check_settings(served)
    except BaseException:
        running.stop()
        raise
    finally:
        served.unlink(missing_ok=True)
    return Instance(running, port, time.monotonic() - started)


def check_settings(served: Path) -> None:
    """Make sure that Django answered under our settings: under others it has others' data.

    Raises CellError where it runs under others, or has not been asked.
    """
    modules = set(served.read_text(encoding="utf-8").split()) if served.exists() else set()
    if modules != {SETTINGS}:
        raise CellError(
            "launch",
            f"its application does not run under {SETTINGS}; write"
            ' wsgi = "generated" and asgi = "generated" in loadtest.toml',
        )


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
