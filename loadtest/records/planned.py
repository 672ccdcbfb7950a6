"""What people write, and the plan that is made of it.

Units are in the names: `_s` seconds, `_us` microseconds, `_bytes` bytes. Unknown is `None`,
never 0 or -1.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from loadtest.records.values import (
    END,
    MOST_CELLS,
    MOST_LIMITS,
    MOST_ROWS,
    MOST_SERVERS,
    MOST_STEPS,
    MOST_TRIED,
    Agents,
    AskedRate,
    AtLeastOne,
    Connections,
    Count,
    Distribution,
    Globs,
    Limit,
    LimitS,
    Name,
    Reason,
    Rounds,
    Seconds,
    Seed,
    ShapeText,
    Share,
    Step,
    Threads,
    Word,
    Workers,
)

Interface = Literal["wsgi", "asgi"]

Style = Literal["sync", "async", "control", "unknown"]
"""Unknown: in a report of others that doesn't say."""

Status = Literal["measured", "failed", "skipped"]
Stage = Literal["services", "launch", "verify", "load", "verify-after"]

SUM = rf"^(workers|[0-9]{{1,4}})( \+ (workers|[0-9]{{1,4}})){{0,9}}{END}"
"""Of numbers and `workers`, as data may state a count that follows the shape."""

SUMS = 'numbers and `workers`, as in "3" or "workers + 1"'

SETTLED_S = 2.0
"""After its load, when what a server still holds it was not about to let go of."""


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every record: immutable, and an unknown key is an error, not a shrug."""


class Server(Record, frozen=True, kw_only=True):
    """One profile in `servers/<name>.toml`."""

    name: Name
    summary: str
    interface: Interface | None
    """None in a report of others that doesn't say."""
    requires: Annotated[tuple[Distribution, ...], Meta(max_length=MOST_ROWS)]
    """Distributions that the app's interpreter must have, the server's own first."""
    argv: tuple[Word, ...]
    """With placeholders: `{python}`, `{host}`, `{port}`, `{workers}`, `{threads}`, ..."""
    in_flight: Literal["workers", "workers * threads", "connections"]
    """How many requests it works on at once: the most that a slow endpoint can show."""
    processes: Literal["one", "workers"] = "one"
    """`workers`: argv is started once a worker, all on one inherited socket, `{fd}`."""
    processes_seen: Annotated[str, Meta(pattern=SUM, extra={"wanted": SUMS})] | None = None
    """How many of its processes there are under load, as in `workers + 1`; None: not known."""
    recycled: tuple[Word, ...] = ()
    """What is added to `argv` so that a worker is replaced after `{max_requests}` responses; empty:
    it cannot do that."""
    env: dict[str, Word] = {}
    unsupported: dict[Style, str] = {}
    """Styles that cannot work here, with the reason. They come out as skipped."""
    limits: Annotated[tuple[Limit, ...], Meta(max_length=MOST_LIMITS)] = ()
    """What it cannot do on equal footing, in words, shown beside its results."""
    duplicate_of: Name | None = None
    """The server that this one is a duplicate of: an A/A pair, to show the run's noise."""
    profile: Name | None = None
    """What its profile is called, where its own name has its shape or its variant as well."""
    shape: Shape | None = None
    """Its own, in a run that has several; None: the plan's."""
    variant: Name | None = None
    """Of the project, see `App.variants`; None: the project as it is."""

    def sized(self, shape: Shape) -> Shape:
        """Return its shape, where that of its plan is `shape`."""
        return self.shape or shape

    def capacity(self, shape: Shape, connections: int, contract: Contract | None = None) -> int:
        """Return how many of `connections` requests it can work on at once; `shape` is the plan's.

        Of those that wait in the database, no more than its processes have pooled connections.
        """
        shape = self.sized(shape)
        most = [connections]
        if self.in_flight == "workers":
            most.append(shape.workers)
        if self.in_flight == "workers * threads":
            most.append(shape.workers * shape.threads)
        if contract and contract.pooled:
            pools = min(shape.workers, self.expected_processes(shape) or shape.workers)
            most.append(pools * shape.database_pool)
        return min(most)

    def expected_processes(self, shape: Shape) -> int | None:
        """Return how many processes it should have, its master and helpers among them.

        `shape` is the plan's. None where nobody knows, as while workers are replaced.
        """
        shape = self.sized(shape)
        if self.processes_seen is None or shape.max_requests:
            return None
        terms = self.processes_seen.split(" + ")
        return sum(shape.workers if term == "workers" else int(term) for term in terms)


