"""How often a difference in cost is found, by seconds of load, drawn from the turns of real runs.

    python -m benchmarks.cost_power results/answers/*quick

Experiments are drawn from the rounds of the runs that are named: what each server cost at each
endpoint in a round, over what it usually cost there in its run. A round is drawn as a whole, with
replacement, so that what its servers and endpoints share stays shared. Each server of an experiment
has the noise of one server of the runs throughout, as some are noisier than others; of which, is
drawn. The experiments are judged as a run is, look by look.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import click
import numpy as np
from numpy.typing import NDArray

from loadtest.judge.servers.cost import floor_of_means, mean_of
from loadtest.judge.servers.tables import cost_pairs
from loadtest.judge.servers.turns import merged
from loadtest.records import run_folder
from loadtest.records.run_folder import ServersRun
from loadtest.stats.series import cpu_times

FIRST_LOOK = 3
"""Rounds, and a look after each further one."""

ALIKE = (1.0,) * 6
"""Times the cost of the reference, of each server of an experiment; its duplicate comes beside."""

DEARER = 1.1

ONE_DEARER = (1.0, DEARER, 1.6, 2.5, 4.0, 6.0)

Noise = NDArray[np.float64]
"""Of one round, by server and endpoint: the log of what it cost over what it usually did."""


def noise_of(stored: ServersRun) -> Iterator[Noise]:
    """Yield the noise of each whole round of a run, at the endpoints that its duplicate has."""
    costs = cpu_times(merged(stored.outcomes))
    plan = stored.run.plan
    copies = {server.name for server in plan.servers if server.duplicate_of}
    endpoints = {cell.endpoint.id for cell in plan.cells if cell.server in copies}
    rows = {
        (cell.server, cell.endpoint.id): costs[cell.id]
        for cell in plan.cells
        if cell.endpoint.id in endpoints and any(costs.get(cell.id, ()))
    }
    for round_ in range(max(map(len, rows.values()), default=0)):
        by_server = []
        for server in plan.servers:
            own = [rows.get((server.name, endpoint), ()) for endpoint in sorted(endpoints)]
            if all(len(row) > round_ and row[round_] for row in own):
                by_server.append([_off(row, round_) for row in own])
        if len(by_server) == len(plan.servers):
            yield np.array(by_server)


def _off(row: Sequence[float | None], round_: int) -> float:
    logs = [math.log(us) for us in row if us]
    # The mean of so few rounds follows each of them: what is left of its noise is too little.
    too_little = math.sqrt(len(logs) / max(1, len(logs) - 1))
    return (math.log(row[round_] or 1.0) - fmean(logs)) * too_little


def claims(
    pool: Sequence[Noise], truth: Sequence[float], most_rounds: int, rng: np.random.Generator
) -> list[frozenset[tuple[int, int]]]:
    """Return the pairs (cheaper, dearer) that one experiment claims at each of its looks."""
    costs: list[list[list[float | None]]] = [
        [[] for _ in range(pool[0].shape[1])] for _ in range(len(truth) + 1)
    ]
    servers = rng.permutation(len(pool[0]))[: len(costs)]
    looks = []
    for round_ in range(1, most_rounds + 1):
        noise = pool[int(rng.integers(len(pool)))]
        for at, cells in enumerate(costs):
            times = truth[at] if at < len(truth) else truth[0]
            for cell, off in zip(cells, noise[servers[at]], strict=True):
                cell.append(times * math.exp(off))
        if round_ < FIRST_LOOK:
            continue
        floor = floor_of_means(zip(costs[0], costs[-1], strict=True))
        means = {str(at): mean_of(costs[at]) for at in range(len(truth))}
        judged = cost_pairs(means, floor, most_rounds - FIRST_LOOK + 1).judged
        looks.append(
            frozenset((int(cheaper), int(dearer)) for (cheaper, dearer), pair in judged.items()
                      if pair.separated)
        )  # fmt: skip
    return looks


def shares(
    pool: Sequence[Noise], most_rounds: int, experiments: int, seed: int = 1
) -> tuple[list[float], list[float], float]:
    """Return three shares of the experiments.

    By look: in how many the server that is dearer by `DEARER` was found by then, and in how many
    one of equal servers was said to be dearer by then. And in how many a wrong order was claimed.
    """
    rng = np.random.default_rng(seed)
    looks = most_rounds - FIRST_LOOK + 1
    power, false = [0] * looks, [0] * looks
    wrong_orders = 0
    for _ in range(experiments):
        by_look = claims(pool, ONE_DEARER, most_rounds, rng)
        wrong_orders += any(cheaper > dearer for pairs in by_look for cheaper, dearer in pairs)
        alike = claims(pool, ALIKE, most_rounds, rng)
        for look in range(looks):
            power[look] += any((0, 1) in pairs for pairs in by_look[: look + 1])
            false[look] += any(alike[: look + 1])
    return (
        [count / experiments for count in power],
        [count / experiments for count in false],
        wrong_orders / experiments,
    )


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--rounds", "most_rounds", default=7, show_default=True, help="Of an experiment.")
@click.option("--experiments", default=1000, show_default=True)
def main(folders: Sequence[Path], most_rounds: int, experiments: int) -> None:
    """Draw experiments from the rounds of runs, FOLDERS, and say what they claim."""
    runs = [run_folder.read(folder, run_folder.SERVERS) for folder in folders]
    pool = [noise for stored in runs for noise in noise_of(stored)]
    if not pool:
        raise click.ClickException("no round there has a cost for every server")
    load = next(cell.load for cell in runs[0].run.plan.cells if not cell.endpoint.contract.delay_s)
    turn_s = load.duration_s * runs[0].run.plan.turns * pool[0].shape[1]
    power, false, wrong_orders = shares(pool, most_rounds, experiments)
    spread = math.sqrt(fmean(float((noise**2).mean()) for noise in pool))
    click.echo(
        f"{len(runs)} runs, {len(pool)} rounds; a turn's cost varies by {spread:.1%};"
        f" {experiments:,} experiments\n\n"
        f"| rounds | load of a server | {DEARER:g}x found | equals told apart |\n"
        "| --: | --: | --: | --: |"
    )
    for look, (share, wrong) in enumerate(zip(power, false, strict=True)):
        rounds = FIRST_LOOK + look
        click.echo(f"| {rounds} | {rounds * turn_s:g} s | {share:.1%} | {wrong:.1%} |")
    click.echo(f"\nthe wrong order claimed: {wrong_orders:.1%}")


if __name__ == "__main__":
    main()
