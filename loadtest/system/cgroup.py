"""Reads what the kernel counts for a container's control group, of version 1 and 2 alike.

From this machine's files where it sees the container; through `docker exec` on another machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from loadtest.records.planned import Record
from loadtest.system.docker import Docker
from loadtest.system.process import CommandError

ROOT = Path("/sys/fs/cgroup")
V2 = ("cpu.stat", "cgroup.procs")

V1 = ("cpuacct/cpuacct.usage", "cpu/cpu.stat", "memory/cgroup.procs")
"""The files that are read, below the group's folder; for version 1 the controller's comes first."""


class Reading(Record, frozen=True, kw_only=True):
    """What a control group has used by now."""

    cpu_s: float
    throttled_s: float
    pids: tuple[int, ...]
    """As its reader sees them."""


def paths(groups: str) -> dict[str, Path]:
    """Return where the files of a process's groups are, by name, from its `/proc/<pid>/cgroup`."""
    groups_of: dict[str, PurePosixPath] = {}
    for line in groups.splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            groups_of[controller] = PurePosixPath(path.lstrip("/"))
    if "memory" in groups_of:  # version 1, whatever version 2 is there for beside it
        return {
            name: ROOT / controller / groups_of[controller] / file
            for name in V1
            for controller, file in (name.split("/"),)
            if controller in groups_of
        }
    return {name: ROOT / groups_of[""] / name for name in V2} if "" in groups_of else {}


def here(pid: int) -> Reading | None:
    """Read the groups of a process of this machine; None where they can't be read."""
    try:
        files = paths(Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8"))
        return parse({name: path.read_text(encoding="utf-8") for name, path in files.items()})
    except (OSError, ValueError, LookupError):
        return None


def inside(docker: Docker, container: str) -> Reading | None:
    """Read a container's own group from inside of it; None where that fails.

    Starting the reader costs some 20 ms of CPU time, which the group is charged for.
    """
    names = [str(ROOT / name) for name in (*V2, *V1)]
    try:
        # With two files or more, grep puts the name before each line, and -s hides missing ones.
        text = docker.docker("exec", container, "sh", "-c", f"grep -s '' {' '.join(names)}; true")
        return parse(_split(text.splitlines()))
    except (CommandError, ValueError, LookupError):
        return None


def _split(lines: Iterable[str]) -> dict[str, str]:
    texts: dict[str, list[str]] = {}
    for line in lines:
        path, _, text = line.partition(":")
        texts.setdefault(str(PurePosixPath(path).relative_to(ROOT)), []).append(text)
    return {name: "\n".join(of_file) for name, of_file in texts.items()}


def parse(files: Mapping[str, str]) -> Reading:
    """Return what the files of a group say; raises LookupError or ValueError where one is amiss."""
    if V1[0] in files:
        return Reading(
            cpu_s=int(files["cpuacct/cpuacct.usage"]) / 1e9,
            throttled_s=_table(files["cpu/cpu.stat"])["throttled_time"] / 1e9,
            pids=_pids(files["memory/cgroup.procs"]),
        )
    cpu = _table(files["cpu.stat"])
    return Reading(
        cpu_s=cpu["usage_usec"] / 1e6,
        # Only where the cpu controller is on for the group.
        throttled_s=cpu.get("throttled_usec", 0) / 1e6,
        pids=_pids(files["cgroup.procs"]),
    )


def _table(text: str) -> dict[str, int]:
    return {key: int(value) for key, value in (line.split() for line in text.splitlines())}


def _pids(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split()))
