"""From what the command line asks for to a run that can start: all mistakes are found here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from loadtest import doctor, machine, matrix, placement, results, server
from loadtest.compose import serve
from loadtest.errors import UserError
from loadtest.matrix import Choice, Matrix
from loadtest.model import Endpoint, Engine, Launcher, Machine, Placement, Plan, Run, Server
from loadtest.project import Project


@dataclass(frozen=True)
class Bearings:
    """What there is to choose from: the project's endpoints and servers, and what is installed."""

    project: Project
    servers: tuple[Server, ...]
    endpoints: tuple[Endpoint, ...]
    versions: dict[str, str | None]
    """Of the app's interpreter; None: not installed."""
    problems: tuple[str, ...] = ()
    """Mistakes in the project's files, a line each: with one of them nothing can be planned."""
    broken: tuple[str, ...] = ()
    """Servers whose file has one."""
    launcher: Launcher = "local"
    engine: Engine | None = None
    """Of `compose`; the versions are then its image's."""


def look(project: Project) -> Bearings:
    """Read what a project offers, as far as it can be read."""
    problems: list[str] = []
    endpoints: tuple[Endpoint, ...] = ()
    versions: dict[str, str | None] = {}
    servers, broken = matrix.read_servers(project.folder / "servers")
    for lines in broken.values():
        problems.extend(lines)
    if not servers and not broken:
        problems.append(matrix.no_server(project.folder / "servers"))
    try:
        endpoints = project.endpoints()
        versions = project.versions(doctor.distributions(servers))
    except UserError as error:
        problems.extend(error.lines)
    return Bearings(project, servers, endpoints, versions, tuple(problems), tuple(broken))


def make_plan(found: Bearings, name: str, choice: Choice) -> Plan:
    """Return the plan of a matrix for a project; raises UserError with every mistake in it."""
    problems = list(found.problems)
    chosen = Matrix(name=name, summary="", rounds=1, loads=())
    try:
        chosen = matrix.load_matrix(name)
    except UserError as error:
        problems.extend(error.lines)
    missing = doctor.packages(found.servers, found.versions)
    if problems:
        # A server keeps its name though its file is broken: to choose it is no second mistake.
        names = sorted([*(one.name for one in found.servers), *found.broken])
        raise UserError(*problems, *matrix.mistakes(chosen, names, found.endpoints, choice))
    return matrix.expand(chosen, found.servers, found.endpoints, choice, missing)


def checks(plan: Plan | None, out: Path, launcher: Launcher = "local") -> list[doctor.Check]:
    """Look at all that a run needs of this machine."""
    connections = max((cell.load.connections for cell in plan.cells), default=64) if plan else 64
    return [
        doctor.tool(),
        doctor.files(connections),
        doctor.folder(out),
        *([doctor.port()] if launcher == "local" else []),
        doctor.backlog(plan.shape.backlog if plan else 2048),
        *([doctor.local_ports()] if launcher == "compose" else []),
        # A container has its own.
        *([] if launcher == "compose" else doctor.named_services()),
    ]


def make_run(found: Bearings, name: str, choice: Choice, out: Path, command: Sequence[str]) -> Run:
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
        placed = placement.choose(False if remote else choice.pin)
    except UserError as error:
        problems.extend(error.lines)
    looked = checks(plan, out, found.launcher)
    problems += [check.advice or check.found for check in looked if check.fatal]
    if problems or plan is None:
        raise UserError(*problems)
    if found.launcher == "running":
        # Nobody tells what such a server holds, so there is nothing to wait for.
        plan = msgspec.structs.replace(plan, settle=False)
    return Run(
        format=results.FORMAT,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        command=" ".join([*command, "--seed", str(plan.seed)]),
        plan=plan,
        machine=_machine(found),
        argv=_argv(found, plan),
        placement=placed,
        launcher=found.launcher,
        engine=found.engine,
    )


def _argv(found: Bearings, plan: Plan) -> dict[str, tuple[str, ...]]:
    """Return the command line of each server, as in its container where it has one."""
    local = found.launcher == "local"
    python = Path(found.project.python if local else "python").name
    host = server.HOST if local else serve.HOST
    return {
        one.name: server.argv(one, plan.shape, python, serve.PORT, 3, host) for one in plan.servers
    }


def _machine(found: Bearings) -> Machine:
    versions = {"wrk": doctor.wrk_version()}
    if found.launcher == "local":
        versions["PostgreSQL"] = doctor.postgres_version()
    return machine.describe(found.versions | versions)


def check_resumable(run: Run, found: Bearings, out: Path) -> None:
    """Refuse to go on where rounds could not be paired: other software, or another machine.

    Names what differs, or what a run would lack.
    """
    if run.source is not None:
        raise UserError(f"this run was read from {run.source.file}; there is nothing to go on with")
    looked = checks(run.plan, out, run.launcher)
    lacking = [check.advice or check.found for check in looked if check.fatal]
    if problems := [*found.problems, *lacking]:
        raise UserError(*problems)
    differ = machine.changes(run.machine, _machine(found))
    if run.engine is not None and found.engine is not None:
        differ += [
            f"engine's {key} {getattr(run.engine, key)} then, {getattr(found.engine, key)} now"
            for key in ("name", "version", "processors")
            if getattr(run.engine, key) != getattr(found.engine, key)
        ]
    declared = {endpoint.id: endpoint for endpoint in found.endpoints}
    differ += [
        f"endpoint {id_} is declared differently now"
        for id_ in dict.fromkeys(cell.endpoint.id for cell in run.plan.cells)
        if declared.get(id_) not in [cell.endpoint for cell in run.plan.cells]
    ]
    if differ:
        raise UserError(
            f"this run cannot go on, it would mix two things: {'; '.join(differ)};"
            f" begin another: {run.command}"
        )
