"""What differs between the conditions of two runs, and what of it forbids to compare them.

Software is what people compare: another version, another setting of a server is named and no more.
Another machine, another load or another workload would itself be the difference, and forbids it.
What one of the two runs did not record may be alike or not: it is named.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterator, Mapping

from loadtest.records.measured import Machine, Run
from loadtest.records.planned import Endpoint, Load, Record, Shape

CONDITIONS = ("cpu", "processors", "governor")
"""Of the machine; the others are named."""

UNKNOWN = "unknown"
ABSENT = "none"


class Difference(Record, frozen=True, kw_only=True):
    """One condition under which the two runs were not made alike."""

    key: str
    base: str
    new: str
    forbids: bool
    """To compare, unless told `--force`."""


def differences(base: Run, new: Run) -> tuple[Difference, ...]:
    """Return what differs, what forbids first; loads and contracts of what both runs have."""
    differ = [*_machine(base.machine, new.machine), *_shape(base.plan.shape, new.plan.shape)]
    differ += _differing("placement", base.placement, new.placement, absent="not pinned")
    for key, name in (("turns", "turns of a round"), ("at_once", "servers up at the same time")):
        differ += _differing(name, getattr(base.plan, key), getattr(new.plan, key), forbids=False)
    differ += _launched(base, new)
    differ += _workloads(base, new)
    differ += _software(base, new)
    return tuple(sorted(differ, key=lambda difference: not difference.forbids))


def _machine(base: Machine, new: Machine) -> Iterator[Difference]:
    for key in Machine.__struct_fields__:
        if key not in ("versions", "open_files"):
            forbids = key in CONDITIONS
            yield from _differing(key, getattr(base, key), getattr(new, key), forbids=forbids)


def _launched(base: Run, new: Run) -> Iterator[Difference]:
    """Yield who started the servers, which people compare, and where, which forbids it."""
    yield from _differing("launcher", base.launcher, new.launcher, forbids=False)
    yield from _differing("network", base.network, new.network, forbids=False)
    yield from _differing(
        "machine of the servers", _elsewhere(base), _elsewhere(new), absent="the generator's"
    )
    yield from _differing("loads made by", _makers(base), _makers(new), absent="the machine itself")
    if base.engine and new.engine:
        yield from _differing(
            "Docker engine", base.engine.version, new.engine.version, forbids=False
        )
        yield from _items("engine: ", base.engine.settings, new.engine.settings)
        yield from _items("image ", base.engine.images, new.engine.images)


def _makers(run: Run) -> str | None:
    """Return what the agents of a run are, whatever they are called."""
    kinds = Counter(
        f"{'the same machine' if agent.here else agent.machine.cpu}, {agent.machine.processors}"
        " processors"
        for agent in run.agents
    )
    return "; ".join(f"{n} x {kind}" for kind, n in sorted(kinds.items())) or None


def _elsewhere(run: Run) -> str | None:
    return run.engine.name if run.engine and run.engine.remote else None


def _shape(base: Shape, new: Shape) -> Iterator[Difference]:
    if base.known != new.known:
        yield _difference("shape", base if base.known else None, new if new.known else None, False)
    elif base.known:
        for key in Shape.__struct_fields__:
            values = (getattr(base, key), getattr(new, key))
            yield from _differing(f"shape.{key}", *values, absent=ABSENT)


def _workloads(base: Run, new: Run) -> Iterator[Difference]:
    """Yield differing loads and contracts; alike ones of many cells come as one."""
    others = {cell.id: cell for cell in new.plan.cells}
    loads: dict[tuple[Load, Load], list[str]] = {}
    contracts: dict[str, tuple[Endpoint, Endpoint]] = {}
    for cell in base.plan.cells:
        other = others.get(cell.id)
        if other is None:
            continue
        if cell.load != other.load:
            loads.setdefault((cell.load, other.load), []).append(cell.id)
        contracts[cell.endpoint.id] = (cell.endpoint, other.endpoint)
    for (load, other_load), cells in loads.items():
        where = cells[0] if len(cells) == 1 else f"{cells[0]} and {len(cells) - 1} more"
        yield _difference(f"load of {where}", _load(load), _load(other_load), True)
    for name, (endpoint, second) in contracts.items():
        yield from _differing(f"share of {name}", endpoint.share, second.share, forbids=False)
        for key in endpoint.contract.__struct_fields__:
            yield from _differing(
                f"contract of {name}: {key}",
                getattr(endpoint.contract, key),
                getattr(second.contract, key),
                forbids=key != "pooled",  # says no more of the work than it did; older runs lack it
            )


def _software(base: Run, new: Run) -> Iterator[Difference]:
    """Yield what is merely named: versions, and how the servers that both runs have are started."""
    yield from _items("", base.machine.versions, new.machine.versions)
    others = {server.name: server for server in new.plan.servers}
    shared = [server for server in base.plan.servers if server.name in others]
    for server in shared:
        other = others[server.name]
        if server.shape or other.shape:
            shapes = server.sized(base.plan.shape), other.sized(new.plan.shape)
            yield from _differing(f"shape of {server.name}", *shapes)
        # As started; where that is not recorded, as written.
        argv = base.argv.get(server.name, server.argv)
        second = new.argv.get(server.name, other.argv)
        yield from _differing(f"argv of {server.name}", shlex.join(argv), shlex.join(second), False)
        yield from _items(f"{server.name}: ", server.env, other.env)
    yield from _differing(
        "source",
        base.source.file if base.source else "measured by loadtest",
        new.source.file if new.source else "measured by loadtest",
        forbids=False,
    )


def _items(prefix: str, base: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Difference]:
    for key in sorted(base.keys() | new.keys()):
        if base.get(key) != new.get(key):
            yield _difference(prefix + key, base.get(key, ABSENT), new.get(key, ABSENT), False)


def _differing(
    key: str, base: object, new: object, forbids: bool = True, absent: str | None = None
) -> Iterator[Difference]:
    """Yield a difference if there is one; `absent` is what None means where it isn't unknown."""
    if base != new:
        known = absent is not None or (base is not None and new is not None)
        yield _difference(key, base, new, forbids and known, absent or UNKNOWN)


def _difference(
    key: str, base: object, new: object, forbids: bool, absent: str = UNKNOWN
) -> Difference:
    return Difference(
        key=key,
        base=absent if base is None else _text(base),
        new=absent if new is None else _text(new),
        forbids=forbids,
    )


def _text(value: object) -> str:
    if isinstance(value, Record):
        fields = ((key, getattr(value, key)) for key in value.__struct_fields__)
        return ", ".join(f"{key} {_text(each)}" for key, each in fields)
    if isinstance(value, tuple):
        return " ".join(map(str, value)) or ABSENT
    return str(value)


def _load(load: Load) -> str:
    if load.within:
        kind = f"the highest rate within {' '.join(load.within.typed)}, first on "
    elif load.rate:
        kind = f"{load.rate:g} requests/s, {load.arrivals}, on "
    else:
        kind = ""
    steps = f", then at {_text(load.steps)} times its rate" if load.steps else ""
    took = f"{load.duration_s:g} s after {load.warmup_s:g} s"
    return f"{kind}{load.connections} connections, {took}{steps}"
