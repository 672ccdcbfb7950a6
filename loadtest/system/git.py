"""What git knows of a folder; nothing is written for it."""

from __future__ import annotations

from pathlib import Path

from loadtest.system import process
from loadtest.system.process import CommandError

STATUS = ("git", "--no-optional-locks", "status", "--porcelain", "--untracked-files=all", "--", ".")


def changed(folder: Path) -> frozenset[str] | None:
    """Return the files of a folder that are not as they were committed.

    None where git is not there, or knows nothing of the folder.
    """
    try:
        lines = process.output(STATUS, env={}, cwd=folder).splitlines()
    except CommandError:
        return None
    return frozenset(line[3:] for line in lines)  # after two letters that say how
