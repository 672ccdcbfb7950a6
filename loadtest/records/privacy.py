"""What a results folder does not tell of the machine: its name, and where things lie on it."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path

from loadtest.records import files

MOST_LINE_BYTES = 2**20
"""Of a log at a time: one that came with a folder may be a single line without end."""


def public(text: str) -> str:
    """Return a text with the present folder as `.` and the home folder as `~`."""
    return _without(text, _places())


def public_path(path: str) -> str:
    """Return a path likewise; of a file that lies elsewhere there is its name alone."""
    known = public(path)
    return os.path.basename(path) if os.path.isabs(known) else known


def publish(logs: Path) -> None:
    """Rewrite a folder's logs likewise, without the machine's name; nothing may write to them.

    Raises OSError.
    """
    if logs.is_symlink():
        return  # to logs of somebody else's
    name = socket.gethostname()
    # A short one is a word like any other.
    secrets = [*_places(), *([(name, "host")] if len(name) > 3 and name != "localhost" else [])]
    for log in sorted(logs.glob("*.log")):
        if log.is_symlink() or not log.is_file():
            continue
        with files.opened(log) as lines, files.replacing(log) as rewritten:
            for line in iter(partial(lines.readline, MOST_LINE_BYTES), b""):
                text = _without(line.decode(errors="surrogateescape"), secrets)
                rewritten.write(text.encode(errors="surrogateescape"))


def _without(text: str, secrets: Iterable[tuple[str, str]]) -> str:
    for secret, instead in secrets:
        text = re.sub(_whole(re.escape(secret)), instead, text)
    return text


def _places() -> Iterator[tuple[str, str]]:
    for place, instead in ((".", "."), ("~", "~")):
        place = os.path.expanduser(place)
        with contextlib.suppress(OSError):  # of a present folder that is gone
            for path in {os.path.abspath(place), os.path.realpath(place)}:
                if len(path) > 1:  # in the root lies everything
                    yield path, instead


def _whole(pattern: str) -> str:
    """Return a pattern that matches a name, and not a part of a longer one."""
    return rf"(?<![\w.~-]){pattern}(?![\w-])"
