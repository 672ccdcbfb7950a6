"""What the tool costs wrk: its Lua hook, the client that checks answers, the sampling.

    python -m benchmarks.overhead           # about 8 min

Rounds of all arms in shuffled order against the null server, nginx answering from memory; each arm
is compared with plain wrk within its round, in two ways.

By rate: what wrk prints. Loads are short and rounds many, as the speed of shared processors drifts
and others take their turn.

By CPU time: wrk and nginx take all there is of two processors, so the rate is one over the CPU time
of an answer, of wrk, nginx and the tool together. Each is read against nginx's in the same load,
which is what speed drifts by (see `stats.cpu_drift`): the arms differ in wrk's and the tool's.
"""

from __future__ import annotations

import contextlib
import hashlib
import random
import re
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import NamedTuple

import click
import msgspec
import psutil
from scipy.stats import quantile_test

from loadtest.bench.load import ceiling, wrk
from loadtest.bench.servers.answer_check import Watch
from loadtest.records.planned import Contract, Endpoint, Load
from loadtest.system import listening, process, sampling
from loadtest.system.cpu_time import cpu_s
from loadtest.system.process import Process

ALLOWED = 0.01
"""Of the rate."""
SPARE_S = 15.0


@dataclass(frozen=True)
class Arm:
    """One way to load."""

    name: str
    hook: bool = True
    watch: bool = False
    sample: bool = False


BARE = Arm("wrk alone", hook=False)
ARMS = (
    BARE,
    Arm("wrk alone, once more", hook=False),
    Arm("with the Lua hook"),
    Arm("with the hook and the checking client", watch=True),
    Arm("with both and the sampling of processes", watch=True, sample=True),
)


class Taken(NamedTuple):
    """What one load came to."""

    rate: float
    """Requests a second, as wrk prints them."""
    cpu: float
    """CPU time for an answer, of nginx, wrk, its warden and this process; nginx's own is 1."""


@dataclass(frozen=True)
class Null:
    """The null server, up, with one body."""

    process: Process
    port: int
    endpoint: Endpoint
    folder: Path

    def load(self, arm: Arm, load: Load) -> Taken:
        """Load it once."""
        argv = wrk.argv(load, f"http://{listening.HOST}:{self.port}{self.endpoint.path}", 0.0)
        if not arm.hook:
            argv = [word for word in argv if not word.startswith("--script")]
        out, errors = self.folder / "out.txt", self.folder / "errors.txt"
        for stale in (out, errors):
            stale.unlink(missing_ok=True)
        nginx_s, tool_s = _cpu_s(self.process.tree()), _own_cpu_s()
        generator = process.start(wrk.TOOL, argv, log=out, errors=errors, grace_s=1.0)
        groups = {"server": self.process.tree, "generator": generator.tree}
        watch = None
        with process.running(generator), contextlib.ExitStack() as stack:
            if arm.sample:
                stack.enter_context(sampling.sampling(groups, holds="server", ends="generator"))
            if arm.watch:
                watch = Watch(listening.HOST, self.port, self.endpoint, load.duration_s + 10)
            generator.wait(load.duration_s + SPARE_S)
        during = watch.stop() if watch else None
        if during and (during.broken or not during.checked):
            raise click.ClickException(f"the checking client: {during.broken or 'no answer'}")
        text = out.read_text()
        rate = re.search(r"^Requests/sec:\s+([\d.]+)$", text, re.MULTILINE)
        if rate is None or "errors" in text or "Non-2xx" in text:
            raise click.ClickException(f"wrk did not load as it should:\n{text}")
        if arm.hook:
            wrk.parse(text, errors.read_text())
        tool_s, nginx_s = _own_cpu_s() - tool_s, _cpu_s(self.process.tree()) - nginx_s
        return Taken(float(rate[1]), 1 + tool_s / nginx_s)


def _cpu_s(processes: Iterable[psutil.Process]) -> float:
    return sum(cpu_s(process) for process in processes)


def _own_cpu_s() -> float:
    """Return the CPU seconds of this process and of the children that have ended: wrk's."""
    return time.process_time() + sampling.ended_cpu_s()


