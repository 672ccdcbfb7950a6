"""A run that can start: all that stands in its way is named at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from loadtest.bench.servers.compose import serve
from loadtest.measure.servers import preflight
from loadtest.measure.servers.preflight import checks
from loadtest.plan.servers import profile
from loadtest.plan.servers.inventory import Inventory, make_plan
from loadtest.plan.servers.matrix import Choice
from loadtest.records import run_folder
from loadtest.records.errors import UserError
from loadtest.records.measured import Machine, Placement, Run
from loadtest.records.planned import Plan
from loadtest.system import cpu_pinning, listening, machine


def make_run(found: Inventory, name: str, choice: Choice, out: Path, command: Sequence[str]) -> Run:
    """Return a run that can start; raises UserError with all that stands in its way at once."""
    problems: list[str] = []
    plan: Plan | None = None
    try:
        plan = make_plan(found, name, choice)
    except UserError as error:
        problems.extend(error.lines)
    if choice.budget is not None and choice.precision is None:
        problems.append("--budget limits --precision; name both, as in --precision 3% --budget 20m")
    placed: Placement | None = None
    try:
        # What the server has on another machine, says that machine's `.env`.
        remote = found.engine is not None and found.engine.remote
        placed = cpu_pinning.choose(False if remote else choice.pin)
    except UserError as error:
        problems.extend(error.lines)
    looked = checks(plan, out, found.launcher)
    problems += [check.advice or check.found for check in looked if check.fatal]
    if problems or plan is None:
        raise UserError(*problems)
    if found.launcher == "running":
        # Nobody tells what such a server holds, so there is nothing to wait for.
        plan = msgspec.structs.replace(plan, observe_release=False)
    return Run(
        format=run_folder.FORMAT,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=" ".join([*command, "--seed", str(plan.seed)]),
        plan=plan,
        machine=_machine(found),
        argv=_argv(found, plan),
        placement=placed,
        launcher=found.launcher,
        engine=found.engine,
    )


def _argv(found: Inventory, plan: Plan) -> dict[str, tuple[str, ...]]:
    """Return the command line of each server, as in its container where it has one."""
    local = found.launcher == "local"
    python = Path(found.project.python if local else "python").name
    project = dataclasses.replace(found.project, python=python)
    host = listening.HOST if local else serve.HOST
    return {
        server.name: profile.command(server, plan.shape, project, serve.PORT, 3, host).argv
        for server in plan.servers
    }


def _machine(found: Inventory) -> Machine:
    versions = {"wrk": preflight.wrk_version()}
    if found.launcher == "local":
        versions["PostgreSQL"] = preflight.postgres_version()
    return machine.describe(found.versions | versions)
