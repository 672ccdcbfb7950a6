"""What failed or was skipped, each reason once with all that it cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loadtest.judge.servers.rows import Ranking
from loadtest.records.planned import Stage
from loadtest.report.table import Column, Table, name, prose


@dataclass(frozen=True)
class Loss:
    """Cells of one server that have the same reason for missing or losing rounds."""

    server: str
    what: str
    stage: Stage | None
    reason: str
    detail: str | None
    """More of the reason, such as the end of the server's log; of the first cell that has it."""
    endpoints: tuple[str, ...]


def losses(rankings: Iterable[Ranking]) -> Table[Loss]:
    """Return what failed, wholly or in some rounds, and what was skipped; the worst first."""
    groups: dict[tuple[str, str, Stage | None, str], list[str]] = {}
    details: dict[tuple[str, str, Stage | None, str], str] = {}
    for ranking in rankings:
        for row in ranking.rows:
            if row.status == "measured" and not row.rounds_failed:
                continue
            some = f"failed in {row.rounds_failed} of {row.rounds_failed + row.rounds_measured}"
            what = row.status if row.figures is None else f"{some} rounds"
            key = (row.server, what, row.stage, row.reason or "no reason was stored")
            groups.setdefault(key, []).append(ranking.endpoint.id)
            if detail := next((each.detail for each in row.rounds if each.detail), None):
                details.setdefault(key, detail)
    order = {"failed": 0, "skipped": 2}
    items = [Loss(*key, details.get(key), tuple(names)) for key, names in groups.items()]
    items.sort(key=lambda loss: (order.get(loss.what, 1), loss.server))
    columns: tuple[Column[Loss], ...] = (
        name("server", "server", lambda loss: loss.server),
        prose("what", "what", lambda loss: loss.what),
        prose("stage", "at stage", lambda loss: loss.stage),
        prose("reason", "reason", lambda loss: loss.reason),
        prose("endpoints", "endpoints", lambda loss: ", ".join(loss.endpoints)),
    )
    return Table(columns, items)
