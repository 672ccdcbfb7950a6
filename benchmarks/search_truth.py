"""Whether a search finds the highest rate within a goal, where that is known.

    python -m benchmarks.search_truth                            # 20 searches, about 70 minutes
    python -m benchmarks.search_truth --trials 5 --seed 6        # five, others than the first five

Each is a search as `loadtest run --within` makes it: its experiment and its judges, a new process
of the server for each try, wrk, and the client that checks answers meanwhile. The server is a queue
with one worker and a fixed time for each request, which come at random: how many it takes within a
p99 is known, see `md1`.
"""

from __future__ import annotations

import hashlib
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from benchmarks import md1
from benchmarks.open_loop import NEAR, QUEUE
from loadtest.bench.servers.loaded_server import Bench, LoadedServer
from loadtest.bench.servers.service_counters import Counters
from loadtest.judge.servers.turns import merged
from loadtest.judge.servers.within import Exploring, Search, settled
from loadtest.measure.experiments.search import search
from loadtest.measure.servers import measuring
from loadtest.measure.servers.session import ServerTrials
from loadtest.plan.servers.project import App
from loadtest.records.measured import Afterwards, Histogram, Launch, Outcome
from loadtest.records.planned import Cell, Contract, Endpoint, Goal, Load, Plan, Server, Shape
from loadtest.system import listening, process

BODY = b"ok"

CONNECTIONS = 64
"""Of the closed loop before the search."""

ENDPOINT = Endpoint(
    name="queue",
    style="sync",
    path="/",
    title="queue",
    kind="cpu",
    summary="Takes a fixed time.",
    isolated=False,
    note=None,
    unsupported={},
    contract=Contract(
        status=200,
        content_type="text/plain",
        content_encoding=None,
        body_bytes=len(BODY),
        body_sha256=hashlib.sha256(BODY).hexdigest(),
        delay_s=0.0,
        postgres=0,
        redis=0,
        upstream=0,
    ),
)


@dataclass(frozen=True)
class QueueBench(Bench):
    """This machine, with the queue as its only server."""

    folder: Path
    service_s: float

    def repair(self) -> None:
        """Nothing can have died."""

    def launch(self, profile: Server, name: str) -> LoadedServer:
        """Start the queue and return it once it has answered; raises CellError."""
        began, port = time.monotonic(), listening.free_port()
        argv = [sys.executable, str(QUEUE), str(port), str(self.service_s)]
        queue = process.start(profile.name, argv, log=self.folder / "logs" / f"{name}.log")
        try:
            listening.await_answer(queue, port, ENDPOINT.path)
        except BaseException:
            queue.stop()
            raise
        return LoadedServer(
            launched=queue,
            host=listening.HOST,
            port=port,
            launch_s=time.monotonic() - began,
            groups=lambda: {"server": queue.tree},
            counters=lambda: Counters(App(), {}),
            folder=self.folder,
            placement=None,
        )


def plan(goal_s: float, seed: int) -> Plan:
    """Return the plan of one search."""
    server = Server(
        name="queue",
        summary="One worker that takes a fixed time for each request.",
        interface=None,
        requires=(),
        argv=(str(QUEUE),),
        in_flight="connections",
    )
    load = Load(
        connections=CONNECTIONS,
        duration_s=2,
        warmup_s=0.1,
        arrivals="poisson",
        within=Goal(p99_us=round(goal_s * 1e6)),
    )
    return Plan(
        matrix="truth",
        seed=seed,
        rounds=1,
        shape=Shape(workers=1, threads=1),
        servers=(server,),
        cells=(Cell(server=server.name, endpoint=ENDPOINT, load=load),),
    )


def searched(of: Plan, service_s: float, folder: Path) -> tuple[Search, float]:
    """Return what a search came to, and the seconds of its loads."""
    for name in ("raw", "logs"):
        (folder / name).mkdir()

    def histogram(name: str) -> Histogram:
        return msgspec.json.decode((folder / name).read_bytes(), type=Histogram)

    outcomes: list[Outcome] = []

    def record(fact: Outcome | Afterwards | Launch) -> None:
        if isinstance(fact, Outcome):
            outcomes.append(fact)

    trials = ServerTrials(of, lambda known: (), Exploring(of, histogram).next_loads)
    bench = QueueBench(folder, service_s)
    for todo in search(trials, frozenset(), outcomes, 0.0):
        measuring.run(of, todo, bench, record, lambda cell, round_, turn: None)
    _, searches = settled(of, merged(outcomes), histogram)
    return searches[of.cells[0].id], sum(outcome.load_s for outcome in outcomes)


@click.command()
@click.option("--trials", default=20, show_default=True, help="Searches.")
@click.option("--seed", default=1, show_default=True, help="Of the first; each has its own.")
@click.option("--service", "service_s", default=0.002, show_default=True, help="Seconds a request.")
@click.option("--goal", default=15.0, show_default=True, help="The p99, in times of --service.")
def main(trials: int, seed: int, service_s: float, goal: float) -> None:
    """Search the highest rate of a queue within a p99, again and again."""
    true = md1.load_within(goal) / service_s
    click.echo(f"A p99 of {goal * service_s * 1e3:g} ms is kept up to {true:.1f} requests/s.\n")
    click.echo("| seed | tries | load | kept | missed | kept, of the truth |")
    click.echo("| --: | --: | --: | --: | --: | --: |")
    near = 0
    for number in range(seed, seed + trials):
        with tempfile.TemporaryDirectory(prefix="loadtest-search-") as name:
            result, load_s = searched(plan(goal * service_s, number), service_s, Path(name))
        low, high = result.low or 0.0, result.high or 0.0
        near += abs(low / true - 1) <= NEAR
        click.echo(
            f"| {number} | {result.tries} | {load_s:.0f} s | {low:.1f} | {high:.1f}"
            f" ({result.why}) | {low / true:.3f} |"
        )
    click.echo(f"\n{near} of {trials} within {NEAR:.0%}.")


if __name__ == "__main__":
    main()
