"""How well the figures of a load at a rate repeat: A/A, on a quiet machine and a busy one.

    python -m benchmarks.repeats                        # both, about 17 minutes
    python -m benchmarks.repeats --only quiet           # one of them, about 8 minutes
    python -m benchmarks.repeats --only burner --rounds 5
    python -m benchmarks.repeats --from RUN --from RUN  # measure nothing

Three servers get 200 requests/s at random, one of them as two servers. They are launched anew for
each round; in a round, the two copies of one are loaded within seconds of each other.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from statistics import stdev, variance

import click

from benchmarks.answer import burning
from loadtest.judge.servers.metrics import HELD, late, latencies
from loadtest.judge.servers.turns import merged
from loadtest.records import run_folder
from loadtest.records.measured import Outcome
from loadtest.records.planned import Cell
from loadtest.records.run_folder import ServersRun
from loadtest.stats.latency import SAMPLES_NEEDED, count, percentile

MATRIX = Path(__file__).with_name("repeats.toml")

SETTINGS = {"quiet": "nothing else running", "burner": "beside the burner"}

FIGURES = ("CPU per request", "p50", "p99")

Rounds = dict[int, tuple[float | None, ...]]
"""The figures of a server by round; None where the rate was not held."""


def by_server(stored: ServersRun) -> dict[str, Rounds]:
    """Return what each server showed in its rounds."""
    cells = {cell.id: cell for cell in stored.run.plan.cells}
    servers: dict[str, Rounds] = {cell.server: {} for cell in cells.values()}
    for outcome in merged(stored.outcomes):
        if outcome.status == "measured" and outcome.loaded:
            cell = cells[outcome.cell]
            figures = (outcome.server_cpu_us, *_latencies(cell, outcome, stored))
            servers[cell.server][outcome.round] = figures
    return servers


def _latencies(cell: Cell, outcome: Outcome, stored: ServersRun) -> tuple[float | None, ...]:
    of = latencies(cell, [outcome], stored.histogram)
    sent = [load.loaded.sent for load in outcome.loads if load.loaded and load.loaded.sent]
    if late(sent) > HELD or count(of.raw) < SAMPLES_NEEDED[99]:
        return None, None
    return percentile(of.raw, 50, of.late), percentile(of.raw, 99, of.late)


def table(setting: str, stored: ServersRun) -> Iterator[str]:
    """Yield lines of a table: by how much each figure varies, as standard deviations."""
    servers, plan = by_server(stored), stored.run.plan
    copies = [each.name for each in plan.servers if each.duplicate_of] + [plan.reference or ""]
    loads = sum(len(rounds) for rounds in servers.values())
    for at, name in enumerate(FIGURES):
        logs = {
            server: {number: math.log(value) for number, of in rounds.items() if (value := of[at])}
            for server, rounds in servers.items()
        }
        each = [list(of.values()) for of in logs.values() if len(of) > 1]
        degrees = sum(len(of) - 1 for of in each)
        around = sum((len(of) - 1) * variance(of) for of in each) / max(1, degrees)
        copy, original = (logs.get(server, {}) for server in copies)
        apart = [copy[number] - original[number] for number in copy.keys() & original.keys()]
        yield (
            f"| {setting} | {name} | {math.sqrt(around):.1%}"
            f" | {f'{stdev(apart):.1%}' if len(apart) > 1 else '-'}"
            f" | {sum(len(of) for of in logs.values())} of {loads} |"
        )


def measure(setting: str, rounds: int, seed: int, out: Path) -> Path:
    """Make a run, and return its folder."""
    argv = [sys.executable, "-m", "loadtest", "run", str(MATRIX), "--rounds", str(rounds)]
    argv += ["--seed", str(seed), "--out", str(out), "--json"]
    with burning(seed) if setting == "burner" else nullcontext():
        done = subprocess.run(argv, stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1):
        raise click.ClickException(f"{' '.join(argv)} ended with status {done.returncode}")
    return Path(json.loads(done.stdout)["folder"])


@click.command()
@click.option("--only", type=click.Choice(tuple(SETTINGS)), help="Default: both.")
@click.option("--rounds", default=10, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=Path("results/repeats"))
@click.option(
    "--from",
    "sources",
    type=click.Path(exists=True, path_type=Path),
    multiple=True,
    help="Measure nothing: tell of the runs in these folders.",
)
def main(only: str | None, rounds: int, seed: int, out: Path, sources: Sequence[Path]) -> None:
    """Measure how well figures at a rate repeat."""
    folders = {str(source): source for source in sources}
    for setting in () if sources else (only,) if only else SETTINGS:
        out.mkdir(parents=True, exist_ok=True)
        folders[SETTINGS[setting]] = measure(setting, rounds, seed, out)
    click.echo("| setting | figure | from round to round | two copies in a round | loads with it |")
    click.echo("| --- | --- | --: | --: | --: |")
    for setting, folder in folders.items():
        for line in table(setting, run_folder.read(folder, run_folder.SERVERS)):
            click.echo(line)


if __name__ == "__main__":
    main()
