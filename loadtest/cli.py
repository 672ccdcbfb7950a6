"""The command line; `loadtest --help` lists its commands.

Exit status: 0 all well; 1 it ran and the answer is no; 2 the user's mistake; 130 interrupted.
"""

from __future__ import annotations

import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from loadtest import doctor, matrix, prepare, report, results, runner, server, session
from loadtest.compare_command import compare_command
from loadtest.errors import CellError, UserError, unknown
from loadtest.import_command import import_command
from loadtest.matrix import Choice
from loadtest.model import Run, Shape
from loadtest.options import TYPED, json_option, matrix_options, out_option, project_options
from loadtest.process import CommandError
from loadtest.project import Project
from loadtest.report import terminal
from loadtest.services import services as running_services
from loadtest.summary import summarise

INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit with its status."""
    # A script's background job starts with interruptions ignored; ours stops at one all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A polite end from outside is an interruption too: stop everything, keep what was measured.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        sys.exit(cli.main(standalone_mode=False))
    except UserError as error:
        for line in error.lines:
            _say(line)
        sys.exit(2)
    except (CommandError, CellError) as error:
        _say(error.reason)
        if said := error.tail if isinstance(error, CommandError) else error.detail:
            click.echo(said, err=True)
        sys.exit(1)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        # click's own lines name the option; its usage block would hide them.
        _say(f"{error.format_message().rstrip('.')}; `loadtest --help`")
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _say(line: str) -> None:
    click.echo(f"loadtest: {line}", err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="loadtest")
def cli() -> None:
    """Which server should this Django app be deployed on, and can the answer be believed?

    Example: loadtest run quick
    """


cli.add_command(import_command)
cli.add_command(compare_command)


@cli.command("doctor")
@project_options
@out_option
@json_option
def doctor_command(folder: Path, python: str, out: Path, as_json: bool) -> int:
    """Look for all that would spoil a run; exit status 1 if there is something.

    Example: loadtest doctor
    """
    found = prepare.look(_project(folder, python))
    checks = prepare.checks(None, out)
    missing = doctor.packages(found.servers, found.versions)
    for one in found.servers:
        version = found.versions.get(one.requires[0])
        checks.append(
            doctor.Check(
                name=one.name,
                found=f"{one.requires[0]} {version}" if version else "not installed",
                advice=missing.get(one.name),
            )
        )
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(checks)).decode())
    else:
        for check in checks:
            mark = "ok" if check.advice is None else "NO"
            click.echo(f"{mark}  {check.name:<20} {check.advice or check.found}")
    return 1 if any(check.advice for check in checks) else 0


@cli.command("list")
@click.argument("what", type=click.Choice(["servers", "endpoints", "matrices"]), default="servers")
@project_options
@json_option
def list_command(what: str, folder: Path, python: str, as_json: bool) -> None:
    """Show the servers, endpoints or matrices there are.

    Example: loadtest list endpoints
    """
    rows: list[tuple[str, str, str]]
    records: list[Any]
    if what == "matrices":
        names = sorted(path.stem for path in matrix.MATRICES.glob("*.toml"))
        records = [matrix.load_matrix(name) for name in names]
        rows = [(one.name, f"{one.rounds} rounds", one.summary) for one in records]
    elif what == "endpoints":
        records = list(_project(folder, python).endpoints())
        rows = [(one.name, one.style, one.summary) for one in records]
    else:
        records = list(matrix.load_servers(_project(folder, python).folder / "servers"))
        rows = [(one.name, one.interface, one.summary) for one in records]
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(records)).decode())
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    for row in rows:
        table.add_row(*map(Text, row))
    Console(highlight=False).print(table)


@cli.command("plan")
@matrix_options
@project_options
@json_option
def plan_command(
    matrix_name: str, folder: Path, python: str, as_json: bool, **options: Any
) -> None:
    """Show what `run` would do, in order, and how long it would take; start nothing.

    Example: loadtest plan standard --server 'gunicorn-*'
    """
    found = prepare.look(_project(folder, python))
    plan = prepare.make_plan(found, matrix_name, Choice(**options))
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(plan)).decode())
        return
    todo = matrix.batches(plan, done=lambda cell, round_: False)
    for batch in todo:
        for cell in batch.cells:
            load = cell.load
            click.echo(
                f"round {batch.round + 1}  {cell.server:<18} {cell.endpoint.id:<24}"
                f" {load.connections:>5} connections {load.duration_s:>4.0f} s"
            )
    for cell in plan.cells:
        if cell.skip:
            click.echo(f"skipped  {cell.server:<18} {cell.endpoint.id:<24} {cell.skip}")
    minutes = runner.total_s(todo) / 60
    cells = sum(len(batch.cells) for batch in todo)
    if plan.precision is not None:
        limit = (
            f"{plan.budget_s / 60:.0f} min in all" if plan.budget_s else "no limit, see --budget"
        )
        click.echo(
            f"then more rounds until each ratio is known within {plan.precision:.1%}; {limit}"
        )
    click.echo(
        f"{cells} measurements in {plan.rounds} rounds, about {minutes:.0f} min;"
        f" the same order again with --seed {plan.seed}"
    )


@cli.command("run")
@matrix_options
@out_option
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    help="Go on with this run's folder: what is missing or failed is measured.",
)
@project_options
def run_command(
    matrix_name: str, folder: Path, python: str, out: Path, resume: Path | None, **options: Any
) -> int:
    """Measure a matrix: quick, standard, seed, or a TOML file; then write the report.

    Example: loadtest run quick --server 'granian-*' --endpoint json --rounds 5
    """
    found = prepare.look(_project(folder, python))
    if resume is None:
        choice = Choice(**options)
        run = prepare.make_run(found, matrix_name, choice, out, _command(matrix_name, options))
        run_folder = results.create(out, run)
    else:
        given = (key for key, value in options.items() if value not in (None, ()))
        if names := ", ".join(sorted(f"--{TYPED.get(key, key)}" for key in given)):
            raise UserError(f"--resume goes on with the plan as it was; leave out {names}")
        bare = not resume.exists() and resume == Path(resume.name)
        run_folder = out / resume if bare else resume
        run = results.read(run_folder).run
        prepare.check_resumable(run, found, run_folder.parent)
    for check in prepare.checks(run.plan, out):
        if check.advice:
            _say(check.advice)
    return _measure(run_folder, run, found.project)


def _measure(folder: Path, run: Run, project: Project) -> int:
    for note in results.read(folder).notes:
        _say(note)
    try:
        session.measure(folder, run, project, Console(stderr=True))
    except KeyboardInterrupt:
        _say(f"interrupted; what was measured is kept: loadtest run --resume {folder}")
        return INTERRUPTED
    return _report(folder)


@cli.command("report")
@click.argument("run", type=click.Path(path_type=Path), required=False)
@out_option
def report_command(run: Path | None, out: Path) -> int:
    """Write the reports of a run again, of the newest where none is named; needs no server.

    Example: loadtest report results/2026-11-20T10-00-00-quick
    """
    return _report(run if run is not None else results.newest(out))


def _report(folder: Path) -> int:
    stored = results.read(folder)
    for note in stored.notes:
        _say(note)
    summary = summarise(
        stored.run, stored.outcomes, stored.histogram, stored.segments, stored.ceilings
    )
    made = report.Report(summary, stored.run, stored.raw)
    with results.writing(folder):
        files = report.write_all(made, folder)
    # Into a file or a pipe the table is as wide as it is made for.
    console = Console(highlight=False, width=None if sys.stdout.isatty() else terminal.WIDTH)
    terminal.show(made, console)
    for path in files:
        console.print(str(path), markup=False, soft_wrap=True)
    counts = made.summary.counts
    return 1 if counts.failed or counts.measured_with_failed_rounds or counts.invalid else 0


@cli.command("serve")
@click.argument("name", metavar="SERVER")
@click.option(
    "--port", type=click.IntRange(1, 65_535), default=server.FIRST_PORT, show_default=True
)
@click.option("--workers", type=int, default=Shape().workers, show_default=True)
@click.option("--threads", type=int, default=Shape().threads, show_default=True)
@project_options
def serve_command(
    name: str, port: int, workers: int, threads: int, folder: Path, python: str
) -> int:
    """Run one server with its services in the foreground, as a run would, until Ctrl-C.

    Example: loadtest serve granian-wsgi --port 8000
    """
    found = prepare.look(_project(folder, python))
    known = {one.name: one for one in found.servers}
    if name not in known:
        raise UserError(unknown("server", name, known))
    missing = doctor.packages(found.servers, found.versions)
    if name in missing:
        raise UserError(f"{name}: {missing[name]}")
    shape = Shape(workers=workers, threads=threads)
    with (
        tempfile.TemporaryDirectory(prefix="loadtest-serve-") as logs,
        running_services(found.project, Path(logs), shape) as services,
    ):
        free = server.free_port(port)
        if free != port:
            _say(f"port {port} is taken, using {free}")
        instance = server.launch(
            known[name],
            shape,
            python=python,
            project=found.project.folder,
            env=found.project.env | services.env,
            log=Path(logs) / "server.log",
            port=free,
        )
        click.echo(
            f"{name} answers at http://{server.HOST}:{free}/myapp/sync/json (Ctrl-C ends it)"
        )
        try:
            with open(instance.process.log, encoding="utf-8", errors="replace") as log:
                while (ended := instance.process.ended()) is None:
                    click.echo(log.read(), nl=False, err=True)
                    time.sleep(0.2)
                click.echo(log.read(), nl=False, err=True)
            _say(ended)
            return 1
        except KeyboardInterrupt:
            return 0
        finally:
            instance.process.stop()


@cli.command("services")
@project_options
def services_command(folder: Path, python: str) -> int:
    """Run the private PostgreSQL, Valkey and upstream, migrated and seeded, until Ctrl-C.

    Example: loadtest services (and paste what it prints into another terminal)
    """
    project = _project(folder, python)
    with (
        tempfile.TemporaryDirectory(prefix="loadtest-services-") as logs,
        running_services(project, Path(logs), Shape()) as services,
    ):
        for key, value in services.env.items():
            click.echo(f"export {key}='{value}'")
        try:
            while (died := services.repair()) is None:
                time.sleep(0.5)
            _say(died.reason)
            return 1
        except KeyboardInterrupt:
            return 0


def _project(folder: Path, python: str) -> Project:
    return Project(folder=folder.resolve(), python=python)


def _command(matrix_name: str, options: dict[str, Any]) -> list[str]:
    """Return what to type for the same run again, but for its seed."""
    words = ["loadtest", "run", matrix_name]
    for key, value in options.items():
        if key == "seed" or value is None:
            continue
        if isinstance(value, bool):
            words.append(f"--{'' if value else 'no-'}{key}")
            continue
        for one in value if isinstance(value, tuple) else (value,):
            text = f"{one:g}s" if key == "budget" else str(one)
            words += [f"--{TYPED.get(key, key)}", shlex.quote(text)]
    return words


if __name__ == "__main__":
    main()
