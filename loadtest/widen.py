"""A run that takes in further endpoints: what its command would have planned with them.

Servers are compared within a round and at one endpoint, so endpoints may come later. Servers may
not: what is measured on another day met other conditions.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from loadtest import prepare
from loadtest.errors import UserError
from loadtest.matrix import Choice
from loadtest.model import Launcher, Run
from loadtest.prepare import Bearings

Options = dict[str, Any]
COMMAND = ("loadtest", "run")


def widened(
    run: Run,
    found: Bearings,
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
    plan = prepare.make_plan(found, name, Choice(**options))
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
