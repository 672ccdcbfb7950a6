"""Every error the tool raises on purpose.

LoadtestError
├── UserError         the user's mistake: one line each, says what to type next; exit status 2
├── CellError         one cell failed at a stage; the run goes on
└── CommandError      a command failed (in `process`), with the end of what it said
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from loadtest.records.planned import Stage
from loadtest.records.text import message


class LoadtestError(Exception):
    """Base of all errors raised on purpose; its text is one line."""

    def __init__(self, reason: str, detail: str | None = None) -> None:
        """Take the reason as one line and more of it as several, such as the end of a log."""
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class UserError(LoadtestError):
    """One or more mistakes a user can mend, each a line that says what to type next."""

    def __init__(self, *lines: str) -> None:
        """Take one line for each mistake."""
        lines = tuple(map(message, lines))
        super().__init__("\n".join(lines))
        self.lines = lines


class CellError(LoadtestError):
    """One cell cannot be measured: at which stage, why, and what the server's log said last."""

    def __init__(self, stage: Stage, reason: str, detail: str | None = None) -> None:
        """Take the reason as one line, cut where it is long, and the detail as several."""
        super().__init__(message(reason), detail)
        self.stage: Stage = stage


def unknown(kind: str, name: str, known: Iterable[str], where: str = "") -> str:
    """Return the line for an unknown name: what is close, or what there is."""
    names = sorted(known)
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    hint = f"known: {', '.join(names)}" if names else "there are none"
    if close:
        hint = f"did you mean {either(close)}?"
    return f"{where + ': ' if where else ''}unknown {kind} {name!r}; {hint}"


def either(names: Iterable[str]) -> str:
    """Return `a, b or c`."""
    *others, last = names
    return f"{', '.join(others)} or {last}" if others else last


def lone(option: str, other: str) -> str:
    """Return the line for an option that says nothing without another one."""
    return f"{option} goes with {other}; add that, or leave it out"
