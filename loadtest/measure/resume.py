"""Going on with a run: rounds may be paired only where nothing else has changed."""

from __future__ import annotations

from collections.abc import Collection

from loadtest.records.errors import UserError


def refuse(differ: Collection[str], command: str) -> None:
    """Raise UserError where a run would mix two things; `command` is what began it."""
    if differ:
        raise UserError(
            f"this run cannot go on, it would mix two things: {'; '.join(differ)};"
            f" {another(command)}"
        )


MOST_SHOWN = 300
"""Characters; a longer one would not fit into a line, and a part of it may be another command."""


def another(command: str) -> str:
    """Return what to do in place of going on; `command` is what began the run."""
    shown = f": {command}" if len(command) <= MOST_SHOWN else ", with the command in its report"
    return f"begin another{shown}"
