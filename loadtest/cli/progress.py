"""Shows a run while it goes on: how much of it is done, what it shows so far, what is measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from statistics import geometric_mean
from typing import NamedTuple

from rich.console import Console
from rich.live import Live
from rich.text import Text

from loadtest.cli.output import TELL_EVERY_S
from loadtest.measure import loop
from loadtest.measure.loop import Shown
from loadtest.records import clients, measured
from loadtest.records.text import message
from loadtest.report.units import roughly

GAP = "  "

LOOK_EVERY_S = 1.0


class Part(NamedTuple):
    """A part of the line; where there is less room, those with a higher rank are left out."""

    rank: int
    text: str


def fitted(parts: Sequence[Part], width: int) -> str:
    """Return the parts that fit into a line, in their order."""
    shown: dict[int, str] = {}
    for at, part in sorted(enumerate(parts), key=lambda each: each[1].rank):
        if sum(len(text) + len(GAP) for text in shown.values()) + len(part.text) <= width:
            shown[at] = part.text
    return GAP.join(shown[at] for at in sorted(shown))


class Watcher(loop.Watcher):
    """Shows one line that is renewed; without a terminal a line for each group instead, and one
    every 10 s while nothing begins or ends.

    While all that will be measured is known, it says which share of it is done and about how long
    the rest takes. What comes on top, as all of a search does, has no end that anybody knows: then
    it says how much is done, which never goes back.
    """

    def __init__(
        self,
        rounds: int,
        console: Console,
        clock: Callable[[], float] = time.monotonic,
        budget_s: float | None = None,
    ) -> None:
        """Take how many rounds are planned, 0 of a search; `add` is told what they hold.

        `budget_s` is left for rounds after the first.
        """
        self._console, self._rounds, self._clock = console, rounds, clock
        self._budget_s = budget_s
        self._opened_s = self._heard_s = clock()
        """When it began to show, and when it last heard or said anything."""
        self._began_s: float | None = None
        self._ends_s: float | None = None
        """When the rest will be done, as far as the pace until now says."""
        self._total = self._completed = 0.0
        self._first = 0.0
        """Of the first round, what is not completed."""
        self._count = 0
        self._is_planned = rounds > 0
        """All that is known now was planned."""
        self._where: tuple[int, str] | None = None
        self._trial: Shown | None = None
        self._cost_us: dict[str, dict[str, float]] = {}
        """The last of each server, by endpoint."""

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show the line during the block; without a terminal, where nothing happens for long."""
        self._opened_s = self._heard_s = self._clock()
        if not self._console.is_terminal:
            with self._looking():
                yield
            return

        def line() -> Text:
            # A column is left free, so that no terminal begins another line.
            text = fitted(self._parts(), self._console.width - 1)
            return Text(text, no_wrap=True, overflow="crop")

        with Live(get_renderable=line, console=self._console, transient=True, refresh_per_second=2):
            yield

    @contextmanager
    def _looking(self) -> Iterator[None]:
        over = threading.Event()

        def look() -> None:
            while not over.wait(LOOK_EVERY_S):
                self.look()

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def look(self) -> None:
        """Print the line where nothing has begun or ended for long, as while servers start."""
        if self._clock() - self._heard_s >= TELL_EVERY_S:
            self._print()

    def _print(self) -> None:
        self._heard_s = self._clock()
        text = GAP.join(part.text for part in self._parts())
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)

    def add(self, trials: Iterable[Shown]) -> None:
        """Take more that is to be measured: from the first on time counts, launches and all."""
        if self._began_s is None:
            self._began_s = self._clock()
        for trial in trials:
            self._total += trial.cost
            self._first += 0.0 if trial.round else trial.cost
            self._is_planned &= trial.round < self._rounds

    def began(self, trial: Shown) -> None:
        """Show what is being measured, and what was so far."""
        self._trial = trial
        self._heard_s = self._clock()
        where = (trial.round, trial.group)
        if not self._console.is_terminal and where != self._where:
            self._where = where
            self._print()

    def _parts(self) -> list[Part]:
        """Return what there is to say, in the order of the line."""
        trial = self._trial
        now_s = self._clock()
        if trial is None or self._began_s is None:
            since = roughly(now_s - self._opened_s)
            return [Part(0, f"starting services and servers: {since} so far")]
        round_ = f"round {trial.round + 1}"
        parts = []
        if self._is_planned:
            # The last part of it is done when its end was seen.
            share = min(0.99, self._completed / self._total) if self._total else 0.0
            parts.append(Part(0, f"{share:4.0%}"))
            if self._ends_s is not None:
                parts.append(Part(1, f"{roughly(max(0.0, self._ends_s - now_s))} left"))
            round_ += f"/{self._rounds}"
        else:
            parts.append(Part(0, f"{self._count} done in {roughly(now_s - self._began_s)}"))
        if trial.so_far:
            parts.append(Part(2, trial.so_far))
        elif self._rounds and (cheapest := self._cheapest()):
            name, cost_us = cheapest
            parts.append(Part(2, f"cheapest so far: {name}"))
            cores = f"{cost_us / 1000:.2g}"
            parts.append(Part(6, f"({cores} core{'' if cores == '1' else 's'} per 1,000/s)"))
        # A group has one line in a log, of whatever there is in it.
        label = trial.label if self._console.is_terminal else ""
        parts += [Part(3, trial.group), Part(4, label), Part(5, round_)]
        return [part for part in parts if part.text]

    def _cheapest(self) -> tuple[str, float] | None:
        """Return who took the least CPU time a request, over the endpoints that all have met."""
        # As it is now: it may grow while another thread shows the line.
        each = {name: dict(costs_us) for name, costs_us in list(self._cost_us.items())}
        common = set.intersection(*map(set, each.values())) if each else set()
        if len(each) < 2 or not common:
            return None
        means = {
            name: geometric_mean(costs_us[endpoint] for endpoint in common)
            for name, costs_us in each.items()
        }
        cheapest = min(means, key=lambda name: means[name])
        return cheapest, means[cheapest]

    def ended(self, outcome: measured.Outcome | clients.Outcome) -> None:
        """Move on, and say at once what failed."""
        assert self._trial is not None
        assert self._began_s is not None
        self._heard_s = self._clock()
        if not getattr(outcome, "repeat", 0):
            self._count += 1
            self._completed += self._trial.cost
            self._first -= 0.0 if self._trial.round else self._trial.cost
            now_s = self._clock()
            pace = (now_s - self._began_s) / self._completed
            self._ends_s = now_s + pace * max(0.0, self._total - self._completed)
            if self._budget_s is not None:
                first_s = now_s + pace * max(0.0, self._first)
                self._ends_s = min(self._ends_s, max(self._began_s + self._budget_s, first_s))
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
                soft_wrap=True,
            )