@contextlib.contextmanager
def null(body: bytes) -> Iterator[Null]:
    """Give the null server with one body."""
    with tempfile.TemporaryDirectory(prefix="loadtest-overhead-") as name:
        home = Path(name)
        with ceiling.serving({"body": body}, home / "nginx.log") as (running, port):
            yield Null(running, port, endpoint("/body", body), home)


def endpoint(path: str, body: bytes) -> Endpoint:
    """Return a declaration of one body."""
    return Endpoint(
        name="null",
        style="control",
        path=path,
        title="",
        kind="",
        summary="",
        isolated=False,
        note=None,
        unsupported={},
        contract=Contract(
            status=200,
            content_type="application/json",
            content_encoding=None,
            body_bytes=len(body),
            body_sha256=hashlib.sha256(body).hexdigest(),
            delay_s=0.0,
            postgres=0,
            redis=0,
            upstream=0,
        ),
    )


def measure(rounds: int, load: Load, size: int, seed: int) -> dict[str, list[Taken]]:
    """Return what each arm came to, by round."""
    taken: dict[str, list[Taken]] = {arm.name: [] for arm in ARMS}
    order = random.Random(seed)
    with null(b"x" * size) as running:
        running.load(BARE, load)  # the first load opens files and warms caches
        for number in range(rounds):
            for arm in order.sample(ARMS, len(ARMS)):
                taken[arm.name].append(running.load(arm, load))
            click.echo(f"round {number + 1} of {rounds}", err=True)
    return taken


def table(taken: dict[str, list[Taken]]) -> str:
    """Return the arms as Markdown, each against wrk alone in the same round."""
    alone = taken[BARE.name]
    lines = [
        f"| {len(alone)} rounds | requests/s (median) | of wrk alone's | 95 % interval"
        " | by CPU time | 95 % interval | costs at most 1 % |",
        "| --- | --: | --: | --: | --: | --: | --- |",
    ]
    for arm in ARMS:
        rate = f"{median(load.rate for load in taken[arm.name]):,.0f}"
        if arm is BARE:
            lines.append(f"| {arm.name} | {rate} | 1 | | 1 | | |")
            continue
        both = list(zip(alone, taken[arm.name], strict=True))
        verdict = ""
        columns = []
        for ratios in ([b.rate / a.rate for a, b in both], [a.cpu / b.cpu for a, b in both]):
            low, high = interval(ratios)
            columns.append(f"{median(ratios):.4f} | {low:.4f} to {high:.4f}")
            verdict = "" if not arm.hook else answer(low, high)
        lines.append(f"| {arm.name} | {rate} | {' | '.join(columns)} | {verdict} |")
    return "\n".join(lines)


def interval(ratios: list[float]) -> tuple[float, float]:
    """Return the 95 % interval of the median, of order statistics: Conover (1999), section 3.2.

    Of the median and not of the mean, as a neighbour that takes a processor in a few rounds is no
    cost of the tool, and without a model of how such rounds are spread.
    """
    interval = quantile_test(ratios, q=1.0, p=0.5).confidence_interval(0.95)
    return float(interval.low), float(interval.high)


def answer(low: float, high: float) -> str:
    """Say whether a ratio is within what is allowed, as far as its interval tells."""
    if low >= 1 - ALLOWED:
        return "yes"
    return "no" if high < 1 - ALLOWED else "cannot tell: more rounds"


@click.command()
@click.option("--rounds", default=40, show_default=True)
@click.option("--duration", "duration_s", default=2, show_default=True, help="Seconds of a load.")
@click.option("--connections", default=64, show_default=True)
@click.option("--size", default=30, show_default=True, help="Bytes of the body.")
@click.option("--seed", default=1, show_default=True, help="Of the order.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="A file for what was measured, as JSON."
)
def main(
    rounds: int, duration_s: int, connections: int, size: int, seed: int, out: Path | None
) -> None:
    """Measure what the hook, the checking client and the sampling cost wrk."""
    load = Load(connections=connections, duration_s=duration_s, warmup_s=0.0)
    taken = measure(rounds, load, size, seed)
    if out:
        out.write_bytes(msgspec.json.format(msgspec.json.encode(taken), indent=1) + b"\n")
    click.echo(table(taken))


if __name__ == "__main__":
    main()
