"""Going on with a run: what of it is done, and whether the rest would be of the same things."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loadtest.measure.clients.measuring import Done
from loadtest.plan import interpreters
from loadtest.plan.clients.catalogue import Client
from loadtest.records.clients import Interpreter, Run
from loadtest.records.errors import UserError
from loadtest.records.measured import Machine
from loadtest.records.run_folder import ClientsRun
from loadtest.system import machine
from loadtest.system.process import CommandError


def done(stored: ClientsRun) -> Done:
    """Return what needs no measuring: what has a number, and what cannot have one."""
    return frozenset(
        (one.row, one.measure, one.round)
        for one in stored.outcomes
        if one.status in ("measured", "skipped")
    )


def check(run: Run, clients: Mapping[str, Client], now: Machine) -> None:
    """Raise UserError where rounds could not be paired: other software, or another machine."""
    differ = machine.changes(run.machine, now)
    used = dict.fromkeys(row.client for row in run.plan.rows if row.skip is None)
    differ += [f"the client {name} is gone" for name in used if name not in clients]
    for interpreter in run.interpreters.values():
        differ += _changes(interpreter)
    if differ:
        raise UserError(
            f"this run cannot go on, it would mix two things: {'; '.join(differ)};"
            f" begin another: {run.command}"
        )


def _changes(then: Interpreter) -> Iterator[str]:
    try:
        now = interpreters.look(then.path, then.versions)
    except CommandError as error:
        yield f"{then.path}: {error.reason}"
        return
    if now.version != then.version:
        yield f"{then.path} was Python {then.version} then, is {now.version} now"
    for name, version in then.versions.items():
        if now.versions.get(name) != version:
            yield f"{name} {version} then, {now.versions.get(name, 'missing')} now"
