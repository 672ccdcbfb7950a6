"""Going on with a run: the same software and machine, and further endpoints."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from loadtest.measure.servers.new_run import _machine
from loadtest.measure.servers.preflight import checks
from loadtest.plan.servers import inventory
from loadtest.plan.servers.inventory import Inventory
from loadtest.plan.servers.matrix import Choice
from loadtest.records.errors import UserError
from loadtest.records.measured import Launcher, Run
from loadtest.system import machine

Options = dict[str, Any]

COMMAND = ("loadtest", "run")


def widened(
    run: Run,
    found: Inventory,
    endpoints: Sequence[str],
    parse: Callable[[list[str]], tuple[str, Options]],
    write: Callable[[str, Options, Launcher], list[str]],
) -> Run:
    """Return the run with cells at further endpoints (names or globs), under its own options.

    `parse` reads the words after `loadtest run` into the matrix and the options of a plan, `write`
    is its inverse, and adds the launcher. Raises UserError for an endpoint that there isn't, where
    there is nothing to add, and where the cells that the run has would be planned otherwise now.
    """
    words = shlex.split(run.command)
    if tuple(words[:2]) != COMMAND:
        raise UserError(f"--endpoint adds to what `loadtest run` began, this is: {run.command}")
    name, options = parse(words[2:])
    has = dict.fromkeys(cell.endpoint.name for cell in run.plan.cells)
    options = {**options, "endpoints": (*has, *(one for one in endpoints if one not in has))}
    plan = inventory.make_plan(found, name, Choice(**options))
    planned = {cell.id: cell for cell in plan.cells}
    if changed := [one.id for one in run.plan.cells if planned.get(one.id) != one]:
        raise UserError(
            f"{changed[0]} would be planned otherwise now, and so {len(changed) - 1} more;"
            f" begin another run: {run.command}"
        )
    if len(planned) == len(run.plan.cells):
        raise UserError(f"the run has {', '.join(endpoints)} already; leave out --endpoint")
    # Servers as they were started: their files may have been touched since.
    plan = msgspec.structs.replace(plan, servers=run.plan.servers)
    command = [*write(name, options, run.launcher), "--seed", str(plan.seed)]
    return msgspec.structs.replace(run, plan=plan, command=" ".join(command))


def check_resumable(run: Run, found: Inventory, out: Path) -> None:
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
