"""All that a format may use of a run of HTTP clients."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.judge.clients.summary import Summary, summarise
from loadtest.records.clients import Outcome, Run
from loadtest.records.run_folder import ClientsRun
from loadtest.report.caveats import Caveats
from loadtest.report.clients.columns import SUBJECT
from loadtest.report.clients.sentences import Point, advice, noise


@dataclass(frozen=True)
class Report:
    """All that a format may use."""

    summary: Summary
    run: Run
    advice: tuple[Point, ...]
    outcomes: Sequence[Outcome]
    """Each time as it was measured, for a format that lists them."""

    @property
    def rows(self) -> list[tuple[Ranking, Standing]]:
        """All rows, each with its ranking."""
        return [(ranking, row) for ranking in self.summary.rankings for row in ranking.rows]

    @property
    def groups(self) -> list[list[Ranking]]:
        """The tables of each group together."""
        groups: dict[str, list[Ranking]] = {}
        for ranking in self.summary.rankings:
            groups.setdefault(ranking.group.name, []).append(ranking)
        return list(groups.values())

    @property
    def caveats(self) -> Caveats[Ranking, Standing]:
        """What stands between these numbers and a reader's trust."""
        summary = self.summary
        return Caveats(SUBJECT, self.rows, summary.concerns, summary.counts, noise(summary))


def make(stored: ClientsRun) -> Report:
    """Return all that is to be said about a run as it was read back."""
    summary = summarise(stored.run, stored.outcomes, stored.ceilings)
    return Report(summary, stored.run, tuple(advice(summary)), stored.outcomes)
