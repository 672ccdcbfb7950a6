"""A load shared out over agents: begun together, and what each counted as one."""

from __future__ import annotations

import itertools
import math
import socket
import time
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psutil

from loadtest.bench.load import generator, wrk
from loadtest.bench.load.agents.agent import ARMED_WITHIN_S
from loadtest.bench.load.agents.master import Master, Member
from loadtest.bench.load.agents.messages import Armed, Failed, Go, Halt, Order, Result
from loadtest.bench.load.generator import SPARE_S, Printed
from loadtest.records import files
from loadtest.records.errors import CellError
from loadtest.records.measured import Histogram, Loaded, Part, Placement, Sent
from loadtest.records.planned import Load
from loadtest.records.run_folder import writing
from loadtest.system.clock import steady_us

LEAD_US = 150_000
"""Between the word to begin and the beginning: for the message, and some waiting on the way."""

FEWEST_RATE = 10
"""Requests a second of an agent: with fewer its first slot may be beyond the end of a load."""

_loads = itertools.count()


@dataclass(frozen=True)
class Generators:
    """Makes loads on the agents of a run."""

    master: Master

    def __call__(
        self,
        load: Load,
        url: str,
        delay_s: float,
        folder: Path,
        name: str,
        placement: Placement | None,
        seed: int = 0,
        requests: Sequence[bytes] = (),
    ) -> SharedLoad:
        """Begin a load; raises CellError where an agent is missing or cannot make its part."""
        return SharedLoad(self.master, load, url, delay_s, folder, name, seed, requests)


