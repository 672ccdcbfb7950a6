"""Describes the machine a run is made on, as far as the system tells."""

from __future__ import annotations

import os
import platform
import resource
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from loadtest.records.measured import Machine
from loadtest.system import process

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


def busy(seconds: float) -> tuple[float, int]:
    """Return how many processors others used in the next `seconds`, and how many there are."""
    before, own, began = psutil.cpu_times(), os.times(), time.monotonic()
    time.sleep(seconds)
    after, own_after = psutil.cpu_times(), os.times()
    used_s = sum(
        getattr(after, kind, 0.0) - getattr(before, kind, 0.0)
        for kind in ("user", "nice", "system", "steal")
    )
    own_s = own_after.user + own_after.system - own.user - own.system
    passed_s = time.monotonic() - began
    return max(0.0, used_s - own_s) / passed_s, psutil.cpu_count() or 1


def load_average() -> float | None:
    """Return how many processes wanted a processor over the last minute; None if not told."""
    try:
        return os.getloadavg()[0]
    except OSError:
        return None


def _governor() -> str | None:
    try:
        return Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor").read_text().strip()
    except OSError:
        return None


def _processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    if platform.system() == "Darwin":
        brand = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return process.output(brand, env={}, cwd=Path("/")).strip()
    return platform.machine()
