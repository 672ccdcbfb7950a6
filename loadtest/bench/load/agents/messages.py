"""What the machine that steers and its agents say to each other: a closed list of strict records.

Times are microseconds of Unix time by the clock of whoever says so.
"""

from __future__ import annotations

import ipaddress
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from loadtest.bench.load.generator import Ended
from loadtest.records.measured import Host, Machine, Usage, Way
from loadtest.records.planned import Arrivals, Record
from loadtest.records.values import (
    END,
    MOST_AGENTS,
    MOST_LOAD_S,
    MOST_SEED,
    AskedRate,
    Connections,
    Count,
    Detail,
    Label,
    Reason,
)

PROTOCOL = 1
"""Of the messages; both sides have to have the same."""

MOST_BYTES = 64 * 2**20
"""Of a message: a histogram has a number for each microsecond in which an answer came."""

Nonce = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{32}}{END}")]

Number = Annotated[int, Meta(ge=0, le=2**53)]

Word = Annotated[str, Meta(min_length=1, max_length=200)]

Address = Annotated[str, Meta(pattern=rf"^[0-9a-fA-F:.]{{2,45}}{END}")]
"""Of a target, in numbers: a name could be of one machine here and of another there."""

Path = Annotated[str, Meta(pattern=rf"^/[!-~]{{0,8000}}{END}")]
"""And query, as they are sent."""


class Hello(Record, frozen=True, kw_only=True, tag_field="kind", tag="hello"):
    """An agent asks to take part: the first message of a session, signed by the secret alone."""

    protocol: Number
    nonce: Nonce


class Welcome(Record, frozen=True, kw_only=True, tag_field="kind", tag="welcome"):
    """The answer to a `Hello`, signed likewise; all that follows is signed with both nonces."""

    nonce: Nonce
    of: Nonce
    """That of the `Hello`."""


class Joining(Record, frozen=True, kw_only=True, tag_field="kind", tag="joining"):
    """Who an agent is."""

    id: Nonce
    """Of its process, at random."""
    host: Label
    version: Word
    """Of loadtest."""
    machine: Machine
    """With `wrk` among the versions."""
    serves: bool = False
    """It starts the servers of a run, and makes no load."""
    system_id: Word | None
    """Of the running system of its machine: containers of one machine have the same."""


class Refused(Record, frozen=True, kw_only=True, tag_field="kind", tag="refused"):
    """An agent cannot take part."""

    reason: Reason


class Ping(Record, frozen=True, kw_only=True, tag_field="kind", tag="ping"):
    """Whether an agent is there, and what time it has."""

    number: Number


class Pong(Record, frozen=True, kw_only=True, tag_field="kind", tag="pong"):
    """The answer to a `Ping`."""

    number: Number
    came_us: Count
    """When the ping came; `left_us` when this was written."""
    left_us: Count


class Order(Record, frozen=True, kw_only=True, tag_field="kind", tag="order"):
    """A load that an agent is to make: it starts wrk, which then waits for `Go`."""

    load: Number
    """Of its run."""
    address: Address
    port: Annotated[int, Meta(ge=1, le=65_535)]
    path: Path
    requests: tuple[bytes, ...] = ()
    """To be sent as they are, in turn; none: a GET of the path."""
    connections: Connections
    """Of this agent."""
    duration_s: Annotated[float, Meta(ge=1, le=MOST_LOAD_S)]
    delay_s: Annotated[float, Meta(ge=0, le=MOST_LOAD_S)]
    """That an answer takes by itself."""
    rate: AskedRate | None = None
    """Of all agents together; None: a closed loop."""
    arrivals: Arrivals = "even"
    seed: Annotated[int, Meta(ge=0, le=MOST_SEED)] = 0
    """Of this agent's arrivals, where they are random."""
    number: Annotated[int, Meta(ge=0, lt=MOST_AGENTS)] = 0
    """Which slots of the schedule it sends: each `of`th from this one on."""
    of: Annotated[int, Meta(ge=1, le=MOST_AGENTS)] = 1

    def problem(self, *, anywhere: bool) -> str | None:
        """Return why this is not to be loaded from here; `anywhere` allows public addresses."""
        try:
            address = ipaddress.ip_address(self.address)
        except ValueError:
            return f"{self.address!r} is no address"
        address = getattr(address, "ipv4_mapped", None) or address
        near = address.is_private or address.is_loopback or address.is_link_local
        if not (near or anywhere) or address.is_multicast or address.is_unspecified:
            return (
                f"{address} is neither this machine nor on a private network; start the agent with"
                " --any-target to allow it"
            )
        return None

    @property
    def url(self) -> str:
        """As wrk takes it."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"http://{host}:{self.port}{self.path}"


class Armed(Record, frozen=True, kw_only=True, tag_field="kind", tag="armed"):
    """wrk is up for a load, and waits."""

    load: Number
    network: Way
    """From here to what is loaded."""


class Go(Record, frozen=True, kw_only=True, tag_field="kind", tag="go"):
    """When a load begins, by the agent's own clock."""

    load: Number
    at_us: Count


class Halt(Record, frozen=True, kw_only=True, tag_field="kind", tag="halt"):
    """A load is to end: nobody waits for it any more."""

    load: Number


class Result(Record, frozen=True, kw_only=True, tag_field="kind", tag="result"):
    """What a load came to, as wrk printed it."""

    load: Number
    ended: Ended
    usage: Usage
    host: Host


class Failed(Record, frozen=True, kw_only=True, tag_field="kind", tag="failed"):
    """A load that an agent could not make."""

    load: Number
    reason: Reason
    detail: Detail | None = None


class Ask(Record, frozen=True, kw_only=True, tag_field="kind", tag="ask"):
    """Something of servers, which is asked of who serves."""

    number: Number
    asked: msgspec.Raw
    """One of a closed list of its own, see `bench/servers/agents/asks.py`."""


class Told(Record, frozen=True, kw_only=True, tag_field="kind", tag="told"):
    """The answer to an `Ask`."""

    number: Number
    told: msgspec.Raw


class Unable(Record, frozen=True, kw_only=True, tag_field="kind", tag="unable"):
    """An `Ask` of which nothing came."""

    number: Number
    reason: Reason
    detail: Detail | None = None


class Bye(Record, frozen=True, kw_only=True, tag_field="kind", tag="bye"):
    """The run is over, or the agent goes."""


TO_MASTER: Any = Joining | Pong | Armed | Result | Failed | Told | Unable | Bye
TO_AGENT: Any = Refused | Ping | Order | Go | Halt | Ask | Bye


def read(text: str | bytes, kind: Any) -> Any:
    """Return the message of a text; raises ValueError for what is none."""
    try:
        return msgspec.json.decode(text, type=kind)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"no message of ours: {error}") from None