class Sizes(Record, frozen=True, kw_only=True):
    """How much of the machine each server gets, as a person may write it."""

    workers: Workers = 2
    threads: Threads = 4
    """Threads of each worker, where a server has them."""
    backlog: Annotated[int, Meta(ge=1, le=65_535)] = 2048
    keep_alive_s: LimitS = 75
    time_limit_s: LimitS = 120
    """Above the slowest endpoint, so that no server's own limit cuts an answer off."""
    database_pool: Annotated[int, Meta(ge=1, le=1_000)] = 16
    """Connections of each worker process at most."""
    max_requests: Annotated[int, Meta(ge=1, le=1_000_000_000)] | None = None
    """Responses after which a worker is replaced, as production does against leaks; None: never.
    Servers that cannot do that are skipped."""

    def sessions(self, pooled: bool) -> int:
        """Return how many connections to a database a server may keep: its pools', or its threads'.

        Of one whose threads are made as they are needed, as under ASGI, nobody knows; it has those
        of a pool.
        """
        each = self.database_pool if pooled else max(self.threads, self.database_pool)
        return self.workers * each


class Shape(Sizes, frozen=True, kw_only=True):
    """How much of the machine each server gets."""

    known: bool = True
    """False in a report of others: what stands here is then no fact, only the default."""

    @property
    def typed(self) -> str:
        """Its workers and threads as a person types them: `2x4`."""
        return f"{self.workers}x{self.threads}"


Level = Literal["exact", "json", "text", "shape", "tags", "length"]
"""How much of an answer is fixed: all bytes, all of a JSON value or of a text but its holes, the
shape of a JSON value, the tags of a page, nothing but about how long it is."""


Digest = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{64}}{END}")]
Beginning = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{16}}{END}")]
"""Of a digest."""


class Body(Record, frozen=True, kw_only=True):
    """What the bodies of an endpoint have in common, as they were recorded; none of their text."""

    level: Level
    """How much is fixed: all bytes (`exact`), all but holes (`json`, `text`), the `shape` of a JSON
    value, the `tags` of a page, or nothing but the `length`."""
    sha256: Digest | None = None
    """Of what is fixed; in a run's folder, of all of this; None: nothing is."""
    holes: Annotated[tuple[str, ...], Meta(max_length=500)] = ()
    """What differs from answer to answer: paths in a JSON value; in a text the numbers of words,
    and what is known by its looks, such as times, wherever it stands."""
    each: Annotated[tuple[Beginning, ...], Meta(max_length=100)] = ()
    """Where an endpoint is asked with one value after another: the beginning of the digest of the
    answer to each, in their order, in the place of `sha256`."""
    least_bytes: Count = 0
    """Of its length, without its content encoding."""
    most_bytes: Count = 2**53
    """Likewise."""
    has: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(max_length=100)] = ()
    """Words that have to stand in it."""
    lacks: Annotated[tuple[Annotated[str, Meta(min_length=1)], ...], Meta(max_length=100)] = ()
    """Words that must not."""
    location_sha256: Digest | None = None
    """Of the path that it redirects to, without its ids; None: it does not, or not always there."""
    cookies: Annotated[tuple[str, ...], Meta(max_length=100)] = ()
    """The names of those that each answer sets."""

    def published(self) -> Body:
        """Return what others may read of it: how much is fixed, and a digest of all that is.

        Keys of a JSON value and words of a page are of somebody's own site.
        """
        digest = hashlib.sha256(msgspec.json.encode(self)).hexdigest()
        return Body(
            level=self.level,
            sha256=digest,
            least_bytes=self.least_bytes,
            most_bytes=self.most_bytes,
        )


MOST_OVERHEAD = 1.5
"""Times its declared delay; an answer that takes longer stood in a queue."""


class Contract(Record, frozen=True, kw_only=True):
    """What an answer has to be, and what it takes to make one; None where nobody has said."""

    status: Annotated[int, Meta(ge=100, le=599)] | None
    content_type: str | None
    content_encoding: str | None
    body_bytes: Count | None
    """Length and digest are of the body after its content encoding is undone."""
    body_sha256: str | None
    delay_s: Seconds
    postgres: Count | None
    redis: Count | None
    upstream: Count | None
    body: Body | None = None
    """What a body has to be where it isn't the same at every time."""
    statements: Count | None = None
    """That the project sends to its databases for an answer, at least, as it was recorded."""
    changes: Count | None = None
    """Of these, those that insert, update or delete."""
    pooled: bool = False
    """The delay is the database's: each request holds a connection of its worker's pool for it."""

    @property
    def longest_s(self) -> float:
        """The most that an answer takes which stood in no queue; 0 of one that does not wait."""
        return MOST_OVERHEAD * self.delay_s


