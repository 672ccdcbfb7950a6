"""What the machine that steers asks of the one that serves: a closed list of strict records.

A command that comes with a server (`Launch`) runs only where the profiles and the project of who is
asked declare the same.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from loadtest.bench.load.agents.messages import Address, Number
from loadtest.plan.servers.project import App
from loadtest.plan.servers.requests import Prepared
from loadtest.records.measured import Host, Usage
from loadtest.records.planned import Contract, Record, Server, Shape
from loadtest.records.values import MOST_SERVERS, Connections, Seconds


class Prepare(Record, frozen=True, kw_only=True, tag_field="ask", tag="prepare"):
    """Start the services of a run; comes first, and once in a session."""

    shape: Shape
    """Of servers that have none of their own."""
    largest: Shape
    """Of all servers, that with most sessions."""
    at_once: Annotated[int, Meta(ge=1, le=MOST_SERVERS)]
    """Servers that are up at the same time."""
    connections: Connections
    """Of the largest load."""
    declared: dict[str, str]
    """As of `declared`: another project is not started."""


class Repair(Record, frozen=True, kw_only=True, tag_field="ask", tag="repair"):
    """Start services that have died again; fails with what died."""


class Launch(Record, frozen=True, kw_only=True, tag_field="ask", tag="launch"):
    """Start a server."""

    number: Number
    """By which it is asked for from now on."""
    server: Server


class Up(Record, frozen=True, kw_only=True):
    """A server has answered."""

    address: Address
    port: Annotated[int, Meta(ge=1, le=65_535)]
    launch_s: Seconds
    requests: dict[str, tuple[Prepared, ...]]
    """What it is sent, by the name of the endpoint: users are logged in to its database alone."""


class Look(Record, frozen=True, kw_only=True, tag_field="ask", tag="look"):
    """How a server is, or what its database counted."""

    server: Number
    at: Literal["ended", "holding", "memory", "tail", "sessions", "scans"]


class Count(Record, frozen=True, kw_only=True, tag_field="ask", tag="count"):
    """What a server's services counted that an endpoint needs."""

    server: Number
    contract: Contract


class Sample(Record, frozen=True, kw_only=True, tag_field="ask", tag="sample"):
    """Sample a server and its services from now on; with `end` tell what was sampled."""

    server: Number
    end: bool = False


class Used(Record, frozen=True, kw_only=True):
    """What was sampled."""

    usage: dict[str, Usage]
    host: Host


class Stop(Record, frozen=True, kw_only=True, tag_field="ask", tag="stop"):
    """Stop a server and all that it started, if need be once it is up."""

    server: Number


def declared(app: App) -> dict[str, str]:
    """Return digests of what a project has to have alike on both machines, by what it is called.

    Its interpreter has a place of its own on each.
    """
    parts = {"[[endpoint]]": app.requests, "[variants]": app.variants}
    digests = {
        name: hashlib.sha256(msgspec.json.encode(part, order="deterministic")).hexdigest()
        for name, part in parts.items()
    }
    return {name: text for name, text in {**app.basis, **digests}.items() if name != "interpreter"}


ASKS: Any = Prepare | Repair | Launch | Look | Count | Sample | Stop
