"""What a history says in sentences, the same in every format."""

from __future__ import annotations

from loadtest.judge.servers.history import History, Step
from loadtest.report import units
from loadtest.report.sentences import first_few
from loadtest.report.servers.comparison.tables import ORDER
from loadtest.report.servers.history.tables import TITLES, changed


def title(history: History) -> str:
    """Return what the history is of."""
    first, last = history.made[0][:10], history.made[-1][:10]
    return f"{units.plural(len(history.runs), 'run')}, {first} to {last}"


def headline(history: History) -> str:
    """Return what the last step showed, in a few sentences."""
    if not history.steps:
        return "One run has no history yet: make another."
    last = history.steps[-1]
    if last.refused:
        return f"The last run cannot be compared with the one before: {last.refused}."
    packages = history.versions[-1].keys() | history.versions[-2].keys()
    moved = [
        f"{each.key} {each.base} → {each.new}" for each in last.differences if each.key in packages
    ]
    changes = changed(history).get(last.new, ())
    worse = [
        f"{change.line.server} at {change.line.endpoint} ({TITLES[change.figure]})"
        for change in changes
        if change.answer == "worse"
    ]
    parts = [
        _answered(last),
        f"New versions: {first_few(moved)}." if moved else "",
        f"Worse: {first_few(worse)}." if worse else "",
    ]
    if lost := sum(each.failed and each.run == "new" for each in last.lost):
        whose = "cell has lost its number" if lost == 1 else "cells have lost their numbers"
        parts.append(f"{lost} {whose}.")
    if any(change.figure == "cpu" for change in changes):
        parts.append(
            "CPU time is shown as measured, and judged drift-corrected where the responses allow"
            " it, as `loadtest compare` shows it."
        )
    return " ".join(part for part in parts if part)


def _answered(step: Step) -> str:
    counts = [f"{count} {answer}" for answer in ORDER if (count := step.counts.get(answer, 0))]
    if not counts:
        return "The last run shares no figure with the one before."
    return f"Of the figures of the last run, against the one before: {', '.join(counts)}."
