"""The servers of a batch: up side by side, loaded one at a time, counted and weighed around it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec

from loadtest.bench.servers.instance import LAUNCHES_AT_ONCE
from loadtest.bench.servers.loaded_server import Bench, LoadedServer
from loadtest.bench.servers.service_counters import Counters, Counts
from loadtest.plan.servers.schedule import Batch
from loadtest.records.errors import CellError
from loadtest.records.measured import Afterwards, Launch, Outcome, Work
from loadtest.records.planned import SETTLED_S, Cell, Server
from loadtest.system.sampling import Holding, left

Record = Callable[[Outcome | Afterwards | Launch], None]
T = TypeVar("T")

TOLD_AFTER_S = 10.5
"""A session of PostgreSQL tells what it did when it ends, or within 10 s of its last query (its
`pgstat.c`: PGSTAT_IDLE_INTERVAL)."""


@dataclass
class Up:
    """A server that is up."""

    running: LoadedServer
    memory_bytes: int | None
    """When it had just answered."""
    is_new: bool = True
    """No outcome has told of its launch."""
    warm: set[str] = field(default_factory=set)
    """Cells that this very process has answered."""
    cell: Cell | None = None
    """The last that was loaded, until `ended`; before its turns the server `held` this much."""
    held: Holding | None = None
    """None as well once it was looked back at."""
    ended: float = 0.0


@dataclass
class _Counted:
    """The work of one cell that PostgreSQL is still to tell."""

    cell: Cell
    counters: Counters
    before: int | None
    work: Work
    """Without its scans."""
    ended: float = 0.0


@dataclass
class Fleet:
    """The servers of a batch; each is launched anew where it was lost."""

    batch: Batch
    servers: dict[str, Server]
    bench: Bench
    record: Record
    launched: dict[tuple[int, str], CellError | None] = field(default_factory=dict)
    """Of all batches, by round and server: None where it was up, or why it has never been."""
    up: dict[str, Up] = field(default_factory=dict)
    _last: Cell | None = None
    """Of the endpoint that is being measured."""
    _counting: dict[str, _Counted] = field(default_factory=dict)
    """By cell."""

    def launch_all(self) -> None:
        """Start the servers at the same time; one that fails is tried again when its turn comes."""
        cells = [cell for sweep in self.batch.sweeps for cell in sweep.cells]
        firsts = {cell.server: cell for cell in reversed(cells)}

        def start(cell: Cell) -> None:
            # Why it failed is said when it fails again.
            with contextlib.suppress(CellError):
                self.of(cell)

        # All at once would make each of them so slow that it seems not to come up.
        _at_once(start, firsts.values(), LAUNCHES_AT_ONCE)

    def _launch(self, cell: Cell) -> None:
        server = self.servers[cell.server]
        running = self.bench.launch(server, f"{cell.id}.r{self.batch.round}")
        self.launched[self.batch.round, server.name] = None
        self.up[server.name] = Up(running, running.memory_bytes())

    def of(self, cell: Cell) -> Up:
        """Return the server of a cell, up; raises CellError where it cannot be launched.

        What was never up in a round is not tried for each of its cells, but in the next one.
        """
        if cell.server not in self.up:
            if failure := self.launched.get((self.batch.round, cell.server)):
                raise failure
            self._launch(cell)
        return self.up[cell.server]

    def begin(self, cells: Sequence[Cell]) -> None:
        """Note what PostgreSQL has counted, where these are the first turns of an endpoint."""
        endpoint, last = cells[0].endpoint, self._last
        if last is not None and last.at == cells[0].at:
            return
        if last is not None and last.endpoint.isolated:
            self.look_back()
        self._last = cells[0]
        # What the same servers did before would otherwise be told in the midst of this.
        self.tell_counts(wait=bool(endpoint.contract.postgres))
        for cell in cells:
            if endpoint.contract.postgres and (up := self.up.get(cell.server)):
                counters = up.running.counters()
                work = Work(answers=0, redis=0, upstream=0, statements=0, changes=0, exceptions=0)
                self._counting[cell.id] = _Counted(cell, counters, counters.scans(), work)

    def counted(self, cell: Cell, work: Work) -> None:
        """Add what one turn of a cell came to."""
        if counting := self._counting.get(cell.id):
            counting.work += work
            counting.ended = time.monotonic()

    def tell_counts(self, *, wait: bool = False, ended: bool = False) -> None:
        """Record the work that PostgreSQL can tell of by now.

        That of other cells is left for later, unless they are to be waited for, or the servers
        have `ended`.
        """
        for id_, counting in list(self._counting.items()):
            remaining_s = counting.ended + TOLD_AFTER_S - time.monotonic()
            if ended:
                counting.counters.await_sessions_end()
            elif remaining_s > 0 and not wait:
                continue
            else:
                time.sleep(max(0.0, remaining_s))
            del self._counting[id_]
            after = counting.counters.scans()
            if counting.work.answers and counting.before is not None and after is not None:
                work = msgspec.structs.replace(counting.work, postgres=after - counting.before)
                self.record(Afterwards(cell=id_, round=self.batch.round, work=work))

    def look_back(self) -> None:
        """Record what each server has let go of 2 s after its last load, where that is asked.

        What waits for longer still holds what it did.
        """
        for up in self.up.values() if self.batch.observe_release else ():
            if up.cell and up.held and up.cell.endpoint.contract.delay_s < SETTLED_S:
                time.sleep(max(0.0, up.ended + SETTLED_S - time.monotonic()))
                gone, up.held = left(up.held, up.running.holding()), None
                self.record(Afterwards(cell=up.cell.id, round=self.batch.round, left=gone))

    def drop(self, *servers: str) -> None:
        """Stop servers that cannot be gone on with; what they were counted for is lost."""
        for id_, counting in list(self._counting.items()):
            if counting.cell.server in servers:
                del self._counting[id_]
        for name in servers:
            if up := self.up.pop(name, None):
                up.running.stop()

    def stop_all(self) -> None:
        """Stop all servers, and record what is known of them then."""
        stopped = list(self.up.items())
        weighed = [(name, up, up.running.memory_bytes()) for name, up in stopped]
        self.up.clear()
        _at_once(lambda item: item[1].running.stop(), stopped)
        self.tell_counts(ended=True)
        for name, up, memory_bytes in weighed:
            if up.cell is not None:
                self.record(
                    Launch(
                        server=name,
                        round=self.batch.round,
                        launch_s=up.running.launch_s,
                        memory_launched_bytes=up.memory_bytes,
                        memory_bytes=memory_bytes,
                    )
                )


def grown(before: Counts, after: Counts, answers: int, sessions: int | None) -> Work:
    """Return what services counted between two looks."""

    def growth(name: str) -> int | None:
        first, last = getattr(before, name), getattr(after, name)
        return None if first is None or last is None else last - first

    grown = {name: growth(name) for name in Counts.__struct_fields__}
    return Work(answers=answers, database_connections=sessions, **grown)


def _at_once(do: Callable[[T], object], items: Collection[T], most: int | None = None) -> None:
    """Do something for each item at the same time; raises what the first of them raised."""
    with ThreadPoolExecutor(max_workers=max(1, most or len(items))) as pool:
        list(pool.map(do, items))
