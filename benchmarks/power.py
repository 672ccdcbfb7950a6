"""Which differences the tool finds, with how many rounds, and how often it finds one in nothing.

    python -m benchmarks.power                          # about 18 min on 2 processors
    python -m benchmarks.power --resume results/<run>   # go on with one that was stopped
    python -m benchmarks.power --from results/<run>/power.json

One server is run as it is, three times over, and with 2, 5, 10 and 20 % of a request's CPU time
added to each request: an ordinary run, through the engine's own rounds, launches, checks and loads.
Then rounds are drawn from it, see `resample`.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import click
import msgspec
from rich.console import Console

from benchmarks import resample
from benchmarks.resample import Rounds
from loadtest.bench.servers.local import LocalBench
from loadtest.bench.servers.services import services as running_services
from loadtest.cli.output import say
from loadtest.cli.progress import Watcher
from loadtest.judge.servers.turns import merged
from loadtest.measure import loop
from loadtest.measure.experiments.rounds import rounds as experiment
from loadtest.measure.servers import new_run, session
from loadtest.measure.servers.resume import check_resumable
from loadtest.plan.servers import inventory, matrix, own
from loadtest.plan.servers.inventory import Inventory
from loadtest.plan.servers.project import Project
from loadtest.records import run_folder
from loadtest.records.errors import UserError, unknown
from loadtest.records.measured import Outcome
from loadtest.records.planned import Cell, Choice, Endpoint, Load, Server, Shape
from loadtest.records.run_folder import ServersRun
from loadtest.stats.cpu_drift import drift_corrected_us, speed_us

ROOT = Path(__file__).resolve().parent.parent
MATRIX = Path(__file__).with_name("power.toml")
FILE = "power.json"
BUSY = "BENCHMARK_BUSY_US"
ADDED = (0.02, 0.05, 0.10, 0.20)
"""Of a request's CPU time."""
ENDPOINT = "json-sync"
CALIBRATIONS = 3
"""Launches; how much CPU time a request takes differs a little between them."""


def arm(profile: Server, name: str, busy_us: float) -> Server:
    """Return the server under another name, serving the app with CPU time added."""
    application = f"benchmarks.slower:{profile.interface}"
    return msgspec.structs.replace(
        profile,
        name=name,
        summary=f"{profile.name} with {busy_us:.2f} us of CPU time added to each request.",
        argv=tuple(application if word == "{application}" else word for word in profile.argv),
        env={**profile.env, BUSY: f"{busy_us:.3f}"},
        limits=(),
    )


def arms(profile: Server, base_cpu_us: float) -> tuple[Server, ...]:
    """Return all that take part; the matrix adds the second arm of `base`."""
    return (
        arm(profile, "base", 0.0),
        arm(profile, "same", 0.0),
        *(arm(profile, f"plus-{share:.0%}".rstrip("%"), base_cpu_us * share) for share in ADDED),
    )


def calibrate(offered: Inventory, profile: Server, endpoint: Endpoint, load: Load) -> float:
    """Return the CPU microseconds of the server's processes for an answer."""
    calibrated = arm(profile, "calibration", 0.0)
    cell = Cell(server=calibrated.name, endpoint=endpoint, load=load)
    found_us = []
    with tempfile.TemporaryDirectory(prefix="loadtest-power-") as name:
        folder = Path(name)
        (folder / "raw").mkdir()
        (folder / "logs").mkdir()
        with running_services(offered.project, folder / "logs", Shape()) as services:
            bench = LocalBench(services, Shape(), folder, None)
            for number in range(CALIBRATIONS):
                running = bench.launch(calibrated, f"{cell.id}.r{number}")
                try:
                    running.verify(endpoint, concurrency=8, seconds=load.warmup_s, stage="verify")
                    measured = running.load(cell, f"{cell.id}.r{number}")
                finally:
                    running.stop()
                answers = measured.printed.loaded.answers
                found_us.append(measured.sampled.usage["server"].cpu_s * 1e6 / answers)
    return median(found_us)


def look(project: Project, name: str) -> tuple[Inventory, Server, Endpoint]:
    """Return what the project offers, the server by its name, and the endpoint."""
    offered = inventory.take_inventory(project)
    profiles = {each.name: each for each in offered.servers}
    if name not in profiles:
        raise UserError(unknown("server", name, profiles))
    return offered, profiles[name], next(each for each in offered.endpoints if each.id == ENDPOINT)


