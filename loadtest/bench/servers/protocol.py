"""What measuring needs of the world: servers that can be launched, verified and loaded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from loadtest.bench.load.generator import Printed
from loadtest.bench.servers.answer_check import Checked
from loadtest.bench.servers.service_counters import Counters
from loadtest.records.errors import CellError
from loadtest.records.measured import During
from loadtest.records.planned import Cell, Endpoint, Server, Stage
from loadtest.system.sampling import Holding, Sampled


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


class Running(Launched, Protocol):
    """A server that is up."""

    @property
    def launch_s(self) -> float:
        """How long it took until it answered."""

    def counters(self) -> Counters:
        """Return its services as this machine reaches them."""

    def memory_bytes(self) -> int | None:
        """Return what its processes hold together; None where nobody tells."""

    def verify(
        self, endpoint: Endpoint, *, concurrency: int, seconds: float, stage: Stage
    ) -> Checked:
        """Compare answers with the contract; raises CellError for the first that is not right."""

    def load(self, cell: Cell, name: str, seed: int = 0) -> Measurement:
        """Load one cell, its files named after `name`; raises CellError.

        `seed` is of the arrivals of a load at a rate.
        """


class Bench(Protocol):
    """Where servers run and are loaded."""

    def repair(self) -> CellError | None:
        """Start services that have died again; return what died, None if all is well."""

    def launch(self, profile: Server, name: str) -> Running:
        """Start a server and return it once it has answered; raises CellError."""
