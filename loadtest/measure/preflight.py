"""Looks for everything that would spoil a run, all of it before anything is measured."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from loadtest.bench.load import wrk
from loadtest.records.errors import CellError
from loadtest.records.measured import DISTURBED
from loadtest.records.planned import STALL_S, Record
from loadtest.records.run_folder import check_writable
from loadtest.records.text import plural
from loadtest.records.values import MOST_CONNECTIONS, MOST_RATE
from loadtest.system import listening, machine, process
from loadtest.system import local_ports as outgoing

OTHERS_WATCHED_S = 0.5


class Check(Record, frozen=True, kw_only=True):
    """One thing looked at: how it is, and what to do where it is not well."""

    name: str
    state: str
    advice: str | None = None
    """None: all is well."""
    fatal: bool = False
    """Nothing can be measured without it."""


def needed(name: str, problem: str | None, well: str, ill: str) -> Check:
    """Return how something is that nothing can be measured without: `well` without a problem."""
    if problem is None:
        return Check(name=name, state=well)
    return Check(name=name, state=ill, advice=problem, fatal=True)


def tool() -> Check:
    """Look for wrk."""
    path = shutil.which(wrk.TOOL)
    missing = f"wrk is missing; {wrk.INSTALL}" if path is None else None
    return needed("wrk", missing, f"{wrk_version()} at {path}" if path else "", "not found")


def wrk_version() -> str:
    """Return wrk's version as it says itself."""
    # It exits with status 1, as at any call without a URL.
    text = process.output(wrk.VERSION_ARGV, env={}, cwd=Path("/"), status=1)
    return (wrk.version(text) or "of unknown version").rpartition("/")[2]


def files(connections: int, option: str) -> Check:
    """Look whether the load's connections can be opened at once, raising the limit if possible.

    `option` is what to ask for fewer with.
    """
    problem = machine.raise_file_limit(connections, option)
    return needed("open files", problem, f"enough for {connections:,} connections", "too few")


def ports(connections: int, option: str) -> Check:
    """Look whether there are local ports to open the load's connections from; see `files`."""
    most, problem = outgoing.most(), None
    if most is not None and most < connections:
        problem = (
            f"{connections:,} connections need a local port each and only {most:,} are available;"
            f" widen net.ipv4.ip_local_port_range (`sysctl`) or ask for fewer with {option}"
        )
    enough = f"enough for {connections:,} connections"
    return needed("ports to connect from", problem, enough, "too few")


def rates() -> Check:
    """Look how high a rate can be that has a connection for each request of a standstill."""
    limits = [machine.most_connections(), outgoing.most(), MOST_CONNECTIONS]
    most = min(limit for limit in limits if limit is not None)
    rate = min(MOST_RATE, int(most / STALL_S))
    return Check(
        name="load at a rate",
        state=f"connections for up to {rate:,} requests/s, through a standstill of {STALL_S:g} s",
    )


def folder(parent: Path) -> Check:
    """Look whether a run can be written below a folder."""
    problem = next(check_writable(parent), None)
    return needed("results folder", problem, f"{parent} can be written", "cannot be written")


def port() -> Check:
    """Look for a free port."""
    try:
        return needed("port", None, f"{listening.free_port()} is free", "")
    except CellError as error:
        return needed("port", f"{error.reason}; end what listens there", "", "none")


def backlog(shape_backlog: int) -> Check:
    """Look whether the system cuts the servers' listen backlog (Linux)."""
    try:
        allowed = int(Path("/proc/sys/net/core/somaxconn").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return Check(name="listen backlog", state=f"{shape_backlog} asked for")
    short = allowed < shape_backlog
    return Check(
        name="listen backlog",
        state=f"{min(allowed, shape_backlog)} of {shape_backlog} asked for",
        advice=f"the system allows {allowed}; `sysctl -w net.core.somaxconn={shape_backlog}`"
        if short
        else None,
    )


def local_ports() -> Check:
    """Look whether a server in a container that ends each connection would use up our ports."""
    if not outgoing.kept():
        return Check(name="local ports", state="given back at once")
    return Check(
        name="local ports",
        state="kept for a minute",
        advice="a server that ends each connection, as gunicorn-sync does, may make the local ports"
        f" run short, which fails its cells; {outgoing.AT_ONCE}",
    )


MOST_IDS = 3
"""Processes of one name that are told by their ids, the busiest first."""


def _ids(ids: Sequence[int]) -> str:
    """Return in brackets which processes they are, so that a person can look at them and end them.

    The host of a virtual machine has none.
    """
    if not ids:
        return ""
    more = f" and {len(ids) - MOST_IDS} more" if len(ids) > MOST_IDS else ""
    word = "process ID" if len(ids) == 1 else "process IDs"
    return f" ({word} {', '.join(map(str, ids[:MOST_IDS]))}{more})"


def others() -> Check:
    """Look how busy the machine is with other things; takes half a second."""
    busy = machine.busy(OTHERS_WATCHED_S)
    state = f"others use {busy.used:.1f} of {plural(busy.processors, 'processor')}"
    least = DISTURBED * busy.processors
    if busy.used <= least:
        return Check(name="other load", state=state)
    named = {name: used for name, used in busy.by.items() if used > least / 2}
    if named:
        each = (f"{name} {used:.1f}{_ids(busy.ids[name])}" for name, used in named.items())
        state += f": {', '.join(each)}"
    ends = "end them (`kill ID`), or wait until they are done"
    if named and not any(busy.ids[name] for name in named):
        ends = "wait until it has time for this machine, or measure on another"
    return Check(
        name="other load",
        state=state,
        advice=f"{state}; {ends}: beside them a run can separate fewer servers",
    )
