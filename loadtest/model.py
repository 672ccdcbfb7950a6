"""The words of the project as data: what is planned, and what became of it.

Units are in the names: `_s` seconds, `_us` microseconds, `_bytes` bytes. Unknown is `None`,
never 0 or -1.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Interface = Literal["wsgi", "asgi"]
Style = Literal["sync", "async", "control"]
Status = Literal["measured", "failed", "skipped"]
Stage = Literal["services", "launch", "verify", "load", "verify-after"]


class Record(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every record: immutable, and an unknown key is an error, not a shrug."""


# What people write -------------------------------------------------------------------------------


class Server(Record, frozen=True, kw_only=True):
    """One profile in `servers/<name>.toml`."""

    name: str
    summary: str
    interface: Interface
    requires: tuple[str, ...]
    """Distributions that the app's interpreter must have, the server's own first."""
    argv: tuple[str, ...]
    """With placeholders: `{python}`, `{host}`, `{port}`, `{workers}`, `{threads}`, ..."""
    in_flight: Literal["workers", "workers * threads", "connections"]
    """How many requests it works on at once: the most that a slow endpoint can show."""
    processes: Literal["one", "workers"] = "one"
    """`workers`: argv is started once a worker, all on one inherited socket, `{fd}`."""
    env: dict[str, str] = {}
    unsupported: dict[Style, str] = {}
    """Styles that cannot work here, with the reason. They come out as skipped."""
    limits: tuple[str, ...] = ()
    """What it cannot do on equal footing, in words, shown beside its results."""

    def capacity(self, shape: Shape, connections: int) -> int:
        """Return how many of `connections` requests it can work on at once."""
        if self.in_flight == "workers":
            return min(shape.workers, connections)
        if self.in_flight == "workers * threads":
            return min(shape.workers * shape.threads, connections)
        return connections


class Shape(Record, frozen=True, kw_only=True):
    """How much of the machine each server gets."""

    workers: int = 2
    threads: int = 4
    """Threads of each worker, where a server has them."""
    backlog: int = 2048
    keep_alive_s: int = 75
    time_limit_s: int = 120
    """Above the slowest endpoint, so that no server's own limit cuts an answer off."""
    database_pool: int = 16
    """Connections of each worker process at most."""


class Contract(Record, frozen=True, kw_only=True):
    """What an answer has to be, and what it takes to make one."""

    status: int
    content_type: str
    content_encoding: str | None
    body_bytes: int
    """Length and digest are of the body after its content encoding is undone."""
    body_sha256: str
    delay_s: float
    postgres: int
    redis: int
    upstream: int


class Endpoint(Record, frozen=True, kw_only=True):
    """One workload in one style, as the app declares it."""

    name: str
    style: Style
    path: str
    title: str
    kind: str
    summary: str
    isolated: bool
    """It can poison what is measured next on the same process, so it gets one of its own."""
    note: str | None
    unsupported: dict[Interface, str]
    contract: Contract

    @property
    def id(self) -> str:
        """Name and style, as in `json-sync`."""
        return f"{self.name}-{self.style}"


class Load(Record, frozen=True, kw_only=True):
    """A closed loop: so many connections, each asking again as soon as it is answered."""

    connections: int
    duration_s: float
    warmup_s: float


class Cell(Record, frozen=True, kw_only=True):
    """One server at one endpoint in one style under one load."""

    server: str
    endpoint: Endpoint
    load: Load
    skip: str | None = None
    """Why it cannot be measured, where that is known before anything runs."""

    @property
    def id(self) -> str:
        """A name no other cell of the run has; also the stem of its files."""
        return f"{self.server}.{self.endpoint.id}"


class Plan(Record, frozen=True, kw_only=True):
    """Everything a run will do, resolved; the order of each round follows from the seed."""

    matrix: str
    seed: int
    rounds: int
    shape: Shape
    servers: tuple[Server, ...]
    cells: tuple[Cell, ...]


# What became of it -------------------------------------------------------------------------------


class Histogram(Record, frozen=True, kw_only=True):
    """Latencies: `counts[i]` answers took `values_us[i]` microseconds, ascending."""

    values_us: tuple[int, ...]
    counts: tuple[int, ...]


class Loaded(Record, frozen=True, kw_only=True):
    """What the load generator counted; integers as it gave them."""

    generator: str
    duration_us: int
    answers: int
    """Answers of any status."""
    received_bytes: int
    connect_errors: int
    read_errors: int
    write_errors: int
    status_errors: int
    """Answers that were not 2xx or 3xx; they are among `answers`."""
    timeouts: int
    """Answers slower than the generator's limit; they have no latency sample."""

    @property
    def errors(self) -> int:
        """All that went wrong, whatever the kind."""
        return (
            self.connect_errors
            + self.read_errors
            + self.write_errors
            + self.status_errors
            + self.timeouts
        )

    @property
    def goodput(self) -> float:
        """2xx answers a second."""
        return (self.answers - self.status_errors) / (self.duration_us / 1e6)


class Usage(Record, frozen=True, kw_only=True):
    """What one group of processes used while the load ran."""

    cpu_s: float
    """User and system time during the load alone."""
    rss_peak_bytes: int
    """Sum over the group; shared pages count in each process."""
    pss_peak_bytes: int | None
    """Shared pages divided among their users; None where the system doesn't tell."""
    processes: int
    threads: int
    """The most seen at once."""


class Verified(Record, frozen=True, kw_only=True):
    """Whole answers that were compared with the contract."""

    before: int
    """Answers to concurrent requests before the load."""
    after: int | None
    """None: the server still had a backlog of slow requests, see `after_note`."""
    after_note: str | None = None


class Outcome(Record, frozen=True, kw_only=True, tag_field="kind", tag="outcome"):
    """What became of one cell in one round: one line of `outcomes.jsonl`."""

    cell: str
    round: int
    status: Status
    stage: Stage | None = None
    reason: str | None = None
    """In one line; for failed and skipped."""
    detail: str | None = None
    """More of it, such as the end of the server's log."""
    started_at: float | None = None
    """Unix time."""
    launch_s: float | None = None
    """Until the server answered; None where it was up already."""
    warmup_s: float = 0.0
    load_s: float = 0.0
    wall_s: float = 0.0
    """All that the cell took, with launch and verification."""
    loaded: Loaded | None = None
    raw: str | None = None
    """The generator's untouched output, as a path inside the run's folder."""
    histogram: str | None = None
    """The back-filled histogram, likewise."""
    verified: Verified | None = None
    usage: dict[str, Usage] = {}
    """By group: `server`, `postgres`, `valkey`, `upstream`, `generator`."""


class Begun(Record, frozen=True, kw_only=True, tag_field="kind", tag="begun"):
    """A stretch of a run begins; its end is missing where the engine was killed."""

    started_at: float


class Segment(Record, frozen=True, kw_only=True, tag_field="kind", tag="segment"):
    """One uninterrupted stretch of a run; a resumed run has several."""

    started_at: float
    wall_s: float


class Machine(Record, frozen=True, kw_only=True):
    """Where the run was made."""

    system: str
    cpu: str
    processors: int
    memory_bytes: int
    python: str
    """The app's interpreter."""
    versions: dict[str, str]
    """Of the tools and of each distribution that the app and its servers need."""
    open_files: int


class Run(Record, frozen=True, kw_only=True):
    """`run.json`: the facts that hold for all outcomes of a folder."""

    format: int
    created_at: str
    command: str
    """What to type to run it again."""
    plan: Plan
    machine: Machine
    argv: dict[str, tuple[str, ...]]
    """Of each server as started, its port aside."""
