"""Where rows run: each Python that was asked for, and what it has for each lock file."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from loadtest.plan.clients import environments
from loadtest.plan.clients.catalogue import Client
from loadtest.plan.clients.environments import Found
from loadtest.plan.clients.preset import Preset
from loadtest.records.clients import Interpreter
from loadtest.records.errors import UserError

Place = Mapping[str, Found]
"""What was found under one Python, by lock file."""


def places(
    asked: Preset,
    clients: Mapping[str, Client],
    pythons: Sequence[str],
    *,
    make: bool,
    say: Callable[[str], None],
) -> list[tuple[str, Place]]:
    """Return where the clients run under each Python, with what to call it in a label.

    Without `pythons` that is the one that runs this. Raises UserError for one that is named twice.
    """
    used = {name for table in asked.group for block in table.rows for name in block.client}
    groups: dict[str, list[Client]] = {}
    for name, one in clients.items():
        if name in used:
            groups.setdefault(one.lock, []).append(one)
    found: dict[str, Place] = {
        python: {
            lock: environments.find(python, group, own=not pythons, make=make, say=say)
            for lock, group in groups.items()
        }
        for python in pythons or (sys.executable,)
    }
    seen: dict[str, str] = {}
    for python, place in found.items():
        for key in filter(None, (one.key for one in place.values())):
            if seen.setdefault(key, python) != python:
                raise UserError(f"--python {seen[key]} and {python} are the same; leave out one")
    return list(zip(_called(found), found.values(), strict=True))


def known(places: Sequence[tuple[str, Place]]) -> dict[str, Interpreter]:
    """Return the interpreters that were found, by the names that rows use."""
    return {
        found.key: found.interpreter
        for _, place in places
        for found in place.values()
        if found.key is not None and found.interpreter is not None
    }


def _called(found: Mapping[str, Place]) -> list[str]:
    """Return what each Python is called: nothing where there is but one, by its path if need be."""
    if len(found) < 2:
        return [""] * len(found)
    names = [_name(python, place) for python, place in found.items()]
    count = Counter(names)
    return [
        name if count[name] == 1 else f"{name}, {python}"
        for name, python in zip(names, found, strict=True)
    ]


def _name(python: str, place: Place) -> str:
    one = next((each.interpreter for each in place.values() if each.interpreter), None)
    if one is None:
        return python
    return f"{'Python' if one.implementation == 'CPython' else one.implementation} {one.version}"
