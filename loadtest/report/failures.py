"""What failed or was skipped, each reason once with all that it cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loadtest.report.columns import K, R, Subject
from loadtest.report.table import Column, Table, name, prose


@dataclass(frozen=True)
class Loss:
    """What has the same reason for missing or losing rounds."""

    server: str
    """That lost it; empty where rows of several lost it together."""
    what: str
    stage: str | None
    reason: str
    detail: str | None
    """More of the reason, such as the end of a log; of the first row that has it."""
    rows: tuple[str, ...]

    @property
    def at(self) -> str:
        """What became of it, and where: `failed at warm-up`."""
        return self.what + (f" at {self.stage}" if self.stage else "")


def losses(rows: Iterable[tuple[K, R]], subject: Subject[K, R]) -> Table[Loss]:
    """Return what failed, wholly or in some rounds, and what was skipped; the worst first."""
    groups: dict[tuple[str, str, str | None, str], dict[str, list[str]]] = {}
    details: dict[tuple[str, str, str | None, str], str] = {}
    for ranking, row in rows:
        if row.status == "measured" and not row.rounds_failed:
            continue
        tried = row.rounds_failed + row.rounds_measured
        some = f"failed in {row.rounds_failed} of {tried} rounds"
        what = some if row.status == "measured" else row.status
        key = (subject.loser(row), what, row.stage, row.reason or "no reason was stored")
        label, part = subject.lost(ranking, row)
        groups.setdefault(key, {}).setdefault(label, []).append(part)
        if detail := next((each.detail for each in row.rounds if each.detail), None):
            details.setdefault(key, detail)
    order = {"failed": 0, "skipped": 2}
    items = [
        Loss(
            *key,
            detail=details.get(key),
            rows=tuple(
                ", ".join(filter(None, (label, " and ".join(parts))))
                for label, parts in labels.items()
            ),
        )
        for key, labels in groups.items()
    ]
    items.sort(key=lambda loss: (order.get(loss.what, 1), loss.server))
    columns: tuple[Column[Loss], ...] = (
        name("server", "server", lambda loss: loss.server),
        prose("what", "what", lambda loss: loss.what),
        prose("stage", "at stage", lambda loss: loss.stage),
        prose("reason", "reason", lambda loss: loss.reason),
        prose("rows", subject.losses, lambda loss: "; ".join(loss.rows)),
    )
    return Table(columns, items).filled(*columns[1:2])
