"""The command as it can be typed here: on the screen, not in files, which are read elsewhere."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from pathlib import Path

from loadtest.cli.commands import COMMANDS

NAME = "loadtest"

MODULE = str(Path(__file__).parents[1] / "__main__.py")
"""What `python -m loadtest` runs."""

CALL = re.compile(rf"(?<![\w./-])(?<!-m ){NAME}(?= (?:{'|'.join(COMMANDS)})\b)")
"""Not one that can be typed as it is: by its path, or as a module."""


def program() -> str:
    """Return what to type for `loadtest`, as this process was started and from where one is."""
    started = sys.argv[0]
    if started == MODULE:
        return f"{_from_here(sys.executable)} -m {NAME}"
    return _from_here(started) if os.path.basename(started) == NAME else NAME


def as_typed(text: str) -> str:
    """Return a text with each call of `loadtest` as it can be typed here."""
    return CALL.sub(lambda call: program(), text)


def _from_here(path: str) -> str:
    """Return a program's name where PATH leads to it, or else the shortest path to it."""
    name = os.path.basename(path)
    on_path = shutil.which(name)
    try:
        if path == name or (on_path and os.path.abspath(on_path) == os.path.abspath(path)):
            return name
        near = os.path.relpath(path)
    except OSError:  # of a present folder that is gone
        return shlex.quote(path)
    if near.startswith(".."):
        return shlex.quote(path)
    return shlex.quote(near if os.sep in near else f"./{near}")
