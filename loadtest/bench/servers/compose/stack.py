"""A Compose project of the run's own: its databases and upstream, and servers one at a time.

    python -m loadtest.bench.servers.compose.stack

Prints the processors for each part of `docker-compose.yml` on this machine: from four on each has
its own, as in a run; below that, nothing is printed.
"""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.bench.servers.compose import engine, guard, serve
from loadtest.bench.servers.compose.container import Container, find
from loadtest.bench.servers.services import SPARE_CONNECTIONS
from loadtest.plan.servers.project import App, Project
from loadtest.records.errors import CellError, LoadtestError
from loadtest.records.measured import Engine, Placement
from loadtest.records.planned import Shape
from loadtest.system import cpu_pinning, process
from loadtest.system.docker import Docker, reason_of
from loadtest.system.process import CommandError, Process

SERVICES = {"postgres": "PostgreSQL", "cache": "Valkey", "upstream": "the upstream"}
"""What people call each service of the compose file that the servers need."""

PREPARED = "prepared"

UP_WITHIN_S = 90.0

BACK_WITHIN_S = 30.0


@dataclass
class Stack:
    """The containers of a run, and what ends them."""

    app: App
    docker: Docker
    engine: Engine
    logs: Path
    services: dict[str, Container] = field(default_factory=dict)
    _guard: Process | None = None
    _down: str | None = None
    """Why the last try to start something again failed."""

    def start(self) -> None:
        """Start the services and make their rows; raises CommandError."""
        if self._guard is None:
            # Before there is anything to take down.
            self._guard = process.start(
                "the guard",
                [sys.executable, "-m", "loadtest.bench.servers.compose.guard"]
                + [str(self.docker.folder), self.docker.project]
                + [str(guard.mark(self.logs.resolve(), self.docker.project))],
                log=self.logs / "compose.log",
                env=dict(self.docker.environment()),
                cwd=self.docker.folder,
                grace_s=guard.GRACE_S,
            )
        self._up("--wait", "--wait-timeout", f"{UP_WITHIN_S:.0f}", *SERVICES)
        self._up("--no-deps", PREPARED)
        prepared = self._find(PREPARED)
        if self.docker.docker("wait", prepared.id, timeout_s=UP_WITHIN_S).strip() != "0":
            raise CommandError("the tables and rows could not be made", prepared.tail())
        self.services = {name: self._find(name) for name in SERVICES}

    def stop(self) -> str | None:
        """Take everything down; return in one line what may be left, None if nothing is."""
        for service in self.services.values():
            service.tail()
        if self._guard is None:
            return None
        self._guard.stop()
        if self._guard.exit_status() == 0:
            return None
        return (
            f"Docker could not remove the containers of this run: {self._guard.tail(1)}; the next"
            f" run does it, or `docker compose --project-name {self.docker.project} down --volumes`"
        )

    def repair(self) -> CellError | None:
        """Start services that have died again; return what died, None if all is well."""
        ended = {name: service.ended() for name, service in self.services.items()}
        dead = [reason for reason in ended.values() if reason]
        if self.services and not dead:
            return None
        reason = dead[0] if dead else str(self._down)
        detail = "\n".join(service.tail() for name, service in self.services.items() if ended[name])
        self.services = {}
        if self._down is None:  # else it has been waited for in vain
            self._await_engine()
        try:
            self.start()
            self._down = None
        except LoadtestError as error:
            why = reason_of(error) if isinstance(error, CommandError) else str(error)
            self._down = f"starting services again failed: {why}"
            reason += f"; {self._down}" if dead else ""
        return CellError("services", reason, detail)

    def _await_engine(self) -> None:
        """Wait for an engine that died: systems start it again, and the cells to come need it."""
        deadline = time.monotonic() + BACK_WITHIN_S
        while time.monotonic() < deadline:
            with contextlib.suppress(CommandError):
                self.docker.docker("version")
                return
            time.sleep(0.5)

    def launch(self, server: str, log: Path) -> Container:
        """Start a server's container; raises CellError where Docker can't."""
        try:
            self._up("--no-deps", "--force-recreate", server)
            return find(self.docker, server, server, log)
        except CommandError as error:
            raise CellError(
                "launch", f"Docker did not start {server}: {reason_of(error)}"
            ) from None

    def where(self, container: Container) -> tuple[str, int]:
        """Return where this machine reaches a server.

        At its own address where that is possible: a port published on the loopback is served by a
        proxy, which costs as much as some servers do.
        """
        if container.is_here:
            return container.address, serve.PORT
        return engine.host(self.engine.address), int(self.engine.settings["PORT"])

    def addresses(self) -> dict[str, str]:
        """Return the addresses of the services as this machine reaches them, empty where not."""
        if not all(service.is_here for service in self.services.values()) or not self.services:
            return {}
        at = {name: container.address for name, container in self.services.items()}
        variables = self.app.addresses
        return {
            variables["postgres"]: f"postgresql://postgres@{at['postgres']}:5432/postgres",
            variables["redis"]: f"redis://{at['cache']}:6379/0",
            variables["upstream"]: f"http://{at['upstream']}:{serve.UPSTREAM_PORT}",
        }

    def _up(self, *argv: str) -> None:
        profile = () if argv[-1] in (*SERVICES, PREPARED) else ("--profile", argv[-1])
        self.docker.compose(*profile, "up", "--detach", "--no-build", *argv, timeout_s=UP_WITHIN_S)

    def _find(self, service: str) -> Container:
        name = SERVICES.get(service, service)
        return find(self.docker, service, name, self.logs / f"{service}.log")


def cpus(placed: Placement | None) -> dict[str, str]:
    """Return the variables of `.env` for a placement."""
    if placed is None:
        return {}
    parts = {
        "GENERATOR_CPUS": placed.generator,
        "DATABASES_CPUS": placed.services,
        "SERVER_CPUS": placed.server,
    }
    return {name: ",".join(map(str, processors)) for name, processors in parts.items()}


@contextmanager
def stack(
    project: Project, logs: Path, engine_: Engine, shape: Shape, placement: Placement | None
) -> Iterator[Stack]:
    """Give the services of a run in containers, up and seeded, and remove all at the end.

    Raises CommandError with what Docker said.
    """
    settings = serve.variables(shape) | {
        # Health is looked at by asking, as for a local server: Docker's way costs CPU time.
        "NO_HEALTH_CHECK": "true",
        "MAX_CONNECTIONS": str(max(100, shape.workers * shape.database_pool + SPARE_CONNECTIONS)),
    }
    settings |= cpus(placement)
    docker = Docker(project.folder, engine.project_name(), settings)
    containers = Stack(project.app, docker, engine_, logs)
    try:
        containers.start()
        yield containers
    finally:
        if left := containers.stop():
            sys.stderr.write(f"loadtest: {left}\n")


if __name__ == "__main__":
    for name, value in cpus(cpu_pinning.choose(None)).items():
        sys.stdout.write(f"{name}={value}\n")
