"""How long `loadtest report` takes and how much memory, for runs of several sizes.

    python -m benchmarks.render

The runs are made up: 20 servers x 30 endpoints x 10 rounds with whole histograms, and half of it in
each direction, so that what grows faster than its input shows.
"""

from __future__ import annotations

import json
import math
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click
import msgspec
import numpy as np

from loadtest.records.measured import (
    Begun,
    Ceiling,
    During,
    Histogram,
    Host,
    Loaded,
    Machine,
    Outcome,
    Run,
    Segment,
    Usage,
    Verified,
)
from loadtest.records.planned import Cell, Contract, Endpoint, Load, Plan, Server, Shape
from loadtest.records.run_folder import FORMAT, Writer, create
from loadtest.system import process

ROOT = Path(__file__).resolve().parent.parent
LOAD = Load(connections=64, duration_s=3, warmup_s=1.0)
ANSWERS = 15_000
KINDS = ("cpu", "database", "template", "waiting", "compression", "cache", "outbound")
HISTOGRAMS = 50
"""Different ones, given out in turn: reading one takes the same time as reading another."""
WRK = """\
Running 3s test @ http://127.0.0.1:8000/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency    12.80ms    3.10ms  21.30ms   88.00%
    Req/Sec     5.00k   450.00     6.10k    70.00%
  Latency Distribution
     50%   12.50ms
     75%   14.60ms
     90%   16.40ms
     99%   19.10ms
  15000 requests in 3.00s, 2.57MB read
Requests/sec:   5000.00
Transfer/sec:      0.86MB
"""


class Size(NamedTuple):
    """How large a run is."""

    servers: int
    endpoints: int
    rounds: int

    def __str__(self) -> str:
        """Return it as in `20 x 30 x 10`."""
        return " x ".join(map(str, self))


class Taken(NamedTuple):
    """What a report took."""

    seconds: float
    peak_bytes: int
    written_bytes: int


def make(parent: Path, size: Size) -> Path:
    """Write the facts of a run and return its folder."""
    plan = _plan(size)
    run = Run(
        format=FORMAT,
        created_at="2026-01-02T03:04:05+00:00",
        command="loadtest run made-up",
        plan=plan,
        machine=Machine(
            system="made up",
            cpu="made up",
            processors=4,
            memory_bytes=8_000_000_000,
            python="CPython 3.13",
            versions={},
            open_files=65_536,
        ),
        argv={},
    )
    folder = create(parent, run)
    (folder / "raw" / "wrk.txt").write_text(WRK)
    for number, histogram in enumerate(_histograms()):
        (folder / "raw" / f"{number}.json").write_bytes(msgspec.json.encode(histogram))
    writer = Writer(folder)
    writer.append(Begun(started_at=0.0))
    writer.append(Ceiling(body_bytes=30, goodput=60_000.0, generator_cpu_us=7.0))
    chance = random.Random(1)
    for round_ in range(size.rounds):
        for number, cell in enumerate(plan.cells):
            writer.append(_outcome(cell, round_, number, chance))
    writer.append(Segment(started_at=0.0, wall_s=5.0 * len(plan.cells) * size.rounds))
    writer.close()
    return folder


def _plan(size: Size) -> Plan:
    servers = tuple(
        Server(
            name=f"server-{number:02}",
            summary="Made up.",
            interface="wsgi",
            requires=("made-up",),
            argv=("made-up",),
            in_flight="connections",
            duplicate_of=None,
        )
        for number in range(size.servers)
    )
    second = msgspec.structs.replace(servers[0], name="server-00-again", duplicate_of="server-00")
    endpoints = [
        Endpoint(
            name=f"endpoint_{number:02}",
            style="sync",
            path=f"/{number}",
            title=f"Endpoint {number}",
            kind=KINDS[number % len(KINDS)],
            summary="Made up.",
            isolated=False,
            note=None,
            unsupported={},
            contract=Contract(
                status=200,
                content_type="application/json",
                content_encoding=None,
                body_bytes=30,
                body_sha256="0" * 64,
                delay_s=0.0,
                postgres=0,
                redis=0,
                upstream=0,
            ),
        )
        for number in range(size.endpoints)
    ]
    cells = [Cell(server=s.name, endpoint=e, load=LOAD) for s in servers for e in endpoints]
    cells.append(Cell(server=second.name, endpoint=endpoints[0], load=LOAD))
    return Plan(
        matrix="made-up",
        seed=1,
        rounds=size.rounds,
        shape=Shape(),
        servers=(*servers, second),
        reference=servers[0].name,
        cells=tuple(cells),
    )


