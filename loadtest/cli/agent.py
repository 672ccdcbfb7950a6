"""`loadtest agent`: make loads or start servers for runs that another machine steers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadtest.cli.network import enter
from loadtest.cli.options import AGENTS_PORT, address, is_typed, project_of, project_options
from loadtest.cli.output import say
from loadtest.records.errors import UserError, lone

if TYPE_CHECKING:
    from loadtest.bench.load.agents.linked import Address
    from loadtest.bench.servers.agents.serving import Serving
    from loadtest.plan.servers.project import Project


@click.command("agent")
@click.option(
    "--master",
    type=address("--master 10.0.0.1"),
    required=True,
    metavar="HOST[:PORT]",
    help="Where the machine that steers listens, as `loadtest run --agents` prints it."
    f" The usual port is {AGENTS_PORT}.",
)
@click.option(
    "--any-target",
    is_flag=True,
    help="Load servers at public addresses too. Default: this machine and private networks only.",
)
@click.option(
    "--serves",
    is_flag=True,
    help="Start the servers of runs with --launcher agent, and their services, on this machine."
    " Default: make a part of the load.",
)
@project_options
def agent_command(
    master: tuple[str, int], any_target: bool, serves: bool, folder: Path, python: str | None
) -> int:
    """Make a part of the load of runs that another machine steers; Ctrl-C ends it.

    It runs this machine's wrk and nothing else, for whoever knows LOADTEST_SECRET; with --serves,
    the servers and services of its own installation and project.

    Example: loadtest agent --master 10.0.0.1
    """
    from loadtest.bench.load.agents import linked, signing
    from loadtest.bench.load.agents.agent import Agent
    from loadtest.bench.load.agents.linked import Address
    from loadtest.measure import preflight
    from loadtest.system import machine, process

    if serves and any_target:
        raise UserError(
            "--any-target is for agents that make load; leave out --any-target or --serves"
        )
    typed = {"--project": is_typed("folder"), "--python": is_typed("python")}
    if not serves and any(typed.values()):
        raise UserError(*(lone(option, "--serves") for option, there in typed.items() if there))
    linked.check_installed()
    secret = signing.secret_of(os.environ)
    if not serves and (problem := preflight.tool().advice):
        raise UserError(problem)
    at = Address(*master)
    with process.folder("loadtest-agent-") as kept:
        (kept.path / "raw").mkdir()
        versions: Mapping[str, str | None] = {}
        serving: Callable[[], Serving] | None = None
        if serves:
            versions, serving = _serving(project_of(folder, python), at, kept.path)
        agent = Agent(
            master=at,
            secret=secret,
            machine=machine.describe(versions or {"wrk": preflight.wrk_version()}),
            version=linked.version(),
            folder=kept.path,
            say=say,
            anywhere=any_target,
            serves=serving,
        )
        try:
            agent.run()
        except KeyboardInterrupt:
            return 0


def _serving(
    project: Project, at: Address, folder: Path
) -> tuple[Mapping[str, str | None], Callable[[], Serving]]:
    """Return the versions of what servers need here, and what starts them in each session.

    Raises UserError with all that stands in its way.
    """
    from loadtest.bench.servers import services
    from loadtest.bench.servers.agents.serving import Serving
    from loadtest.measure.preflight import backlog
    from loadtest.measure.servers.preflight import postgres_version
    from loadtest.plan.servers import inventory
    from loadtest.records.planned import Shape

    _, state = enter(["those that load it"], project.app.connects)
    say(f"network: {state}")
    offered = inventory.take_inventory(project)
    addresses = project.app.addresses
    if problems := [
        *offered.problems,
        *(
            f"{name} is set, and an agent has services of its own; unset it"
            for name in project.outside(os.environ)
        ),
        *services.obstacles(1, addresses),
    ]:
        raise UserError(*problems)
    if advice := backlog(Shape().backlog).advice:
        say(advice)
    profiles = {server.name: server for server in offered.servers}
    private = {"PostgreSQL": postgres_version()} if "postgres" in addresses else {}
    return offered.versions | private, lambda: Serving(project, profiles, at, folder)
