"""Whether what stands in a run's folder can be true together; pure."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from loadtest.records import clients, measured
from loadtest.records.values import MOST_LOADS, MOST_NAME_BYTES

OURS = (("loadtest",), ("python", "-m", "benchmarks.power"))
"""How a command begins that made a run."""

Contradicts = Callable[[Any], str | None]
"""Takes a line of the outcomes; returns why it cannot be of the run, None where it can."""


def of_servers(run: measured.Run) -> Contradicts:
    """Return what tells which facts cannot be of a run; raises ValueError where it cannot be."""
    plan = run.plan
    servers = [server.name for server in plan.servers]
    cells = [cell.id for cell in plan.cells]
    _refuse(
        [
            *_command(run.command),
            *_twice("server", servers),
            *_twice("cell", cells),
            *_strangers("a cell's server", (cell.server for cell in plan.cells), servers),
            *_strangers("duplicate_of", (of.duplicate_of for of in plan.servers), servers),
            *_strangers("reference", [plan.reference], servers),
            *(f"a name of over {MOST_NAME_BYTES} bytes: {id_}" for id_ in cells if _long(id_)),
        ]
    )
    planned, profiles = frozenset(cells), frozenset(servers)

    def contradicts(fact: Any) -> str | None:
        if isinstance(fact, measured.Outcome | measured.Afterwards) and fact.cell not in planned:
            return "of a cell that the plan does not have"
        if isinstance(fact, measured.Launch) and fact.server not in profiles:
            return "of a server that the plan does not have"
        return _load(fact) if isinstance(fact, measured.Outcome) else None

    return contradicts


def of_clients(run: clients.Run) -> Contradicts:
    """Return what tells which facts cannot be of a run; raises ValueError where it cannot be."""
    plan = run.plan
    groups = [group.name for group in plan.groups]
    rows = [row.id for row in plan.rows]
    _refuse(
        [
            *_command(run.command),
            *_twice("group", groups),
            *_twice("row", rows),
            *_strangers("a row's group", (row.group for row in plan.rows), groups),
            *_strangers("duplicate_of", (row.duplicate_of for row in plan.rows), rows),
            *_strangers("reference", (group.reference for group in plan.groups), rows),
            *_strangers(
                "a row's python",
                (row.python for row in plan.rows if row.skip is None),
                run.interpreters,
            ),
            *_too_many(plan),
        ]
    )
    planned = frozenset(rows)

    def contradicts(fact: Any) -> str | None:
        if not isinstance(fact, clients.Outcome):
            return None
        if fact.row not in planned:
            return "of a row that the plan does not have"
        if fact.status == "measured" and fact.answers > fact.calls:
            return "more answers than calls"
        if fact.warm and sum(fact.warm.latencies.counts) > fact.answers:
            return "more latencies than answers"
        return None

    return contradicts


def _load(outcome: measured.Outcome) -> str | None:
    loaded = outcome.loaded
    if loaded is None:
        return None
    if loaded.status_errors > loaded.answers:
        return "more errors than answers"
    if (loaded.silent_windows or 0) > (loaded.windows or 0):
        return "more silent windows than windows"
    return None


def _refuse(problems: Iterable[str]) -> None:
    if problem := next(iter(problems), None):
        raise ValueError(problem)


def _command(command: str) -> Iterator[str]:
    """Yield why a command is not to be typed again: it has to be one of ours, and no more."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    # What a shell would do something else with would have to be quoted.
    ours = any(tuple(words[: len(each)]) == each for each in OURS)
    if not ours or shlex.join(words) != command:
        yield f"`command` is no command of loadtest's: {command}"


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    yield from (f"two {what}s called {name}" for name, n in Counter(names).items() if n > 1)


def _strangers(place: str, names: Iterable[str | None], known: Iterable[str]) -> Iterator[str]:
    among = frozenset(known)
    yield from (
        f"{place} is {name}, which the run does not have"
        for name in names
        if name is not None and name not in among
    )


def _too_many(plan: clients.Plan) -> Iterator[str]:
    measures = {group.name: len(group.measures) for group in plan.groups}
    trials = plan.rounds * sum(measures.get(row.group, 0) for row in plan.rows)
    if trials > MOST_LOADS:
        yield f"{trials:,} measurements, and a run has {MOST_LOADS:,} at most"


def _long(name: str) -> bool:
    return len(name.encode()) > MOST_NAME_BYTES
