"""What the runner needs of the world, and the world itself: this machine."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import msgspec
import psutil

from loadtest import process, results, sampler, server
from loadtest.errors import CellError
from loadtest.loadgen import wrk
from loadtest.model import Cell, Endpoint, Loaded, Record, Server, Shape, Stage, Usage
from loadtest.services import Services
from loadtest.verify import verify


class Measurement(Record, frozen=True, kw_only=True):
    """What one load gave: the counts, where the evidence is, and what it took."""

    loaded: Loaded
    raw: str
    histogram: str
    usage: dict[str, Usage]


class Running(Protocol):
    """A server that is up."""

    @property
    def launch_s(self) -> float:
        """How long it took until it answered."""

    def verify(self, endpoint: Endpoint, *, concurrency: int, seconds: float, stage: Stage) -> int:
        """Compare answers with the contract and return how many; raises CellError."""

    def load(self, cell: Cell, name: str) -> Measurement:
        """Load one cell, its files named after `name`; raises CellError."""

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

    def launch(self, profile: Server, name: str) -> Running:
        """Start a server and return it once it has answered; raises CellError."""


@dataclass(frozen=True)
class LocalServer:
    """A server on this machine."""

    instance: server.Instance
    services: Services
    folder: Path

    @property
    def launch_s(self) -> float:
        """How long it took until it answered."""
        return self.instance.launch_s

    def verify(self, endpoint: Endpoint, *, concurrency: int, seconds: float, stage: Stage) -> int:
        """Compare answers with the contract and return how many; raises CellError."""
        return verify(
            server.HOST,
            self.instance.port,
            endpoint,
            concurrency=concurrency,
            seconds=seconds,
            stage=stage,
        )

    def load(self, cell: Cell, name: str) -> Measurement:
        """Load one cell with wrk; raises CellError where it measured nothing."""
        raw = self.folder / "raw" / f"{name}.txt"
        errors = self.folder / "raw" / f"{name}.err"
        for stale in (raw, errors):  # of a run that was interrupted in the middle of this cell
            stale.unlink(missing_ok=True)
        url = f"http://{server.HOST}:{self.instance.port}{cell.endpoint.path}"
        generator = process.start(
            "wrk",
            wrk.argv(cell.load, url, cell.endpoint.contract.delay_s),
            log=raw,
            errors=errors,
            grace_s=1.0,
        )
        groups: dict[str, Callable[[], list[psutil.Process]]] = {
            "server": self.instance.process.tree,
            "generator": generator.tree,
            **{name: one.tree for name, one in self.services.processes.items()},
        }
        # wrk keeps to its duration; one that does not is not waited for.
        limit_s = cell.load.duration_s + cell.endpoint.contract.delay_s + 15.0
        try:
            with process.running(generator), sampler.sampling(groups, "server") as usage:
                status = generator.wait(limit_s)
        except subprocess.TimeoutExpired:
            raise CellError("load", f"wrk did not end within {limit_s:.0f} s") from None
        try:
            loaded, histogram = wrk.parse(raw.read_text(), errors.read_text())
        except ValueError as error:
            said = process.tail(errors, 3) or process.tail(raw, 3)
            raise CellError("load", f"wrk ended with status {status}: {error}", said) from None
        errors.unlink()
        path = self.folder / "raw" / f"{name}.json"
        with results.writing(path):
            path.write_bytes(msgspec.json.encode(histogram))
        return Measurement(
            loaded=loaded,
            raw=str(raw.relative_to(self.folder)),
            histogram=str(path.relative_to(self.folder)),
            usage=usage,
        )

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

    def repair(self) -> CellError | None:
        """Start services that have died again; return what died, None if all is well."""
        return self.services.repair()

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
        )
        return LocalServer(instance, self.services, self.folder)
