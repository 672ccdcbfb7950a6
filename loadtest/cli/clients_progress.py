"""Shows a run of clients while it goes on: the row being measured and the time left."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rich.console import Console

from loadtest.cli.progress import bar
from loadtest.measure.clients.measuring import Measurement
from loadtest.measure.clients.session import Watch
from loadtest.records.clients import Outcome, Plan


class Watcher(Watch):
    """Moves a bar with each measurement; without a terminal a line for each round instead."""

    def __init__(self, plan: Plan, console: Console) -> None:
        """Take the plan of what is measured."""
        self._console = console
        self._rounds = plan.rounds
        self._round = -1
        self._bar = bar(console)
        self._task = self._bar.add_task("starting", total=None)

    @contextlib.contextmanager
    def showing(self, todo: int) -> Iterator[Watch]:
        """Show the bar during the block, over so many measurements."""
        self._bar.update(self._task, total=todo)
        with self._bar if self._console.is_terminal else contextlib.nullcontext():
            yield self

    def began(self, measurement: Measurement) -> None:
        """Show what is being measured."""
        row, measure, round_ = measurement
        where = f"round {round_ + 1}/{self._rounds}"
        self._bar.update(self._task, description=f"{where}  {measure}  {row.id}")
        if not self._console.is_terminal and round_ != self._round:
            self._console.print(where, highlight=False)
        self._round = round_

    def outcome(self, outcome: Outcome) -> None:
        """Move on, and say at once what failed."""
        self._bar.advance(self._task)
        if outcome.status == "failed":
            self._console.print(
                f"failed: {outcome.row}, {outcome.measure}, round {outcome.round + 1},"
                f" at {outcome.stage}: {outcome.reason}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )
