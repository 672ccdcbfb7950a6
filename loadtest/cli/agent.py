"""`loadtest agent`: make a part of the load of runs that another machine steers, until Ctrl-C."""

from __future__ import annotations

import os

import click

from loadtest.cli.options import AGENTS_PORT, address
from loadtest.cli.output import say
from loadtest.records.errors import UserError


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
def agent_command(master: tuple[str, int], any_target: bool) -> int:
    """Make a part of the load of runs that another machine steers.

    It runs this machine's wrk and nothing else, for whoever knows LOADTEST_SECRET; Ctrl-C ends it.

    Example: loadtest agent --master 10.0.0.1
    """
    from importlib.metadata import version

    from loadtest.bench.load.agents import linked, signing
    from loadtest.bench.load.agents.agent import Agent
    from loadtest.bench.load.agents.linked import Address
    from loadtest.measure import preflight
    from loadtest.system import machine, process

    linked.check_installed()
    secret = signing.secret_of(os.environ)
    if problem := preflight.tool().advice:
        raise UserError(problem)
    with process.folder("loadtest-agent-") as folder:
        (folder.path / "raw").mkdir()
        agent = Agent(
            master=Address(*master),
            secret=secret,
            machine=machine.describe({"wrk": preflight.wrk_version()}),
            version=version("loadtest"),
            folder=folder.path,
            say=say,
            anywhere=any_target,
        )
        try:
            agent.run()
        except KeyboardInterrupt:
            return 0
