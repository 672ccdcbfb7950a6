"""Describes the machine a run is made on, as far as the system tells."""

from __future__ import annotations

import contextlib
import os
import platform
import resource
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import psutil

from loadtest.records.measured import Machine
from loadtest.system import process
from loadtest.system.cpu_time import cpu_s

MOST_NAMED = 3
"""Of those who use the processors."""

SPARE_FILES = 256
"""Open files that a server or the generator needs beside its connections."""


def describe(versions: Mapping[str, str | None]) -> Machine:
    """Return the machine; `versions` are of what the run uses, None for what is missing."""
    return Machine(
        system=platform.platform(),
        cpu=_cpu(),
        processors=_processors(),
        memory_bytes=psutil.virtual_memory().total,
        python=versions.get("python") or platform.python_version(),
        versions={name: version for name, version in versions.items() if version is not None},
        open_files=resource.getrlimit(resource.RLIMIT_NOFILE)[0],
        governor=_governor(),
    )


def changes(then: Machine, now: Machine) -> list[str]:
    """Return what of a run's machine and software is another one now, a clause each."""
    versions = [
        f"{name} {version} then, {now.versions.get(name, 'missing')} now"
        for name, version in sorted(then.versions.items())
        if version != now.versions.get(name)
    ]
    return versions + [
        f"{key} {getattr(then, key)} then, {getattr(now, key)} now"
        for key in ("system", "cpu", "processors")
        if getattr(then, key) != getattr(now, key)
    ]


def system_id() -> str | None:
    """Return what tells this running system from every other; None where nobody does.

    Containers of one machine have the same: they share its processors.
    """
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        pass
    if platform.system() == "Darwin":
        boot = ["sysctl", "-n", "kern.bootsessionuuid"]
        return process.output(boot, env={}, cwd=Path("/")).strip()
    return None


def raise_file_limit(connections: int, option: str = "--connections") -> str | None:
    """Raise the soft limit of open files to what a load needs; return a line where it can't be.

    The servers and the generator inherit it.
    """
    needed = connections + SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return None
    if hard != resource.RLIM_INFINITY and hard < needed:
        return (
            f"{connections} connections need {needed} open files and the limit is {hard};"
            f" raise it (`ulimit -Hn {needed}` as root) or ask for fewer with {option}"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
    return None


def most_connections() -> int | None:
    """Return how many connections the limit of open files allows; None where there is none."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return None if hard == resource.RLIM_INFINITY else max(0, hard - SPARE_FILES)


class Busy(NamedTuple):
    """What took the processors for a moment, as numbers of processors."""

    used: float
    """By all but this process, and by the host (steal)."""
    processors: int
    by: dict[str, float]
    """Who took the most, by name: processes of one name together, and `the host`."""
    ids: dict[str, list[int]]
    """The processes of each name that took anything, the busiest first."""


def busy(seconds: float) -> Busy:
    """Look for so long who uses the processors."""
    before, own, began = psutil.cpu_times(), os.times(), time.monotonic()
    used_before = _used_s()
    time.sleep(seconds)
    used_after = _used_s()
    after, own_after, passed_s = psutil.cpu_times(), os.times(), time.monotonic() - began

    def grown(kind: str) -> float:
        return float(getattr(after, kind, 0.0) - getattr(before, kind, 0.0))

    own_s = own_after.user + own_after.system - own.user - own.system
    by: dict[str, float] = {"the host": grown("steal") / passed_s}
    each: dict[str, list[tuple[float, int]]] = {}
    for other, (name, used_s) in used_after.items():
        # One that was born meanwhile used all of its time in it.
        first_s = used_before[other][1] if other in used_before else 0.0
        by[name] = by.get(name, 0.0) + (used_s - first_s) / passed_s
        if used_s > first_s:
            each.setdefault(name, []).append((used_s - first_s, other.pid))
    most = dict(sorted(by.items(), key=lambda item: -item[1])[:MOST_NAMED])
    return Busy(
        used=max(0.0, sum(map(grown, ("user", "nice", "system", "steal"))) - own_s) / passed_s,
        processors=psutil.cpu_count() or 1,
        by=most,
        ids={name: [pid for _, pid in sorted(each.get(name, ()), reverse=True)] for name in most},
    )


def _used_s() -> dict[psutil.Process, tuple[str, float]]:
    """Return the name and the CPU seconds of every process but this one."""
    used: dict[psutil.Process, tuple[str, float]] = {}
    for other in psutil.process_iter(["name"]):
        with contextlib.suppress(psutil.Error):
            if other.pid != os.getpid():
                used[other] = other.info["name"] or "?", cpu_s(other)
    return used


def _governor() -> str | None:
    try:
        path = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        return None


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    if platform.system() == "Darwin":
        brand = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return process.output(brand, env={}, cwd=Path("/")).strip()
    return platform.machine()
