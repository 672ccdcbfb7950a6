"""What charts are made of: one value a row with a number that may be shown, and no other."""

from __future__ import annotations

from typing import Any

from loadtest.judge.servers.rows import Ranking, Row
from loadtest.records.planned import Interface
from loadtest.stats.ratios import paired

SPAN = 1.6
"""How far an interval may reach, in highest rates: two rounds can have one that hides all else."""


def interface(of: Interface | None) -> str:
    """Return an interface as the charts call it."""
    return of.upper() if of else "unknown"


def doubts(row: Row) -> str:
    """Return the concerns about a row's number; empty where it is valid."""
    return ", ".join(raised.concern for raised in row.concerns)


def values(ranking: Ranking) -> list[dict[str, Any]]:
    """Return the servers of one endpoint, the highest goodput first.

    `low` and `high` are the 95 % interval of the mean over rounds, drawn up to `drawn`, at `SPAN`.
    """
    values = []
    shown = sorted(
        ((row, row.reportable) for row in ranking.rows if row.reportable),
        key=lambda pair: -pair[1].goodput,
    )
    most = max((figures.goodput for _, figures in shown), default=0.0)
    ceiling = max((figures.ceiling or 0.0 for _, figures in shown), default=0.0)
    end = max(SPAN * most, ceiling)
    front = _front(shown)
    for row, figures in shown:
        rates = [each.goodput for each in row.rounds if each.goodput]
        interval = paired([1.0] * len(rates), rates)
        memory = figures.memory_peak_bytes
        values.append(
            _known(
                {
                    "server": row.server,
                    "interface": interface(row.interface),
                    "goodput": _three(figures.goodput),
                    "low": _three(interval.low),
                    "high": _three(interval.high),
                    "drawn": _three(min(interval.high, end)) if interval.high else None,
                    "ceiling": _three(figures.ceiling),
                    "p99_ms": _three(figures.p99_us / 1e3) if figures.p99_us else None,
                    "cpu_us": _three(figures.server_cpu_us),
                    "memory_mb": _three(memory / 1e6) if memory else None,
                    "front": True if row.cell in front else None,
                    "doubts": doubts(row),
                }
            )
        )
    return values


def _front(shown: list[tuple[Row, Any]]) -> set[str]:
    """Return the cells that no other beats in both: more requests/s for as little memory."""
    known = [(row.cell, f.goodput, f.memory_peak_bytes) for row, f in shown if f.memory_peak_bytes]
    known.sort(key=lambda cell: (cell[2], -cell[1]))
    best = 0.0
    front = set()
    for cell, goodput, _ in known:
        if goodput > best:
            best = goodput
            front.add(cell)
    return front


def _known(value: dict[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in value.items() if item is not None}


def _three(value: float | None) -> float | None:
    """Return a number with four digits: a chart shows no more, and a page holds thousands."""
    return None if value is None else float(f"{value:.4g}")
