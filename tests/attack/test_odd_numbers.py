"""Numbers that may be, and that few runs have: judged, drawn and written, whatever they come to."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from attack import seeds
from attack.sanity import endless
from builders import LOAD, endpoint, loaded, outcome, plan, run, usage
from command_line import Type
from msgspec.structs import replace

from loadtest.cli import kinds
from loadtest.judge.servers.compare import compare
from loadtest.judge.servers.metrics import FINE, latencies
from loadtest.records import run_folder
from loadtest.records.measured import Histogram, Sent
from loadtest.records.planned import Cell
from loadtest.records.run_folder import OUTCOMES, Writer
from loadtest.report.formats import formats_in
from loadtest.stats.latency import curve
from loadtest.stats.ratios import paired, unpaired

Change = Callable[[dict[str, Any], int], None]
"""Changes what a line says; it is of a round, from 0."""


def put(*path: str, value: Any) -> Change:
    def change(fact: dict[str, Any], round_: int) -> None:
        *way, last = path
        for key in way:
            fact = fact.get(key) or {}
        if last in fact:
            fact[last] = value(round_) if callable(value) else value

    return change


def all_of(*changes: Change) -> Change:
    def change(fact: dict[str, Any], round_: int) -> None:
        for each in changes:
            each(fact, round_)

    return change


NO_HISTOGRAM = put("histogram", value=None)


def rates(fact: dict[str, Any], round_: int) -> None:
    """Let one server have next to no rate in the rounds in which another has all of it."""
    if fact.get("loaded"):
        high = fact["cell"].startswith("alpha.") == bool(round_ % 2)
        fact["loaded"]["duration_us"] = 1 if high else 10**14
        fact["loaded"]["answers"] = 10**12 if high else 2_000
        if fact["loaded"]["sent"]:
            fact["loaded"]["sent"]["window_us"] = 1


SERVERS: dict[str, Change] = {
    "no CPU time": put("usage", "server", "cpu_s", value=0.0),
    "CPU time in one round": put("usage", "server", "cpu_s", value=lambda n: 0.5 * (n == 1)),
    "CPU time from none to all": put(
        "usage", "server", "cpu_s", value=lambda n: 1e-30 if n % 2 else 1e8
    ),
    "no CPU time of the generator": put("usage", "generator", "cpu_s", value=0.0),
    "no bytes": put("loaded", "received_bytes", value=0),
    "a load of a microsecond": put("loaded", "duration_us", value=1),
    "a load of years": put("loaded", "duration_us", value=10**14),
    "rates from none to all": rates,
    "no load": put("load_s", value=0.0),
    "no answers": all_of(NO_HISTOGRAM, put("loaded", "answers", value=0)),
    "one answer": all_of(NO_HISTOGRAM, put("loaded", "answers", value=1)),
    "a schedule of a microsecond": put("loaded", "sent", "window_us", value=1),
    "all requests at a rate": put("loaded", "sent", "requests", value=2**53),
    "the least rate": put("tried", "rate", value=5e-6),
    "no window": put("host", "window_s", value=0.001),
    "a busy host": put("host", "other_cpu_s", value=1e8),
    "no histograms": NO_HISTOGRAM,
}

CLIENTS: dict[str, Change] = {
    "no CPU time of calls": put("warm", "user_s", value=0.0),
    "no CPU time at all": all_of(
        *(put(of, key, value=0.0) for of in ("warm", "cold") for key in ("user_s", "system_s"))
    ),
    "no phases": all_of(
        *(
            put("phases", f"{phase}_s", value=0.0)
            for phase in ("start", "import", "setup", "warmup")
        ),
        *(put("phases", f"{phase}_s", value=0.0) for phase in ("work", "end")),
    ),
    "calls of no time": put("warm", "seconds", value=0.0),
    "a process of no time": put("cold", "wall_s", value=0.0),
    "times from none to all": put("cold", "wall_s", value=lambda n: 1e-9 if n % 2 else 1e8),
    "calls from none to all": put("warm", "seconds", value=lambda n: 1e-9 if n % 2 else 1e8),
    "no requests seen": put("seen", "requests", value=0),
}


def changed(folder: Path, change: Change) -> Path:
    lines = [json.loads(line) for line in (folder / OUTCOMES).read_bytes().splitlines()]
    for line in lines:
        change(line, line.get("round", 0))
    (folder / OUTCOMES).write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder


def check(folder: Path) -> None:
    of = kinds.of_folder(folder)
    stored = run_folder.read(folder, of.folder)
    assert stored.outcomes
    report = of.report(stored)
    assert not endless(report.summary)
    of.still_open(stored)
    for files in formats_in(of.formats).values():
        files(report)


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVERS)
def test_numbers_that_may_be_are_judged(name: str, type_: Type, tmp_path: Path) -> None:
    folder = changed(seeds.servers_folder(tmp_path, "runs"), SERVERS[name])
    check(folder)
    usual = seeds.servers_folder(tmp_path, "runs")
    for pair in ((folder, usual), (usual, folder)):
        assert type_("compare", *pair).status in (0, 1, 2, 3)
    assert type_("report", "--history", tmp_path / "runs").status == 0


@pytest.mark.parametrize("values", [(0,), (10**11,), (0, 10**11)])
def test_latencies_that_may_be_are_judged(values: tuple[int, ...], tmp_path: Path) -> None:
    folder = seeds.servers_folder(tmp_path, "odd")
    for path in (folder / "raw").glob("*.json"):
        counts = [sum(json.loads(path.read_text())["counts"]) // len(values)] * len(values)
        path.write_text(json.dumps({"values_us": values, "counts": counts}))
    check(folder)


@pytest.mark.parametrize("name", CLIENTS)
def test_numbers_of_clients_that_may_be_are_judged(name: str, tmp_path: Path) -> None:
    check(changed(seeds.clients_folder(tmp_path, "odd"), CLIENTS[name]))


@pytest.mark.parametrize("compare", [paired, unpaired])
def test_a_ratio_is_a_number(compare: Callable[..., Any]) -> None:
    comparison = compare((1e-30, 1e30), (1e30, 1e-30))
    assert all(map(math.isfinite, (comparison.ratio, comparison.low, comparison.high)))
    assert comparison.low < comparison.ratio < comparison.high


def test_how_late_in_any_number_of_steps_takes_no_time() -> None:
    """Each is added to each latency, of which a folder of others may hold hundreds of thousands."""
    steps = 200_000
    late = Histogram(values_us=tuple(range(0, steps * 1_000, 1_000)), counts=(1,) * steps)
    sent = Sent(window_us=10**9, requests=steps, missed=0, late=late)
    cell = Cell(server="alpha", endpoint=endpoint(), load=replace(LOAD, rate=200.0))
    of = outcome(cell.id, histogram="raw/x.json", loaded=loaded(steps, 1_000.0, sent=sent))
    seen = Histogram(values_us=(1_000, 2_000), counts=(steps // 2, steps // 2))
    pooled = latencies(cell, [of], lambda name: seen)
    assert sum(pooled.late.counts) == steps
    assert pooled.late.values_us[:FINE] == late.values_us[:FINE]
    assert pooled.late.values_us[-1] == late.values_us[-1]
    assert len(pooled.late.values_us) <= 3 * FINE
    assert curve(pooled.raw, pooled.late)


def test_a_cost_that_no_round_has_is_compared_with_nothing(tmp_path: Path) -> None:
    """Each endpoint was measured in a round of its own: none has half of them."""
    endpoints = [endpoint(name) for name in ("one", "two", "three")]
    runs = []
    for name in ("base", "new"):
        folder = run_folder.create(tmp_path / name, run(plan(endpoints=endpoints, rounds=3)))
        writer = Writer(folder)
        for number, each in enumerate(endpoints):
            used = {"server": usage(0.5), "generator": usage(0.1)}
            load = loaded(1_000, received_bytes=300_000)
            writer.append(outcome(f"alpha.{each.id}", number, loaded=load, load_s=1.0, usage=used))
        writer.close()
        runs.append(run_folder.read(folder, run_folder.SERVERS))
    compared = compare(*runs)
    assert compared.changes
    assert compared.costs == ()


def test_a_run_of_searches_and_of_closed_loops_is_compared(tmp_path: Path) -> None:
    """No command plans both in one; a folder of others may have them."""
    base, new = (
        run_folder.read(seeds.servers_folder(tmp_path, name), run_folder.SERVERS)
        for name in ("base", "new")
    )
    compared = compare(base, new)
    assert {change.figure for change in compared.changes} >= {"cost", "goodput", "reaches"}
