"""Shows a run while it goes on: the trial being measured and the time left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from statistics import geometric_mean

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from loadtest.measure import loop
from loadtest.measure.loop import Shown
from loadtest.records import clients, measured
from loadtest.records.text import message


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
        self._cost_us: dict[str, dict[str, float]] = {}
        """The last of each server, by endpoint."""

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
        """Show what is being measured, and what was so far."""
        self._trial = trial
        where = "  ".join(filter(None, (f"round {trial.round + 1}/{self._rounds}", trial.group)))
        so_far = self._so_far()
        self._bar.update(self._task, description=f"{where}  {trial.label}{so_far}")
        if not self._console.is_terminal and where != self._where:
            self._where = where
            task = self._bar.tasks[0]
            left = f"  {_roughly(task.time_remaining)} left" if task.time_remaining else ""
            self._console.print(
                f"{task.completed / self._total:4.0%}  {where}{left}{so_far}",
                markup=False,
                highlight=False,
                soft_wrap=True,
            )

    def _so_far(self) -> str:
        """Return who took the least CPU time a request, over the endpoints that all have met."""
        each = self._cost_us.values()
        common = set.intersection(*map(set, each)) if each else set()
        if len(self._cost_us) < 2 or not common:
            return ""
        means = {
            name: geometric_mean(costs_us[endpoint] for endpoint in common)
            for name, costs_us in self._cost_us.items()
        }
        cheapest = min(means, key=lambda name: means[name])
        return f"  (cheapest so far: {cheapest}, {means[cheapest] / 1000:.2g} cores per 1,000/s)"

    def ended(self, outcome: measured.Outcome | clients.Outcome) -> None:
        """Move on, and say at once what failed."""
        assert self._trial is not None
        if not getattr(outcome, "repeat", 0):
            self._bar.advance(self._task, self._trial.cost)
        if (
            isinstance(outcome, measured.Outcome)
            and outcome.server_cpu_us
            and not self._trial.aside
        ):
            # As they come; the report says what of it is more than noise.
            costs_us = self._cost_us.setdefault(self._trial.label, {})
            costs_us[self._trial.group] = outcome.server_cpu_us
        if outcome.status == "failed":
            what = f"{self._trial.name}, round {self._trial.round + 1}, at {outcome.stage}"
            self._console.print(
                message(f"failed: {what}: {outcome.reason}"),
                markup=False,
                highlight=False,
                # In a file a line is a line.
                soft_wrap=not self._console.is_terminal,
            )


def _roughly(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
