"""Runs `docker` and `docker compose`, and says in one line what went wrong."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from loadtest.records import files
from loadtest.records.privacy import SECRET_NAME
from loadtest.system import process
from loadtest.system.process import CommandError

FILE = "docker-compose.yml"
SETTINGS = ".env"

ASIDE = ("AGENT_IMAGE", "BUILD_NETWORK", "CA_FILE", "MASTER", "NO_HEALTH_CHECK", "PIP_FILE")
"""Variables of the compose file that say nothing of how a server runs."""

BRIEF_S = 20.0
"""For what an engine that is well answers at once."""


@dataclass(frozen=True)
class Docker:
    """The command `docker`, for one Compose project of the folder with the compose file."""

    folder: Path
    project: str
    settings: Mapping[str, str] = field(default_factory=dict)
    """Variables of the compose file that override those of `.env` and of the environment."""

    def docker(self, *argv: str, timeout_s: float | None = None) -> str:
        """Return what `docker` prints; raises CommandError with what it said."""
        return process.output(
            ["docker", *argv],
            env=self.environment(),
            cwd=self.folder,
            timeout_s=timeout_s or BRIEF_S,
        )

    def compose(self, *argv: str, timeout_s: float | None = None) -> str:
        """Return what `docker compose` prints for this project; raises CommandError likewise."""
        # All of it named: nothing that COMPOSE_FILE or COMPOSE_PROJECT_NAME say changes whose
        # containers are meant.
        return self.docker(
            *("compose", "--project-name", self.project),
            *("--project-directory", str(self.folder), "--file", str(self.folder / FILE)),
            *("--progress", "quiet", *argv),
            timeout_s=timeout_s,
        )

    def logs(self, container: str, path: Path) -> None:
        """Write what a container has printed to a file, in place of what is there."""
        path.unlink(missing_ok=True)
        process.run(
            "docker logs",
            ["docker", "logs", container],
            log=path,
            timeout_s=BRIEF_S,
            env=self.environment(),
        )

    def environment(self) -> dict[str, str]:
        """Return the environment of the command: all of ours, which may name an engine."""
        inherited = {key: value for key, value in os.environ.items() if key != "COMPOSE_PROFILES"}
        return inherited | dict(self.settings)


def reason_of(error: CommandError) -> str:
    """Return the line that says why a command failed: its last, or what became of it."""
    lines = [line.strip() for line in error.detail.splitlines() if line.strip()]
    # A build ends with the command that failed in full, and the reason stands above it.
    named = [line for line in lines if line.lower().startswith(("error", "failed to"))]
    return " ".join((named or lines or [error.reason])[-1].split())[:300]


def settings(folder: Path) -> dict[str, str]:
    """Return each setting of the compose file as the environment has it, or `.env`, or itself.

    These are stored with a run: what else a person keeps in `.env`, or calls like a secret, is not.
    """
    used = re.findall(r"\$\{([A-Z_]+):-([^}\n]*)\}", _text(folder / FILE))
    lines = _text(folder / SETTINGS).splitlines()
    pairs = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
    written = {key.strip(): value.strip() for key, value in pairs}
    return {
        key: os.environ.get(key) or written.get(key) or default
        for key, default in used
        if key not in ASIDE and not SECRET_NAME.search(key)
    }


def _text(path: Path) -> str:
    """Return what a file has, nothing of one that is not there, or is none."""
    try:
        return files.read(path, links=True).decode("utf-8", "replace")
    except OSError:
        return ""