class Endpoint(Record, frozen=True, kw_only=True):
    """One workload in one style, as the app declares it."""

    name: Name
    style: Style
    path: str
    title: str
    kind: Name
    summary: str
    isolated: bool
    """It can poison what is measured next on the same process, so it comes last there."""
    note: str | None
    unsupported: dict[Interface, str]
    contract: Contract
    share: Annotated[float, Meta(gt=0, le=1)] | None = None
    """Of the requests of the site; None: nobody has said."""
    cost_s: Seconds | None = None
    """How long an answer took when it was recorded, nothing else being asked: a load has to last
    for many of them."""

    @property
    def id(self) -> str:
        """Name and style, as in `json-sync`."""
        return f"{self.name}-{self.style}"

    def published(self) -> Endpoint:
        """Return what others may read of it, see `Body`."""
        if self.contract.body is None:
            return self
        contract = msgspec.structs.replace(self.contract, body=self.contract.body.published())
        return msgspec.structs.replace(self, contract=contract)


Arrivals = Literal["even", "poisson"]

STALL_S = 0.5
"""Each idle connection takes wrk time: with 500 of them, twice as much as with 50."""

LONGEST_S = 10
"""Of a load, for the sake of its number of requests."""


class Goal(Record, frozen=True, kw_only=True):
    """What answers at a rate have to keep to."""

    p90_us: Annotated[int, Meta(ge=1, le=3_600_000_000)] | None = None
    p99_us: Annotated[int, Meta(ge=1, le=3_600_000_000)] | None = None
    error_share: Annotated[float, Meta(ge=0, lt=1)] = 0.001
    """Of the requests that were sent."""

    @property
    def typed(self) -> tuple[str, ...]:
        """Its parts as a person types them: `p99=300ms`."""
        times = (("p90", self.p90_us), ("p99", self.p99_us))
        errors = (f"errors={self.error_share * 100:.10g}%",)
        return (
            *(f"{name}={us / 1e3:.10g}ms" for name, us in times if us is not None),
            *(errors if self.error_share != Goal().error_share else ()),
        )


class Load(Record, frozen=True, kw_only=True):
    """A closed loop: so many connections, each asking again as soon as it is answered.

    With a `rate` an open one: requests are sent as scheduled, whatever the answers do, each on a
    connection that is free.
    """

    connections: Connections
    duration_s: Annotated[float, Meta(ge=1, le=1e8)]
    warmup_s: Seconds
    rate: AskedRate | None = None
    """Requests a second; None: a closed loop."""
    arrivals: Arrivals = "even"
    """Of a load at a rate: evenly spaced, or at random as of many independent users."""
    within: Goal | None = None
    """The rate is searched for: the highest that keeps this goal. What was tried says `Outcome`."""
    steps: Annotated[tuple[Step, ...], Meta(max_length=MOST_STEPS)] = ()
    """After the closed loop, loads at these shares of the rate that it showed, one a round."""
    tool: str | None = None
    """Of a report of others: the load generator with the options that make another load of it;
    None: wrk, plain."""
    script: str | None = None
    """Likewise: what wrk was given with `-s`; what it sent is not known."""

    @property
    def explores(self) -> bool:
        """Whether the rates of further loads follow from those before."""
        return self.within is not None or bool(self.steps)

    @property
    def most_connections(self) -> int:
        """How many it may come to have."""
        return MOST_TRIED if self.explores else self.connections

    def at_rate(
        self,
        rate: float,
        delay_s: float,
        stall_s: float,
        requests: int,
        longest_s: float = LONGEST_S,
    ) -> Load:
        """Return the load at a rate, with the connections and the time that it needs.

        Through a standstill of `stall_s` each request finds a free connection; a load has as many
        `requests`, unless that would take longer than `longest_s`.
        """
        return msgspec.structs.replace(
            self,
            rate=rate,
            connections=max(1, math.ceil(rate * (delay_s + stall_s))),
            duration_s=max(self.duration_s, min(longest_s, math.ceil(requests / rate))),
        )


def at(endpoint: Endpoint, load: Load) -> str:
    """Return an endpoint with its style and, of a load at a rate, the rate: `json-sync@200`."""
    fixed = load.rate and not load.explores
    return endpoint.id + (f"@{load.rate:g}" if fixed else "")