def begin(project: Project, name: str, choice: Choice, out: Path) -> Path:
    """Measure a request's CPU time, choose the additions, and return the folder of a new run."""
    offered, profile, endpoint = look(project, name)
    load = matrix.fit(endpoint, matrix.load_matrix(str(MATRIX)).loads, choice)
    taking_part = arms(profile, calibrate(offered, profile, endpoint, load))
    bearings = Inventory(project, taking_part, (endpoint,), offered.versions)
    run = new_run.make_run(bearings, msgspec.structs.replace(choice, matrix=str(MATRIX)), out)
    command = f"python -m benchmarks.power --server {name}"
    return run_folder.create(out, msgspec.structs.replace(run, command=command))


def rounds(stored: ServersRun) -> Rounds:
    """Return the rounds of a power run."""
    plan = stored.run.plan
    added_us = {server.name: float(server.env[BUSY]) for server in plan.servers}
    last = {(each.cell, each.round): each for each in merged(stored.outcomes)}

    usual_us = speed_us(last.values())

    def values(arm: str, of: str) -> tuple[float | None, ...]:
        each = (last.get((f"{arm}.{ENDPOINT}", at)) for at in range(plan.rounds))
        return tuple(_figure(outcome, of, usual_us) for outcome in each)

    return Rounds(
        server=stored.run.command.partition("--server ")[2].split()[0],
        base_cpu_us=added_us[f"plus-{ADDED[-1]:.0%}".rstrip("%")] / ADDED[-1],
        identical=tuple(name for name, us in added_us.items() if not us),
        added_us={name: us for name, us in added_us.items() if us},
        goodput={name: values(name, "goodput") for name in added_us},
        cpu_us={name: values(name, "cpu_us") for name in added_us},
        evened_us={name: values(name, "evened_us") for name in added_us},
    )


def _figure(outcome: Outcome | None, of: str, usual_us: float) -> float | None:
    if outcome is None or outcome.status != "measured" or outcome.loaded is None:
        return None
    if of == "goodput":
        return outcome.loaded.goodput
    return outcome.server_cpu_us if of == "cpu_us" else drift_corrected_us(outcome, usual_us)


def read(source: Path) -> Rounds:
    """Return the rounds of a run's folder, or of the file that was made of one."""
    if source.is_dir():
        return rounds(run_folder.read(source, run_folder.SERVERS))
    return msgspec.json.decode(source.read_bytes(), type=Rounds)


@click.command()
@click.option("--server", "name", default="gunicorn-gthread", show_default=True)
@click.option("--rounds", "count", type=int, help="30 where not given.")
@click.option("--duration", "duration_s", type=int, help="Seconds of a load; 2 where not given.")
@click.option("--connections", type=int, help="64 where not given.")
@click.option("--seed", type=int, help="Of the order of the arms.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("results"), show_default=True)
@click.option("--resume", type=click.Path(path_type=Path), help="Go on with this run's folder.")
@click.option(
    "--from",
    "source",
    type=click.Path(exists=True, path_type=Path),
    help="Measure nothing: draw from the rounds of this folder or power.json.",
)
@click.option("--resamples", default=1000, show_default=True, help="Experiments that are drawn.")
def main(
    name: str,
    count: int | None,
    duration_s: int | None,
    connections: int | None,
    seed: int | None,
    out: Path,
    resume: Path | None,
    source: Path | None,
    resamples: int,
) -> None:
    """Measure which differences are found with how many rounds."""
    if source is None:
        project = own.project_at(ROOT, sys.executable)
        choice = Choice(rounds=count, duration_s=duration_s, connections=connections, seed=seed)
        if resume:
            check_resumable(
                run_folder.read(resume, run_folder.SERVERS).run,
                inventory.take_inventory(project),
                resume.absolute().parent,
            )
        source = resume or begin(project, name, choice, out)
        click.echo(f"to go on with it: python -m benchmarks.power --resume {source}", err=True)
        stored = run_folder.read(source, run_folder.SERVERS)
        watcher = Watcher(stored.run.plan.rounds, Console(stderr=True))
        loop.fill(
            stored,
            session.ServerTrials(stored.run.plan, lambda outcomes: ()),
            experiment,
            session.bench(source, stored.run, project),
            watcher,
            say,
        )
        measured = rounds(run_folder.read(source, run_folder.SERVERS))
        text = msgspec.json.format(msgspec.json.encode(measured), indent=1)
        (source / FILE).write_bytes(text + b"\n")
    _show(read(source), resamples)


def _show(measured: Rounds, resamples: int) -> None:
    if not resample.complete(measured, measured.goodput):
        raise click.ClickException("no round has a number for every arm; its logs say why")
    click.echo(resample.tables(measured, resamples))


def run(arguments: Sequence[str] | None = None) -> None:
    """Run the command, a user's mistake being one line."""
    try:
        main(arguments)
    except UserError as error:
        click.echo(f"power: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    run()
