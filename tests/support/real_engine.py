"""A real engine, and `loadtest run --launcher compose` on it as a person starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from census import until
from paths import ROOT

from loadtest.records import run_folder
from loadtest.records.measured import Outcome
from loadtest.records.run_folder import ServersRun

HOME = os.environ.get("LOADTEST_ENGINE")
"""Of the engine that `tests/compose/engine` started."""
PATIENCE_S = 900


def docker(*argv: str, check: bool = True) -> str:
    """Return what `docker` prints; fail with all of it, and with what it complains of."""
    ran = subprocess.run(["docker", *argv], capture_output=True, text=True, cwd=ROOT, check=False)
    assert ran.returncode == 0 or not check, f"docker {' '.join(argv)}\n{ran.stdout}{ran.stderr}"
    return ran.stdout


def end_engine() -> None:
    """Kill the engine, as an accident would."""
    os.kill(int((Path(str(HOME)) / "docker.pid").read_text()), signal.SIGKILL)


def begin_engine() -> None:
    """Start the engine again, as systems do after an accident."""
    with open(os.devnull, "wb") as nowhere:
        subprocess.Popen([Path(str(HOME)) / "start"], stdout=nowhere, stderr=nowhere)
    until(lambda: docker("network", "ls", "--quiet", check=False), "the engine", 60)


def held() -> set[str]:
    """Return all containers, networks and volumes that the engine has."""
    return {
        *docker("ps", "--all", "--quiet", "--no-trunc").split(),
        *docker("network", "ls", "--quiet", "--no-trunc").split(),
        *docker("volume", "ls", "--quiet").split(),
    }


class Run:
    """A run in a process of its own."""

    def __init__(self, out: Path, *arguments: str | Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self.out = out
        self.log = out / "said.txt"
        argv = [sys.executable, "-m", "loadtest", "run", "--out", out]
        if "--resume" not in arguments:
            argv += ["--launcher", "compose"]
        with open(self.log, "wb") as file:
            self.process = subprocess.Popen(
                [*map(str, argv), *map(str, arguments)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")

    def folder(self) -> Path:
        return next(path.parent for path in self.out.glob("*/run.json"))

    def lines(self) -> int:
        """Return how many outcomes there are by now."""
        return sum(
            path.read_text().count('"kind":"outcome"') for path in self.out.glob("*/outcomes.jsonl")
        )

    def until_measured(self, count: int) -> None:
        until(
            lambda: self.lines() >= count or self.process.poll() is not None,
            f"{count} outcomes",
            PATIENCE_S,
        )
        assert self.process.poll() is None, self.output()

    def wait(self) -> int:
        return self.process.wait(PATIENCE_S)

    def stored(self) -> ServersRun:
        return run_folder.read(self.folder(), run_folder.SERVERS)

    def outcomes(self) -> list[Outcome]:
        """Return them without the repeats of what a busy machine disturbed."""
        return [outcome for outcome in self.stored().outcomes if not outcome.repeat]

    def server(self) -> str | None:
        """Return the container of the server that is up now."""
        containers = docker(
            *("ps", "--quiet", "--filter", "publish=8000"),
            *("--filter", "label=com.docker.compose.oneoff=False"),
        ).split()
        return containers[0] if containers else None

    def kill_a_server(self) -> bool:
        """Kill the server if it is the same as half a second ago: one that is not about to end."""
        container = self.server()
        time.sleep(0.5)
        if container is None or container != self.server():
            return False
        ran = subprocess.run(["docker", "kill", container], capture_output=True, check=False)
        return ran.returncode == 0

    def service(self, name: str) -> str:
        (container,) = docker(
            "ps", "--quiet", "--filter", f"label=com.docker.compose.service={name}"
        ).split()
        return container
