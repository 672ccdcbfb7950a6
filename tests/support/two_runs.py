"""Runs made up by factors, to be compared with each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec
import numpy as np
from builders import LOAD, endpoint, loaded, outcome, plan, run, server, usage

from loadtest.records.measured import Histogram, Outcome, Run
from loadtest.records.planned import Plan
from loadtest.records.run_folder import ServersRun, Stored

JSON, QUERY = endpoint("json"), endpoint("json_query")
SERVERS = [server("alpha"), server("beta"), server("alpha-again", duplicate_of="alpha")]
STEADY = (1.0, 1.01, 0.99, 1.005, 0.995)
Factors = Mapping[str, Sequence[float | None]]


def measured(
    folder: Path,
    cell: str,
    number: int,
    rate: float,
    cpu_us: float,
    generator_us: float | None = None,
) -> Outcome:
    """Return 4 s of a load with two thirds of the answers at one latency, the others above."""
    answers = int(rate * 4)
    mean_us = int(LOAD.connections / rate * 1e6)
    path = f"raw/{cell}.r{number}.json"
    few = answers // 3
    histogram = Histogram(
        values_us=(int(mean_us * 0.9), int(mean_us * 1.2)), counts=(answers - few, few)
    )
    (folder / "raw").mkdir(parents=True, exist_ok=True)
    (folder / path).write_bytes(msgspec.json.encode(histogram))
    return outcome(
        cell,
        number,
        histogram=path,
        load_s=4.0,
        loaded=loaded(answers, 4.0, generator="fake", received_bytes=answers * 180),
        usage={"server": usage(answers * cpu_us / 1e6)}
        | ({"generator": usage(answers * generator_us / 1e6)} if generator_us else {}),
    )


def stored(
    folder: Path,
    factors: Factors = MappingProxyType({}),
    cpu: Factors = MappingProxyType({}),
    of: Plan | None = None,
    slower: Sequence[float] = (),
) -> ServersRun:
    """Return a run of 1000 answers/s at 800 us each, times the factor of the cell and round.

    `slower`: what the processors were slowed by in each round, for the server and for the generator
    with its 30 us; without it, nobody measured the generator.
    """
    chosen = of or plan(SERVERS, [JSON, QUERY], rounds=5)
    outcomes = []
    for at, cell in enumerate(chosen.cells):
        rng = np.random.default_rng(at)
        for number, factor in enumerate(factors.get(cell.id, rng.permutation(STEADY))):
            if factor is None:
                failed = {"status": "failed", "stage": "launch", "reason": "it exited | <b>"}
                outcomes.append(outcome(cell.id, number, **failed))
                continue
            drift = slower[number] if slower else 1.0
            cost = 800 * (cpu.get(cell.id, STEADY)[number] or 1) * drift
            wrk_us = 30 * drift if slower else None
            outcomes.append(measured(folder, cell.id, number, 1000 * factor, cost, wrk_us))
    return Stored(
        folder=folder,
        run=run(chosen, created_at=f"2026-01-02T03:04:0{len(folder.name)}+00:00"),
        outcomes=tuple(outcomes),
        segments=(),
        notes=(),
    )


def times(factor: float) -> list[float]:
    return [factor * each for each in STEADY[::-1]]


def with_machine(of: Run, **changes: Any) -> Run:
    return msgspec.structs.replace(of, machine=msgspec.structs.replace(of.machine, **changes))
