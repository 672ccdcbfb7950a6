"""From facts to rows: what each server showed at each endpoint, ranked where there is a number."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from loadtest.figures import Figures, Histograms, figures
from loadtest.model import (
    Cell,
    Endpoint,
    Interface,
    Load,
    Outcome,
    Plan,
    Record,
    Run,
    Segment,
    Stage,
    Status,
)

FORMAT = 1
"""Of `summary.json`. 1: the first."""

NOT_REACHED = "the run ended before this was measured"


class Round(Record, frozen=True, kw_only=True):
    """What became of a cell in one round."""

    number: int
    status: Status
    stage: Stage | None
    reason: str | None
    detail: str | None
    goodput: float | None
    """2xx answers a second; None unless measured."""
    raw: str | None
    """The generator's own output, as a path inside the run's folder."""


class Row(Record, frozen=True, kw_only=True):
    """One server at one endpoint: figures where it was measured, the reason where it was not."""

    cell: str
    server: str
    interface: Interface
    status: Status
    rank: int | None
    """By goodput, from 1."""
    figures: Figures | None
    stage: Stage | None
    reason: str | None
    """Of the first round that failed, or else was skipped."""
    rounds_measured: int
    rounds_failed: int
    rounds: tuple[Round, ...]
    notes: tuple[str, ...]
    """What to know before comparing it: the endpoint's note, the server's limits."""


class Ranking(Record, frozen=True, kw_only=True):
    """All servers at one endpoint under one load: by goodput, then the failed, then the skipped."""

    endpoint: Endpoint
    load: Load
    rows: tuple[Row, ...]


class Counts(Record, frozen=True, kw_only=True):
    """How many cells came to which end."""

    measured: int
    failed: int
    skipped: int
    measured_with_failed_rounds: int
    """Among the measured."""


class Summary(Record, frozen=True, kw_only=True):
    """All that the reports show; `summary.json` as it stands."""

    format: int
    counts: Counts
    load_share: float | None
    """Share of the run's time in which there was load; None where that isn't known."""
    rankings: tuple[Ranking, ...]


def summarise(
    run: Run,
    outcomes: Sequence[Outcome],
    histograms: Histograms,
    segments: Sequence[Segment] = (),
) -> Summary:
    """Return the rankings of `run` in the order of its plan; a round's last outcome wins."""
    last: dict[str, dict[int, Outcome]] = {}
    for outcome in outcomes:
        last.setdefault(outcome.cell, {})[outcome.round] = outcome
    # Cells under different loads are not comparable, so they are not ranked together.
    groups: dict[tuple[str, Load], list[Cell]] = {}
    for cell in run.plan.cells:
        groups.setdefault((cell.endpoint.id, cell.load), []).append(cell)
    rankings = tuple(
        Ranking(
            endpoint=cells[0].endpoint,
            load=load,
            rows=_ranked(_row(run.plan, cell, last.get(cell.id, {}), histograms) for cell in cells),
        )
        for (_, load), cells in groups.items()
    )
    loaded_s = sum(outcome.warmup_s + outcome.load_s for outcome in outcomes)
    wall_s = sum(segment.wall_s for segment in segments)
    return Summary(
        format=FORMAT,
        counts=_counts([row for ranking in rankings for row in ranking.rows]),
        load_share=loaded_s / wall_s if wall_s > 0 else None,
        rankings=rankings,
    )


def _counts(rows: Sequence[Row]) -> Counts:
    return Counts(
        measured=sum(row.status == "measured" for row in rows),
        failed=sum(row.status == "failed" for row in rows),
        skipped=sum(row.status == "skipped" for row in rows),
        measured_with_failed_rounds=sum(
            row.status == "measured" and row.rounds_failed > 0 for row in rows
        ),
    )


def _ranked(rows: Iterable[Row]) -> tuple[Row, ...]:
    order: dict[Status, int] = {"measured": 0, "failed": 1, "skipped": 2}
    return tuple(
        msgspec.structs.replace(row, rank=rank) if row.figures else row
        for rank, row in enumerate(
            sorted(
                rows,
                key=lambda row: (
                    order[row.status],
                    -row.figures.goodput if row.figures else 0,
                    row.server,
                ),
            ),
            start=1,
        )
    )


def _row(plan: Plan, cell: Cell, by_round: dict[int, Outcome], histograms: Histograms) -> Row:
    server = next(server for server in plan.servers if server.name == cell.server)
    rounds = tuple(_round(by_round[number]) for number in sorted(by_round))
    measured = [by_round[r.number] for r in rounds if r.status == "measured"]
    failed = [r for r in rounds if r.status == "failed"]
    skipped = [r for r in rounds if r.status == "skipped"]
    status: Status = "measured" if measured else "failed" if failed else "skipped"
    why = next(iter(failed or skipped), None)
    reason = why.reason if why else None
    if status == "skipped" and not reason:
        reason = cell.skip or NOT_REACHED
    return Row(
        cell=cell.id,
        server=server.name,
        interface=server.interface,
        status=status,
        rank=None,
        figures=figures(plan, cell, server, measured, histograms) if measured else None,
        stage=why.stage if why else None,
        reason=reason,
        rounds_measured=len(measured),
        rounds_failed=len(failed),
        rounds=rounds,
        notes=((cell.endpoint.note,) if cell.endpoint.note else ()) + server.limits,
    )


def _round(outcome: Outcome) -> Round:
    unusable = _unusable(outcome) if outcome.status == "measured" else None
    measured = outcome.status == "measured" and not unusable
    return Round(
        number=outcome.round,
        status="failed" if unusable else outcome.status,
        stage="load" if unusable else outcome.stage,
        reason=unusable or outcome.reason,
        detail=outcome.detail,
        goodput=outcome.loaded.goodput if measured and outcome.loaded else None,
        raw=outcome.raw,
    )


def _unusable(outcome: Outcome) -> str | None:
    """Return why a load that ran to its end is no measurement: zeros would rank as numbers."""
    loaded = outcome.loaded
    if loaded is None or loaded.duration_us <= 0:
        return "the load left no result"
    if loaded.answers == 0:
        return "no request was answered"
    if loaded.status_errors >= loaded.answers:
        return f"all {loaded.answers} answers were errors"
    return None
