"""This machine as a world to measure in: servers as processes of its own, wrk beside them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from loadtest.bench.load.generator import Generator
from loadtest.bench.servers import instance, service_counters
from loadtest.bench.servers.answer_check import Checked, Watch, verify
from loadtest.bench.servers.instance import launch
from loadtest.bench.servers.protocol import Measurement
from loadtest.bench.servers.service_counters import Counts
from loadtest.bench.servers.services import Services
from loadtest.records.errors import CellError
from loadtest.records.measured import Placement
from loadtest.records.planned import Cell, Contract, Endpoint, Server, Shape, Stage
from loadtest.system import listening, sampling
from loadtest.system.sampling import Holding


@dataclass(frozen=True)
class LocalServer:
    """A server on this machine."""

    instance: instance.Instance
    services: Services
    folder: Path
    placement: Placement | None = None

    @property
    def launch_s(self) -> float:
        """How long it took until it answered."""
        return self.instance.launch_s

    def verify(
        self, endpoint: Endpoint, *, concurrency: int, seconds: float, stage: Stage
    ) -> Checked:
        """Compare answers with the contract; raises CellError for the first that is not right."""
        return verify(
            listening.HOST,
            self.instance.port,
            endpoint,
            concurrency=concurrency,
            seconds=seconds,
            stage=stage,
        )

    def load(self, cell: Cell, name: str) -> Measurement:
        """Load one cell; raises CellError where nothing was measured."""
        endpoint, port = cell.endpoint, self.instance.port
        delay_s = endpoint.contract.delay_s
        url = f"http://{listening.HOST}:{port}{endpoint.path}"
        generator = Generator(cell.load, url, delay_s, self.folder, name, self.placement)
        groups = {
            "server": self.instance.process.tree,
            "generator": generator.process.tree,
            **{name: one.tree for name, one in self.services.processes.items()},
        }
        watch = Watch(listening.HOST, port, endpoint, cell.load.duration_s + delay_s)
        try:
            with sampling.sampling(groups, pss_of="server", ends="generator") as sampled:
                printed = generator.finish()
        finally:
            generator.process.stop()
            during = watch.stop()
        return Measurement(printed=printed, sampled=sampled, during=during)

    def holding(self) -> Holding:
        """Return what its processes hold now."""
        return sampling.holding(self.instance.process.tree())

    def ended(self) -> str | None:
        """Return in words how it ended by itself, None while it runs."""
        return self.instance.process.ended()

    def tail(self) -> str:
        """Return the end of its log."""
        return self.instance.process.tail()

    def stop(self) -> None:
        """Stop it and all that it started."""
        self.instance.process.stop()


@dataclass(frozen=True)
class LocalBench:
    """This machine: servers as processes of its own, wrk beside them."""

    services: Services
    shape: Shape
    folder: Path
    placement: Placement | None = None

    def repair(self) -> CellError | None:
        """Start services that have died again; return what died, None if all is well."""
        return self.services.repair()

    def counts(self, contract: Contract) -> Counts:
        """Return what the services that an endpoint needs have counted."""
        if contract.postgres:
            service_counters.await_sessions_end(self.services.env)
        return service_counters.read(self.services.env, contract)

    def database_connections(self) -> int | None:
        """Return how many sessions are open in the database."""
        return service_counters.database_connections(self.services.env)

    def launch(self, profile: Server, name: str) -> LocalServer:
        """Start a server and return it once it has answered; raises CellError."""
        project = self.services.project
        instance = launch(
            profile,
            self.shape,
            python=project.python,
            project=project.folder,
            env=project.env | self.services.env,
            log=self.folder / "logs" / f"{name}.log",
            cpus=self.placement.server if self.placement else (),
        )
        return LocalServer(instance, self.services, self.folder, self.placement)
