"""Which records no run can have: found by what their fields are called, and by what they mean."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import msgspec

from attack.tally import unclean
from loadtest.records import clients
from loadtest.records.measured import Histogram, Left, Loaded
from loadtest.records.planned import Load, Plan, Shape, Sizes

SIGNED = {"seed", "open_files"}
"""Fields that may be below zero: a choice, and -1 for as many as there can be."""

MOST = {
    **dict.fromkeys(("rounds", "most_rounds", "turns", "round", "turn", "repeat"), 1_000_000),
    **dict.fromkeys(("workers", "backlog"), 10_000_000),
    **dict.fromkeys(("duration_s", "warmup_s", "budget_s", "keep_alive_s"), 100_000_000),
}
"""Beyond any that are meant, and near what would take all of a machine."""

AT_LEAST_1: dict[type[msgspec.Struct], tuple[str, ...]] = {
    **dict.fromkeys((Shape, Sizes), ("workers", "threads", "backlog")),
    Plan: ("rounds", "turns", "at_once"),
    clients.Plan: ("rounds",),
    Load: ("connections", "duration_s"),
    Loaded: ("duration_us",),
}

NAMES = {"name", "server", "cell", "id", "row", "matrix", "reference", "duplicate_of"}
"""Fields that become names of files, or lead from one record to another."""

RUN = {"argv", "env"}
"""Fields that become a command, which ends at a NUL."""

LONGEST_NAME = 255
"""Bytes of a file's name."""


def nonsense(value: Any, name: str = "") -> str | None:
    """Return the first thing in a record that cannot be, None where all of it can."""
    return next(_nonsense(value, name, set()), None)


def _nonsense(value: Any, name: str, looked_at: set[int]) -> Iterator[str]:
    if isinstance(value, bool) or value is None:
        return
    if isinstance(value, int | float):
        if name == "json":  # of a body of somebody's own, of whatever size
            return
        yield from _number(value, name)
    elif isinstance(value, str):
        if name in NAMES and (dirty := unclean(value.replace("\n", "\0"))):
            yield f"{name}: {dirty}"
        if name in NAMES and len(value.encode("utf-8", "replace")) > LONGEST_NAME:
            yield f"{name} of {len(value)} characters"
        if name in RUN and "\0" in value:
            yield f"{name}: a NUL"
    elif isinstance(value, msgspec.Struct):
        # Growth may be below zero; and a plan has an endpoint at each of its servers.
        if isinstance(value, Left) or id(value) in looked_at:
            return
        looked_at.add(id(value))
        for field in value.__struct_fields__:
            yield from _nonsense(getattr(value, field), field, looked_at)
        for field in AT_LEAST_1.get(type(value), ()):
            if getattr(value, field) < 1:
                yield f"{field} = {getattr(value, field)}"
        if isinstance(value, Histogram):
            yield from _histogram(value)
        if isinstance(value, Loaded) and value.status_errors > value.answers:
            yield f"{value.status_errors} of {value.answers} answers are errors"
    elif isinstance(value, dict):
        for key, each in value.items():
            yield from _nonsense(key, name, looked_at)
            yield from _nonsense(each, name, looked_at)
    elif isinstance(value, tuple | list):
        for each in value:
            yield from _nonsense(each, name, looked_at)


def _number(value: float, name: str) -> Iterator[str]:
    if not math.isfinite(value) or (value < 0 and name not in SIGNED):
        yield f"{name} = {value}"
    elif value > MOST.get(name, 2**63):
        yield f"{name} = {value:g}"


def _histogram(value: Histogram) -> Iterator[str]:
    if len(value.values_us) != len(value.counts):
        yield f"{len(value.values_us)} values and {len(value.counts)} counts"
    if any(first >= second for first, second in pairwise(value.values_us)):
        yield "values that do not ascend"


def endless(value: Any) -> bool:
    """Say whether a figure in a record is not finite."""
    try:
        json.dumps(msgspec.to_builtins(value), allow_nan=False)
    except ValueError:
        return True
    return False
