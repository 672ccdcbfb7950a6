"""What a concern is: a doubt about a number, found in stored facts, with advice."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from loadtest.records.planned import Record

Facts = TypeVar("Facts")
"""What a concern is looked for in: the wing's `Evidence`."""

Severity = Literal["suspect", "invalid"]
Verdict = Literal["valid", "suspect", "invalid"]

RANK: dict[Verdict, int] = {"valid": 0, "suspect": 1, "invalid": 2}
"""The worst concern of a cell is its verdict."""

CLOCK_S = 0.005
"""Two clocks, that of the view and that of the generator, and timers that fire a little early."""


@dataclass(frozen=True)
class Check:
    """What a check came to: a concern with its facts, nothing (`valid`), or not checked (None)."""

    verdict: Verdict | None
    facts: str = ""
    """In one line, with the numbers that made it one."""


NOTHING = Check("valid")
UNCHECKED = Check(None)


@dataclass(frozen=True)
class Concern(Generic[Facts]):
    """One doubt about a number: how it is found, what it means and what to do next."""

    name: str
    means: str
    advice: str
    """Names the next command or setting."""
    find: Callable[[Facts], Check]
    invalidates: bool = False
    """It may find what makes the number none; the others only ever cast doubt on it."""


def wording(file: Path) -> Callable[..., Concern[Any]]:
    """Return what makes a concern of its name and its check: the file says what each means."""
    words = tomllib.loads(file.read_text(encoding="utf-8"))

    def concern(
        name: str, find: Callable[[Any], Check], *, invalidates: bool = False
    ) -> Concern[Any]:
        means, advice = (" ".join(words[name][key].split()) for key in ("means", "advice"))
        return Concern(name, means, advice, find, invalidates)

    return concern


class Raised(Record, frozen=True, kw_only=True):
    """A concern that was found in a cell."""

    concern: str
    severity: Severity
    facts: str


class Judgement(Record, frozen=True, kw_only=True):
    """What a cell's number is worth."""

    verdict: Verdict
    """That of the worst concern."""
    concerns: tuple[Raised, ...]
    """The worst first."""
    unchecked: tuple[str, ...]
    """Concerns that nobody could look for, as what they need was not recorded."""


def weigh(concerns: Sequence[Concern[Facts]], facts: Facts) -> Judgement:
    """Look for every one of the concerns, and let the worst that is found be the verdict."""
    raised: list[Raised] = []
    unchecked: list[str] = []
    for concern in concerns:
        check = concern.find(facts)
        if check.verdict is None:
            unchecked.append(concern.name)
        elif check.verdict != "valid":
            assert concern.invalidates or check.verdict != "invalid", concern.name
            raised.append(Raised(concern=concern.name, severity=check.verdict, facts=check.facts))
    raised.sort(key=lambda concern: -RANK[concern.severity])
    return Judgement(
        verdict=raised[0].severity if raised else "valid",
        concerns=tuple(raised),
        unchecked=tuple(unchecked),
    )


def is_invalid(concerns: Sequence[Concern[Facts]], facts: Facts) -> bool:
    """Say whether `weigh` would find the number invalid, looking for no more than that takes."""
    return any(
        concern.find(facts).verdict == "invalid" for concern in concerns if concern.invalidates
    )


def percent(share: float) -> str:
    """Return a share in percent, for `facts`: `0.12 %`, `99.2 %`, `250 %`."""
    return f"{100 * share:.0f} %" if share >= 1 else f"{100 * share:.3g} %"


class Explained(Record, frozen=True, kw_only=True):
    """What a concern means and what to do next, whatever cell it is raised in."""

    concern: str
    means: str
    advice: str
