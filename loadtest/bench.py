"""What the runner needs of the world, and the world itself: this machine."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from loadtest import counters, sampler, server
from loadtest.counters import Counts
from loadtest.errors import CellError
from loadtest.generator import Generator, Printed
from loadtest.model import Cell, Contract, During, Endpoint, Placement, Server, Shape, Stage
from loadtest.sampler import Holding, Sampled
from loadtest.services import Services
from loadtest.verify import Checked, Watch, verify


@dataclass(frozen=True)
class Measurement:
    """What one load gave, what it took, and what a second client saw meanwhile."""

    printed: Printed
    sampled: Sampled
    during: During


class Running(Protocol):
    """A server that is up."""

    @property
    def launch_s(self) -> float:
        """How long it took until it answered."""

    def verify(
        self, endpoint: Endpoint, *, concurrency: int, seconds: float, stage: Stage
    ) -> Checked:
        """Compare answers with the contract; raises CellError for the first that is not right."""

    def load(self, cell: Cell, name: str) -> Measurement:
        """Load one cell, its files named after `name`; raises CellError."""

    def holding(self) -> Holding | None:
        """Return what its processes hold now; None where nobody tells."""

    def ended(self) -> str | None:
        """Return in words how it ended by itself, None while it runs."""

    def tail(self) -> str:
        """Return the end of its log."""

    def stop(self) -> None:
        """Stop it and all that it started."""


class Bench(Protocol):
    """Where servers run and are loaded."""

    def repair(self) -> CellError | None:
        """Start services that have died again; return what died, None if all is well."""

    def counts(self, contract: Contract) -> Counts:
        """Return what the services that an endpoint needs have counted."""

    def database_connections(self) -> int | None:
        """Return how many sessions are open in the database."""

    def launch(self, profile: Server, name: str) -> Running:
        """Start a server and return it once it has answered; raises CellError."""


@dataclass(frozen=True)
class LocalServer:
    """A server on this machine."""

    instance: server.Instance
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
            server.HOST,
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
        url = f"http://{server.HOST}:{port}{endpoint.path}"
        generator = Generator(cell.load, url, delay_s, self.folder, name, self.placement)
        groups = {
            "server": self.instance.process.tree,
            "generator": generator.process.tree,
            **{name: one.tree for name, one in self.services.processes.items()},
        }
        watch = Watch(server.HOST, port, endpoint, cell.load.duration_s + delay_s)
        try:
            with sampler.sampling(groups, pss_of="server", ends="generator") as sampled:
                printed = generator.finish()
        finally:
            generator.process.stop()
            during = watch.stop()
        return Measurement(printed=printed, sampled=sampled, during=during)

    def holding(self) -> Holding:
        """Return what its processes hold now."""
        return sampler.holding(self.instance.process.tree())

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
            counters.await_sessions_end(self.services.env)
        return counters.read(self.services.env, contract)

    def database_connections(self) -> int | None:
        """Return how many sessions are open in the database."""
        return counters.database_connections(self.services.env)

    def launch(self, profile: Server, name: str) -> LocalServer:
        """Start a server and return it once it has answered; raises CellError."""
        project = self.services.project
        instance = server.launch(
            profile,
            self.shape,
            python=project.python,
            project=project.folder,
            env=project.env | self.services.env,
            log=self.folder / "logs" / f"{name}.log",
            cpus=self.placement.server if self.placement else (),
        )
        return LocalServer(instance, self.services, self.folder, self.placement)