def shared_out(connections: int, rate: float | None, agents: int) -> list[int]:
    """Return how many connections each agent gets; of a small load not all have a part."""
    most = agents if rate is None else max(1, min(agents, int(rate // FEWEST_RATE)))
    count = min(most, connections)
    return [connections // count + (at < connections % count) for at in range(count)]


class SharedLoad:
    """A load that agents make, from the moment this is made; `finish` waits for it."""

    def __init__(
        self,
        master: Master,
        load: Load,
        url: str,
        delay_s: float,
        folder: Path,
        name: str,
        seed: int = 0,
        requests: Sequence[bytes] = (),
    ) -> None:
        """Share it out and begin it; files of each agent go to `raw/`, called after `name`."""
        self._master, self._folder, self._name = master, folder, name
        self._id = next(_loads)
        self._limit_s = load.duration_s + delay_s + SPARE_S + 1.0
        shares = shared_out(load.connections, load.rate, master.wanted)
        self._members = master.ready()[: len(shares)]
        self._connections = shares
        master.compare_clocks(self._members)
        orders = _orders(self._id, load, url, delay_s, shares, seed, requests)
        self._open = True
        try:
            for member, order in zip(self._members, orders, strict=True):
                master.expect(member, self._id)
                master.tell(member, order)
            armed = master.answered(
                self._members, self._id, 0, time.monotonic() + ARMED_WITHIN_S + 5.0
            )
            self._networks = [
                _check(member, answer, Armed).network
                for member, answer in zip(self._members, armed, strict=True)
            ]
            self._clocks = [member.clock for member in self._members]
            # Where an agent serves, it is told to sample before the load begins.
            sampled_us = 2 * master.to_server_us()
            self._planned_us = steady_us() + LEAD_US + sampled_us
            for member, clock in zip(self._members, self._clocks, strict=True):
                assert clock is not None
                go = Go(load=self._id, at_us=self._planned_us + clock.offset_us)
                master.tell(member, go)
        except BaseException:
            self.stop()
            raise
        # What is sampled from now on is the load, and no time before it.
        time.sleep(max(0.0, (self._planned_us - sampled_us - steady_us()) / 1e6 - 0.01))

    def tree(self) -> list[psutil.Process]:
        """Return nothing: what agents of this machine used, they tell."""
        return []

    def stop(self) -> None:
        """End it on all agents, if it has not ended."""
        if not self._open:
            return
        self._open = False
        for member in self._members:
            self._master.forget(member, self._id)
            if not member.lost:
                try:
                    self._master.tell(member, Halt(load=self._id))
                except CellError:
                    return

    def finish(self) -> Printed:
        """Return what all counted together; raises CellError where one has no result."""
        deadline = time.monotonic() + self._limit_s
        try:
            results = self._master.answered(self._members, self._id, 1, deadline)
            parts = [
                self._part(at, member, _check(member, result, Result))
                for at, (member, result) in enumerate(zip(self._members, results, strict=True))
            ]
        finally:
            self.stop()
        loaded = together([part.loaded for part in parts])
        return Printed(loaded=loaded, raw=None, histogram=None, parts=tuple(parts))

    def _part(self, at: int, member: Member, result: Result) -> Part:
        raw = self._folder / "raw" / f"{self._name}.a{at + 1}.txt"
        with writing(raw, measuring=True):
            files.write(raw, result.ended.out.encode("utf-8", "replace"))
        try:
            printed = generator.read(result.ended, self._folder, raw)
        except CellError as error:
            raise CellError(
                error.stage, f"agent {member.name}: {error.reason}", error.detail
            ) from None
        clock = self._clocks[at]
        assert clock is not None
        assert printed.raw is not None
        return Part(
            agent=member.name,
            connections=self._connections[at],
            clock=clock,
            planned_us=self._planned_us,
            loaded=printed.loaded,
            raw=printed.raw,
            histogram=printed.histogram,
            usage=result.usage,
            host=None if self._master.beside_servers(member) else result.host,
            network=self._networks[at],
        )


def _orders(
    id_: int,
    load: Load,
    url: str,
    delay_s: float,
    shares: Sequence[int],
    seed: int,
    requests: Sequence[bytes],
) -> list[Order]:
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    address = _address(parts.hostname or "")
    try:
        return [
            msgspec.convert(
                {
                    "load": id_,
                    "address": address,
                    "port": parts.port or 80,
                    "path": (parts.path or "/") + query,
                    "requests": tuple(requests),
                    "connections": connections,
                    "duration_s": float(max(1, math.ceil(load.duration_s))),
                    "delay_s": delay_s,
                    "rate": load.rate,
                    "arrivals": load.arrivals,
                    # Those of a round meet the same arrivals, and its agents different ones.
                    "seed": seed if len(shares) == 1 else zlib.crc32(f"{seed}/{at}".encode()),
                    "number": at,
                    "of": len(shares),
                },
                Order,
            )
            for at, connections in enumerate(shares)
        ]
    except msgspec.ValidationError as error:
        raise CellError("load", f"agents cannot be told of this load: {error}") from None


def _address(host: str) -> str:
    """Return a host in numbers, as it is known here; raises CellError where it is not."""
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except OSError as error:
        raise CellError("load", f"agents cannot be told where {host} is: {error}") from None


def _check(member: Member, answer: Any, kind: type[Any]) -> Any:
    """Return what an agent said; raises CellError where it is that it failed, or out of place."""
    if isinstance(answer, Failed):
        raise CellError("load", f"agent {member.name}: {answer.reason}", answer.detail)
    if not isinstance(answer, kind):
        raise CellError("load", f"agent {member.name} answered out of turn")
    return answer


def together(loads: Sequence[Loaded]) -> Loaded:
    """Return what several generators counted at the same time as one, at least one of them.

    Counts are sums. They end within a tenth of a second of each other, as wrk looks at its clock
    no more often, so times are means. A tenth of a second was silent if all were.
    """
    first = loads[0]
    sums = {
        name: _sum(getattr(each, name) for each in loads)
        for name in (
            *("answers", "received_bytes", "connect_errors", "read_errors", "write_errors"),
            *("status_errors", "timeouts", "cpu_us"),
        )
    }
    sent = [each.sent for each in loads if each.sent]
    return msgspec.structs.replace(
        first,
        **sums,
        duration_us=round(mean(each.duration_us for each in loads)),
        windows=max((each.windows or 0 for each in loads), default=None),
        silent_windows=min((each.silent_windows or 0 for each in loads), default=None),
        sent=_schedule(sent) if sent else None,
        began_us=None,
    )


def _schedule(sent: Sequence[Sent]) -> Sent:
    late: Counter[int] = Counter()
    for each in sent:
        late.update(dict(zip(each.late.values_us, each.late.counts, strict=True)))
    ordered = sorted(late.items())
    return Sent(
        window_us=round(mean(each.window_us for each in sent)),
        first_answer_us=min(each.first_answer_us for each in sent),
        requests=sum(each.requests for each in sent),
        missed=sum(each.missed for each in sent),
        late=Histogram(
            values_us=tuple(us for us, _ in ordered), counts=tuple(n for _, n in ordered)
        ).coarse(wrk.FINE_KEPT),
    )


def _sum(values: Iterable[int | None]) -> int | None:
    known = list(values)
    return None if None in known else sum(known)  # type: ignore[arg-type]
