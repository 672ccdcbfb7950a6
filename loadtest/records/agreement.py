"""Whether what stands in a run's folder can be true together; pure."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from msgspec.structs import replace

from loadtest.records import clients, measured
from loadtest.records.planned import Cell, Endpoint, Load, Plan
from loadtest.records.values import (
    MOST_BODIES_BYTES,
    MOST_LOADS,
    MOST_NAME_BYTES,
    MOST_PAIRS,
    MOST_TOLD,
    MOST_TRY_ROUNDS,
    WHOLE,
)

OURS = (
    *(("loadtest", command) for command in ("run", "import", "clients")),
    ("python", "-m", "benchmarks.power"),
)
"""How a command begins that made a run."""

NEVER = ("--project", "--allow-database", "--allow-redis")
"""What no run writes down of how it was begun: whose code is run and which databases are written,
the person who types it says."""

Contradicts = Callable[[Any], str | None]
"""Takes a line of the outcomes; returns why it cannot be of the run, None where it can."""


def of_servers(run: measured.Run) -> Contradicts:
    """Return what tells which facts cannot be of a run; raises ValueError where it cannot be."""
    plan = run.plan
    servers = [server.name for server in plan.servers]
    cells = [cell.id for cell in plan.cells]
    _refuse(
        [
            *_begun(run),
            *_twice("server", servers),
            *_twice("cell", cells),
            *_strangers("a cell's server", (cell.server for cell in plan.cells), servers),
            *_duplicates({of.name: of.duplicate_of for of in plan.servers}),
            *_strangers("reference", [plan.reference], servers),
            *_strangers("today", [plan.today], servers),
            *_otherwise(plan),
            *_shares(plan),
            *_twice("agent", [agent.name for agent in run.agents]),
            *_served(run),
            *(
                f"{cell.id} is searched, and at one rate or by another tool"
                for cell in plan.cells
                if cell.load.explores and (cell.load.rate or cell.load.tool)
            ),
            *(f"a name of over {MOST_NAME_BYTES} bytes: {id_}" for id_ in cells if _long(id_)),
            *_too_many_pairs(Counter(cell.at for cell in plan.cells).values()),
            # A report of others has a round for each time that any of its cells was loaded.
            *_too_many_loads(plan, MOST_TOLD if run.source else MOST_LOADS),
        ]
    )
    planned, profiles = {cell.id: cell for cell in plan.cells}, frozenset(servers)
    agents = frozenset(agent.name for agent in run.agents)

    def contradicts(fact: Any) -> str | None:
        if isinstance(fact, measured.Outcome | measured.Afterwards) and fact.cell not in planned:
            return "of a cell that the plan does not have"
        if isinstance(fact, measured.Launch) and fact.server not in profiles:
            return "of a server that the plan does not have"
        if not isinstance(fact, measured.Outcome):
            return None
        if (fact.round + 1) * len(planned) > MOST_TOLD:
            return "of a round that no run of so many cells has"
        return _load(fact, planned[fact.cell]) or _parts(fact, planned[fact.cell], agents)

    return contradicts


def of_clients(run: clients.Run) -> Contradicts:
    """Return what tells which facts cannot be of a run; raises ValueError where it cannot be."""
    plan = run.plan
    groups = [group.name for group in plan.groups]
    rows = [row.id for row in plan.rows]
    _refuse(
        [
            *_begun(run),
            *_twice("group", groups),
            *_twice("row", rows),
            *_strangers("a row's group", (row.group for row in plan.rows), groups),
            *_duplicates({row.id: row.duplicate_of for row in plan.rows}),
            *_strangers("reference", (group.reference for group in plan.groups), rows),
            *_strangers(
                "a row's python",
                (row.python for row in plan.rows if row.skip is None),
                run.interpreters,
            ),
            *(
                f"{row.id} has no python, and no reason to be skipped"
                for row in plan.rows
                if row.skip is None and row.python is None
            ),
            *_too_many(plan),
            *_too_large(plan),
            *_too_many_pairs(Counter(row.group for row in plan.rows).values()),
        ]
    )
    measures = {group.name: group.measures for group in plan.groups}
    planned = {row.id: measures[row.group] for row in plan.rows}

    def contradicts(fact: Any) -> str | None:
        if not isinstance(fact, clients.Outcome):
            return None
        if fact.row not in planned:
            return "of a row that the plan does not have"
        if fact.measure not in planned[fact.row]:
            return "of a measure that its row does not have"
        if fact.warm if fact.measure == "cold" else fact.cold:
            return "of two measures at once"
        if fact.status == "measured" and fact.answers > fact.calls:
            return "more answers than calls"
        if fact.warm and sum(fact.warm.latencies.counts) > fact.answers:
            return "more latencies than answers"
        return None

    return contradicts


def _load(outcome: measured.Outcome, cell: Cell) -> str | None:
    loaded, tried, load = outcome.loaded, outcome.tried, outcome.tried or cell.load
    untried = cell.load.explores and outcome.status == "measured"
    if untried if tried is None else not _is_try(tried, cell.load):
        return "of a search that the plan does not have, or of no load of its search"
    if cell.load.explores and outcome.round > MOST_TRY_ROUNDS:
        return "of more tries than a search has"
    if loaded is None:
        return None
    # Of a report of others nobody counted what was sent when.
    counted = load.rate and load.tool is None
    if outcome.status == "measured" and bool(loaded.sent) != bool(counted):
        return "at a rate without its schedule, or with one and without a rate"
    # There are more slots than requests where some were never sent.
    if loaded.sent and sum(loaded.sent.late.counts) < loaded.sent.requests:
        return "more requests than its schedule has slots"
    if loaded.sent and loaded.sent.window_us > loaded.duration_us:
        return "a schedule that goes on beyond its load"
    if loaded.status_errors > loaded.answers:
        return "more errors than answers"
    if (loaded.silent_windows or 0) > (loaded.windows or 0):
        return "more silent windows than windows"
    return None


def _is_try(tried: Load, load: Load) -> bool:
    """Say whether a load is one of a search: of that all is the same but what follows a rate."""
    same = replace(tried, rate=None, connections=load.connections, duration_s=load.duration_s)
    return load.explores and same == load


def _otherwise(plan: Plan) -> Iterator[str]:
    """Yield what is declared in two ways: servers are compared at an endpoint, which is one."""
    at: dict[str, Endpoint] = {}
    for cell in plan.cells:
        if at.setdefault(cell.at, cell.endpoint) != cell.endpoint:
            yield f"{cell.at} is declared in two ways"


def _shares(plan: Plan) -> Iterator[str]:
    """Yield what is wrong with the shares of a site's requests, which are parts of 1."""
    shares = {cell.endpoint.id: cell.endpoint.share for cell in plan.cells if plan.mix}
    yield from (f"{id_} has no share of the site's requests" for id_ in shares if not shares[id_])
    if (total := sum(share or 0.0 for share in shares.values())) > WHOLE:
        yield f"the shares of its endpoints come to {total:.4g}; they are parts of 1"


