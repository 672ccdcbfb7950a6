"""Whether a load at a rate is what it says: what the server saw, and latencies that are known.

    python -m benchmarks.open_loop              # all parts, about 20 minutes
    python -m benchmarks.open_loop arrivals     # or one of: arrivals, standstill, queue

- arrivals: nginx logs when it answered; its log is set against the schedule.
- standstill: nginx is stopped for 1 s of 10; who was to ask then waits for the rest of it.
- queue: one worker takes a fixed time for each request, which come at random: M/D/1. The mean time
  in it is D + rho D / 2 (1 - rho) (Pollaczek and Khinchine), and the distribution of the wait is
  known (Erlang, 1909).
"""

from __future__ import annotations

import math
import os
import signal
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

from loadtest.bench.load import nginx
from loadtest.bench.load.generator import Generator, Printed
from loadtest.judge.servers.metrics import late
from loadtest.records.measured import Histogram
from loadtest.records.planned import Arrivals, Load
from loadtest.stats.latency import mean, percentile, pooled
from loadtest.system import listening, process

SERVER = """
    log_format when $msec;
    access_log access.log when;
    server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ return 200 ok; }} }}
"""

QUEUE = Path(__file__).with_name("fixed_time.py")

SERVICE_S = 0.002

RATES = (500, 2_000, 5_000)

LATE_US = 2_000
"""Beyond what wrk's whole milliseconds explain."""

LOADS = (0.5, 0.8, 0.9)


@contextmanager
def null_server(folder: Path) -> Iterator[tuple[process.Process, int, Path]]:
    """Give nginx, its port and its log."""
    port = listening.free_port()
    with process.folder("loadtest-null-") as home:
        log = folder / "nginx.log"
        with nginx.running(home, SERVER.format(port=port), log, port, "/") as running:
            yield running, port, home.path / "access.log"


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
    stored = msgspec.json.decode((folder / printed.histogram).read_bytes(), type=Histogram)
    return pooled([(stored, printed.loaded)], connections)[0]


