"""oha's text: hey's, with the share of requests that were answered. Source: `src/printer.rs`."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.measure.servers.imported.commands import Command
from loadtest.measure.servers.imported.text import Text, Typed
from loadtest.measure.servers.imported.tools import hey

NAME = "oha"


def end(lines: Sequence[str], start: int, stop: int, command: Command | None = None) -> int | None:
    """Return where its text ends; None where it is not oha's."""
    ends = hey.end(lines, start, stop, command)
    own = any(line.strip().startswith("Success rate:") for line in lines[start : ends or start])
    return ends if own else None


def parse(lines: Sequence[str], command: Command | None = None, typed: Typed | None = None) -> Text:
    """Return what a block says; raises TextError where a line that it needs is missing."""
    return hey.summary(NAME, lines, command, typed or Typed())
