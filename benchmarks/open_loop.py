"""Whether a load at a rate is what it says: what the server saw, and latencies that are known.

    python -m benchmarks.open_loop                       # all parts, about 50 minutes
    python -m benchmarks.open_loop arrivals              # 4 minutes
    python -m benchmarks.open_loop standstill            # half a minute
    python -m benchmarks.open_loop cost                  # 2 minutes
    python -m benchmarks.open_loop queue                 # 43 minutes
    python -m benchmarks.open_loop queue --trials 1      # 11 minutes

- arrivals: nginx logs when it answered; its log is set against the schedule.
- standstill: nginx is stopped for 1 s of 10; who was to ask then waits for the rest of it.
- cost: the CPU time of wrk itself for a request, by rate and connections.
- queue: one worker takes a fixed time for each request, which come at random: how long each is in
  the system follows from when they came, and from theory for all that may come, see `md1`.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click
import msgspec
import numpy as np
import psutil

from benchmarks import md1
from benchmarks.md1 import Floats
from loadtest.bench.load import nginx, wrk
from loadtest.bench.load.generator import Generator, Printed
from loadtest.judge.servers.metrics import late
from loadtest.records.measured import Histogram, Sent
from loadtest.records.planned import Arrivals, Load
from loadtest.stats.latency import count, mean, merge, percentile, pooled
from loadtest.system import listening, process

SERVER = """
    log_format when $msec;
    access_log access.log when;
    server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 ok; }} }}
"""

QUEUE = Path(__file__).with_name("fixed_time.py")

SLOTS = Path(__file__).with_name("slots.lua")

RATES = (500, 2_000, 5_000)

COSTS = ((1_000, 50), (1_000, 500), (1_000, 2_000), (5_000, 2_500))
"""Requests a second, and connections."""

QUEUES = ((0.02, 0.010, 0.2), (0.5, 0.010, 0.25), (0.8, 0.005, 0.7), (0.9, 0.002, 1.0))
"""Load of the worker, seconds that it takes for a request, and how long that is loaded, as a share.

