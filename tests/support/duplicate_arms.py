"""A run in which one server is measured twice, under two names."""

from __future__ import annotations

from builders import endpoint, loaded, outcome, plan, server, usage

from loadtest.records.measured import Outcome


def measured(cell: str, number: int, rate: float, cpu_us: float) -> Outcome:
    answers = int(rate)
    used = usage(answers * cpu_us / 1e6, rss_peak_bytes=1, pss_peak_bytes=1)
    return outcome(cell, number, loaded=loaded(answers), usage={"server": used})


PLAN = plan(
    [server("alpha"), server("beta"), server("alpha-again", duplicate_of="alpha")],
    [endpoint("json", kind="cpu"), endpoint("rows", kind="database")],
    reference="alpha",
)
OUTCOMES = [
    measured(f"{name}.{on}-sync", number, rate, cpu_us)
    for name, rate, cpu_us in (("alpha", 1000, 500), ("beta", 10, 900), ("alpha-again", 1100, 510))
    for on in ("json", "rows")
    for number in (0, 1)
]
