"""All that a format may use of a run of servers."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass

from loadtest.judge.rows import NOT_REACHED
from loadtest.judge.servers.rows import Ranking, Row
from loadtest.judge.servers.summary import Summary, summarise_stored
from loadtest.records.measured import Run
from loadtest.records.run_folder import ServersRun
from loadtest.report.caveats import Caveats
from loadtest.report.sentences import Paragraph
from loadtest.report.servers.columns import SUBJECT
from loadtest.report.servers.sentences.decision import Setting, further, overhead, paragraphs
from loadtest.report.servers.sentences.method import noise
from loadtest.report.units import duration

LONGER = 3
"""Times as long a run may tell more."""


@dataclass(frozen=True, eq=False)
class Report:
    """All that a format may use."""

    summary: Summary
    run: Run
    folder: str = ""
    """The name of the run's folder."""
    spent_s: float = 0.0
    """What measuring took; 0 where nobody knows."""

    @property
    def paragraphs(self) -> list[Paragraph]:
        """What a reader of a minute reads, the decision first."""
        return paragraphs(self.summary.decision, self._setting)

    @property
    def further(self) -> list[Paragraph]:
        """What else there is to say, below the tables."""
        return further(self.summary.decision, self._setting)

    @property
    def _setting(self) -> Setting:
        run = self.run
        return Setting(
            counts=self.summary.counts,
            again=self._again(),
            more="" if run.source else self._more(),
            imported=run.source is not None,
            running=run.launcher == "running",
            timed=any(row.reportable and row.reportable.server_cpu_us for _, row in self.rows),
            most_rounds=run.plan.most_rounds or run.plan.rounds if not run.plan.precision else 0,
            ended=self._ended,
        )

    @property
    def _ended(self) -> str:
        """Why the run has fewer rounds or tries than it might; empty if it has all."""
        plan = self.run.plan
        match self.summary.ended:
            case "decided":
                if plan.precision is not None:
                    return "all ratios are known as well as was asked for"
                return "the order by cost is decided"
            case "budget":
                return f"its budget of {duration(plan.budget_s or 0)} was spent"
            case "failed":
                return "what was still open failed"
            case "interrupted":
                return "it was interrupted"
        return ""

    def _again(self) -> str:
        """Return what makes such a run anew: where a second round did not fit, in more time."""
        plan, command = self.run.plan, _without(self.run.command, "--seed")
        if plan.budget_s is None or plan.explores or self.summary.rounds > 1:
            return command
        return self._with_budget(command)

    def _with_budget(self, command: str) -> str:
        """Return a command with a budget in which several times as many rounds fit."""
        longer_s = LONGER * max(self.run.plan.budget_s or 0.0, self.spent_s)
        return f"{_without(command, '--budget')} --budget {math.ceil(longer_s / 60)}m"

    def _more(self) -> str:
        """Return what measures more: the rest of the run, or another that is longer.

        Empty where there is none: of a search or steps all is measured but what was not reached.
        """
        plan = self.run.plan
        if self.folder and any(row.reason == NOT_REACHED for _, row in self.rows):
            return f"loadtest run --resume {shlex.quote(self.folder)}"
        if plan.explores:
            return ""
        command = _without(self.run.command, "--seed", "--rounds")
        if plan.budget_s is None:
            return f"{command} --rounds {LONGER * plan.rounds}"
        return self._with_budget(command)

    @property
    def overhead(self) -> Paragraph | None:
        """What is Django's and what the server's; None where that is not known."""
        return overhead(self.summary.shares)

    @property
    def rows(self) -> list[tuple[Ranking, Row]]:
        """All rows, each with its ranking."""
        return [(ranking, row) for ranking in self.summary.rankings for row in ranking.rows]

    @property
    def caveats(self) -> Caveats[Ranking, Row]:
        """What stands between these numbers and a reader's trust."""
        summary = self.summary
        return Caveats(SUBJECT, self.rows, summary.concerns, summary.counts, noise(summary))


def make(stored: ServersRun) -> Report:
    """Return all that a renderer may use of a run."""
    spent_s = sum(segment.wall_s for segment in stored.segments)
    return Report(summarise_stored(stored), stored.run, stored.folder.name, spent_s)


def _without(command: str, *options: str) -> str:
    """Return a command without some options: by words, as quotes may be around what looks alike."""
    try:
        words = shlex.split(command)
    except ValueError:  # of others, whose quotes do not end
        return command
    values = {at + 1 for at, word in enumerate(words) if word in options}
    kept = (word for at, word in enumerate(words) if not {at, at + 1} & values)
    return shlex.join(kept)
