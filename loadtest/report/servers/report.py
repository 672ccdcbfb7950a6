"""All that a format may use of a run of servers."""

from __future__ import annotations

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
from loadtest.report.servers.sentences.decision import Setting, overhead, paragraphs
from loadtest.report.servers.sentences.method import noise

LONGER = 3
"""Times as long a run may tell more."""


@dataclass(frozen=True)
class Report:
    """All that a format may use."""

    summary: Summary
    run: Run
    folder: str = ""
    """The name of the run's folder."""

    @property
    def paragraphs(self) -> list[Paragraph]:
        """What a reader of a minute reads, the decision first."""
        run = self.run
        setting = Setting(
            counts=self.summary.counts,
            again=_without(run.command, "--seed"),
            more="" if run.source else self._more(),
            imported=run.source is not None,
            running=run.launcher == "running",
            timed=any(row.reportable and row.reportable.server_cpu_us for _, row in self.rows),
            most_rounds=run.plan.most_rounds or run.plan.rounds if not run.plan.precision else 0,
            ended=self._ended,
        )
        return paragraphs(self.summary.decision, setting)

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
                return f"its budget of {(plan.budget_s or 0) / 60:.3g} min was spent"
            case "failed":
                return "what was still open failed"
            case "interrupted":
                return "it was interrupted"
        return ""

    def _more(self) -> str:
        """Return what measures more: the rest of the run, or another that is longer.

        Empty where there is none: of a search or steps all is measured but what was not reached.
        """
        plan = self.run.plan
        if self.folder and any(row.reason == NOT_REACHED for _, row in self.rows):
            return f"loadtest run --resume {shlex.quote(self.folder)}"
        if plan.explores:
            return ""
        command = _without(self.run.command, "--seed", "--budget", "--rounds")
        if plan.budget_s is None:
            return f"{command} --rounds {LONGER * plan.rounds}"
        return f"{command} --budget {LONGER * plan.budget_s / 60:g}m"

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
    return Report(summarise_stored(stored), stored.run, stored.folder.name)


def _without(command: str, *options: str) -> str:
    """Return a command without some options: by words, as quotes may be around what looks alike."""
    try:
        words = shlex.split(command)
    except ValueError:  # of others, whose quotes do not end
        return command
    values = {at + 1 for at, word in enumerate(words) if word in options}
    kept = (word for at, word in enumerate(words) if not {at, at + 1} & values)
    return shlex.join(kept)
