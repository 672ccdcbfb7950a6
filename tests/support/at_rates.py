"""Servers that are loaded at the same rates: closed loops are those without one."""

from __future__ import annotations

from collections.abc import Sequence

from builders import endpoint, loaded, outcome, plan, server, usage
from facts import sent

from loadtest.records.measured import Outcome
from loadtest.records.planned import Cell, Load, Plan


def cell(name: str, rate: float | None) -> Cell:
    load = Load(connections=50, duration_s=2, warmup_s=0.1, rate=rate)
    return Cell(server=name, endpoint=endpoint("json"), load=load)


def planned(names: Sequence[str], rates: Sequence[float | None]) -> Plan:
    cells = tuple(cell(name, rate) for rate in rates for name in names)
    return plan([server(name) for name in names], rounds=3, cells=cells)


def measured(
    name: str, rate: float | None, number: int, cpu_us: float, late: int = 0, missed: int = 0
) -> Outcome:
    """Return a load of 2 s; a closed loop has 1,000 requests/s."""
    requests = round(2 * (rate or 1_000))
    return outcome(
        cell(name, rate).id,
        number,
        load_s=2.0,
        loaded=loaded(requests, 2.0, sent=sent(late, missed, requests) if rate else None),
        histogram=name,
        usage={"server": usage(cpu_us * requests / 1e6), "generator": usage(50e-6 * requests)},
    )
