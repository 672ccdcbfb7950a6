"""Samples groups of processes while a load runs: CPU time, memory, processes, threads, sockets."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from resource import RUSAGE_CHILDREN, getrusage
from typing import TypeVar

import msgspec
import psutil

from loadtest.records.measured import Host, Left, Usage
from loadtest.records.planned import Record
from loadtest.system.cpu_time import cpu_s

INTERVAL_S = 1.0
"""A sample walks all processes of the machine, about 5 ms: half a percent at this rate."""

Members = Callable[[], list[psutil.Process]]

Number = TypeVar("Number", int, float)


class Holding(Record, frozen=True, kw_only=True):
    """What a group of processes holds at one moment."""

    rss_bytes: int
    processes: int
    threads: int
    connections: int | None
    """Open sockets; None where the system doesn't tell."""


@dataclass
class Sampled:
    """What a load used: of each group, and of the machine. Filled in at the end of `sampling`."""

    usage: dict[str, Usage] = field(default_factory=dict)
    host: Host | None = None


@dataclass
class _Group:
    members: Members
    holds: bool
    """Whether it is looked at what they hold, each time, with their sockets; a database has
    hundreds of processes, whose descriptors take longer to walk through than all else."""
    cpu_s: dict[psutil.Process, tuple[float, float]] = field(default_factory=dict)
    """First and newest CPU seconds of each process seen."""
    children_s: dict[psutil.Process, tuple[float, float]] = field(default_factory=dict)
    """Likewise of its children that have ended, which the system adds to it."""
    ended: set[psutil.Process] = field(default_factory=set)
    """At the last look, those that were seen before."""
    seen: list[Holding] = field(default_factory=list)

    def sample(self, first: bool = False, last: bool = False) -> None:
        members = self.members()
        for number, member in enumerate(members):
            with contextlib.suppress(psutil.Error):
                _note(self.cpu_s, member, cpu_s(member), first)
                # The processes of a service are children of its first.
                if (first or last) and (self.holds or not number):
                    _note(self.children_s, member, _ended_s(member), first)
        if last:
            self.ended = self.cpu_s.keys() - {*members}
        if self.holds or last:
            self.seen.append(holding(members, sockets=self.holds))

    def _ended_since_s(self) -> float:
        """Return what processes that ended in the load used after they were last seen."""
        told_s = sum(last - first for first, last in self.children_s.values())
        return max(0.0, told_s - sum(self.cpu_s[member][1] for member in self.ended))

    def usage(self) -> Usage:
        each_s = sorted(
            (max(0.0, last - first) for first, last in self.cpu_s.values()), reverse=True
        )
        # Of a database's hundreds only the busiest can be what a load waits for.
        noted_s = each_s if self.holds else each_s[:1]
        sockets = [seen.connections for seen in self.seen if seen.connections is not None]
        return Usage(
            cpu_s=sum(each_s) + self._ended_since_s(),
            each_cpu_s=tuple(round(used_s, 2) for used_s in noted_s),
            rss_peak_bytes=max(seen.rss_bytes for seen in self.seen),
            processes=max(seen.processes for seen in self.seen),
            threads=max(seen.threads for seen in self.seen),
            connections=max(sockets) if len(sockets) == len(self.seen) else None,
        )


@contextlib.contextmanager
def sampling(
    groups: Mapping[str, Members], holds: str, ends: str | None = None
) -> Iterator[Sampled]:
    """Sample groups of processes and the machine during the block.

    What the group `holds` is holding is noted throughout, with the CPU time of each process; of the
    others at the end, without their sockets, and the CPU time of the busiest. The group `ends`, if
    there is one, is waited for in the block, so the system tells its CPU time exactly, with that of
    its warden.
    """
    watched = {name: _Group(members, name == holds) for name, members in groups.items()}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(INTERVAL_S):
            for group in watched.values():
                group.sample()

    for group in watched.values():
        group.sample(first=True)
    before = _machine()
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    sampled = Sampled()
    try:
        yield sampled
    finally:
        done.set()
        thread.join()
        after = _machine()
        for group in watched.values():
            group.sample(last=True)
    sampled.usage = {name: group.usage() for name, group in watched.items()}
    if ends is not None:
        ended_s = after.ended_s - before.ended_s
        sampled.usage[ends] = msgspec.structs.replace(sampled.usage[ends], cpu_s=ended_s)
    sampled.host = _host(before, after, sum(used.cpu_s for used in sampled.usage.values()))


