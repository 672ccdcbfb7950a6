"""Takes down a Compose project when it is told to end.

    python -m loadtest.bench.servers.compose.guard FOLDER PROJECT MARK

It runs under a warden like any process of the engine's, so it is also told when the engine is
killed. Where Docker does not answer it goes on asking for a while: an engine that died is mostly
started again, and what it ran is still there. MARK is a file that it keeps locked meanwhile, and
removes with the project: one that is there and not locked names what was left behind.
"""

from __future__ import annotations

import contextlib
import fcntl
import re
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from loadtest.records import files
from loadtest.system.docker import Docker, reason_of
from loadtest.system.process import CommandError

NAME = "loadtest-run-"
"""How the name of a run's project begins."""

OURS = re.compile(rf"{NAME}[0-9a-f]{{12}}")
"""A results folder may come from anybody: a mark with another name is none, or its project would be
taken down with all that is stored in it."""

RETRY_FOR_S = 40.0

RETRY_EVERY_S = 1.0

DOWN_WITHIN_S = 60.0

GRACE_S = RETRY_FOR_S + DOWN_WITHIN_S
"""What its warden has to give it."""


def mark(logs: Path, project: str) -> Path:
    """Return the file that says that a project is guarded, in a run's folder for logs."""
    return logs / f"{project}.guard"


def left_behind(out: Path) -> Iterator[Path]:
    """Yield the marks in a results folder whose guards are gone; their stems are the projects."""
    for path in sorted(out.glob("*/logs/*.guard")):
        if not OURS.fullmatch(path.stem):
            continue
        with contextlib.suppress(OSError), files.opened(path) as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield path


def main(arguments: Sequence[str]) -> int:
    """Wait for the end, then take the project down; return 1 where that failed."""
    folder, project, path = arguments
    with open(path, "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _wait_to_be_told()
        status = take_down(Docker(Path(folder), project), RETRY_FOR_S)
        if status == 0:
            Path(path).unlink(missing_ok=True)
    return status


def _wait_to_be_told() -> None:
    end = (signal.SIGTERM, signal.SIGINT)
    signal.pthread_sigmask(signal.SIG_BLOCK, end)
    signal.sigwait(end)
    for number in end:
        signal.signal(number, signal.SIG_IGN)
    # What is started from here on must be able to hear them.
    signal.pthread_sigmask(signal.SIG_UNBLOCK, end)


def take_down(docker: Docker, retry_for_s: float) -> int:
    """Remove all containers, networks and volumes of a project; return 1 where that failed."""
    deadline = time.monotonic() + retry_for_s
    while True:
        with contextlib.suppress(OSError):
            try:
                docker.compose(
                    *("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "1"),
                    timeout_s=DOWN_WITHIN_S,
                )
                return 0
            except CommandError as error:
                sys.stderr.write(f"{reason_of(error)}\n")
                sys.stderr.flush()
        if time.monotonic() > deadline:
            return 1
        time.sleep(RETRY_EVERY_S)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
