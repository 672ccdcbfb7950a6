"""This machine as a world to measure in: servers as processes of its own, wrk beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench.servers.instance import launch
from loadtest.bench.servers.loaded_server import LoadedServer
from loadtest.bench.servers.protocol import Bench
from loadtest.bench.servers.service_counters import Counters
from loadtest.bench.servers.services import Services
from loadtest.records.errors import CellError
from loadtest.records.measured import Placement
from loadtest.records.planned import Server, Shape
from loadtest.system import listening
from loadtest.system.sampling import Members


@dataclass(frozen=True)
class LocalBench(Bench):
    """This machine: servers as processes of its own, wrk beside them."""

    services: Services
    shape: Shape
    folder: Path
    placement: Placement | None = None

    def repair(self) -> CellError | None:
        """Start services that have died again; return what died, None if all is well."""
        return self.services.repair()

    def counters(self) -> Counters:
        """Return the services as this machine reaches them now."""
        return Counters(self.services.project.app, self.services.env)

    def launch(self, profile: Server, name: str) -> LoadedServer:
        """Start a server and return it once it has answered; raises CellError."""
        instance = launch(
            profile,
            self.shape,
            self.services.project,
            env=self.services.env,
            log=self.folder / "logs" / f"{name}.log",
            cpus=self.placement.server if self.placement else (),
        )

        def groups() -> Mapping[str, Members]:
            services = {name: process.tree for name, process in self.services.processes.items()}
            return {"server": instance.process.tree, **services}

        return LoadedServer(
            launched=instance.process,
            host=listening.HOST,
            port=instance.port,
            launch_s=instance.launch_s,
            groups=groups,
            folder=self.folder,
            placement=self.placement,
        )
