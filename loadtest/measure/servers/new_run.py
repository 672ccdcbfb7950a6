"""A run that can start: all that stands in its way is named at once."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from loadtest.bench.servers.compose import serve
from loadtest.measure.preflight import wrk_version
from loadtest.measure.servers import preflight
from loadtest.measure.servers.preflight import checks
from loadtest.plan.servers import profile
from loadtest.plan.servers.inventory import Inventory, make_plan
from loadtest.records import run_folder
from loadtest.records.errors import UserError, lone
from loadtest.records.measured import Agent, Launcher, Machine, Placement, Run
from loadtest.records.planned import Choice, Goal, Plan
from loadtest.records.privacy import public_path
from loadtest.system import cpu_pinning, listening, machine

OPTIONS = {
    "servers": "server",
    "endpoints": "endpoint",
    "styles": "style",
    "rounds": "rounds",
    "duration_s": "duration",
    "connections": "connections",
    "rates": "rate",
    "arrivals": "arrivals",
    "within": "within",
    "workers": "workers",
    "threads": "threads",
    "shapes": "shape",
    "variants": "variant",
    "precision": "precision",
    "budget_s": "budget",
    "pin": "pin",
    "seed": "seed",
    "agents": "agents",
}
"""What is typed for each field of a choice."""


def make_run(offered: Inventory, choice: Choice, out: Path, agents: tuple[Agent, ...] = ()) -> Run:
    """Return a run that can start; raises UserError with all that stands in its way at once.

    `agents` are those that make its loads; without, this machine does.
    """
    problems: list[str] = []
    plan: Plan | None = None
    try:
        plan = make_plan(offered, choice)
    except UserError as error:
        problems.extend(error.lines)
    placed: Placement | None = None
    try:
        # Only this machine's processors can be pinned; a remote engine's are set in its `.env`.
        remote = offered.served_by or (offered.engine is not None and offered.engine.remote)
        if remote and choice.pin:
            problems.append(lone("--pin", "--launcher local"))
        placed = cpu_pinning.choose(False if remote else choice.pin)
    except UserError as error:
        problems.extend(error.lines)
    several = plan is not None and any(server.shape for server in plan.servers)
    if several and offered.launcher in ("compose", "running"):
        problems.append(
            f"--launcher {offered.launcher}: all servers have one shape there; choose it by"
            " --workers and --threads"
        )
    project = offered.project
    looked = checks(plan, out, project.app, offered.launcher, project.allowed, loads=not agents)
    problems += [check.advice or check.state for check in looked if check.fatal]
    if problems or plan is None:
        raise UserError(*problems)
    if offered.launcher == "running":
        # Nobody tells what such a server holds, so there is nothing to wait for.
        plan = msgspec.structs.replace(plan, observe_release=False)
    choice = msgspec.structs.replace(choice, seed=plan.seed, matrix=public_path(choice.matrix))
    return Run(
        format=run_folder.FORMAT,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=command_of(choice, offered.launcher),
        choice=choice,
        plan=plan,
        machine=this_machine(offered, agents),
        argv=_argv(offered, plan),
        placement=placed,
        launcher=offered.launcher,
        engine=offered.engine,
        network=offered.network,
        site=offered.site,
        agents=agents,
        served_by=offered.served_by,
    )


def command_of(choice: Choice, launcher: Launcher) -> str:
    """Return what to type for a run that was asked for like this."""
    words = ["loadtest", "run", choice.matrix]
    for key, option in OPTIONS.items():
        value = getattr(choice, key)
        if isinstance(value, bool):
            words.append(f"--{option}" if value else f"--no-{option}")
        elif isinstance(value, tuple):
            words += [word for each in value for word in (f"--{option}", _typed(each))]
        elif isinstance(value, Goal):
            words += [word for part in value.typed for word in (f"--{option}", part)]
        elif value is not None:
            words += [f"--{option}", f"{value:g}s" if key == "budget_s" else str(value)]
    if launcher != "local":
        words += ["--launcher", launcher]
    return shlex.join(words)


def _typed(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.10g}"


def _argv(offered: Inventory, plan: Plan) -> dict[str, tuple[str, ...]]:
    """Return the command line of each server, as in its container where it has one.

    A project's own is what it can be deployed with: what stands in for a module is the run's.
    """
    local = offered.launcher in ("local", "agent")
    python = Path(offered.project.python if local else "python").name
    app = offered.project.app
    app = dataclasses.replace(app, applications={**app.applications, **app.generated})
    project = dataclasses.replace(offered.project, python=python, app=app)
    host = listening.HOST if local else serve.HOST
    return {
        server.name: profile.command(server, plan.shape, project, serve.PORT, 3, host).argv
        for server in plan.servers
    }


def this_machine(offered: Inventory, agents: Sequence[Agent] = ()) -> Machine:
    """Return what a run says of the machine that servers run on; wrk is that of its agents."""
    versions = {"wrk": agents[0].machine.versions["wrk"] if agents else wrk_version()}
    if offered.served_by is not None:
        there = offered.served_by.machine
        return msgspec.structs.replace(there, versions=there.versions | versions)
    if offered.launcher == "local" and "postgres" in offered.project.app.addresses:
        versions["PostgreSQL"] = preflight.postgres_version()
    return machine.describe(offered.versions | versions)
