"""Stand-ins for a machine: a whole run in milliseconds, with every fault on request.

    bench = FakeBench(folder, faults={"uvicorn.json-sync.r1": "dies"})
    runner.run(plan, todo, bench, record, watch)

Nothing is started, asked or loaded; `FakeBench.events` says what would have been.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

import msgspec
from builders import loaded, usage

from loadtest.bench.load.generator import Printed
from loadtest.bench.servers.answer_check import Checked
from loadtest.bench.servers.loaded_server import Measurement
from loadtest.bench.servers.service_counters import Counters
from loadtest.plan.servers.project import App
from loadtest.records.errors import CellError
from loadtest.records.measured import During, Histogram, Host, Sent
from loadtest.records.planned import Cell, Endpoint, Server, Stage
from loadtest.system.sampling import Holding, Sampled

Fault = Literal[
    "launch",  # the server exits before it answers
    "verify",  # its answer is wrong before the load
    "load",  # the generator gives no result
    "dies",  # the server ends in the middle of the load
    "silent",  # it takes connections and answers none
    "verify-after",  # its answer is wrong after the load
    "service",  # a service ends in the middle of the load, and the answers with it
    "service-unnoticed",  # a service ends that the endpoint does not need
    "interrupt",  # Ctrl-C in the middle of the load
]

LAUNCH_S = 0.5

MEMORY_BYTES = 60_000_000

WARMUP_ANSWERS = 8

DURING_ANSWERS = 4

QUICK_US, QUEUED_US = 2_000, 1_000_000
"""What an answer takes at a rate that a server keeps up with, and at one that it does not."""

HEAD_BYTES = 150
"""Of each answer, before its body."""


@dataclass
class FakeBench:
    """A machine on which everything goes well but for the `faults`."""

    folder: Path
    """The run's; it gets the files that a generator would leave in `raw/`."""
    faults: Mapping[str, Fault] = field(default_factory=dict)
    """By `<cell>.r<round>`, as in `uvicorn.json-sync.r0`; globs work and the first match counts."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Answers a second by server, the most that it can give; 1000 for others."""
    events: list[str] = field(default_factory=list)
    """What was asked of it, in order: `launch uvicorn`, `load uvicorn.json-sync.r0`, ..."""
    seeds: dict[str, int] = field(default_factory=dict)
    """Of the arrivals of each load, by its name."""
    died: str | None = None
    """The service that has ended and waits for its repair."""

    def repair(self) -> CellError | None:
        """Return what has died since the last call, None if all is well."""
        died, self.died = self.died, None
        if died is None:
            return None
        self.events.append(f"repair {died}")
        return CellError("services", f"{died} was ended by SIGKILL", "the end of its log")

    def launch(self, profile: Server, name: str) -> FakeServer:
        """Return a server that is up; raises CellError where it is to fail."""
        self.events.append(f"launch {profile.name}")
        if self.fault(name) == "launch":
            reason = f"{profile.name} exited with status 3 before it answered"
            raise CellError("launch", reason, "the end of its log")
        return FakeServer(self, profile, round=int(name.rpartition(".r")[2]))

    def other_cpu_s(self, name: str) -> float:
        """Return what others used while something was loaded."""
        return 0.0

    def fault(self, name: str) -> Fault | None:
        """Return what is to go wrong with a cell in a round."""
        return next((fault for glob, fault in self.faults.items() if fnmatchcase(name, glob)), None)