def arrivals(folder: Path) -> Iterator[str]:
    """Yield lines of a table: each rate, evenly and at random."""
    yield "| arrivals | requests/s | the server saw | variance / mean in 10 ms | sent late |"
    yield "| --- | --: | --: | --: | --: |"
    with null_server(folder) as (_, port, log):
        for spaced in ("even", "poisson"):
            for rate in RATES:
                log.write_text("")
                of = at_rate(rate, 10, max(50, rate // 20), spaced)
                loaded = load(port, folder, f"{spaced}.{rate}", of).finish().loaded
                assert loaded.sent
                at_s = np.array([float(line) for line in log.read_text().split()])
                # The first and the last tenth of a second may be cut.
                inner = at_s[(at_s > at_s[0] + 0.1) & (at_s < at_s[-1] - 0.1)]
                lasted_s = at_s[-1] - at_s[0] - 0.2
                bins, _ = np.histogram(inner, bins=int(lasted_s * 100))
                yield (
                    f"| {spaced} | {rate:,} | {len(inner) / lasted_s:,.1f}"
                    f" | {bins.var() / bins.mean():.2f} | {late([loaded.sent], LATE_US):.1%} |"
                )


def standstill(folder: Path) -> Iterator[str]:
    """Yield lines of a table: 1,000 requests/s for 10 s, the server stopped for one of them."""
    yield "| connections | p90 | p95 | p99 | p99.9 | missed slots |"
    yield "| --: | --: | --: | --: | --: | --: |"
    with null_server(folder) as (running, port, _):
        worker = running.tree()[-1]
        for connections in (1_500, 50):
            of = at_rate(1_000, 10, connections)
            generator = load(port, folder, f"standstill.{connections}", of)
            stopper = threading.Thread(target=_stop_for_a_second, args=(worker, 5.0))
            stopper.start()
            printed = generator.finish()
            stopper.join()
            assert printed.loaded.sent
            histogram = latencies(printed, connections, folder)
            shown = [f"{(percentile(histogram, p) or 0) / 1e3:,.0f} ms" for p in (90, 95, 99, 99.9)]
            yield f"| {connections:,} | {' | '.join(shown)} | {printed.loaded.sent.missed:,} |"


def _stop_for_a_second(worker: psutil.Process, after_s: float) -> None:
    time.sleep(after_s)
    os.kill(worker.pid, signal.SIGSTOP)
    time.sleep(1.0)
    os.kill(worker.pid, signal.SIGCONT)


def wait_distribution(rho: float, service_s: float, at_s: float) -> float:
    """Return the share of M/D/1's requests that wait no longer than `at_s` (Erlang, 1909).

    P(W <= t) = (1 - rho) * sum over k <= t / D of x^k / k! * exp(-x), x = lambda (k D - t).
    """
    rate = rho / service_s
    total = 0.0
    for k in range(int(at_s / service_s) + 1):
        x = rate * (k * service_s - at_s)
        sign = -1 if x < 0 and k % 2 else 1
        log = k * math.log(abs(x)) - math.lgamma(k + 1) - x if x else (0.0 if k == 0 else -math.inf)
        total += sign * math.exp(log)
    return (1 - rho) * total


def true_p99_s(rho: float, service_s: float) -> float:
    """Return the time in an M/D/1 system that 99 % do not exceed, by bisection."""
    low, high = 0.0, service_s * 200
    while wait_distribution(rho, service_s, low + (high - low) / 2) < 0.99 and high - low > 1e-9:
        low = low + (high - low) / 2
    # The sum loses its digits for long waits: from there on its tail is a geometric one.
    while high - low > service_s / 1e4:
        middle = (low + high) / 2
        low, high = (middle, high) if _below(rho, service_s, middle) < 0.99 else (low, middle)
    return service_s + high


def _below(rho: float, service_s: float, at_s: float) -> float:
    share = wait_distribution(rho, service_s, at_s)
    return share if 0 <= share <= 1 else 1.0


def queue(folder: Path, seconds: int) -> Iterator[str]:
    """Yield lines of a table: mean and p99 of a queue against the truth."""
    yield "| load of the worker | mean | truth | p99 | truth | sent late |"
    yield "| --: | --: | --: | --: | --: | --: |"
    port = listening.free_port()
    log = folder / "queue.log"
    argv = [sys.executable, str(QUEUE), str(port), str(SERVICE_S)]
    with process.running(process.start("the queue", argv, log=log)) as running:
        listening.await_answer(running, port, "/")
        for rho in LOADS:
            of = at_rate(rho / SERVICE_S, seconds, 100, "poisson")
            printed = load(port, folder, f"queue.{rho}", of).finish()
            assert printed.loaded.sent
            histogram = latencies(printed, 100, folder)
            true_s = SERVICE_S * (1 + rho / (2 * (1 - rho)))
            yield (
                f"| {rho:.0%} | {(mean(histogram) or 0) / 1e3:.2f} ms | {true_s * 1e3:.2f} ms"
                f" | {(percentile(histogram, 99) or 0) / 1e3:.2f} ms"
                f" | {true_p99_s(rho, SERVICE_S) * 1e3:.2f} ms"
                f" | {late([printed.loaded.sent], LATE_US):.1%} |"
            )


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice(["arrivals", "standstill", "queue"]))
@click.option("--seconds", default=120, show_default=True, help="Of each load on the queue.")
def main(parts: Sequence[str], seconds: int) -> None:
    """Hold loads at a rate against what is known to be true."""
    for part in parts or ("arrivals", "standstill", "queue"):
        with tempfile.TemporaryDirectory(prefix="loadtest-open-loop-") as name:
            folder = Path(name)
            lines = {
                "arrivals": lambda folder=folder: arrivals(folder),
                "standstill": lambda folder=folder: standstill(folder),
                "queue": lambda folder=folder: queue(folder, seconds),
            }[part]()
            for line in lines:
                click.echo(line)
        click.echo()


if __name__ == "__main__":
    main()
