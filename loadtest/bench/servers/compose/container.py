"""One container: whether it runs, where it answers, which processes are its."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import psutil

from loadtest.system import cgroup, process, sampling
from loadtest.system.cgroup import Reading
from loadtest.system.docker import Docker, reason_of
from loadtest.system.process import CommandError
from loadtest.system.sampling import Holding

LOOK_EVERY_S = 0.5
"""A look costs the engine some 30 ms of CPU time."""

NOT_ITS_OWN = ("docker-init", "warden.py", "loadtest.bench.servers.compose.serve")
"""Processes around what a container is for, by a word of their command line."""


@dataclass
class Container:
    """A container that was started; what it does from then on is looked up."""

    name: str
    """For people, as in `uvicorn`."""
    docker: Docker
    id: str
    pid: int
    """Of its first process, on the engine's machine."""
    address: str
    """In the project's network."""
    log: Path
    _looked: tuple[float, str | None] = field(default=(0.0, None))

    @property
    def is_here(self) -> bool:
        """Say whether this machine sees its processes, and so reaches its address."""
        with contextlib.suppress(OSError):
            return self.id in Path(f"/proc/{self.pid}/cgroup").read_text(encoding="utf-8")
        return False

    def ended(self) -> str | None:
        """Return in words how it ended, None while it runs; not newer than half a second."""
        at, ended = self._looked
        if ended is None and time.monotonic() - at > LOOK_EVERY_S:
            self._looked = (time.monotonic(), self._ended())
        return self._looked[1]

    def _ended(self) -> str | None:
        try:
            state = inspect(self.docker, self.id)["State"]
        except CommandError as error:
            if "no such" in error.detail.lower():
                return f"{self.name}'s container was removed"
            return f"the Docker engine does not answer: {reason_of(error)}"
        if state["Running"]:
            return None
        status = state["ExitCode"]
        if state.get("OOMKilled"):
            return f"{self.name}'s container ran out of the memory that .env allows it"
        if status > 128:
            return f"{self.name}'s container was ended by signal {status - 128}"
        return f"{self.name}'s container exited with status {status}"

    def tail(self) -> str:
        """Return the end of its log, which is kept in the run's folder."""
        with contextlib.suppress(CommandError):
            self.docker.logs(self.id, self.log)
        return process.tail(self.log, 20)

    def members(self) -> list[psutil.Process]:
        """Return its processes, where this machine sees them, those around them aside."""
        members = []
        reading = cgroup.here(self.pid)
        for pid in reading.pids if reading else ():
            with contextlib.suppress(psutil.Error):
                member = psutil.Process(pid)
                if not any(word in part for part in member.cmdline()[:6] for word in NOT_ITS_OWN):
                    members.append(member)
        return members

    def holding(self) -> Holding | None:
        """Return what its processes hold now; None where nobody tells."""
        if self.is_here:
            return sampling.holding(self.members())
        try:
            _, *lines = self.docker.docker("top", self.id, "-eo", "pid,nlwp,rss,args").splitlines()
            rows = [line.split(None, 3) for line in lines]
            own = [row for row in rows if not any(word in row[3] for word in NOT_ITS_OWN)]
            return Holding(
                rss_bytes=sum(int(row[2]) for row in own) * 1024,
                processes=len(own),
                threads=sum(int(row[1]) for row in own),
                connections=None,
            )
        except (CommandError, ValueError, IndexError):
            return None

    def reading(self) -> Reading | None:
        """Return what its control group counts."""
        return cgroup.here(self.pid) if self.is_here else cgroup.inside(self.docker, self.id)

    def stop(self) -> None:
        """Keep its log, stop and remove it; what cannot be reached is left to the guard."""
        self.tail()
        for argv in (("stop", "--time", "1"), ("rm", "--force", "--volumes")):
            # One that does not stop in time is removed all the same.
            with contextlib.suppress(CommandError):
                self.docker.docker(*argv, self.id)


def find(docker: Docker, service: str, name: str, log: Path) -> Container:
    """Return the container of a service that was started; raises CommandError without one."""
    facts = inspect(docker, f"{docker.project}-{service}-1")
    (network,) = facts["NetworkSettings"]["Networks"].values()
    return Container(
        name=name,
        docker=docker,
        id=facts["Id"],
        pid=facts["State"]["Pid"],
        address=network["IPAddress"],
        log=log,
    )


def inspect(docker: Docker, container: str) -> dict[str, Any]:
    """Return all that the engine says of a container; raises CommandError."""
    text = docker.docker("inspect", "--type", "container", container)
    (facts,) = msgspec.json.decode(text, type=list[dict[str, Any]])
    return facts