def _histograms() -> Iterator[Histogram]:
    """Yield latencies in which nothing was back-filled: all below twice the expected one."""
    rng = np.random.default_rng(1)
    expected_us = LOAD.duration_s * 1e6 / (ANSWERS / LOAD.connections)
    for _ in range(HISTOGRAMS):
        drawn = expected_us * np.clip(np.exp(rng.normal(-0.05, 0.2, ANSWERS)), 0.4, 1.6)
        values, counts = np.unique(drawn.astype(int), return_counts=True)
        yield Histogram(values_us=tuple(values.tolist()), counts=tuple(counts.tolist()))


def _outcome(cell: Cell, round_: int, number: int, chance: random.Random) -> Outcome:
    duration_us = round(3e6 * math.exp(chance.gauss(0, 0.03)))
    usage = Usage(
        cpu_s=4.0,
        rss_peak_bytes=90_000_000,
        pss_peak_bytes=60_000_000,
        processes=3,
        threads=11,
        connections=70,
        each_cpu_s=(2.0, 2.0, 0.0),
    )
    return Outcome(
        cell=cell.id,
        round=round_,
        status="measured",
        started_at=0.0,
        launch_s=1.0,
        warmup_s=1.0,
        load_s=duration_us / 1e6,
        wall_s=5.0,
        loaded=Loaded(
            generator="wrk",
            duration_us=duration_us,
            answers=ANSWERS,
            received_bytes=ANSWERS * 180,
            connect_errors=0,
            read_errors=0,
            write_errors=0,
            status_errors=0,
            timeouts=0,
        ),
        raw="raw/wrk.txt",
        histogram=f"raw/{number % HISTOGRAMS}.json",
        verified=Verified(before=100, after=1, wire_bytes=180),
        usage={"server": usage, "generator": msgspec.structs.replace(usage, cpu_s=0.3)},
        during=During(checked=10, broken=None),
        host=Host(
            window_s=3.0,
            processors=4,
            busy_cpu_s=4.5,
            other_cpu_s=0.05,
            steal_cpu_s=0.0,
            throttled_s=0.0,
        ),
    )


def measure(size: Size) -> Taken:
    """Report on a run of this size in a process of its own."""
    with tempfile.TemporaryDirectory(prefix="loadtest-render-") as name:
        folder = make(Path(name), size)
        before = {path: path.stat().st_size for path in folder.iterdir() if path.is_file()}
        text = process.output(
            [sys.executable, "-m", "benchmarks.render", "--child", str(folder)],
            env={},
            cwd=ROOT,
            timeout_s=1800,
        )
        written = sum(
            path.stat().st_size
            for path in folder.iterdir()
            if path.is_file() and path not in before
        )
    seconds, peak_bytes = json.loads(text.splitlines()[-1])
    return Taken(seconds, peak_bytes, written)


def child(folder: Path) -> None:
    """Write the reports as the command does; print the seconds and the peak of memory."""
    began = time.monotonic()
    from loadtest.cli.main import cli

    cli.main(["report", str(folder)], standalone_mode=False)
    unit = 1 if sys.platform == "darwin" else 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    click.echo(json.dumps([time.monotonic() - began, peak]))


@click.command()
@click.option("--servers", default=20, show_default=True)
@click.option("--endpoints", default=30, show_default=True)
@click.option("--rounds", default=10, show_default=True)
@click.option("--child", "folder", type=click.Path(path_type=Path), hidden=True)
def main(servers: int, endpoints: int, rounds: int, folder: Path | None) -> None:
    """Measure what reports take for a run of a size, and for half of it."""
    if folder is not None:
        child(folder)
        return
    whole = Size(servers, endpoints, rounds)
    least = measure(Size(1, 1, 1))
    click.echo(
        "| servers x endpoints x rounds | time | peak of memory | files | above one cell's time |\n"
        "| --- | --: | --: | --: | --: |"
    )
    full_s = None
    for size in (
        whole,
        whole._replace(servers=servers // 2),
        whole._replace(endpoints=endpoints // 2),
        whole._replace(rounds=rounds // 2),
    ):
        taken = measure(size)
        above_s = taken.seconds - least.seconds
        full_s = full_s or above_s
        click.echo(
            f"| {size} | {taken.seconds:.1f} s | {taken.peak_bytes / 1e6:.0f} MB"
            f" | {taken.written_bytes / 1e6:.1f} MB | {100 * above_s / full_s:.0f} % |"
        )
    click.echo(
        f"\nOne cell takes {least.seconds:.1f} s and {least.peak_bytes / 1e6:.0f} MB. Half of the"
        " input taking less than half of the time means that time grows faster than its input."
    )


if __name__ == "__main__":
    main()
