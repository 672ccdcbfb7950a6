"""Servers that are loaded at the same rates: closed loops are those without one."""

from __future__ import annotations

from collections.abc import Sequence

from builders import endpoint, loaded, outcome, plan, run, server, usage
from facts import sent

from loadtest.judge.servers.summary import summarise
from loadtest.records.measured import Histogram, Outcome
from loadtest.records.planned import Cell, Load, Plan
from loadtest.report.servers.report import Report

LONG = "hypercorn-asyncio"
"""No server that ships has a longer name."""


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


def histogram(name: str) -> Histogram:
    """Return 400 latencies; those of `beta` and `gamma` are of a rate that was not held."""
    return Histogram(values_us=(123_457 if name in ("beta", "gamma") else 6_000,), counts=(400,))


def at_rates(*rates: float | None) -> Report:
    """Return four servers at some rates: `beta` cannot keep 400/s, `gamma` met a late generator."""
    of = run(planned((LONG, "alpha", "beta", "gamma"), rates))
    outcomes = [
        measured(name, rate, number, us + number, late, 0 if name == "gamma" else late)
        for number in range(3)
        for rate in rates
        for name, us, late in (
            (LONG, 2_000, 0),
            ("alpha", 1_000, 0),
            ("beta", 3_000, 100 if rate == 400 else 0),
            ("gamma", 1_500, 100 if rate == 400 else 0),
        )
    ]

    def read(name: str) -> Histogram:
        return histogram(name) if 400 in rates else histogram("alpha")

    return Report(summarise(of, outcomes, read), of)
