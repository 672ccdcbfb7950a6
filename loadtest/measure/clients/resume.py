"""Whether a run of HTTP clients would go on with the same interpreters, packages and machine."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache

from loadtest.measure.resume import refuse
from loadtest.plan import interpreters
from loadtest.plan.clients import environments
from loadtest.plan.clients.catalogue import Client
from loadtest.records.clients import Interpreter, Run
from loadtest.records.measured import Machine
from loadtest.system import machine
from loadtest.system.process import CommandError


def check(run: Run, clients: Mapping[str, Client], now: Machine) -> None:
    """Raise UserError where rounds could not be paired: other software, or another machine.

    A run's folder may come from anybody: a Python that it names is started only where a run that
    begins here would take it, once, and asked for what our clients require, whatever it lists.
    """
    differ = machine.changes(run.machine, now)
    used = dict.fromkeys(row.client for row in run.plan.rows if row.skip is None)
    differ += [f"the client {name} is gone" for name in used if name not in clients]
    ours = {_place(path) for path in (sys.executable, *environments.pythons())}
    required = sorted({name for client in clients.values() for name in client.requires})
    look = cache(lambda path: interpreters.look(path, required))
    for interpreter in run.interpreters.values():
        known = _place(interpreter.path) in ours
        differ += (
            _changes(interpreter, look) if known else [f"{interpreter.path} is no Python of here"]
        )
    refuse(differ, run.command)


def _place(path: str) -> tuple[str, str]:
    """Return what tells whether two paths are one environment's Python, called `python3` or not."""
    return os.path.dirname(path), os.path.realpath(path)


def _changes(then: Interpreter, look: Callable[[str], Interpreter]) -> Iterator[str]:
    try:
        now = look(then.path)
    except CommandError as error:
        yield f"{then.path}: {error.reason}"
        return
    if now.version != then.version:
        yield f"{then.path} was Python {then.version} then, is {now.version} now"
    for name, version in then.versions.items():
        if now.versions.get(name) != version:
            yield f"{name} {version} then, {now.versions.get(name, 'missing')} now"