class Cell(Record, frozen=True, kw_only=True):
    """One server at one endpoint in one style under one load."""

    server: Name
    endpoint: Endpoint
    load: Load
    skip: Reason | None = None
    """Why it cannot be measured, where that is known before anything runs."""
    rounds: Rounds | None = None
    """Planned in the first so many rounds only; None: in all of them."""

    def planned_in(self, round_: int) -> bool:
        """Say whether it is to be measured in a round; they count from 0."""
        return self.rounds is None or round_ < self.rounds

    @property
    def id(self) -> str:
        """A name no other cell of the run has; also the stem of its files."""
        return f"{self.server}.{self.at}"

    @property
    def at(self) -> str:
        """What all servers are compared at: the endpoint under its load, see `at`."""
        return at(self.endpoint, self.load)


Mix = Literal["stated", "rest", "equal"]
"""Of the shares of endpoints: all were stated; those that were not divide the rest; none was."""


class Plan(Record, frozen=True, kw_only=True):
    """Everything a run will do, resolved; the order of each round follows from the seed."""

    matrix: Name
    seed: Seed | None
    """Of the order; None in a report of others."""
    rounds: Rounds
    most_rounds: Rounds | None = None
    """As many while something is open and the budget lasts; None: `rounds`, or with `precision` as
    many as it takes."""
    turns: Rounds = 1
    """Loads of each cell in a round, in turn with those of the other servers."""
    at_once: AtLeastOne = 1
    """Servers that are up at the same time."""
    shape: Shape
    """Of all servers that have none of their own."""
    servers: Annotated[tuple[Server, ...], Meta(max_length=MOST_SERVERS)]
    reference: Name | None = None
    """The server that others are compared with; it has a duplicate, see `Server.duplicate_of`."""
    today: Name | None = None
    """The server that a site runs on today, as it runs it: the base of all ratios."""
    mix: Mix | None = None
    """How the shares of the endpoints are known, where they are those of a site: what counts is
    then the mean cost of a request of its traffic. None: each endpoint counts alike."""
    observe_release: bool = False
    """In the first round, wait 2 s after the last load of each server process, to see what it lets
    go of."""
    precision: Share | None = None
    """Go on after the rounds with the cells whose ratio to the reference is known less well than
    this, as a share, or whose rank is open."""
    budget_s: Seconds | None = None
    """Time for measuring, after which no further round begins; None: no limit."""
    cells: Annotated[tuple[Cell, ...], Meta(max_length=MOST_CELLS)]

    @property
    def most_workers(self) -> int:
        """The workers of the server that has most of them."""
        sized = (server.sized(self.shape) for server in self.servers)
        return max((shape.workers for shape in sized), default=self.shape.workers)

    def largest(self, pooled: bool) -> Shape:
        """Return the shape with most sessions, see `Sizes.sessions`."""
        return max(self.shapes, key=lambda shape: shape.sessions(pooled), default=self.shape)

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """Those that its servers have, each once."""
        return tuple(dict.fromkeys(server.sized(self.shape) for server in self.servers))

    @property
    def explores(self) -> bool:
        """Whether rates are searched or stepped through."""
        return any(cell.load.explores for cell in self.cells)

    def has_untried(self, tried: Collection[tuple[str, int]]) -> bool:
        """Say whether a cell was not tried in a round that it is planned in, by id and round."""
        return any(
            cell.skip is None and cell.planned_in(round_) and (cell.id, round_) not in tried
            for cell in self.cells
            for round_ in range(self.rounds)
        )


class Choice(Record, frozen=True, kw_only=True):
    """What was asked for on the command line; None leaves it to the matrix."""

    matrix: str = "quick"
    """As it was typed: a name, or the path of a file."""
    servers: Globs = ()
    endpoints: Globs = ()
    styles: Globs = ()
    rounds: Rounds | None = None
    duration_s: AtLeastOne | None = None
    connections: Connections | None = None
    rates: Annotated[tuple[AskedRate, ...], Meta(max_length=MOST_STEPS)] = ()
    """Requests a second, each a load of its own; none: closed loops, or what the matrix has."""
    arrivals: Arrivals | None = None
    within: Goal | None = None
    """Search the highest rate that keeps it."""
    workers: Workers | None = None
    threads: Threads | None = None
    shapes: Annotated[tuple[ShapeText, ...], Meta(max_length=MOST_SERVERS)] = ()
    """Each server in each of these; none: in one, as `workers` and `threads` have it."""
    variants: Globs = ()
    """Of a project; none: all that it has."""
    seed: Seed | None = None
    pin: bool | None = None
    precision: Share | None = None
    budget_s: Seconds | None = None
    agents: Agents | None = None
    """Machines that make each load together; None: this one makes it."""
