"""The matrix as data: servers and loads that people write, expanded into a plan.

`expand` resolves everything and finds every mistake before anything is measured.
"""

from __future__ import annotations

import math
import os
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta
from msgspec.structs import asdict, replace

from loadtest.plan import toml_file
from loadtest.plan.servers.lineup import sized
from loadtest.plan.servers.project import MATRICES
from loadtest.records.errors import UserError, unknown
from loadtest.records.planned import (
    STALL_S,
    Arrivals,
    Cell,
    Choice,
    Endpoint,
    Goal,
    Load,
    Plan,
    Record,
    Server,
    Shape,
    Sizes,
)
from loadtest.records.values import (
    MOST_BUDGET_S,
    MOST_CONNECTIONS,
    MOST_LOAD_S,
    MOST_LOADS,
    MOST_NAME_BYTES,
    MOST_PAIRS,
    MOST_ROUNDS,
    MOST_ROWS,
    MOST_SERVERS,
    MOST_STEPS,
    MOST_THREADS,
    MOST_TURNS,
    MOST_WAVES,
    MOST_WORKERS,
    AskedRate,
    Connections,
    Globs,
    Name,
    Rounds,
    ShapeText,
    Step,
)

FEWEST_WAVES, FEWEST_ANSWERS = 10, 200
"""Of a load, where it is known what an answer costs: its beginning and its end are then a small
part of it."""

SLOWER = 1.5
"""Times what an answer took alone: servers differ, and under a load it takes longer."""

LONGEST_FIT_S = 30.0

REQUESTS = 400
"""Of a load at a rate, at least: three rounds have enough of them for a p99."""


class LoadRule(Record, frozen=True, kw_only=True):
    """What a load is made of before it is fitted to an endpoint; None keeps what stood before."""

    endpoints: Globs = ("*",)
    connections: Connections | None = None
    duration_s: Annotated[int, Meta(ge=1, le=MOST_LOAD_S)] | None = None
    """wrk takes whole seconds."""
    warmup_s: Annotated[float, Meta(ge=0, le=MOST_LOAD_S)] | None = None
    rate: AskedRate | Annotated[tuple[AskedRate, ...], Meta(max_length=MOST_STEPS)] | None = None
    """Requests a second, sent as scheduled whatever the answers do; several are a load each. None
    of all the rules: a closed loop."""
    arrivals: Arrivals | None = None
    """Of requests at a rate: `even`, or `poisson` as those of many users who know nothing of each
    other."""
    stall_s: Annotated[float, Meta(gt=0, le=60)] | None = None
    """A load at a rate has as many connections as its schedule needs through a standstill of the
    server that lasts so long, unless the rule says how many."""
    steps: Annotated[tuple[Step, ...], Meta(max_length=MOST_STEPS)] | None = None
    """After the closed loop, loads at these shares of the rate that it showed, one a round."""
    waves: Annotated[float, Meta(gt=0, le=MOST_WAVES)] | None = None
    """A slow endpoint is loaded for at least this many of its delays."""
    rounds: Rounds | None = None
    """In no more than so many rounds; None: in all. More `--rounds` than the matrix's lifts it."""


class Duplicate(Record, frozen=True, kw_only=True):
    """The A/A arm: one server a second time, as if it were another, to show the run's noise."""

    server: str = "gunicorn-gthread"
    """The reference; the first chosen server where this one is not among the chosen."""
    endpoints: Globs = ("*",)
    styles: Globs = ("*",)


class Matrix(Record, frozen=True, kw_only=True):
    """One file of a project's matrices: which cells, how often, under which load."""

    name: Name
    summary: str
    rounds: Rounds
    most_rounds: Rounds | None = None
    """As many while something is open and the budget lasts; None: `rounds`."""
    budget_s: Annotated[float, Meta(gt=0, le=MOST_BUDGET_S)] | None = None
    """Time for measuring, after which no further round begins; None: no limit."""
    turns: Annotated[int, Meta(ge=1, le=MOST_TURNS)] = 1
    """Loads of each cell in a round, in turn with those of the other servers."""
    servers: Globs = ("*",)
    endpoints: Globs = ("*",)
    styles: Globs = ("*",)
    shape: Sizes = Sizes()
    shapes: Annotated[tuple[ShapeText, ...], Meta(max_length=MOST_SERVERS)] = ()
    """Workers x threads, as in `2x4`: each server in each of these; none: in `shape` alone."""
    observe_release: bool = True
    """In the first round, wait 2 s after the last load of each server process, to see what it lets
    go of."""
    duplicate: Duplicate = Duplicate()
    loads: Annotated[tuple[LoadRule, ...], Meta(max_length=MOST_ROWS)]
    """Later rules override earlier ones for the endpoints they name."""


