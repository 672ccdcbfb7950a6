"""`loadtest run`: prepare, measure, report."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
import msgspec

from loadtest.cli.network import enter
from loadtest.cli.options import (
    AGENTS_PORT,
    Titled,
    address,
    consent_options,
    is_typed,
    json_option,
    matrix_options,
    out_option,
    project_of,
    project_options,
    refuse_beside_resume,
    resume_option,
    resumed,
    whole,
)
from loadtest.cli.output import say
from loadtest.cli.plan import lasts
from loadtest.plan.servers import inventory, own
from loadtest.plan.servers.inventory import Inventory
from loadtest.plan.servers.project import Project
from loadtest.records import run_folder
from loadtest.records.errors import UserError, lone
from loadtest.records.measured import Agent, Launcher, Network, Outcome, Run
from loadtest.records.planned import Choice
from loadtest.records.values import MOST_AGENTS
from loadtest.system import listening

if TYPE_CHECKING:
    from loadtest.cli.steering import Awaited
    from loadtest.measure.servers.session import MadeBy

AwaitAgents = Callable[[int, Launcher], "Awaited"]
"""Returns so many agents once they are there, and what else a launcher needs."""


@click.command("run", cls=Titled)
@matrix_options
@out_option
@resume_option
@click.option(
    "--launcher",
    type=click.Choice(get_args(Launcher)),
    help="How servers are started: local (as processes on this machine), agent (on the machine on"
    " which `loadtest agent --serves` waits for the run; goes with --agents), compose (in Docker"
    " containers) or running (not at all: the one that is already up is measured, where TARGET_URL"
    " says). Default: local.",
)
@click.option(
    "--agents",
    type=whole("--agents 2", 1, MOST_AGENTS),
    help="Have each load made by so many machines together; on each of them, `loadtest agent`"
    " waits for the run. Default: this machine makes it.",
)
@click.option(
    "--listen",
    type=address("--listen 10.0.0.1", own=True),
    default=listening.HOST,
    metavar="ADDRESS[:PORT]",
    help="Address of this machine by which its agents reach it; servers that are started here have"
    f" it as well. Default: {listening.HOST}:{AGENTS_PORT}.",
)
@project_options
@consent_options
@json_option
def run_command(
    folder: Path,
    python: str | None,
    postgres: str | None,
    redis: str | None,
    out: Path,
    resume: Path | None,
    launcher: Launcher | None,
    listen: tuple[str, int],
    as_json: bool,
    **options: Any,
) -> int:
    """Measure Django servers, then write the reports.

    \b
    MATRIX says what to measure, and under which load:
      quick      a first look, in minutes (the default)
      standard   every server at every endpoint, in an hour or two
      FILE.toml  a matrix of your own
    or it is another one of the project.

    `loadtest list matrices` says what each has in this project, `loadtest plan` shows all that one
    would measure and how long it takes. With --resume, --endpoint adds endpoints to the run.

    Example: loadtest run quick --server 'granian-*' --rounds 5
    """
    project = project_of(folder, python, postgres, redis)
    further = options["endpoints"]
    matrix = options["matrix"] if further and is_typed("matrix") else None
    begun = None if resume is None else _begun(project, resumed(resume, out), matrix)
    launcher = begun[1].launcher if begun else launcher or "local"
    network: Network | None = None
    if launcher == "local" and begun and begun[1].network != "own":
        network = "machine"  # as all of its rounds
    elif launcher == "local":
        outside = project.outside(os.environ) + ["its agents"] * bool(options["agents"])
        network, state = enter(outside, project.app.connects)
        if network == "machine":
            say(f"network: {state}")

    # What judges starts threads as it is imported, and these would stay on the other network.
    from loadtest.cli.steering import steering

    offered = dataclasses.replace(inventory.take_inventory(project), network=network)
    with steering(listen) as steered:
        if begun is None:
            run_at, run = _begin(offered, launcher, out, Choice(**options), steered.agents)
        else:
            run_at, run = _go_on(offered, *begun, further, matrix, steered.agents)
        return _measure(run_at, run, project, out, steered.made_by, as_json)


def _measure(
    run_at: Path, run: Run, project: Project, out: Path, made_by: MadeBy, as_json: bool
) -> int:
    from loadtest.cli import kinds
    from loadtest.judge.servers import within
    from loadtest.measure.experiments.rounds import rounds
    from loadtest.measure.experiments.search import search
    from loadtest.measure.preflight import others
    from loadtest.measure.servers import preflight, session

    looked = preflight.checks(
        run.plan, out, project.app, run.launcher, project.allowed, loads=not run.agents
    )
    # One that only steers has nothing to do with what is measured.
    other_load = others() if run.launcher != "agent" else None
    for check in (*looked, other_load):
        if check and check.advice:
            say(check.advice)
    stored = run_folder.read(run_at, run_folder.SERVERS)
    for name, why in own.left_out(project).items():
        say(f"{name}: {why}")
    if not stored.outcomes:
        say(lasts(run.plan, busy=bool(other_load.advice) if other_load else None))
    explored = within.Exploring(run.plan, stored.histogram)

    def bracketed(outcomes: Sequence[Outcome]) -> Mapping[str, str]:
        return {id_: between(*rates) for id_, rates in explored.brackets(outcomes).items()}

    trials = partial(
        session.ServerTrials, run.plan, next_loads=explored.next_loads, bracketed=bracketed
    )
    bench = session.bench(run_at, run, project, made_by)
    experiment = search if run.plan.explores else rounds
    return kinds.measure(kinds.SERVERS, run_at, trials, bench, as_json, experiment)


def between(low: float | None, high: float | None) -> str:
    """Return in words where a rate lies that is not known yet."""
    if low is None:
        return "" if high is None else f"below {high:,.10g}/s"
    return f"above {low:,.10g}/s" if high is None else f"{low:,.10g} to {high:,.10g}/s"


def _begin(
    offered: Inventory, launcher: Launcher, out: Path, choice: Choice, await_agents: AwaitAgents
) -> tuple[Path, Run]:
    from loadtest.measure.servers import new_run

    if launcher == "agent" and not choice.agents:
        raise UserError(lone("--launcher agent", "--agents"))
    if launcher != "local" or choice.agents:
        # What is wrong with the request itself, before an image is built or anybody waited for.
        inventory.make_plan(offered, choice)
    there = out.exists()
    offered, fixed = _launched_by(launcher, offered, out, choice.servers)
    agents, server = await_agents(choice.agents or 0, launcher)
    offered = _served_by(server, offered)
    run = new_run.make_run(offered, msgspec.structs.replace(choice, **fixed), out, agents)
    folder = run_folder.create(out, run)
    if not there and out.resolve().is_relative_to(offered.project.folder):
        own.ignore(out)  # it is new in the repository of the project
    return folder, run


def _launched_by(
    launcher: Launcher, offered: Inventory, out: Path, servers: tuple[str, ...]
) -> tuple[Inventory, dict[str, Any]]:
    """Return what a launcher has to choose from, and what of a choice it leaves no choice."""
    from loadtest.bench.servers import consent
    from loadtest.bench.servers.compose import attached, engine

    if offered.problems or launcher == "local":
        return offered, {}
    if launcher != "agent" and not offered.project.app.compose:
        raise UserError(
            f"--launcher {launcher} goes with a docker-compose.yml as loadtest's own has, which"
            " compose = true under [project] of loadtest.toml says; leave it out"
        )
    # Containers have services of their own, and one that is up already was filled by others.
    if idle := [consent.OPTIONS[service] for service in offered.project.allowed]:
        raise UserError(*(lone(option, "--launcher local") for option in idle))
    if launcher == "agent":
        return offered, {}
    if launcher == "compose":
        return engine.take_inventory(offered, out, say), {}
    return attached.take_inventory(offered, servers)


def _served_by(server: Agent | None, offered: Inventory) -> Inventory:
    """Return what there is to choose from where an agent starts the servers: what it has."""
    if server is None:
        return offered
    versions: dict[str, str | None] = {**server.machine.versions}
    return dataclasses.replace(offered, launcher="agent", versions=versions, served_by=server)


def _begun(project: Project, folder: Path, matrix: str | None) -> tuple[Path, Run]:
    """Return the run to go on with; raises UserError for what goes with none, or is no run."""
    from loadtest.bench.servers import consent

    if project.folder.is_relative_to(folder.resolve()):
        raise UserError(
            f"{project.folder} lies in the folder of the run, and nothing of that is run; type this"
            " in your project's folder, or name that with --project"
        )
    refuse_beside_resume(
        *("--endpoint", "--project", "--python", "--listen"),
        *consent.OPTIONS.values(),
        *([matrix] if matrix else []),
    )
    return folder, run_folder.read(folder, run_folder.SERVERS).run


def _go_on(
    offered: Inventory,
    folder: Path,
    run: Run,
    further: tuple[str, ...],
    matrix: str | None,
    await_agents: AwaitAgents,
) -> tuple[Path, Run]:
    from loadtest.measure.servers import resume

    servers = run.choice.servers if run.choice else ()
    offered, _ = _launched_by(run.launcher, offered, folder.parent, servers)
    agents, server = await_agents(len(run.agents), run.launcher)
    offered = _served_by(server, offered)
    resume.check_resumable(run, offered, folder, agents)
    if further:
        run = resume.widened(run, offered, further, matrix)
        run_folder.replan(folder, run)
    # The engine that is here, not one that a folder names.
    run = msgspec.structs.replace(run, engine=offered.engine)
    return folder, resume.whole(run, offered)
