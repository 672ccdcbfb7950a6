"""Shows a run while it goes on: the cell being measured and the time left."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from loadtest.plan.servers import schedule
from loadtest.plan.servers.schedule import Batch
from loadtest.records.measured import Outcome
from loadtest.records.planned import Cell


def bar(console: Console) -> Progress:
    """Return a bar that is gone when it is done, with the time left and what is going on."""
    return Progress(
        TextColumn("{task.percentage:>3.0f}%"),
        BarColumn(bar_width=20),
        TimeRemainingColumn(elapsed_when_finished=True),
        TextColumn("{task.description}", markup=False),
        console=console,
        transient=True,
    )


class Watcher:
    """Told of each cell and outcome; moves the bar by what the cell was planned to take."""

    def __init__(self, rounds: int, console: Console) -> None:
        """Nothing is shown before `showing`, and nothing is to be measured before `add`."""
        self._console = console
        self._rounds = rounds
        self._total_s = 0.0
        self._cost_s: dict[tuple[str, int], float] = {}
        self._bar = bar(console)
        self._task = self._bar.add_task("starting")
        self._server = ""

    def add(self, todo: Sequence[Batch]) -> None:
        """Take more that is to be measured."""
        self._total_s += schedule.total_s(todo)
        self._bar.update(self._task, total=self._total_s)
        for batch in todo:
            self._rounds = max(self._rounds, batch.round + 1)
            for cell in batch.cells:
                self._cost_s[cell.id, batch.round] = schedule.planned_s(batch, cell)

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show the bar during the block; without a terminal a line for each server instead."""
        if not self._console.is_terminal:
            yield
            return
        with self._bar:
            yield

    def cell(self, cell: Cell, round_: int) -> None:
        """Show what is being measured."""
        where = f"round {round_ + 1}/{self._rounds}  {cell.server}"
        self._bar.update(self._task, description=f"{where}  {cell.endpoint.id}")
        if not self._console.is_terminal and where != self._server:
            self._server = where
            done = self._bar.tasks[0].completed / self._total_s
            self._console.print(f"{done:4.0%}  {where}", highlight=False)

    def outcome(self, outcome: Outcome) -> None:
        """Move on, and say at once what failed."""
        self._bar.advance(self._task, self._cost_s.get((outcome.cell, outcome.round), 0.0))
        if outcome.status == "failed":
            self._console.print(
                f"failed: {outcome.cell}, round {outcome.round + 1},"
                f" at {outcome.stage}: {outcome.reason}",
                markup=False,
                highlight=False,
                # In a file a line is a line.
                soft_wrap=not self._console.is_terminal,
            )
