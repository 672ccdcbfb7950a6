"""Shows a run while it goes on: the trial being measured and the time left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from loadtest.measure import loop
from loadtest.measure.loop import Shown
from loadtest.records import clients, measured


class Watcher(loop.Watcher):
    """Moves a bar by the cost of each trial; without a terminal a line for each group instead."""

    def __init__(self, rounds: int, console: Console) -> None:
        """Nothing is shown before `showing`, and nothing is to be measured before `add`."""
        self._console = console
        self._rounds = rounds
        self._bar = Progress(
            TextColumn("{task.percentage:>3.0f}%"),
            BarColumn(bar_width=20),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.description}", markup=False),
            console=console,
            transient=True,
        )
        self._task = self._bar.add_task("starting", total=None)
        self._total = 0.0
        self._where = ""
        self._trial: Shown | None = None

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show the bar during the block, where there is a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with self._bar:
            yield

    def add(self, trials: Iterable[Shown]) -> None:
        """Take more that is to be measured."""
        for trial in trials:
            self._total += trial.cost
            self._rounds = max(self._rounds, trial.round + 1)
        self._bar.update(self._task, total=self._total)

    def began(self, trial: Shown) -> None:
        """Show what is being measured."""
        self._trial = trial
        where = "  ".join(filter(None, (f"round {trial.round + 1}/{self._rounds}", trial.group)))
        self._bar.update(self._task, description=f"{where}  {trial.label}")
        if not self._console.is_terminal and where != self._where:
            self._where = where
            done = self._bar.tasks[0].completed / self._total
            self._console.print(f"{done:4.0%}  {where}", highlight=False)

    def ended(self, outcome: measured.Outcome | clients.Outcome) -> None:
        """Move on, and say at once what failed."""
        assert self._trial is not None
        if not getattr(outcome, "repeat", 0):
            self._bar.advance(self._task, self._trial.cost)
        if outcome.status == "failed":
            self._console.print(
                f"failed: {self._trial.name}, round {self._trial.round + 1},"
                f" at {outcome.stage}: {outcome.reason}",
                markup=False,
                highlight=False,
                # In a file a line is a line.
                soft_wrap=not self._console.is_terminal,
            )
