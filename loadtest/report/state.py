"""What a number is worth, or why there is none: one word for it in every format."""

from __future__ import annotations

from typing import Literal

from loadtest.report.format import significant
from loadtest.report.table import SUSPECT
from loadtest.row import Row

State = Literal["valid", "suspect", "invalid", "failed", "skipped", "absent"]
"""Absent: the server was not to be measured there."""


def state(row: Row | None) -> State:
    """Return what the number of a row is worth, or why it has none.

    What left nothing but errors, or wrong answers, is invalid as its verdict has it, whether or not
    a load came to its end; what has neither a figure nor such a verdict has failed.
    """
    if row is None:
        return "absent"
    if row.figures is None and row.verdict != "invalid":
        return "skipped" if row.status == "skipped" else "failed"
    return row.verdict or "valid"


def marked(row: Row) -> str:
    """Return a row's goodput with its mark, or what became of it."""
    if row.shown is None:
        return state(row)
    return significant(row.shown.goodput) + (SUSPECT if state(row) == "suspect" else "")
