"""`loadtest run`: prepare, measure, report."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any, get_args

import click

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
from loadtest.cli.output import INTERRUPTED, say
from loadtest.plan.servers import inventory
from loadtest.plan.servers.inventory import Inventory
from loadtest.plan.servers.matrix import Choice
from loadtest.records import run_folder
from loadtest.records.measured import Launcher, Run
from loadtest.records.run_folder import SERVERS, read, replan


@click.command("run")
@matrix_options
@out_option
@resume_option
@click.option(
    "--launcher",
    type=click.Choice(get_args(Launcher)),
    help="How servers are started: as processes of this machine (local), in containers of Docker"
    " (compose), or not at all, as one is up already (running). Default: local.",
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
    """Measure Django servers, then write the reports.

    MATRIX says which servers at which endpoints under which load: quick (under six minutes),
    standard (the default, hours), seed, or a TOML file of yours. `loadtest plan` says beforehand
    how long it takes. With --resume, --endpoint adds endpoints to the run.

    Example: loadtest run quick --server 'granian-*' --endpoint json --rounds 5
    """
    from rich.console import Console

    from loadtest.cli.progress import Watcher
    from loadtest.cli.report import write_reports
    from loadtest.measure.servers import preflight, session

    offered = inventory.take_inventory(project_of(folder, python))
    if resume is None:
        run_folder, run = _begin(offered, launcher or "local", matrix_name, out, options)
    else:
        refuse_beside_resume("--endpoint", "--project", "--python")
        run_folder, run = _go_on(offered, resumed(resume, out), options["endpoints"])
    for check in preflight.checks(run.plan, out, run.launcher):
        if check.advice:
            say(check.advice)
    for note in read(run_folder, SERVERS).notes:
        say(note)
    try:
        watcher = Watcher(run.plan.rounds, Console(stderr=True))
        session.measure(run_folder, run, offered.project, watcher, say)
    except KeyboardInterrupt:
        kept = f"loadtest run --resume {shlex.quote(str(run_folder))}"
        say(f"interrupted; what was measured is kept: {kept}")
        return INTERRUPTED
    return write_reports(run_folder, as_json)


def _begin(
    offered: Inventory, launcher: Launcher, matrix_name: str, out: Path, options: dict[str, Any]
) -> tuple[Path, Run]:
    from loadtest.measure.servers import new_run

    if launcher != "local":
        # What is wrong with the request itself, before an image is built for it.
        inventory.make_plan(offered, matrix_name, Choice(**options))
    offered, options = _launched_by(launcher, offered, out, options)
    command = command_words(matrix_name, options, launcher)
    run = new_run.make_run(offered, matrix_name, Choice(**options), out, command)
    return run_folder.create(out, run), run


def _launched_by(
    launcher: Launcher, offered: Inventory, out: Path, options: dict[str, Any]
) -> tuple[Inventory, dict[str, Any]]:
    """Return what a launcher has to choose from, and the options with what it leaves no choice."""
    from loadtest.bench.servers.compose import attached, engine

    if offered.problems or launcher == "local":
        return offered, options
    if launcher == "compose":
        return engine.look(offered, out, say), options
    offered, fixed = attached.look(offered)
    return offered, options | fixed


def _go_on(offered: Inventory, folder: Path, further: tuple[str, ...]) -> tuple[Path, Run]:
    from loadtest.measure.servers import resume

    run = read(folder, SERVERS).run
    offered, _ = _launched_by(run.launcher, offered, folder.parent, {})
    resume.check_resumable(run, offered, folder.parent)
    if further:
        run = resume.widened(run, offered, further, parsed, command_words)
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
        for each in value if isinstance(value, tuple) else (value,):
            text = f"{each:g}s" if key == "budget" else str(each)
            words += [f"--{TYPED.get(key, key)}", shlex.quote(text)]
    return words if launcher == "local" else [*words, "--launcher", launcher]
