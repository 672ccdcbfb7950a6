"""A server that somebody else started, as a world for the runner: what can be asked of it, is.

In the `loadtest` container of `docker-compose.yml` this is the server of the profile that is up,
under the name `server`. It is not started afresh for each round, and nobody tells what it uses.
"""

from __future__ import annotations

import dataclasses
import http.client
import os
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from loadtest.bench.load.generator import Generator
from loadtest.bench.servers import instance, service_counters
from loadtest.bench.servers.answer_check import Checked, Watch, verify
from loadtest.bench.servers.compose import serve
from loadtest.bench.servers.protocol import Measurement
from loadtest.bench.servers.service_counters import Counts
from loadtest.plan.servers.inventory import Inventory
from loadtest.records.errors import CellError, UserError
from loadtest.records.measured import Placement
from loadtest.records.planned import Cell, Contract, Endpoint, Server, Stage
from loadtest.system import sampling

HOST = "server"
"""Of the network, whichever server it is."""


def look(found: Inventory) -> tuple[Inventory, dict[str, Any]]:
    """Return what there is to choose from, and the options that the server that is up fixes.

    Its shape is what the environment says, which is that of its own container. Raises UserError.
    """
    name = _running(tuple(one.name for one in found.servers))
    if name is None:
        raise UserError(
            "no server answers as http://server:8000; start one with the generator:"
            " `docker compose --profile uvicorn run --rm loadtest`"
        )
    shape = serve.shape(os.environ)
    fixed = {"servers": (name,), "workers": shape.workers, "threads": shape.threads}
    return dataclasses.replace(found, launcher="running"), fixed


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


@dataclass(frozen=True)
class RunningServer:
    """A server that was up before."""

    folder: Path
    placement: Placement | None
    launch_s: float = 0.0

    def verify(
        self, endpoint: Endpoint, *, concurrency: int, seconds: float, stage: Stage
    ) -> Checked:
        """Compare answers with the contract; raises CellError for the first that is not right."""
        return verify(
            HOST, serve.PORT, endpoint, concurrency=concurrency, seconds=seconds, stage=stage
        )

    def load(self, cell: Cell, name: str) -> Measurement:
        """Load one cell; raises CellError where nothing was measured."""
        endpoint = cell.endpoint
        delay_s = endpoint.contract.delay_s
        url = f"http://{HOST}:{serve.PORT}{endpoint.path}"
        generator = Generator(cell.load, url, delay_s, self.folder, name, self.placement)
        watch = Watch(HOST, serve.PORT, endpoint, cell.load.duration_s + delay_s)
        try:
            with sampling.sampling(
                {"generator": generator.process.tree}, pss_of="", ends="generator"
            ) as sampled:
                printed = generator.finish()
        finally:
            generator.process.stop()
            during = watch.stop()
        # What the server used is not known here, and so not what others did.
        sampled.host = None
        return Measurement(printed=printed, sampled=sampled, during=during)

    def holding(self) -> None:
        """Return None: nobody tells what its processes hold."""

    def ended(self) -> str | None:
        """Return in words that it does not answer, None while it does."""
        connection = http.client.HTTPConnection(HOST, serve.PORT, timeout=5)
        try:
            connection.request("GET", instance.PROBE)
            connection.getresponse().read()
        except (OSError, http.client.HTTPException) as error:
            return f"the server does not answer: {error}"
        finally:
            connection.close()
        return None

    def tail(self) -> str:
        """Return the end of its log, which is elsewhere."""
        return ""

    def stop(self) -> None:
        """Leave it to whoever started it."""


@dataclass(frozen=True)
class RunningBench:
    """A server and services that are there."""

    services: Mapping[str, str]
    """Their addresses."""
    folder: Path
    placement: Placement | None = None

    def repair(self) -> CellError | None:
        """Return None: what is wrong shows in the answers."""
        return None

    def counts(self, contract: Contract) -> Counts:
        """Return the counts of Redis and the upstream; PostgreSQL's need the server to be gone."""
        return service_counters.read(self.services, msgspec.structs.replace(contract, postgres=0))

    def database_connections(self) -> int | None:
        """Return how many sessions are open in the database."""
        return service_counters.database_connections(self.services)

    def launch(self, profile: Server, name: str) -> RunningServer:
        """Return the server; raises CellError where it does not answer."""
        running = RunningServer(self.folder, self.placement)
        if reason := running.ended():
            raise CellError("launch", reason)
        return running
