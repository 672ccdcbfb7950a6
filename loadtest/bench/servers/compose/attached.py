"""A server that somebody else started, as a `Bench`: what can be asked of it, is.

It is where `TARGET_URL` says; without that, in the `loadtest` container of `docker-compose.yml`,
the server of the profile that is up, under the name `server`. It is not started afresh for each
round, and nobody tells what it uses.
"""

from __future__ import annotations

import dataclasses
import http.client
import os
import re
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from loadtest.bench.servers.compose import serve
from loadtest.bench.servers.loaded_server import Bench, LoadedServer, Measurement
from loadtest.bench.servers.service_counters import Counters
from loadtest.plan.servers.inventory import Inventory
from loadtest.plan.servers.project import NOT_THERE, App
from loadtest.records.errors import CellError, UserError
from loadtest.records.measured import Placement
from loadtest.records.planned import Cell, Server
from loadtest.system import listening

HOST = "server"
"""Of the network, whichever server it is."""

TARGET = "TARGET_URL"


class Target(NamedTuple):
    """Where a server is."""

    host: str
    port: int


def target(environment: Mapping[str, str]) -> Target:
    """Return where the server is that an environment names; raises UserError for what is no URL."""
    url = environment.get(TARGET)
    if url is None:
        return Target(HOST, serve.PORT)
    try:
        parts = urlsplit(url)
        port = parts.port or 80
    except ValueError:
        parts, port = urlsplit(""), 0
    if parts.scheme != "http" or not parts.hostname or parts.path.strip("/") or parts.query:
        raise UserError(f"{TARGET}={url}: a server's address, as in {TARGET}=http://10.0.0.5:8000")
    return Target(parts.hostname, port)


def take_inventory(
    inventory: Inventory, typed: Sequence[str] = ()
) -> tuple[Inventory, dict[str, Any]]:
    """Return what there is to choose from, and the options that the server that is up fixes.

    `typed` are the servers that were asked for: where `TARGET_URL` says where it is, they say which
    it is. Else its shape is what the environment says, that of its own container. Raises UserError.
    """
    if TARGET in os.environ:
        return _named(inventory, typed), {}
    name = _running(tuple(server.name for server in inventory.servers))
    if name is None:
        raise UserError(
            "no server answers as http://server:8000; start one with the generator:"
            " `docker compose --profile uvicorn run --rm loadtest`"
        )
    shape = serve.shape(os.environ)
    fixed = {"servers": (name,), "workers": shape.workers, "threads": shape.threads}
    return dataclasses.replace(inventory, launcher="running"), fixed


def _named(inventory: Inventory, typed: Sequence[str]) -> Inventory:
    names = [server.name for server in inventory.servers if server.name in typed]
    if len(typed) != 1 or len(names) != 1:
        raise UserError(
            f"{TARGET} says where a server runs, and not which it is; name it, as in `loadtest run"
            " --launcher running --server uvicorn`"
        )
    if reason := _Elsewhere(target(os.environ)).ended():
        raise UserError(f"{TARGET}: {reason}")
    return dataclasses.replace(inventory, launcher="running")


def _running(names: tuple[str, ...]) -> str | None:
    try:
        address = socket.gethostbyname(HOST)
        container = socket.gethostbyaddr(address)[0]
    except OSError:
        return None
    # As in loadtest-gunicorn-sync-1.loadtest_default: the project, the service, its number.
    service = re.sub(r"-\d+$", "", container.partition(".")[0])
    fitting = [name for name in names if service == name or service.endswith(f"-{name}")]
    return max(fitting, key=len, default=None)


class _Elsewhere:
    """What is known of the server: whether it answers."""

    def __init__(self, where: Target) -> None:
        """Take where it is."""
        self._where = where

    def ended(self) -> str | None:
        """Return in words that it does not answer, None while it does."""
        try:
            listening.get(*self._where, NOT_THERE, 5)
        except (OSError, http.client.HTTPException) as error:
            return f"the server does not answer: {error}"
        return None

    def holding(self) -> None:
        """Return None: nobody tells what its processes hold."""

    def tail(self) -> str:
        """Return the end of its log, which is elsewhere."""
        return ""

    def stop(self) -> None:
        """Leave it to whoever started it."""


class _RunningServer(LoadedServer):
    def load(self, cell: Cell, name: str, seed: int = 0) -> Measurement:
        """Load one cell; what the server used is not known here, and so not what others did."""
        measurement = super().load(cell, name, seed)
        measurement.sampled.host = None
        return measurement


@dataclass(frozen=True)
class RunningBench(Bench):
    """A server and services that are there."""

    app: App
    services: Mapping[str, str]
    """Their addresses."""
    folder: Path
    placement: Placement | None = None

    def repair(self) -> CellError | None:
        """Return None: what is wrong shows in the answers."""
        return None

    def launch(self, profile: Server, name: str) -> LoadedServer:
        """Return the server; raises CellError where it does not answer."""
        where = target(os.environ)
        server = _Elsewhere(where)
        if reason := server.ended():
            raise CellError("launch", reason)
        return _RunningServer(
            launched=server,
            host=where.host,
            port=where.port,
            launch_s=0.0,
            groups=dict,
            # PostgreSQL tells of its scans when a server is gone: never here.
            counters=lambda: Counters(self.app, self.services, exact_scans=False),
            folder=self.folder,
            placement=self.placement,
        )
