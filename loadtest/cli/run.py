"""`loadtest run`: prepare, measure, report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console

from loadtest.bench.servers.compose import attached, engine
from loadtest.cli.options import (
    TYPED,
    json_option,
    matrix_options,
    out_option,
    project_of,
    project_options,
    refuse_beside_resume,
    resume_option,
    resumed,
)
from loadtest.cli.output import say
from loadtest.cli.progress import Watcher
from loadtest.cli.report import write_reports
from loadtest.measure.servers import new_run, preflight, resume, session
from loadtest.plan.servers import inventory
from loadtest.plan.servers.inventory import Inventory
from loadtest.plan.servers.matrix import Choice
from loadtest.records import run_folder
from loadtest.records.measured import Launcher, Run
from loadtest.records.run_folder import SERVERS, read, replan

INTERRUPTED = 130


@click.command("run")
@matrix_options
@out_option
@resume_option
@click.option(
    "--launcher",
    type=click.Choice(get_args(Launcher)),
    help="Servers as processes of this machine (local, the default), in containers (compose),"
    " or one that is up (running).",
)
@project_options
@json_option
def run_command(
    matrix_name: str,
    folder: Path,
    python: str,
    out: Path,
    resume: Path | None,
    launcher: Launcher | None,
    as_json: bool,
    **options: Any,
) -> int:
    """Measure a matrix: quick, standard (the default, hours), seed, or a TOML file; then report.

    Example: loadtest run quick --server 'granian-*' --endpoint json --rounds 5

    With --resume, --endpoint adds these to the run.
    """
    found = inventory.take_inventory(project_of(folder, python))
    if resume is None:
        run_folder, run = _begin(found, launcher or "local", matrix_name, out, options)
    else:
        refuse_beside_resume("--endpoint", "--project", "--python")
        run_folder, run = _go_on(found, resumed(resume, out), options["endpoints"])
    for check in preflight.checks(run.plan, out, run.launcher):
        if check.advice:
            say(check.advice)
    for note in read(run_folder, SERVERS).notes:
        say(note)
    try:
        watcher = Watcher(run.plan.rounds, Console(stderr=True))
        session.measure(run_folder, run, found.project, watcher, say)
    except KeyboardInterrupt:
        kept = f"loadtest run --resume {shlex.quote(str(run_folder))}"
        say(f"interrupted; what was measured is kept: {kept}")
        return INTERRUPTED
    return write_reports(run_folder, as_json)


def _begin(
    found: Inventory, launcher: Launcher, matrix_name: str, out: Path, options: dict[str, Any]
) -> tuple[Path, Run]:
    if launcher != "local":
        # What is wrong with the request itself, before an image is built for it.
        inventory.make_plan(found, matrix_name, Choice(**options))
    found, options = _launched_by(launcher, found, out, options)
    command = command_words(matrix_name, options, launcher)
    run = new_run.make_run(found, matrix_name, Choice(**options), out, command)
    return run_folder.create(out, run), run


def _launched_by(
    launcher: Launcher, found: Inventory, out: Path, options: dict[str, Any]
) -> tuple[Inventory, dict[str, Any]]:
    """Return what a launcher has to choose from, and the options with what it leaves no choice."""
    if found.problems or launcher == "local":
        return found, options
    if launcher == "compose":
        return engine.look(found, out, say), options
    found, fixed = attached.look(found)
    return found, options | fixed


def _go_on(found: Inventory, folder: Path, further: tuple[str, ...]) -> tuple[Path, Run]:
    run = read(folder, SERVERS).run
    found, _ = _launched_by(run.launcher, found, folder.parent, {})
    resume.check_resumable(run, found, folder.parent)
    if further:
        run = resume.widened(run, found, further, parsed, command_words)
        replan(folder, run)
    return folder, run


def parsed(words: list[str]) -> tuple[str, dict[str, Any]]:
    """Return the matrix and the options of a plan that a command names; see `command_words`."""
    values = run_command.make_context("run", list(words)).params
    return values["matrix_name"], {key: values[key] for key in Choice.__struct_fields__}


def command_words(matrix_name: str, options: dict[str, Any], launcher: Launcher) -> list[str]:
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
    return words if launcher == "local" else [*words, "--launcher", launcher]
