"""What the rounds of something come to: measured if any of them was, and why if not all were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from loadtest.records.planned import Status

NOT_REACHED = "the run ended before this was measured"


class Round(Protocol):
    """What is to be known of one round."""

    @property
    def number(self) -> int:
        """From 1, as people count."""

    @property
    def status(self) -> Status:
        """What became of it."""

    @property
    def reason(self) -> str | None:
        """Of a failed or skipped one."""


R = TypeVar("R", bound=Round)


@dataclass(frozen=True)
class Ended(Generic[R]):
    """What all rounds come to."""

    status: Status
    measured: tuple[R, ...]
    failed: tuple[R, ...]
    why: R | None
    """The first round that failed, or else was skipped."""
    reason: str | None
    """Of that round; also without any where nothing was measured."""


def ended(rounds: Sequence[R], skip: str | None) -> Ended[R]:
    """Return what these rounds come to; `skip` is why it was not to be measured, if so."""
    of = {
        status: tuple(one for one in rounds if one.status == status)
        for status in ("measured", "failed", "skipped")
    }
    status: Status = "measured" if of["measured"] else "failed" if of["failed"] else "skipped"
    why = next(iter(of["failed"] or of["skipped"]), None)
    reason = why.reason if why else None
    if status == "skipped" and not reason:
        reason = skip or NOT_REACHED
    return Ended(status, of["measured"], of["failed"], why, reason)
