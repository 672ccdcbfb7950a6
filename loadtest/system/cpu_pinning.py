"""Which processors the server, the services and the generator are kept on.

Linux only: macOS has no way to keep a process on a processor.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from loadtest.records.errors import UserError
from loadtest.records.measured import Placement

ENOUGH = 4
"""Processors from which on they are shared out without being asked."""

TOPOLOGY = Path("/sys/devices/system/cpu")


def choose(pin: bool | None) -> Placement | None:
    """Return a placement if asked for, or if not asked and there are enough processors.

    Raises UserError where it was asked for and cannot be.
    """
    if pin is False:
        return None
    if not hasattr(os, "sched_getaffinity"):
        if pin:
            raise UserError("--pin: this system cannot keep a process on a processor; leave it out")
        return None
    cores = _cores(sorted(os.sched_getaffinity(0)))
    processors = sum(map(len, cores))
    if pin is None and processors < ENOUGH:
        return None
    if len(cores) < 2:
        if pin:
            raise UserError("--pin: there is one core, which cannot be shared out; leave it out")
        return None
    return place(cores)


def is_possible(placement: Placement) -> bool:
    """Say whether this process may keep others on the processors of a placement."""
    named = {*placement.generator, *placement.services, *placement.server}
    return hasattr(os, "sched_getaffinity") and named <= os.sched_getaffinity(0)


def place(cores: Sequence[Sequence[int]]) -> Placement:
    """Share out cores (each the processors that are siblings of one another), at least two.

    wrk has one thread, so it gets one core; so do the services from four cores on, below that they
    share the generator's; the server gets all the others.
    """
    generator, *others = cores
    services = others.pop(0) if len(cores) >= ENOUGH else generator
    return Placement(
        generator=tuple(generator),
        services=tuple(services),
        server=tuple(processor for core in others for processor in core),
    )


def _cores(processors: Sequence[int]) -> list[list[int]]:
    """Return processors grouped by core: siblings share its units, so they stay together."""
    cores: dict[str, list[int]] = {}
    for processor in processors:
        path = TOPOLOGY / f"cpu{processor}" / "topology" / "thread_siblings_list"
        try:
            siblings = path.read_text(encoding="utf-8").strip()
        except OSError:
            siblings = str(processor)
        cores.setdefault(siblings, []).append(processor)
    return list(cores.values())
