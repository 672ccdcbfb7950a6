"""Counts the processes that a test has started, however they have moved since."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

PATIENCE_S = 600.0
"""For what comes when it comes: to end a test that would hang, whatever else is at work."""


def until(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait until a condition holds; fail where it never does."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"waited {patience_s:.0f} s in vain: {what}"
        time.sleep(0.02)


@dataclass(frozen=True)
class Census:
    """The processes that have a TMPDIR in a folder, or run in it; never the test itself."""

    folder: Path

    def alive(self) -> list[psutil.Process]:
        """Return who is there; a zombie is not."""
        return [
            process
            for process in psutil.process_iter()
            if process.pid != os.getpid() and self._ours(process)
        ]

    def commands(self) -> list[tuple[psutil.Process, list[str]]]:
        """Return who is there with the words of its command; who ends meanwhile is not."""
        commands = []
        for process in self.alive():
            with contextlib.suppress(psutil.Error):
                commands.append((process, process.cmdline()))
        return commands

    def names(self) -> list[str]:
        """Return command lines, for messages."""
        return [f"{process.pid} {' '.join(words)}" for process, words in self.commands()]

    def leftovers(self) -> list[str]:
        """Return the names of files and folders that are still there."""
        return sorted(path.name for path in self.folder.iterdir())

    def empty(self) -> None:
        """Wait until nobody is left; fail naming who is."""
        deadline = time.monotonic() + PATIENCE_S
        while self.alive():
            assert time.monotonic() < deadline, f"still there: {self.names()}"
            time.sleep(0.02)

    def kill(self) -> None:
        """End whoever is left, so that one test's failure is not the next one's."""
        for process in self.alive():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def _ours(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            return (
                process.environ().get("TMPDIR", "").startswith(str(self.folder))
                # PostgreSQL writes its title over its environment.
                or str(self.folder) in " ".join(process.cmdline())
                or process.cwd().startswith(str(self.folder))
            )
        except (psutil.Error, OSError):
            return False
