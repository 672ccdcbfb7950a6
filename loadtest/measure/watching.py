"""What the measuring tells whoever shows it; nothing here shows anything."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

from loadtest.records import clients, measured


class Trial(NamedTuple):
    """One measurement to come, as it is shown."""

    name: str
    """As a failure names it: `granian-wsgi.json-sync`."""
    round: int
    group: str
    """What several trials in a row share, as their server; "" without."""
    label: str
    """Which of its group."""
    cost: float = 1.0
    """Its part of the whole: planned seconds, or as much as every other."""


class Watcher(Protocol):
    """Told of each trial when it is known, when it begins and when it ends."""

    def showing(self) -> AbstractContextManager[None]:
        """Show the trials during the block."""

    def add(self, trials: Iterable[Trial]) -> None:
        """Take more that is to be measured."""

    def began(self, trial: Trial) -> None:
        """Take what is being measured from now on."""

    def ended(self, outcome: measured.Outcome | clients.Outcome) -> None:
        """Take what became of it."""
