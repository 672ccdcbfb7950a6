"""Servers in containers and the generator beside them, as a world for the runner."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from loadtest.bench.load.generator import Generator
from loadtest.bench.servers import instance, service_counters
from loadtest.bench.servers.answer_check import Checked, Watch, verify
from loadtest.bench.servers.compose.container import Container
from loadtest.bench.servers.compose.stack import Stack
from loadtest.bench.servers.protocol import Measurement
from loadtest.bench.servers.service_counters import Counts
from loadtest.records.errors import CellError
from loadtest.records.measured import Placement, Usage
from loadtest.records.planned import Cell, Contract, Endpoint, Server, Stage
from loadtest.system import listening, local_ports, sampling
from loadtest.system.cgroup import Reading
from loadtest.system.sampling import Holding, Sampled

GROUPS = {"postgres": "postgres", "cache": "valkey", "upstream": "upstream"}
"""What a local run calls the processes of each service."""


@dataclass(frozen=True)
class ComposeServer:
    """A server in a container."""

    container: Container
    stack: Stack
    host: str
    port: int
    folder: Path
    placement: Placement | None
    launch_s: float

    def verify(
        self, endpoint: Endpoint, *, concurrency: int, seconds: float, stage: Stage
    ) -> Checked:
        """Compare answers with the contract; raises CellError for the first that is not right."""
        return verify(
            self.host,
            self.port,
            endpoint,
            concurrency=concurrency,
            seconds=seconds,
            stage=stage,
        )

    def load(self, cell: Cell, name: str) -> Measurement:
        """Load one cell; raises CellError where nothing was measured."""
        endpoint = cell.endpoint
        delay_s = endpoint.contract.delay_s
        groups = {
            "server": self.container,
            **{GROUPS[name]: one for name, one in self.stack.services.items()},
        }
        before = {name: _Before.of(one) for name, one in groups.items()}
        begun = local_ports.begun()
        url = f"http://{self.host}:{self.port}{endpoint.path}"
        generator = Generator(cell.load, url, delay_s, self.folder, name, self.placement)
        seen = {name: one.members for name, one in groups.items() if one.is_here}
        watch = Watch(self.host, self.port, endpoint, cell.load.duration_s + delay_s)
        try:
            with sampling.sampling(
                {**seen, "generator": generator.process.tree}, pss_of="server", ends="generator"
            ) as sampled:
                printed = generator.finish()
        finally:
            generator.process.stop()
            during = watch.stop()
        if short := local_ports.short(self.host, self.port, cell.load.connections, begun):
            raise CellError("load", short)
        for name, one in groups.items():
            _add(sampled, name, before[name], one)
        return Measurement(printed=printed, sampled=sampled, during=during)

    def holding(self) -> Holding | None:
        """Return what its processes hold now; None where nobody tells."""
        return self.container.holding()

    def ended(self) -> str | None:
        """Return in words how it ended by itself, None while it runs."""
        return self.container.ended()

    def tail(self) -> str:
        """Return the end of its log."""
        return self.container.tail()

    def stop(self) -> None:
        """Stop and remove its container."""
        self.container.remove()


class _Before(msgspec.Struct, frozen=True):
    """What a group had used before the load, and what reading that costs it."""

    reading: Reading | None
    cost_s: float

    @classmethod
    def of(cls, one: Container) -> _Before:
        first = one.reading()
        if first is None or one.is_here:
            return cls(first, 0.0)
        second = one.reading()
        return cls(second, second.cpu_s - first.cpu_s if second else 0.0)


def _add(sampled: Sampled, name: str, before: _Before, one: Container) -> None:
    """Put what the kernel counted for a container in place of what was seen of its processes."""
    first, after = before.reading, one.reading()
    if first is None or after is None:
        return
    throttled_s = after.throttled_s - first.throttled_s
    seen = sampled.usage.get(name)
    if seen is None:  # it is on another machine
        held = one.holding()
        if held is None:
            return
        seen = Usage(
            cpu_s=0.0,
            rss_peak_bytes=held.rss_bytes,
            pss_peak_bytes=None,
            processes=held.processes,
            threads=held.threads,
        )
    sampled.usage[name] = msgspec.structs.replace(
        seen,
        cpu_s=max(0.0, after.cpu_s - first.cpu_s - before.cost_s),
        charged_bytes=after.charged_bytes,
        throttled_s=throttled_s,
    )
    if sampled.host is not None and throttled_s > 0:
        so_far_s = sampled.host.throttled_s or 0.0
        sampled.host = msgspec.structs.replace(sampled.host, throttled_s=so_far_s + throttled_s)


@dataclass(frozen=True)
class ComposeBench:
    """An engine: servers as containers of its own, wrk on this machine."""

    stack: Stack
    folder: Path
    placement: Placement | None = None

    def repair(self) -> CellError | None:
        """Start services that have died again; return what died, None if all is well."""
        return self.stack.repair()

    def counts(self, contract: Contract) -> Counts:
        """Return what the services that an endpoint needs have counted, where they are reached."""
        addresses = self.stack.addresses()
        if not addresses:
            return Counts()
        if contract.postgres:
            service_counters.await_sessions_end(addresses)
        return service_counters.read(addresses, contract)

    def database_connections(self) -> int | None:
        """Return how many sessions are open in the database, where it is reached."""
        addresses = self.stack.addresses()
        return service_counters.database_connections(addresses) if addresses else None

    def launch(self, profile: Server, name: str) -> ComposeServer:
        """Start a server and return it once it has answered; raises CellError."""
        started = time.monotonic()
        log = self.folder / "logs" / f"{name}.log"
        one = self.stack.launch(profile.duplicate_of or profile.name, log)
        try:
            if ended := one.ended():
                raise CellError("launch", f"{ended} before it answered", one.tail())
            host, port = self.stack.where(one)
            listening.await_answer(one, port, instance.PROBE, host)
        except BaseException:
            one.remove()
            raise
        return ComposeServer(
            container=one,
            stack=self.stack,
            host=host,
            port=port,
            folder=self.folder,
            placement=self.placement,
            launch_s=time.monotonic() - started,
        )
