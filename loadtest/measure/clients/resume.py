"""Whether a run of HTTP clients would go on with the same interpreters, packages and machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from loadtest.measure.resume import refuse
from loadtest.plan import interpreters
from loadtest.plan.clients.catalogue import Client
from loadtest.records.clients import Interpreter, Run
from loadtest.records.measured import Machine
from loadtest.system import machine
from loadtest.system.process import CommandError


def check(run: Run, clients: Mapping[str, Client], now: Machine) -> None:
    """Raise UserError where rounds could not be paired: other software, or another machine."""
    differ = machine.changes(run.machine, now)
    used = dict.fromkeys(row.client for row in run.plan.rows if row.skip is None)
    differ += [f"the client {name} is gone" for name in used if name not in clients]
    for interpreter in run.interpreters.values():
        differ += _changes(interpreter)
    refuse(differ, run.command)


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