With next to nothing to do, what is beyond its time is the way to it and back. What a queue is like
now says something of it for a number of requests that goes with 1 / (1 - load)^2: the fuller it is,
the shorter its requests, or a p99 would be chance after an hour."""

QUEUE_CONNECTIONS = 100

NEAR = 0.05


@contextmanager
def null_server(folder: Path) -> Iterator[tuple[process.Process, int, Path]]:
    """Give nginx, its port and its log."""
    port = listening.free_port()
    with process.folder("loadtest-null-") as home:
        log = folder / "nginx.log"
        with nginx.running(home, SERVER.format(port=port), log, port, "/") as running:
            yield running, port, home.path / "access.log"


@contextmanager
def queue_server(folder: Path, service_s: float) -> Iterator[int]:
    """Give the port of a server that takes a fixed time for each request."""
    port = listening.free_port()
    argv = [sys.executable, str(QUEUE), str(port), str(service_s)]
    with process.running(process.start("the queue", argv, log=folder / "queue.log")) as running:
        listening.await_answer(running, port, "/")
        yield port


def load(port: int, folder: Path, name: str, load: Load, seed: int = 1) -> Generator:
    """Start a load."""
    (folder / "raw").mkdir(exist_ok=True)
    return Generator(load, f"http://127.0.0.1:{port}/", 0.0, folder, name, None, seed)


def at_rate(rate: float, seconds: int, connections: int, arrivals: Arrivals = "even") -> Load:
    """Return a load."""
    return Load(
        rate=rate, arrivals=arrivals, connections=connections, duration_s=seconds, warmup_s=0.0
    )


def latencies(printed: Printed, connections: int, folder: Path) -> Histogram:
    """Return the latencies as measured."""
    stored = msgspec.json.decode((folder / str(printed.histogram)).read_bytes(), type=Histogram)
    return pooled([(stored, printed.loaded)], connections)[0]


def arrivals(folder: Path, seconds: int) -> Iterator[str]:
    """Yield lines of a table: each rate, evenly and at random."""
    yield "| arrivals | requests/s | the server saw | variance / mean in 10 ms | sent late |"
    yield "| --- | --: | --: | --: | --: |"
    with null_server(folder) as (_, port, log):
        for spaced in ("even", "poisson"):
            for rate in RATES:
                log.write_text("")
                of = at_rate(rate, seconds, max(50, rate // 20), spaced)
                loaded = load(port, folder, f"{spaced}.{rate}", of).finish().loaded
                assert loaded.sent
                seen, spread = seen_by(log)
                yield (
                    f"| {spaced} | {rate:,} | {seen:,.1f} | {spread:.2f}"
                    f" | {late([loaded.sent], 0):.1%} |"
                )
        yield ""
        bins = seconds * 100
        yield f"(Of {bins:,} bins, that of a Poisson process is 1 +- {2 * (2 / bins) ** 0.5:.2f}.)"


def seen_by(log: Path) -> tuple[float, float]:
    """Return requests/s of a log, and variance over mean of their numbers in 10 ms."""
    at_ms = np.array([round(float(line) * 1000) for line in log.read_text().split()])
    # The first and the last tenth of a second may be cut. Of whole milliseconds, each bin has ten.
    since_ms = at_ms - at_ms[0] - 100
    bins = (since_ms[-1] - 100) // 10
    numbers = np.bincount(since_ms[(since_ms >= 0) & (since_ms < bins * 10)] // 10, minlength=bins)
    return float(numbers.mean() * 100), float(numbers.var() / numbers.mean())


def standstill(folder: Path) -> Iterator[str]:
    """Yield lines of a table: 1,000 requests/s for 10 s, the server stopped for one of them."""
    yield "| connections | p90 | p95 | p99 | p99.9 | missed slots | sent late |"
    yield "| --: | --: | --: | --: | --: | --: | --: |"
    with null_server(folder) as (running, port, _):
        worker = running.tree()[-1]
        for connections in (1_500, 50):
            of = at_rate(1_000, 10, connections)
            generator = load(port, folder, f"standstill.{connections}", of)
            stopper = threading.Thread(target=_stop_for_a_second, args=(worker, 5.0))
            stopper.start()
            printed = generator.finish()
            stopper.join()
            sent = printed.loaded.sent
            assert sent
            raw = latencies(printed, connections, folder)
            each_us = [percentile(raw, p, sent.late) or 0 for p in (90, 95, 99, 99.9)]
            shown = " | ".join(f"{us / 1e3:,.0f} ms" for us in each_us)
            yield f"| {connections:,} | {shown} | {sent.missed:,} | {late([sent]):.1%} |"


def _stop_for_a_second(worker: psutil.Process, after_s: float) -> None:
    time.sleep(after_s)
    os.kill(worker.pid, signal.SIGSTOP)
    time.sleep(1.0)
    os.kill(worker.pid, signal.SIGCONT)


def cost(folder: Path, seconds: int) -> Iterator[str]:
    """Yield lines of a table: what a request takes of the generator."""
    yield "| requests/s | connections | CPU time of wrk for a request | sent late |"
    yield "| --: | --: | --: | --: |"
    with null_server(folder) as (_, port, _):
        for rate, connections in COSTS:
            of = at_rate(rate, seconds, connections)
            loaded = load(port, folder, f"cost.{rate}.{connections}", of).finish().loaded
            cpu_us = (loaded.cpu_us or 0) / loaded.answers
            assert loaded.sent
            yield (
                f"| {rate:,} | {connections:,} | {cpu_us:.0f} us | {late([loaded.sent], 0):.1%} |"
            )


def queue(folder: Path, seconds: int, trials: int, first_seed: int) -> Iterator[str]:
    """Yield lines of a table: mean and p99 of a queue against the truth."""
    yield (
        "| load of the worker | a request | loads | requests | mean | of these arrivals | of all"
        f" | p99 | of these arrivals | of all | each load within {NEAR:.0%} | sent late |"
    )
    yield "|" + " --: |" * 12
    for rho, service_s, share in QUEUES:
        lasts_s = max(1, round(seconds * share))
        of = at_rate(rho / service_s, lasts_s, QUEUE_CONNECTIONS, "poisson")
        shown: list[tuple[Histogram, Sent, Floats]] = []
        with queue_server(folder, service_s) as port:
            for seed in range(first_seed, first_seed + trials):
                printed = load(port, folder, f"queue.{rho}.{seed}", of, seed).finish()
                sent = printed.loaded.sent
                assert sent
                arrivals_ms = scheduled(port, folder, of, seed, sent.requests)
                true_ms = md1.in_system(arrivals_ms, service_s * 1e3)
                shown.append((latencies(printed, QUEUE_CONNECTIONS, folder), sent, true_ms))
        raw, every, true = zip(*shown, strict=True)
        each_ms = [percentile(of_load, 99, each.late) for of_load, each, _ in shown]
        near = sum(
            abs((us or 0) / 1e3 / np.quantile(ms, 0.99) - 1) <= NEAR
            for us, ms in zip(each_ms, true, strict=True)
        )
        all_of, all_late, all_ms = (
            merge(raw),
            merge([of.late for of in every]),
            np.concatenate(true),
        )
        mean_ms = ((mean(all_of) or 0) + (mean(all_late) or 0)) / 1e3
        p99_ms = (percentile(all_of, 99, all_late) or 0) / 1e3
        known_ms, known_p99_ms = (
            of_rho * service_s * 1e3 for of_rho in (md1.mean(rho), md1.percentile(rho))
        )
        yield (
            f"| {rho:.0%} | {service_s * 1e3:g} ms | {trials} x {lasts_s} s | {count(all_of):,}"
            f" | {mean_ms:.2f} ms | {all_ms.mean():.2f} ms | {known_ms:.2f} ms"
            f" | {p99_ms:.2f} ms | {np.quantile(all_ms, 0.99):.2f} ms | {known_p99_ms:.2f} ms"
            f" | {near} of {trials} | {late(every, 0):.1%} |"
        )


def scheduled(port: int, folder: Path, of: Load, seed: int, requests: int) -> Floats:
    """Return when each request of a load is due, in milliseconds after the first, by its script."""
    slots = folder / "slots"
    argv = ["wrk", "-t1", "-c1", "-d1s", f"--script={SLOTS}", f"http://127.0.0.1:{port}/", "--"]
    told = {"SCRIPT": str(wrk.SCRIPT), "SLOTS": str(slots), "NUMBER": str(requests)}
    subprocess.run(
        [*argv, f"{of.rate:g}", of.arrivals, str(seed)],
        env=os.environ | told,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return np.loadtxt(slots)


PARTS = ("arrivals", "standstill", "cost", "queue")


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(PARTS))
@click.option(
    "--seconds",
    type=int,
    help="Of each load; on the queue, of the longest. Default: 30, of cost 20, on the queue 300.",
)
@click.option("--trials", default=4, show_default=True, help="Loads on the queue, one a seed.")
@click.option("--seed", default=1, show_default=True, help="The first of these.")
@click.option(
    "--script",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Another wrk.lua, to try a change of it.",
)
def main(
    parts: Sequence[str],
    seconds: int | None,
    trials: int,
    seed: int,
    script: Path | None,
) -> None:
    """Hold loads at a rate against what is known to be true."""
    wrk.SCRIPT = script.absolute() if script else wrk.SCRIPT
    for part in parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="loadtest-open-loop-") as name:
            folder = Path(name)
            lines = {
                "arrivals": lambda folder=folder: arrivals(folder, seconds or 30),
                "standstill": lambda folder=folder: standstill(folder),
                "cost": lambda folder=folder: cost(folder, seconds or 20),
                "queue": lambda folder=folder: queue(folder, seconds or 300, trials, seed),
            }[part]()
            for line in lines:
                click.echo(line)
        click.echo()


if __name__ == "__main__":
    main()