def _note(
    used: dict[psutil.Process, tuple[float, float]],
    process: psutil.Process,
    used_s: float,
    first: bool,
) -> None:
    # A process born during the load used all of its time in it.
    used[process] = (used.get(process, (used_s if first else 0.0,))[0], used_s)


def _ended_s(process: psutil.Process) -> float:
    """Return the CPU seconds of the children of a process that have ended; 0 where nobody tells."""
    times = process.cpu_times()
    return float(times.children_user + times.children_system)


def holding(members: Sequence[psutil.Process], *, sockets: bool = True) -> Holding:
    """Return what these processes hold now, their `sockets` only if these are asked for."""
    rss = processes = threads = 0
    open_each: list[int | None] = []
    for member in members:
        with contextlib.suppress(psutil.Error), member.oneshot():
            rss += member.memory_info().rss
            threads += member.num_threads()
            processes += 1
            open_each.append(_sockets(member.pid) if sockets else None)
    known = [count for count in open_each if count is not None]
    return Holding(
        rss_bytes=rss,
        processes=processes,
        threads=threads,
        connections=sum(known) if len(known) == len(open_each) else None,
    )


def left(before: Holding | None, after: Holding | None) -> Left | None:
    """Return what is held after a load that was not held before it; None where either is."""
    if before is None or after is None:
        return None
    return Left(
        connections=_growth(before.connections, after.connections),
        threads=after.threads - before.threads,
        memory_bytes=after.rss_bytes - before.rss_bytes,
    )


def _sockets(pid: int) -> int | None:
    """Return how many sockets a process has open, from its descriptors alone (Linux).

    The system's tables of connections would tell more and take milliseconds for each thousand.
    """
    folder = f"/proc/{pid}/fd"
    try:
        names = os.listdir(folder)
    except OSError:
        return None
    count = 0
    for name in names:
        with contextlib.suppress(OSError):
            count += os.readlink(f"{folder}/{name}").startswith("socket:")
    return count


def memory_bytes(members: Sequence[psutil.Process]) -> int:
    """Return what these processes hold together: pages that they share are divided among their
    users (PSS), or counted in each of them (RSS) where the system doesn't tell.
    """
    pss = _pss(members)
    return holding(members).rss_bytes if pss is None else pss


def _pss(members: Sequence[psutil.Process]) -> int | None:
    total = 0
    for member in members:
        try:
            pss = getattr(member.memory_full_info(), "pss", None)
        except psutil.AccessDenied:  # of another user, as in a container
            return None
        except psutil.Error:
            continue
        if pss is None:
            return None
        total += pss
    return total


class _Machine(Record, frozen=True, kw_only=True):
    at_s: float
    busy_s: float
    """In processes; interrupts, which belong to no process, aside."""
    steal_s: float | None
    throttled_s: float | None
    own_s: float
    """Of the engine."""
    ended_s: float
    """Of its children that have ended."""


def _machine() -> _Machine:
    times = psutil.cpu_times()
    return _Machine(
        at_s=time.monotonic(),
        busy_s=times.user + times.system + getattr(times, "nice", 0.0),
        steal_s=getattr(times, "steal", None),
        throttled_s=_throttled_s(),
        own_s=time.process_time(),
        ended_s=ended_cpu_s(),
    )


def ended_cpu_s() -> float:
    """Return the CPU seconds of the engine's children that have ended, and of theirs."""
    used = getrusage(RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _throttled_s() -> float | None:
    try:
        lines = Path("/sys/fs/cgroup/cpu.stat").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    counted = dict(line.split() for line in lines)
    return int(counted["throttled_usec"]) / 1e6 if "throttled_usec" in counted else None


def _host(before: _Machine, after: _Machine, ours_s: float) -> Host:
    # What a virtual machine counts may go backwards.
    busy_s = max(0.0, after.busy_s - before.busy_s)
    return Host(
        window_s=after.at_s - before.at_s,
        processors=psutil.cpu_count() or 1,
        busy_cpu_s=busy_s,
        # The tables are not read at one instant, so a quiet machine can come out below zero.
        other_cpu_s=max(0.0, busy_s - ours_s - (after.own_s - before.own_s)),
        steal_cpu_s=_grown(before.steal_s, after.steal_s),
        throttled_s=_grown(before.throttled_s, after.throttled_s),
    )


def _grown(before: float | None, after: float | None) -> float | None:
    growth = _growth(before, after)
    return None if growth is None else max(0.0, growth)


def _growth(before: Number | None, after: Number | None) -> Number | None:
    return None if before is None or after is None else after - before
