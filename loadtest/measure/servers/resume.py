"""Going on with a run of servers, and taking further endpoints into it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
from msgspec.structs import replace

from loadtest.measure.resume import another, refuse
from loadtest.measure.servers.new_run import command_of, this_machine
from loadtest.measure.servers.preflight import checks
from loadtest.plan.servers import inventory, lineup
from loadtest.plan.servers.inventory import Inventory
from loadtest.plan.servers.matrix import is_there
from loadtest.records.errors import UserError
from loadtest.records.measured import Agent, Run
from loadtest.records.planned import Cell, Endpoint
from loadtest.system import cpu_pinning, machine


def widened(
    run: Run, offered: Inventory, endpoints: Sequence[str], matrix: str | None = None
) -> Run:
    """Return the run with cells at further endpoints (names or globs), under its own choice.

    `matrix` is where the file of its matrix lies, of which a run keeps the name alone if that is
    neither below the present folder nor in the home folder.

    Servers are compared within a round and at one endpoint, so endpoints may come later. Servers
    may not: what is measured on another day met other conditions. Raises UserError for an endpoint
    that there isn't, where there is nothing to add, and where the cells that the run has would be
    planned otherwise now.
    """
    if run.choice is None:
        raise UserError(
            f"this run does not say what it was begun with, so --endpoint cannot add to it;"
            f" {another(run.command)}"
        )
    has = dict.fromkeys(cell.endpoint.name for cell in run.plan.cells)
    further = (*has, *(name for name in endpoints if name not in has))
    choice = msgspec.structs.replace(run.choice, endpoints=further)
    if matrix is None and choice.matrix.endswith(".toml") and not is_there(choice.matrix):
        raise UserError(
            f"{choice.matrix} is not here, and the run does not say where it lies; type that as"
            f" well, as in `loadtest run PATH/{os.path.basename(choice.matrix)} --resume RUN"
            " --endpoint NAME`"
        )
    plan = inventory.make_plan(
        offered, msgspec.structs.replace(choice, matrix=matrix or choice.matrix)
    )
    planned = {cell.id: cell for cell in plan.cells}
    if changed := [cell.id for cell in run.plan.cells if not _planned(cell, planned.get(cell.id))]:
        raise UserError(
            f"{changed[0]} would be planned otherwise now, and so {len(changed) - 1} more;"
            f" {another(run.command)}"
        )
    if len(planned) == len(run.plan.cells):
        raise UserError(f"the run has {', '.join(endpoints)} already; leave out --endpoint")
    # All else as it was: a file may have been touched since, and how many servers fit into memory
    # at once numbers the turns.
    plan = msgspec.structs.replace(run.plan, cells=plan.cells)
    command = command_of(choice, run.launcher)
    return msgspec.structs.replace(run, plan=plan, choice=choice, command=command)


def check_resumable(
    run: Run, offered: Inventory, folder: Path, agents: Sequence[Agent] = ()
) -> None:
    """Refuse to go on where rounds could not be paired: other software, or another machine.

    Names what differs, or what a run would lack. A run's folder may come from anybody: nothing of
    it is started or asked that the project does not declare itself.
    """
    if run.source is not None:
        raise UserError(f"this run was read from {run.source.file}; there is nothing to go on with")
    project = offered.project
    looked = checks(run.plan, folder, project.app, run.launcher, project.allowed, loads=not agents)
    lacking = [check.advice or check.state for check in looked if check.fatal]
    if problems := [*offered.problems, *lacking]:
        raise UserError(*problems)
    differ = machine.changes(run.machine, this_machine(offered, agents))
    then, now = ({agent.name for agent in each} for each in (run.agents, agents))
    here = "this machine"
    if then != now:
        differ.append(
            f"loads made by {' and '.join(sorted(then)) or here} then, by"
            f" {' and '.join(sorted(now)) or here} now"
        )
    then_by, now_by = (each.name if each else here for each in (run.served_by, offered.served_by))
    if then_by != now_by:
        differ.append(f"servers started by {then_by} then, by {now_by} now")
    if run.engine is not None and offered.engine is not None:
        differ += [
            f"engine's {key} {getattr(run.engine, key)} then, {getattr(offered.engine, key)} now"
            for key in ("name", "version", "processors")
            if getattr(run.engine, key) != getattr(offered.engine, key)
        ]
    if run.network not in (None, offered.network):
        differ.append(f"network {run.network} then, {offered.network} now")
    if run.placement is not None and not cpu_pinning.is_possible(run.placement):
        differ.append("it was pinned to processors that are not here")
    declared = {endpoint.id: endpoint for endpoint in offered.endpoints}
    planned = [cell.endpoint for cell in run.plan.cells]
    others = dict.fromkeys(each.id for each in planned if not _asks(each, declared.get(each.id)))
    differ += [f"endpoint {id_} is declared differently now" for id_ in others]
    profiles = {server.name: server for server in offered.servers}
    differ += [
        f"server {server.name} is declared differently now"
        for server in run.plan.servers
        if not lineup.is_declared(
            server, profiles, project.app, recycles=bool(run.plan.shape.max_requests)
        )
    ]
    refuse(differ, run.command)


def whole(run: Run, offered: Inventory) -> Run:
    """Return a run that may go on with the contracts of which its folder has the digests alone."""
    bodies = {endpoint.id: endpoint.contract.body for endpoint in offered.endpoints}
    cells = tuple(
        replace(
            cell,
            endpoint=replace(
                cell.endpoint,
                contract=replace(cell.endpoint.contract, body=bodies[cell.endpoint.id]),
            ),
        )
        for cell in run.plan.cells
    )
    return replace(run, plan=replace(run.plan, cells=cells))


def _planned(cell: Cell, now: Cell | None) -> bool:
    """Say whether a cell would be planned as it was."""
    return (
        now is not None
        and _asks(cell.endpoint, now.endpoint)
        and msgspec.structs.replace(now, endpoint=cell.endpoint) == cell
    )


def _asks(endpoint: Endpoint, now: Endpoint | None) -> bool:
    """Say whether an endpoint is what it was: an older run did not note what changes no request."""
    if now is None:
        return False
    contract = replace(now.contract, pooled=endpoint.contract.pooled)
    now = replace(now, contract=contract, cost_s=endpoint.cost_s)
    return endpoint in (now, now.published())
