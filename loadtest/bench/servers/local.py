"""This machine as a world to measure in: servers as processes of its own, wrk beside them."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.bench.servers.instance import launch
from loadtest.bench.servers.loaded_server import Bench, LoadedServer
from loadtest.bench.servers.service_counters import Counters
from loadtest.bench.servers.services import Services
from loadtest.plan.servers.project import HOSTS
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
    host: str = listening.HOST
    """The address of this machine that servers have."""
    _starting: set[int] = field(default_factory=set)
    """Ports of servers that do not listen yet."""
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def _port(self) -> Iterator[int]:
        """Give a free port that no other server is about to listen on."""
        with self._lock:
            port = listening.free_port(taken=self._starting, host=self.host)
            self._starting.add(port)
        try:
            yield port
        finally:
            self._starting.discard(port)

    def repair(self) -> CellError | None:
        """Start services that have died again; return what died, None if all is well."""
        return self.services.repair()

    def launch(self, profile: Server, name: str) -> LoadedServer:
        """Start a server and return it once it has answered; raises CellError."""
        env = {**self.services.env_for(profile.name), HOSTS: self.host}
        with self._port() as port:
            instance = launch(
                profile,
                self.shape,
                self.services.project,
                env=env,
                log=self.folder / "logs" / f"{name}.log",
                port=port,
                cpus=self.placement.server if self.placement else (),
                host=self.host,
            )

        def groups() -> Mapping[str, Members]:
            services = {name: process.tree for name, process in self.services.processes.items()}
            return {"server": instance.process.tree, **services}

        return LoadedServer(
            launched=instance.process,
            host=self.host,
            port=instance.port,
            launch_s=instance.launch_s,
            groups=groups,
            counters=lambda: Counters(self.services.project.app, env),
            folder=self.folder,
            placement=self.placement,
            requests=self.services.requests,
        )
