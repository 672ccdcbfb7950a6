"""Servers in containers and the generator beside them, as a `Bench`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from loadtest.bench.servers.compose.container import Container
from loadtest.bench.servers.compose.stack import Stack
from loadtest.bench.servers.loaded_server import Bench, LoadedServer, Measurement
from loadtest.bench.servers.service_counters import Counters
from loadtest.plan.servers.project import NOT_THERE
from loadtest.records.errors import CellError
from loadtest.records.measured import Placement, Usage
from loadtest.records.planned import Cell, Server
from loadtest.system import listening, local_ports
from loadtest.system.cgroup import Reading
from loadtest.system.sampling import Sampled

GROUPS = {"postgres": "postgres", "cache": "valkey", "upstream": "upstream"}
"""What a local run calls the processes of each service."""


@dataclass(frozen=True, kw_only=True)
class ComposeServer(LoadedServer):
    """A server in a container."""

    containers: Callable[[], Mapping[str, Container]]
    """Its own and those of the services, by what their processes are called."""

    def load(self, cell: Cell, name: str, seed: int = 0) -> Measurement:
        """Load one cell; raises CellError where nothing was measured."""
        containers = self.containers()
        before = {group: _Before.of(container) for group, container in containers.items()}
        begun = local_ports.begun()
        measurement = super().load(cell, name, seed)
        if short := local_ports.short(self.host, self.port, cell.load.connections, begun):
            raise CellError("load", short)
        for group, container in containers.items():
            _add(measurement.sampled, group, before[group], container)
        return measurement


class _Before(msgspec.Struct, frozen=True):
    """What a group had used before the load, and what reading that costs it."""

    reading: Reading | None
    cost_s: float

    @classmethod
    def of(cls, container: Container) -> _Before:
        first = container.reading()
        if first is None or container.is_here:
            return cls(first, 0.0)
        second = container.reading()
        return cls(second, second.cpu_s - first.cpu_s if second else 0.0)


def _add(sampled: Sampled, name: str, before: _Before, container: Container) -> None:
    """Put what the kernel counted for a container in place of what was seen of its processes."""
    first, after = before.reading, container.reading()
    if first is None or after is None:
        return
    throttled_s = after.throttled_s - first.throttled_s
    seen = sampled.usage.get(name)
    if seen is None:  # it is on another machine
        held = container.holding()
        if held is None:
            return
        seen = Usage(
            cpu_s=0.0,
            rss_peak_bytes=held.rss_bytes,
            processes=held.processes,
            threads=held.threads,
        )
    sampled.usage[name] = msgspec.structs.replace(
        seen,
        cpu_s=max(0.0, after.cpu_s - first.cpu_s - before.cost_s),
        throttled_s=throttled_s,
    )
    if sampled.host is not None and throttled_s > 0:
        so_far_s = sampled.host.throttled_s or 0.0
        sampled.host = msgspec.structs.replace(sampled.host, throttled_s=so_far_s + throttled_s)


@dataclass(frozen=True)
class ComposeBench(Bench):
    """An engine: servers as containers of its own, wrk on this machine."""

    stack: Stack
    folder: Path
    placement: Placement | None = None

    def repair(self) -> CellError | None:
        """Start services that have died again; return what died, None if all is well."""
        return self.stack.repair()

    def launch(self, profile: Server, name: str) -> ComposeServer:
        """Start a server and return it once it has answered; raises CellError."""
        started = time.monotonic()
        log = self.folder / "logs" / f"{name}.log"
        container = self.stack.launch(profile.duplicate_of or profile.name, log)
        try:
            host, port = self.stack.where(container)
            listening.await_answer(container, port, NOT_THERE, host)
        except BaseException:
            container.stop()
            raise

        def containers() -> Mapping[str, Container]:
            services = self.stack.services.items()
            return {"server": container, **{GROUPS[name]: service for name, service in services}}

        return ComposeServer(
            launched=container,
            host=host,
            port=port,
            launch_s=time.monotonic() - started,
            groups=lambda: {
                name: group.members for name, group in containers().items() if group.is_here
            },
            counters=lambda: Counters(self.stack.app, self.stack.addresses()),
            folder=self.folder,
            placement=self.placement,
            containers=containers,
        )