@dataclass
class FakeServer:
    """A server that is up until a fault says otherwise."""

    bench: FakeBench
    profile: Server
    round: int
    launch_s: float = LAUNCH_S
    running: bool = True

    def counters(self) -> Counters:
        """Return services that are not reached: none is there to count."""
        return Counters(App(), {})

    def memory_bytes(self) -> int:
        """Return the same at all times."""
        return MEMORY_BYTES

    def verify(
        self, endpoint: Endpoint, *, concurrency: int, seconds: float, stage: Stage
    ) -> Checked:
        """Return how many answers were right; raises CellError where one is to be wrong."""
        assert self.running or self.ended(), "asked after it was stopped"
        name = f"{self.profile.name}.{endpoint.id}.r{self.round}"
        self.bench.events.append(f"{stage} {name}")
        fault = self.bench.fault(name)
        if not self.running:
            raise CellError(stage, f"{endpoint.path}: no answer: Connection refused")
        if fault == stage:
            raise CellError(stage, f"{endpoint.path}: status 500 instead of 200: oh dear")
        if fault == "service" and stage == "verify-after":
            raise CellError(stage, f"{endpoint.path}: status 500 instead of 200: no database")
        answers = max(concurrency, WARMUP_ANSWERS)
        return Checked(answers=answers, wire_bytes=_wire_bytes(endpoint))

    def load(self, cell: Cell, name: str, seed: int = 0) -> Measurement:
        """Return counts that agree with each other and, of a closed loop, with Little's law."""
        self.bench.events.append(f"load {name}")
        self.bench.seeds[name] = seed
        fault = self.bench.fault(name)
        if fault == "interrupt":
            raise KeyboardInterrupt
        if fault == "load":
            raise CellError("load", "wrk ended with status 1: unable to connect")
        if fault in ("service", "service-unnoticed"):
            self.bench.died = "PostgreSQL"
        self.running = fault != "dies"
        return self._measurement(cell, name, silent=fault == "silent")

    def _measurement(self, cell: Cell, name: str, silent: bool) -> Measurement:
        connections, delay_s = cell.load.connections, cell.endpoint.contract.delay_s
        most, asked = self.bench.rates.get(self.profile.name, 1000.0), cell.load.rate
        rate = most if asked is None else min(asked, most)
        answers = 0 if silent else int(rate * cell.load.duration_s)
        latency_us = int(max(delay_s, connections / rate) * 1e6)
        if asked:
            latency_us = QUICK_US if asked <= most else QUEUED_US
        histogram = Histogram(values_us=(latency_us,), counts=(answers,))
        if not answers:
            histogram = Histogram(values_us=(), counts=())
        (self.bench.folder / "raw").mkdir(exist_ok=True)
        raw, path = f"raw/{name}.txt", f"raw/{name}.json"
        (self.bench.folder / raw).write_text(f"{answers} requests in {cell.load.duration_s:g}s\n")
        (self.bench.folder / path).write_bytes(msgspec.json.encode(histogram))
        load = loaded(
            answers,
            cell.load.duration_s,
            generator="fake",
            received_bytes=answers * _wire_bytes(cell.endpoint),
            sent=_sent(asked, cell.load.duration_s, answers) if asked else None,
        )
        window_s = cell.load.duration_s
        host = Host(
            window_s=window_s,
            processors=2,
            busy_cpu_s=window_s * 1.5,
            other_cpu_s=self.bench.other_cpu_s(name),
            steal_cpu_s=0.0,
            throttled_s=None,
        )
        return Measurement(
            printed=Printed(loaded=load, raw=raw, histogram=path),
            sampled=Sampled(usage={"server": usage(cell.load.duration_s)}, host=host),
            during=During(checked=DURING_ANSWERS, broken=None),
        )

    def holding(self) -> Holding:
        """Return the same at all times: it leaks nothing."""
        return Holding(rss_bytes=100_000_000, processes=3, threads=9, connections=5)

    def ended(self) -> str | None:
        """Return how it ended by itself, None while it runs."""
        return None if self.running else f"{self.profile.name} was ended by SIGKILL"

    def tail(self) -> str:
        """Return the end of its log."""
        return f"the end of the log of {self.profile.name}"

    def stop(self) -> None:
        """Note that it was stopped."""
        self.bench.events.append(f"stop {self.profile.name}")


def _sent(rate: float, duration_s: float, answers: int) -> Sent:
    """Return how a schedule was kept to; what was not answered had kept a connection from it."""
    requests = int(rate * duration_s)
    late = requests - answers
    return Sent(
        window_us=int(duration_s * 1e6),
        requests=requests,
        missed=late,
        late=Histogram(values_us=(0, QUEUED_US), counts=(answers, late)),
    )


def _wire_bytes(endpoint: Endpoint) -> int:
    return HEAD_BYTES + (endpoint.contract.body_bytes or 0)


def measured(events: Sequence[str]) -> list[str]:
    """Return the names of what was loaded, in order, out of a bench's events."""
    return [event.removeprefix("load ") for event in events if event.startswith("load ")]
