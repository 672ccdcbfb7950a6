"""A server that is up, checked and loaded over HTTP, and where such servers are started."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import msgspec

from loadtest.bench.load.generator import Generator, Generators, Printed
from loadtest.bench.servers.answer_check import Checked, Watch, verify
from loadtest.bench.servers.service_counters import Counters
from loadtest.plan.servers.requests import Prepared
from loadtest.records.errors import CellError
from loadtest.records.measured import During, Part, Placement, Usage
from loadtest.records.planned import Cell, Endpoint, Server, Stage
from loadtest.system import sampling
from loadtest.system.sampling import Holding, Members, Sampled


@dataclass(frozen=True)
class Measurement:
    """What one load gave, what it took, and what a second client saw meanwhile."""

    printed: Printed
    sampled: Sampled
    during: During


class Launched(Protocol):
    """What a server runs as: a process, a container, or what somebody else started."""

    def ended(self) -> str | None:
        """Return in words how it ended by itself, None while it runs."""

    def holding(self) -> Holding | None:
        """Return what its processes hold now; None where nobody tells."""

    def tail(self) -> str:
        """Return the end of its log."""

    def stop(self) -> None:
        """Stop it and all that it started."""


@dataclass(frozen=True, kw_only=True)
class LoadedServer:
    """A server at an address, and whose processes are sampled while it is loaded."""

    launched: Launched
    host: str
    port: int
    launch_s: float
    """How long it took until it answered."""
    groups: Callable[[], Mapping[str, Members]]
    """The processes to sample by name, the generator's aside; `server` are its own."""
    counters: Callable[[], Counters]
    """Its services as this machine reaches them."""
    folder: Path
    """The run's."""
    requests: Mapping[str, tuple[Prepared, ...]] = field(default_factory=dict)
    """What is sent, by the name of the endpoint; where it isn't there, a GET of its path."""
    placement: Placement | None
    generators: Generators = Generator
    """What makes its loads."""

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
            requests=self.requests.get(endpoint.name, ()),
        )

    def load(self, cell: Cell, name: str, seed: int = 0) -> Measurement:
        """Load one cell, its files named after `name`; raises CellError where nothing was measured.

        `seed` is of the arrivals of a load at a rate.
        """
        endpoint = cell.endpoint
        delay_s = endpoint.contract.delay_s
        requests = self.requests.get(endpoint.name, ())
        address = f"{self.host}:{self.port}"
        url = f"http://{address}{'/' if requests else endpoint.path}"
        sent = [request.encoded(address) for request in requests]
        generator = self.generators(
            cell.load, url, delay_s, self.folder, name, self.placement, seed, sent
        )
        watch = Watch(self.host, self.port, endpoint, cell.load.duration_s + delay_s, requests)
        try:
            with self.sampled(generator.tree) as sampled:
                printed = generator.finish()
        finally:
            generator.stop()
            during = watch.stop()
        if printed.parts:
            _count_agents(sampled, printed.parts)
        return Measurement(printed=printed, sampled=sampled, during=during)

    def sampled(self, generator: Members) -> AbstractContextManager[Sampled]:
        """Sample the server and the services during the block, with the generator of a load."""
        groups = {**self.groups(), "generator": generator}
        return sampling.sampling(groups, holds="server", ends="generator")

    def memory_bytes(self) -> int | None:
        """Return what its processes hold together; None where nobody tells."""
        if members := self.groups().get("server"):
            return sampling.memory_bytes(members())
        holding = self.holding()
        return holding.rss_bytes if holding else None

    def holding(self) -> Holding | None:
        """Return what its processes hold now; None where nobody tells."""
        return self.launched.holding()

    def ended(self) -> str | None:
        """Return in words how it ended by itself, None while it runs."""
        return self.launched.ended()

    def tail(self) -> str:
        """Return the end of its log."""
        return self.launched.tail()

    def stop(self) -> None:
        """Stop it and all that it started."""
        self.launched.stop()


def _count_agents(sampled: Sampled, parts: Sequence[Part]) -> None:
    """Put what agents used in place of what was seen of a generator here.

    What those of this machine used was no other program's.
    """
    usages = [part.usage for part in parts]
    sampled.usage["generator"] = Usage(
        cpu_s=sum(usage.cpu_s for usage in usages),
        rss_peak_bytes=sum(usage.rss_peak_bytes for usage in usages),
        processes=sum(usage.processes for usage in usages),
        threads=sum(usage.threads for usage in usages),
        each_cpu_s=(max(usage.cpu_s for usage in usages),),
    )
    if sampled.host is not None:
        # Without their wardens, which were up before the load.
        here_s = sum((part.loaded.cpu_us or 0) / 1e6 for part in parts if part.host is None)
        others_s = max(0.0, sampled.host.other_cpu_s - here_s)
        sampled.host = msgspec.structs.replace(sampled.host, other_cpu_s=others_s)


class Bench(Protocol):
    """Where servers run and are loaded."""

    def repair(self) -> CellError | None:
        """Start services that have died again; return what died, None if all is well."""

    def launch(self, profile: Server, name: str) -> LoadedServer:
        """Start a server and return it once it has answered; raises CellError."""


@dataclass(frozen=True)
class GeneratedBench(Bench):
    """A bench whose servers are loaded by other generators than this machine's own."""

    bench: Bench
    generators: Generators

    def repair(self) -> CellError | None:
        """Start services that have died again; return what died, None if all is well."""
        return self.bench.repair()

    def launch(self, profile: Server, name: str) -> LoadedServer:
        """Start a server and return it once it has answered; raises CellError."""
        return replace(self.bench.launch(profile, name), generators=self.generators)
