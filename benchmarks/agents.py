"""Two agents on one machine against one wrk with the same connections, on a null server.

    python -m benchmarks.agents                   # 20 pairs of 2 s, about three minutes
    python -m benchmarks.agents --pairs 5

Pairs are neighbours in time, in an order that changes; the figure is the median of their ratios,
with what 95 of 100 such medians lie between.
"""

from __future__ import annotations

import os
import random
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import click

from loadtest.bench.load.agents import linked, master, shared, signing
from loadtest.bench.load.agents.linked import Address
from loadtest.bench.load.agents.master import Master
from loadtest.bench.load.ceiling import serving
from loadtest.bench.load.generator import Generator, Generators, Printed
from loadtest.records.planned import Load
from loadtest.system import listening, process

CONNECTIONS = 64

SECONDS = 2

RESAMPLES = 2_000


@contextmanager
def agents(folder: Path, count: int) -> Iterator[Master]:
    """Give a master whose agents are there, all on this machine."""
    secret = os.urandom(32).hex()
    key = signing.secret_of({signing.VARIABLE: secret})
    at = Address(listening.HOST, listening.free_port())

    def say(line: str) -> None:
        click.echo(line, err=True)

    with ExitStack() as stack:
        steers = stack.enter_context(master.steering(at, key, linked.version(), count, say))
        for number in range(count):
            argv = [sys.executable, "-m", "loadtest", "agent", "--master", str(at)]
            started = process.start(
                f"agent {number}",
                argv,
                log=folder / f"agent.{number}.log",
                env={signing.VARIABLE: secret},
            )
            stack.enter_context(process.running(started))
        steers.await_all()
        yield steers


def pairs(count: int) -> list[tuple[Printed, Printed]]:
    """Return what one wrk and two agents counted, in turn."""
    load = Load(connections=CONNECTIONS, duration_s=SECONDS, warmup_s=0.0)
    measured = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "raw").mkdir()
        with (
            serving({"30": b"x" * 30}, folder / "null-server.log") as (_, port),
            agents(folder, 2) as steers,
        ):
            url = f"http://{listening.HOST}:{port}/30"
            makers: dict[str, Generators] = {
                "one": Generator,
                "two": shared.Generators(steers),
            }
            for number in range(count):
                order = list(makers)
                random.shuffle(order)
                done = {
                    each: makers[each](load, url, 0.0, folder, f"{each}.{number}", None).finish()
                    for each in order
                }
                measured.append((done["one"], done["two"]))
    return measured


def interval(ratios: Sequence[float], seed: int = 1) -> tuple[float, float]:
    """Return what 95 of 100 medians of as many pairs lie between, by resampling."""
    draws = random.Random(seed)
    medians = sorted(median(draws.choices(ratios, k=len(ratios))) for _ in range(RESAMPLES))
    return medians[int(0.025 * RESAMPLES)], medians[int(0.975 * RESAMPLES)]


@click.command()
@click.option("--pairs", "count", type=int, default=20)
def main(count: int) -> None:
    """Measure, and print the figure."""
    measured = pairs(count)
    ratios = [two.loaded.goodput / one.loaded.goodput for one, two in measured]
    low, high = interval(ratios)
    late_us = [part.late_us or 0 for _, two in measured for part in two.parts]
    spread_us = [
        max(part.late_us or 0 for part in two.parts) - min(part.late_us or 0 for part in two.parts)
        for _, two in measured
    ]
    click.echo(
        f"{count} pairs: one wrk {median(one.loaded.goodput for one, _ in measured):,.0f}/s, two"
        f" agents {median(two.loaded.goodput for _, two in measured):,.0f}/s; ratio"
        f" {median(ratios):.3f} ({low:.3f} to {high:.3f})"
    )
    click.echo(
        f"begun {median(late_us) / 1e3:.2f} ms after the planned instant (at most"
        f" {max(late_us) / 1e3:.2f}), apart by {median(spread_us) / 1e3:.2f} ms (at most"
        f" {max(spread_us) / 1e3:.2f})"
    )


if __name__ == "__main__":
    main()
