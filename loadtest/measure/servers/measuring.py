"""Batches measured: each endpoint's turns on all servers, verified and loaded, an outcome each.

Knows no server, tool or file: those are behind `Bench`, and what happens is told to `record`.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from loadtest.bench.servers.checking import SLOW_AT_ONCE
from loadtest.bench.servers.loaded_server import Bench
from loadtest.measure.servers.fleet import Fleet, Record, Up, grown
from loadtest.plan.servers.schedule import Batch, Sweep
from loadtest.records.errors import CellError
from loadtest.records.measured import Outcome, Verified
from loadtest.records.planned import Cell, Plan, Shape

Watch = Callable[[Cell, int, int], None]
"""Told of each cell, round and turn before it is measured."""

CONCURRENCY = 8
"""Verified requests at once before a load: enough to meet what only fails under concurrency."""

FOR_EACH_WORKER = 4
"""But at least so many for each worker, or some would meet their first request in the load."""

REPEATS = 2
"""Of a turn that others disturbed, at most."""

MOST_DISTURBED = 0.5
"""A share of the loads, above which the machine is busy all the time and repeating helps nobody."""

FEWEST_JUDGED = 10
"""Loads, before that share says something."""

MOST_REPEATED = 0.25
"""Of the loads: what the budget is for is not to wait for quiet."""


def run(
    plan: Plan,
    todo: Sequence[Batch],
    bench: Bench,
    record: Record,
    watch: Watch,
    repair: Repair | None = None,
) -> None:
    """Measure batch after batch; a load that fails is recorded and the rest goes on.

    Those of a round come together. `repair` is that of all batches of a run, where these are some
    of them.
    """
    servers = {server.name: server for server in plan.servers}
    repair = repair or Repair()
    launched: dict[tuple[int, str], CellError | None] = {}
    for batch in todo:
        fleet = Fleet(batch, servers, bench, record, launched)
        measuring = _Measuring(plan.shape, plan.seed, fleet, repair, watch)
        try:
            fleet.launch_all()
            for sweep in batch.sweeps:
                fleet.begin(sweep.cells)
                measuring.sweep(sweep)
            fleet.look_back()
        finally:
            fleet.stop_all()


@dataclass
class Repair:
    """What is measured again: loads that others disturbed, never one for its value."""

    loads: int = 0
    disturbed: int = 0
    repeated: int = 0

    def wanted(self, outcome: Outcome) -> bool:
        """Say whether a load is to be measured again."""
        if outcome.status != "measured" or outcome.host is None:
            return False
        disturbed = outcome.disturbance > 0
        self.loads += 1
        self.disturbed += disturbed
        judged = max(FEWEST_JUDGED, self.loads)
        always = self.loads == judged and self.disturbed > MOST_DISTURBED * judged
        if not disturbed or always or self.repeated >= MOST_REPEATED * judged:
            return False
        self.repeated += 1
        return True


@dataclass
class _Measuring:
    """The turns of one batch."""

    shape: Shape
    seed: int | None
    fleet: Fleet
    repair: Repair
    watch: Watch
    failed: set[str] = field(default_factory=set)
    """Cells whose further turns of this round would fail as well."""

    def sweep(self, sweep: Sweep) -> None:
        """Load each server in turn, and once more those that others disturbed."""
        todo = sweep.cells
        for repeat in range(1 + REPEATS):
            disturbed: list[Cell] = []
            for cell in todo:
                if cell.id not in self.failed:
                    self.watch(cell, self.fleet.batch.round, sweep.turn)
                    outcome = self.turn(cell, sweep.turn, repeat)
                    self.fleet.record(outcome)
                    # After what poisons, even the same again would be another measurement.
                    last = repeat == REPEATS or cell.endpoint.isolated
                    if not last and self.repair.wanted(outcome):
                        disturbed.append(cell)
            todo = tuple(disturbed)

    def arrivals(self, cell: Cell) -> int:
        """Return the seed of random arrivals: in a round, the same for every server."""
        return zlib.crc32(f"{self.seed}/{self.fleet.batch.round}/{cell.at}".encode())

    def turn(self, cell: Cell, turn: int, repeat: int) -> Outcome:
        """Return what became of one load; a server that cannot be gone on with is stopped."""
        fleet, round_ = self.fleet, self.fleet.batch.round
        started, began = time.time(), time.monotonic()
        facts: dict[str, object] = {}
        failure: CellError | None = None
        up = fleet.up.get(cell.server)
        try:
            up = fleet.of(cell)
            if up.is_new:
                facts["launch_s"], up.is_new = up.running.launch_s, False
            counters = up.running.counters()
            before = counters.read(cell.endpoint.contract)
            name = f"{cell.id}.r{round_}" + f".t{turn}" * (turn > 0)
            answers = self._measure(cell, up, name + f".again{repeat}" * (repeat > 0), facts)
            sessions = counters.sessions() if cell.endpoint.contract.postgres else None
            work = grown(before, counters.read(cell.endpoint.contract), answers, sessions)
            facts["work"] = work
            fleet.counted(cell, work)
        except CellError as error:
            failure = error
            if up is not None and error.detail is None:
                failure = CellError(error.stage, error.reason, up.running.tail() or None)
        died = fleet.bench.repair()
        if died is not None:
            # All are tied to a service that was started again.
            fleet.drop(*fleet.up)
        elif failure is not None:
            # It may be dead, or stuck.
            fleet.drop(cell.server)
            if failure.stage == "launch":
                fleet.launched.setdefault((round_, cell.server), failure)
        if failure is not None:
            if died is not None:
                failure = CellError("services", f"{died.reason} ({failure.reason})", died.detail)
            self.failed.add(cell.id)
            facts |= {"stage": failure.stage, "reason": failure.reason, "detail": failure.detail}
            facts.pop("work", None)
        return Outcome(
            cell=cell.id,
            round=round_,
            turn=turn,
            repeat=repeat,
            status="measured" if failure is None else "failed",
            started_at=started,
            tried=cell.load if cell.load.explores else None,
            wall_s=time.monotonic() - began,
            **facts,  # type: ignore[arg-type]
        )

    def _measure(self, cell: Cell, up: Up, name: str, facts: dict[str, object]) -> int:
        """Verify, load and verify again, adding to `facts` as far as it comes.

        Returns how many right answers that took.
        """
        endpoint, load, running = cell.endpoint, cell.load, up.running
        slow = endpoint.contract.delay_s > 0
        server = self.fleet.servers[cell.server]
        capacity = server.capacity(self.shape, load.connections, endpoint.contract)
        workers = server.sized(self.shape).workers
        checked = 0
        if up.cell is not None and up.cell != cell:
            # What its last load left under way is answered first.
            over = up.ended + up.cell.endpoint.contract.longest_s
            time.sleep(max(0.0, over - time.monotonic()))
        try:
            began = time.monotonic()
            wire_bytes, spread = None, 0
            if cell.id not in up.warm:
                first = running.verify(
                    endpoint,
                    concurrency=(
                        min(capacity, SLOW_AT_ONCE)
                        if slow
                        else max(CONCURRENCY, FOR_EACH_WORKER * workers)
                    ),
                    seconds=load.warmup_s,
                    stage="verify",
                )
                checked, wire_bytes = first.answers, first.wire_bytes
                spread = first.wire_spread_bytes
                up.warm.add(cell.id)
            facts["warmup_s"] = time.monotonic() - began
            if self.fleet.batch.observe_release and up.cell != cell:
                up.held = running.holding()
            up.cell = cell
            measurement = running.load(cell, name, self.arrivals(cell))
            up.ended = time.monotonic()
            loaded = measurement.printed.loaded
            facts |= {
                "load_s": loaded.duration_us / 1e6,
                "loaded": loaded,
                "raw": measurement.printed.raw,
                "histogram": measurement.printed.histogram,
                "usage": measurement.sampled.usage,
                "host": measurement.sampled.host,
                "during": measurement.during,
                "parts": measurement.printed.parts,
            }
            if loaded.answers == 0:
                raise CellError("load", "not one request was answered")
            # Where slow requests are still queued, the answer to a probe would stand behind them.
            after = (
                None
                if slow
                else running.verify(endpoint, concurrency=1, seconds=0.0, stage="verify-after")
            )
            facts["verified"] = Verified(
                before=checked,
                after=after.answers if after else None,
                wire_bytes=wire_bytes or (after.wire_bytes if after else None),
                wire_spread_bytes=spread,
            )
            right = loaded.answers - loaded.status_errors + measurement.during.checked
            return checked + right + (after.answers if after else 0)
        except CellError as error:
            # A dead server explains more than what its clients saw of it.
            if died := running.ended():
                raise CellError(error.stage, f"{died} ({error.reason})", running.tail()) from error
            raise