def _parts(outcome: measured.Outcome, cell: Cell, agents: frozenset[str]) -> str | None:
    """Return why the parts of a load cannot be its own."""
    parts, loaded = outcome.parts, outcome.loaded
    if not parts:
        return None
    names = [part.agent for part in parts]
    if len(set(names)) < len(names) or not agents.issuperset(names):
        return "of agents that the run does not have, or of the same one twice"
    files = [name for part in parts for name in (part.raw, part.histogram) if name]
    if len(set(files)) < len(files):
        return "of agents that wrote the same file"
    if loaded is None or sum(part.loaded.answers for part in parts) != loaded.answers:
        return "of more or fewer answers than its agents had"
    if sum(part.connections for part in parts) != (outcome.tried or cell.load).connections:
        return "of more or fewer connections than its agents had"
    return None


def _refuse(problems: Iterable[str]) -> None:
    if problem := next(iter(problems), None):
        raise ValueError(problem)


def _begun(run: measured.Run | clients.Run) -> Iterator[str]:
    """Yield why a run cannot have been begun so: no such day, or a command that is none of ours.

    That is typed again, and no more than it.
    """
    try:
        datetime.fromisoformat(run.created_at)
    except ValueError:
        yield f"`created_at` is no time: {run.created_at}"
    command = run.command
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    # What a shell would do something else with would have to be quoted.
    ours = any(tuple(words[: len(each)]) == each for each in OURS)
    if any(word.startswith(NEVER) for word in words) or not ours or shlex.join(words) != command:
        yield f"`command` is none of loadtest's that makes a run: {command}"


def _served(run: measured.Run) -> Iterator[str]:
    """Yield why nobody can have started the servers of a run as it says."""
    if (run.launcher == "agent") != (run.served_by is not None):
        yield (
            "launcher `agent` without the agent that started the servers, or that agent with"
            " another launcher"
        )
    if run.served_by is not None and not run.agents:
        yield "an agent that started the servers, but none that made the load"


def _twice(what: str, names: Iterable[str]) -> Iterator[str]:
    yield from (f"two {what}s called {name}" for name, n in Counter(names).items() if n > 1)


def _duplicates(of: Mapping[str, str | None]) -> Iterator[str]:
    """Yield why a duplicate is none: it is one of something else, which is none itself."""
    yield from _strangers("duplicate_of", of.values(), of)
    yield from (
        f"{name} is a duplicate of the duplicate {other}"
        for name, other in of.items()
        if other is not None and of.get(other) is not None
    )


def _strangers(place: str, names: Iterable[str | None], known: Iterable[str]) -> Iterator[str]:
    among = frozenset(known)
    yield from (
        f"{place} is {name}, which the run does not have"
        for name in names
        if name is not None and name not in among
    )


def _too_many_pairs(tables: Iterable[int]) -> Iterator[str]:
    pairs = sum(rows * (rows - 1) // 2 for rows in tables)
    if pairs > MOST_PAIRS:
        yield f"{pairs:,} pairs in its tables, and a run has {MOST_PAIRS:,} at most"


def _too_many_loads(plan: Plan, most: int) -> Iterator[str]:
    rounds = max(plan.rounds, plan.most_rounds or 0)
    loads = plan.turns * sum(min(rounds, cell.rounds or rounds) for cell in plan.cells)
    if loads > most:
        yield f"{loads:,} loads, and a run has {most:,} at most"


def _too_many(plan: clients.Plan) -> Iterator[str]:
    measures = {group.name: len(group.measures) for group in plan.groups}
    trials = plan.rounds * sum(measures.get(row.group, 0) for row in plan.rows)
    if trials > MOST_LOADS:
        yield f"{trials:,} measurements, and a run has {MOST_LOADS:,} at most"


def _too_large(plan: clients.Plan) -> Iterator[str]:
    # Each is a file while clients ask for it.
    bodies = sum({row.answer.body_bytes or 0 for row in plan.rows})
    if plan.url is None and bodies > MOST_BODIES_BYTES:
        yield f"bodies of {bodies:,} bytes, and a run has {MOST_BODIES_BYTES:,} at most"


def _long(name: str) -> bool:
    return len(name.encode()) > MOST_NAME_BYTES
