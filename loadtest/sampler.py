"""Samples groups of processes while a load runs: CPU time, memory, processes, threads."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import psutil

from loadtest.model import Usage

INTERVAL_S = 1.0
"""A sample walks all processes of the machine, about 5 ms: half a percent at this rate."""


@dataclass
class _Group:
    members: Callable[[], list[psutil.Process]]
    with_pss: bool
    cpu_s: dict[psutil.Process, tuple[float, float]] = field(default_factory=dict)
    """First and newest CPU seconds of each process seen."""
    rss_peak: int = 0
    pss_peak: int | None = None
    processes: int = 0
    threads: int = 0

    def sample(self, started: bool) -> None:
        rss = pss = processes = threads = 0
        pss_known = self.with_pss
        for member in self.members():
            # One that ends between two looks keeps what it was last seen with.
            with contextlib.suppress(psutil.Error):
                with member.oneshot():
                    times = member.cpu_times()
                    used_s = times.user + times.system
                    # A process born during the load used all of its time in it.
                    first_s = self.cpu_s.get(member, (used_s if started else 0.0,))[0]
                    self.cpu_s[member] = (first_s, used_s)
                    rss += member.memory_info().rss
                    threads += member.num_threads()
                    processes += 1
                if pss_known:
                    found = getattr(member.memory_full_info(), "pss", None)
                    pss_known = found is not None
                    pss += found or 0
        self.rss_peak = max(self.rss_peak, rss)
        self.processes = max(self.processes, processes)
        self.threads = max(self.threads, threads)
        if pss_known:
            self.pss_peak = max(self.pss_peak or 0, pss)

    def usage(self) -> Usage:
        return Usage(
            cpu_s=sum(last - first for first, last in self.cpu_s.values()),
            rss_peak_bytes=self.rss_peak,
            pss_peak_bytes=self.pss_peak,
            processes=self.processes,
            threads=self.threads,
        )


@contextlib.contextmanager
def sampling(
    groups: Mapping[str, Callable[[], list[psutil.Process]]], pss_of: str
) -> Iterator[dict[str, Usage]]:
    """Sample groups of processes during the block; the usage of each is there at its end.

    Memory with shared pages divided among their users (PSS) costs more to read and is taken for
    the group `pss_of` alone.
    """
    watched = {name: _Group(members, name == pss_of) for name, members in groups.items()}
    done = threading.Event()

    def watch() -> None:
        while not done.wait(INTERVAL_S):
            for group in watched.values():
                group.sample(started=False)

    for group in watched.values():
        group.sample(started=True)
    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    found: dict[str, Usage] = {}
    try:
        yield found
    finally:
        done.set()
        thread.join()
        for group in watched.values():
            group.sample(started=False)
    found.update({name: group.usage() for name, group in watched.items()})