def is_there(name: str) -> bool:
    """Say whether there is a file at a path, which may begin with `~`, as a run says it."""
    return os.path.exists(os.path.expanduser(name))  # no error where a path cannot be so long


def load_matrix(name: str, folder: Path = MATRICES) -> Matrix:
    """Return the matrix of that name, or the one in the file at that path."""
    own = Path(os.path.expanduser(name))
    path = own if name.endswith(".toml") else folder / f"{name}.toml"
    if not is_there(str(path)):
        known = sorted(file.stem for file in folder.glob("*.toml"))
        if name.endswith(".toml"):
            raise UserError(
                f"{name}: no such file; type the whole path to one of yours, or choose from those"
                f" that come along: {', '.join(known)}"
            )
        raise UserError(unknown("matrix", name, known))
    return toml_file.read(path, Matrix, name=path.stem)


def expand(
    matrix: Matrix,
    servers: Sequence[Server],
    endpoints: Sequence[Endpoint],
    choice: Choice,
    missing: Mapping[str, str],
) -> Plan:
    """Return the plan of a matrix, narrowed by a choice; `missing` says which servers can't start.

    `servers` are in all their shapes and variants, see `lineup`. Raises UserError with every
    mistake in it.
    """
    names = [name for server in servers for name in _names(server)]
    if problems := mistakes(matrix, list(dict.fromkeys(names)), endpoints, choice):
        raise UserError(*problems)
    rated = choice.rates or choice.within or any(rule.rate or rule.steps for rule in matrix.loads)
    if choice.arrivals and not rated:
        raise UserError("--arrivals is of requests at a rate: choose one with --rate")
    if choice.within and choice.rates:
        raise UserError("--rate sets a rate and --within searches one: leave out one of them")
    if choice.shapes and (choice.workers or choice.threads):
        raise UserError("--shape says workers and threads; leave out --workers and --threads")
    matrix = _narrowed(matrix, choice)
    taking_part = [
        server for server in servers if any(_named(matrix.servers, name) for name in _names(server))
    ]
    if choice.precision is not None and len(taking_part) < 2:
        raise UserError(
            f"--precision is that of ratios between servers, and {taking_part[0].name} has no other"
            " to be compared with; choose one more with --server, or leave out --precision"
        )
    offered = [
        endpoint
        for endpoint in endpoints
        if _at(matrix.endpoints, endpoint) and _named(matrix.styles, endpoint.style)
    ]
    # All have the same load, so that it is one for the least of them.
    fewest = min(((each.shape or matrix.shape).workers for each in taking_part), default=1)
    sent = {
        endpoint.id: tuple(loads(endpoint, matrix.loads, choice, fewest)) for endpoint in offered
    }
    explored = [id_ for id_, each in sent.items() if any(load.explores for load in each)]
    if explored and len(explored) < len(sent):
        raise UserError(
            f"loads of matrix {matrix.name}: a run with `steps` has them at all endpoints, and here"
            f" they are at {', '.join(explored)}; choose these with --endpoint"
        )
    if explored and (choice.rounds is not None or choice.precision is not None):
        raise UserError(
            "--rounds and --precision are of loads that are measured several times, and here each"
            " is at another rate; leave them out"
        )
    if explored:
        # The closed loops are the only round that is planned; each further one is at other rates.
        budget_s = choice.budget_s if choice.within else matrix.budget_s
        matrix = replace(matrix, rounds=1, most_rounds=None, turns=1, budget_s=budget_s)
    # Each cell is at least one load, or skipped: so many are not even made.
    if (number := len(taking_part) * sum(map(len, sent.values()))) > MOST_LOADS:
        raise _too_many_loads(number)
    duplicates, duplicated = _duplicate(taking_part, matrix, missing, offered)
    cells = tuple(
        Cell(
            server=server.name,
            endpoint=endpoint,
            load=load,
            rounds=_most_rounds(endpoint, matrix),
            skip=missing.get(server.name) or unsupported(server, endpoint, matrix.shape),
        )
        for server in (*taking_part, *duplicates)
        for endpoint in offered
        if server.duplicate_of is None or endpoint in duplicated
        for load in sent[endpoint.id]
    )
    if not cells:
        raise UserError(
            "nothing to measure: no endpoint has the chosen style;"
            " `loadtest list endpoints` shows what there is"
        )
    cells = tuple(
        replace(cell, skip=cell.skip or _unreachable(cell.endpoint, cell.load.within))
        for cell in cells
    )
    counted = Counter(cell.id for cell in cells)
    if twice := [f"two cells are called {id_}; rename one" for id_ in counted if counted[id_] > 1]:
        raise UserError(*twice)
    if unfit := [id_ for id_ in counted if len(id_.encode()) > MOST_NAME_BYTES]:
        raise UserError(*(f"{id_} cannot be the name of a file; rename it" for id_ in unfit))
    crowded = [cell for cell in cells if cell.load.connections > MOST_CONNECTIONS]
    if crowded:
        cell = max(crowded, key=lambda cell: cell.load.connections)
        raise UserError(
            f"{cell.load.rate:,g} requests/s at {cell.endpoint.id} need {cell.load.connections:,}"
            f" connections, and a load has {MOST_CONNECTIONS:,} at most; choose a lower --rate, or"
            " --connections"
        )
    in_table = Counter(cell.at for cell in cells).values()
    pairs = sum(rows * (rows - 1) // 2 for rows in in_table)
    if len(taking_part) + len(duplicates) > MOST_SERVERS or pairs > MOST_PAIRS:
        raise UserError(
            f"{len(taking_part)} servers, shapes and variants at {len(in_table)} endpoints are too"
            f" many to compare: {MOST_SERVERS} and {MOST_PAIRS:,} pairs at most; choose some with"
            " --server, --shape, --variant or --endpoint"
        )
    most_rounds = max(matrix.rounds, matrix.most_rounds or 0)
    number = matrix.turns * sum(min(most_rounds, cell.rounds or most_rounds) for cell in cells)
    if number > MOST_LOADS:
        raise _too_many_loads(number)
    return Plan(
        matrix=matrix.name,
        seed=random.SystemRandom().randrange(2**31) if choice.seed is None else choice.seed,
        rounds=matrix.rounds,
        most_rounds=matrix.most_rounds,
        turns=matrix.turns,
        shape=Shape(**asdict(matrix.shape)),
        servers=(*taking_part, *duplicates),
        reference=next((server.duplicate_of for server in duplicates), None),
        observe_release=matrix.observe_release,
        precision=choice.precision,
        budget_s=matrix.budget_s,
        cells=cells,
    )


def _too_many_loads(number: int) -> UserError:
    return UserError(
        f"this would be {number:,} loads, and a run has {MOST_LOADS:,} at most; choose fewer"
        " --rounds, or fewer servers and endpoints"
    )


def mistakes(
    matrix: Matrix, servers: Sequence[str], endpoints: Sequence[Endpoint], choice: Choice
) -> list[str]:
    """Return what is wrong with a choice from a matrix, a line each.

    `servers` are all names there are; where nobody knows the endpoints, none is called unknown.
    """
    matrix = _narrowed(matrix, choice)
    names = list(dict.fromkeys(endpoint.name for endpoint in endpoints))
    with_style = [endpoint.id for endpoint in endpoints]
    styles = list(dict.fromkeys(endpoint.style for endpoint in endpoints))
    asked: list[tuple[str, Sequence[str], Sequence[str], str]] = [
        ("server", matrix.servers, servers, ""),
        ("endpoint", matrix.endpoints, names, ""),
        ("style", matrix.styles, styles, ""),
        *(
            ("endpoint", rule.endpoints, names, f"loads of matrix {matrix.name}")
            for rule in matrix.loads
        ),
    ]
    numbers = [
        ("--rounds", matrix.rounds, 3, MOST_ROUNDS),
        ("--workers", matrix.shape.workers, 2, MOST_WORKERS),
        ("--threads", matrix.shape.threads, 4, MOST_THREADS),
        ("--connections", choice.connections, 64, MOST_CONNECTIONS),
        ("--duration", choice.duration_s, 3, MOST_LOAD_S),
    ]
    return [
        unknown(kind, glob, [*known, *_family(glob, known)], where)
        for kind, globs, known, where in asked
        for glob in globs
        if known and not any(_named([glob], name) for name in (*known, *with_style))
    ] + [
        f"{option} {value}: at {'least 1' if value < 1 else f'most {most}'},"
        f" as in {option} {example}"
        for option, value, example, most in numbers
        if value is not None and not 1 <= value <= most
    ]


def _family(name: str, known: Sequence[str]) -> list[str]:
    """Return the pattern for the names that begin with this one, where there are some."""
    return [f"{name}-*"] if any(other.startswith(f"{name}-") for other in known) else []


def _names(server: Server) -> tuple[str, ...]:
    """Return by what a server may be chosen: its name, and that of its profile."""
    return (server.name, *([server.profile] if server.profile else []))


def _named(globs: Sequence[str], name: str) -> bool:
    return any(fnmatchcase(name, glob) for glob in globs)


def _at(globs: Sequence[str], endpoint: Endpoint) -> bool:
    """Say whether an endpoint is named: for both styles, or with its style."""
    return _named(globs, endpoint.name) or _named(globs, endpoint.id)


def _narrowed(matrix: Matrix, choice: Choice) -> Matrix:
    """Return a matrix with what was chosen in the place of what it says itself.

    Who asks for more rounds than it has means every load; who asks for fewer saves time.
    """
    given = _given(choice, "servers", "endpoints", "styles", "rounds", "budget_s")
    if choice.rounds is not None or choice.precision is not None:
        # Who says how often, or how precisely, gets that, however long it takes.
        given = {"most_rounds": None, "budget_s": None} | given
    if choice.rounds is not None and choice.rounds > matrix.rounds:
        given["loads"] = tuple(replace(rule, rounds=None) for rule in matrix.loads)
    return replace(matrix, shape=shapes(matrix, choice)[0], **given)


def shapes(matrix: Matrix, choice: Choice) -> tuple[Sizes, ...]:
    """Return the shapes that servers are measured in: what was typed, or as the matrix has them."""
    typed = _given(choice, "workers", "threads")
    several = choice.shapes or (() if typed else matrix.shapes)
    if not several:
        return (replace(matrix.shape, **typed),)
    return tuple(sized(matrix.shape, text) for text in dict.fromkeys(several))


def _given(record: Record, *keys: str) -> dict[str, Any]:
    return {key: value for key in keys if (value := getattr(record, key)) not in (None, ())}


def _duplicate(
    servers: Sequence[Server],
    matrix: Matrix,
    missing: Mapping[str, str],
    offered: Sequence[Endpoint],
) -> tuple[list[Server], list[Endpoint]]:
    """Return the reference server once more, and where it is measured, of what it can answer.

    At the endpoints that the matrix names; where a choice leaves none of them, in whatever style
    they are chosen; where not even that, at all. A run without a noise floor could not tell noise
    from more. Nothing where no server has anything to do.
    """
    rule = matrix.duplicate
    able = [
        (server, answered)
        for server in sorted(servers, key=lambda server: rule.server not in _names(server))
        if server.name not in missing
        and (answered := [e for e in offered if not unsupported(server, e, matrix.shape)])
    ]
    if not able:
        return [], []
    reference, answered = able[0]
    named = [endpoint for endpoint in answered if _at(rule.endpoints, endpoint)]
    styled = [endpoint for endpoint in named if _named(rule.styles, endpoint.style)]
    duplicate = replace(
        reference,
        name=f"{reference.name}-again",
        duplicate_of=reference.name,
        summary=f"{reference.name} once more: what differs between the two is noise.",
    )
    return [duplicate], styled or named or answered


def unsupported(server: Server, endpoint: Endpoint, shape: Sizes) -> str | None:
    """Return why a server cannot be measured at an endpoint; None where it can."""
    if shape.max_requests and not server.recycled:
        return "it cannot replace a worker after so many responses"
    return server.unsupported.get(endpoint.style) or (
        endpoint.unsupported.get(server.interface) if server.interface else None
    )


def _unreachable(endpoint: Endpoint, goal: Goal | None) -> str | None:
    """Return why no rate can keep a goal at an endpoint, where that is known beforehand."""
    delay_s = endpoint.contract.delay_s
    if goal is None or all(us is None or us > delay_s * 1e6 for us in (goal.p90_us, goal.p99_us)):
        return None
    return f"it waits for {delay_s:g} s by itself, and no rate keeps {' '.join(goal.typed)}"


def fit(endpoint: Endpoint, rules: Sequence[LoadRule], choice: Choice, workers: int = 1) -> Load:
    """Return the load for an endpoint: the rules that name it, the choice, and its own delay.

    What an answer costs, several `workers` do at once, as far as there are processors.
    """
    fitted: dict[str, float] = {"connections": 64, "duration_s": 3, "warmup_s": 1.0, "waves": 3.5}
    asked = LoadRule(connections=choice.connections, duration_s=choice.duration_s)
    for rule in (*rules, asked):
        if _at(rule.endpoints, endpoint):
            fitted |= _given(rule, *fitted)
    # What is in flight at the end is dropped, so the load has to last several answers; the waves
    # have a fraction above a whole number so that the last one is not cut off at the finish.
    duration_s = max(fitted["duration_s"], math.ceil(fitted["waves"] * endpoint.contract.delay_s))
    connections = int(fitted["connections"])
    if endpoint.cost_s and choice.duration_s is None:
        answers = max(FEWEST_WAVES * connections, FEWEST_ANSWERS)
        at_once = min(workers, os.cpu_count() or 1)
        enough_s = math.ceil(SLOWER * answers * endpoint.cost_s / at_once)
        duration_s = max(duration_s, min(LONGEST_FIT_S, enough_s))
    return Load(connections=connections, duration_s=duration_s, warmup_s=fitted["warmup_s"])


def loads(
    endpoint: Endpoint, rules: Sequence[LoadRule], choice: Choice, workers: int = 1
) -> Iterator[Load]:
    """Yield the loads of an endpoint: the closed loop, or one for each rate."""
    closed = fit(endpoint, rules, choice, workers)
    asked = LoadRule(
        rate=choice.rates or None, arrivals=choice.arrivals, connections=choice.connections
    )
    named = [rule for rule in (*rules, asked) if _at(rule.endpoints, endpoint)]
    fitted: dict[str, Any] = {"rate": (), "arrivals": "even", "stall_s": STALL_S, "steps": ()}
    for rule in named:
        fitted |= _given(rule, *fitted)
    rates = fitted["rate"] if isinstance(fitted["rate"], tuple) else (fitted["rate"],)
    if rates and fitted["steps"] and not (choice.rates or choice.within):
        raise UserError(
            f"loads of {endpoint.id}: `rate` sets rates, and those of `steps` follow from a closed"
            " loop; leave out one of them"
        )
    # As its name and wrk have it; what is the same then is one load.
    rates = tuple(dict.fromkeys(float(f"{rate:g}") for rate in rates))
    # What a closed loop has says nothing of how many a rate needs.
    numbers = [rule.connections for rule in named if rule.rate or rule is asked]
    given = (
        {"connections": connections}
        if (connections := next(filter(None, reversed(numbers)), None))
        else {}
    )
    closed = replace(closed, arrivals=fitted["arrivals"])
    if choice.within:
        yield replace(closed, within=choice.within)
    elif not rates:
        yield replace(closed, steps=fitted["steps"])
    for rate in rates if not choice.within else ():
        rated = closed.at_rate(rate, endpoint.contract.delay_s, fitted["stall_s"], REQUESTS)
        if rate * rated.duration_s < 1:
            raise UserError(
                f"{rate:g} requests/s are less than one in a load of {rated.duration_s:g} s; choose"
                " a higher --rate or a longer --duration"
            )
        yield replace(rated, **given)


def _most_rounds(endpoint: Endpoint, matrix: Matrix) -> int | None:
    """Return in how many rounds an endpoint is measured at most."""
    named = [rule.rounds for rule in matrix.loads if _at(rule.endpoints, endpoint)]
    limits = [most for most in named if most]
    # What limits nothing is no limit.
    return limits[-1] if limits and limits[-1] < matrix.rounds else None
