"""What a history says in sentences, the same in every format."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.judge.servers.history import History, Step
from loadtest.report import units
from loadtest.report.servers.comparison.tables import ORDER
from loadtest.report.servers.history.tables import TITLES, changed

NAMED = 3
"""Versions and losses that a sentence names; of more, the rest is counted."""


def title(made: History) -> str:
    """Return what the history is of."""
    return f"{units.plural(len(made.runs), 'run')}, {made.made[0][:10]} to {made.made[-1][:10]}"


def headline(made: History) -> str:
    """Return what the last step showed, in a few sentences."""
    if not made.steps:
        return "One run has no history yet: make another."
    last = made.steps[-1]
    if last.refused:
        return f"The last run cannot be compared with the one before: {last.refused}."
    packages = made.versions[-1].keys() | made.versions[-2].keys()
    moved = [f"{one.key} {one.base} → {one.new}" for one in last.differences if one.key in packages]
    found = changed(made).get(last.new, ())
    worse = [
        f"{one.line.server} at {one.line.endpoint} ({TITLES[one.figure]})"
        for one in found
        if one.answer == "worse"
    ]
    parts = [
        _answered(last),
        f"New versions: {_listed(moved)}." if moved else "",
        f"Worse: {_listed(worse)}." if worse else "",
    ]
    if lost := sum(one.failed and one.run == "new" for one in last.lost):
        whose = "cell has lost its number" if lost == 1 else "cells have lost their numbers"
        parts.append(f"{lost} {whose}.")
    if any(one.figure == "cpu" for one in found):
        parts.append(
            "CPU time is shown as measured, and judged at even speed of the processors where the"
            " answers allow it, as `loadtest compare` shows it."
        )
    return " ".join(part for part in parts if part)


def _answered(step: Step) -> str:
    said = [f"{count} {answer}" for answer in ORDER if (count := step.counts.get(answer, 0))]
    if not said:
        return "The last run shares no figure with the one before."
    return f"Of the figures of the last run, against the one before: {', '.join(said)}."


def _listed(parts: Sequence[str]) -> str:
    more = len(parts) - NAMED
    return ", ".join(parts[:NAMED]) + (f" and {more} more" if more > 0 else "")
