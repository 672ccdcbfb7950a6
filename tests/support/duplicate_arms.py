"""A run in which one server is measured twice, under two names."""

from __future__ import annotations

from builders import endpoint, outcome, plan, server

from loadtest.records.measured import Loaded, Outcome, Usage


def measured(cell: str, number: int, rate: float, cpu_us: float) -> Outcome:
    answers = int(rate)
    loaded = Loaded(
        generator="wrk",
        duration_us=1_000_000,
        answers=answers,
        received_bytes=0,
        connect_errors=0,
        read_errors=0,
        write_errors=0,
        status_errors=0,
        timeouts=0,
    )
    used = Usage(
        cpu_s=answers * cpu_us / 1e6, rss_peak_bytes=1, pss_peak_bytes=1, processes=1, threads=1
    )
    return outcome(cell, number, loaded=loaded, usage={"server": used})


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
