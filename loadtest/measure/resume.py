"""Going on with a run: rounds may be paired only where nothing else has changed."""

from __future__ import annotations

from collections.abc import Collection

from loadtest.records.errors import UserError


def refuse(differ: Collection[str], command: str) -> None:
    """Raise UserError where a run would mix two things; `command` is what began it."""
    if differ:
        raise UserError(
            f"this run cannot go on, it would mix two things: {'; '.join(differ)};"
            f" begin another: {command}"
        )
