"""A server that is up, checked and loaded over HTTP; where it runs, those who start it know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.bench.load.generator import Generator
from loadtest.bench.servers.answer_check import NO_HEADERS, Checked, Watch, verify
from loadtest.bench.servers.protocol import Launched, Measurement
from loadtest.bench.servers.service_counters import Counters
from loadtest.records.measured import Placement
from loadtest.records.planned import Cell, Endpoint, Stage
from loadtest.system import sampling
from loadtest.system.sampling import Holding, Members


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
    headers: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """What requests have besides, by the name of the endpoint."""
    placement: Placement | None

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
            headers=self.headers.get(endpoint.name, NO_HEADERS),
        )

    def load(self, cell: Cell, name: str, seed: int = 0) -> Measurement:
        """Load one cell; raises CellError where nothing was measured."""
        endpoint = cell.endpoint
        delay_s = endpoint.contract.delay_s
        url = f"http://{self.host}:{self.port}{endpoint.path}"
        headers = self.headers.get(endpoint.name, NO_HEADERS)
        generator = Generator(
            cell.load, url, delay_s, self.folder, name, self.placement, seed, headers
        )
        groups = {**self.groups(), "generator": generator.process.tree}
        watch = Watch(self.host, self.port, endpoint, cell.load.duration_s + delay_s, headers)
        try:
            with sampling.sampling(groups, holds="server", ends="generator") as sampled:
                printed = generator.finish()
        finally:
            generator.process.stop()
            during = watch.stop()
        return Measurement(printed=printed, sampled=sampled, during=during)

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
