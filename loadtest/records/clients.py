"""The words of the clients' comparison as immutable records: rows, a plan, and what came of them.

Units are in the names: `_s` seconds, `_us` microseconds, `_bytes` bytes. Unknown is `None`, never
0 or -1. Cold and warm are different measurements of one row and never share a record.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

from loadtest.records.measured import Histogram, Machine
from loadtest.records.planned import Record, Status
from loadtest.records.values import (
    MOST_ROWS,
    MOST_VERSIONS,
    AtLeastOne,
    Count,
    Detail,
    Instant,
    Label,
    Name,
    Rate,
    Reason,
    Round,
    Rounds,
    Seconds,
    Seed,
    Share,
    Time,
    Typed,
    Version,
    Window,
)

Measure = Literal["cold", "warm"]
"""`cold`: a whole process, from its spawn to its end. `warm`: work inside one, after a warm-up."""

Reuse = Literal["kept", "each-call"]
"""One session (pool, client) for all calls, or a new one for each call."""

Mode = Literal[
    "sequential",
    "threads-recreate",
    "threads-reuse",
    "threads-map",
    "async-for",
    "async-map",
    "async-taskgroup",
]
"""How calls are driven.

sequential        one after the other, in the one thread or the one task
threads-recreate  submitted by a loop to a thread pool that is made anew for each chunk
threads-reuse     submitted by a loop to one thread pool, chunk after chunk
threads-map       one thread pool's `map` over all requests, without chunks
async-for         tasks made by a `for` loop, chunk after chunk, then gathered
async-map         tasks made by `map`, really so, chunk after chunk, then gathered
async-taskgroup   tasks made by a loop inside an `asyncio.TaskGroup`, chunk after chunk
"""

Http = Literal["1.1", "2"]
Kind = Literal["sync", "async"]

Stage = Literal["start", "import", "set-up", "warm-up", "work", "result"]
"""Where a row failed: `result` where the child's own account is missing or damaged."""

MEASURES: tuple[Measure, ...] = get_args(Measure)
MODES: tuple[Mode, ...] = get_args(Mode)
REUSES: tuple[Reuse, ...] = get_args(Reuse)
THREADS: tuple[Mode, ...] = ("threads-recreate", "threads-reuse", "threads-map")
TASKS: tuple[Mode, ...] = ("async-for", "async-map", "async-taskgroup")

BUSY = 8
"""Connections by which the upstream is kept busy."""


class Answer(Record, frozen=True, kw_only=True):
    """What the upstream answers, and over what."""

    body_bytes: Annotated[int, Meta(ge=0, le=100_000_000)] | None = 1_024
    """None at a server of the user's own (`--url`) until its first answer was seen."""
    delay_s: Annotated[float, Meta(ge=0, le=3_600)] = 0.0
    """Before the upstream answers."""
    keep_alive: bool = True
    """False: the upstream answers `Connection: close`."""
    tls: bool = False
    """With a certificate made for the run, which clients verify."""
    http: Http = "1.1"
    """`2` over TLS alone."""


class Row(Record, frozen=True, kw_only=True):
    """One way of asking: a client, how it is used, how it is driven, and what is asked for."""

    id: Label
    """No other row of the plan has it."""
    label: Label
    """What a person calls it, as in `aiohttp --count 100 --batch 10`; unique within its group."""
    group: Label
    """Rows of one group stand in one table and are compared with each other."""
    client: Name
    """A file in `loadtest/bench/clients/drivers/`, without its suffix."""
    reuse: Reuse
    mode: Mode
    requests: AtLeastOne
    """Calls that are timed, in each measurement."""
    batch: Annotated[int, Meta(ge=1, le=10_000)]
    """Calls in flight at most: threads of the pool or tasks inside a call; 1 if sequential."""
    chunk: AtLeastOne | None
    """Calls that are started together and waited for; None: all at once, `batch` in flight."""
    answer: Answer
    kind: Kind | None = None
    """Whether the client is called by threads or awaited by tasks; None in runs of before."""
    python: str | None = None
    """The key of its interpreter in `Run.interpreters`; None where nothing could be found."""
    duplicate_of: Label | None = None
    """The id of the row that this is the duplicate of (A/A): no row of a table, but the noise."""
    skip: Reason | None = None
    """Why it cannot be measured, where that is known before anything runs; with what to type."""

    @property
    def paced_by(self) -> tuple[Answer, int]:
        """The answer and the calls in flight whose ceiling holds for it.

        Where each call connects, wrk, which keeps its connections, asks where each is closed, by
        HTTP/1.1, and with so many in flight that the upstream is busy: with few, the client's part
        in a handshake would pass as the upstream's.
        """
        if self.reuse == "kept" and self.answer.keep_alive:
            return self.answer, self.batch
        answer = msgspec.structs.replace(self.answer, keep_alive=False, http="1.1")
        return answer, self.batch if answer.delay_s else max(self.batch, BUSY)


class Group(Record, frozen=True, kw_only=True):
    """A table: the rows that stand beside one another."""

    name: Label
    title: str
    about: str
    """What it asks, in a sentence or two."""
    measures: tuple[Measure, ...]
    reference: Label | None
    """The row that others are compared with, by id; it has a duplicate, see `Row.duplicate_of`."""


class Plan(Record, frozen=True, kw_only=True):
    """All that a run will do; the order of the rows in each round follows from the seed."""

    preset: Name
    """`default`, a preset's name, or `choice` where a person typed the rows."""
    title: str
    seed: Seed
    rounds: Rounds
    warmup_requests: Annotated[int, Meta(ge=0, le=1_000_000)]
    """Calls before the timed ones of a warm measurement, driven in the same way; at least as many
    as a row has in flight, so that its threads and connections are there. 0: none."""
    timeout_s: Window
    """For one call; each client's own setting."""
    url: str | None = None
    """A server of the user's own, with `?...` for a query, which is not kept; None: our upstream,
    whose counts are then known."""
    precision: Share | None = None
    """Go on after the rounds with the rows whose ratio to the fastest of their table is known less
    well than this, as a share, or whose rank is open."""
    budget_s: Seconds | None = None
    """But for no longer than this."""
    groups: Annotated[tuple[Group, ...], Meta(max_length=MOST_ROWS)]
    rows: Annotated[tuple[Row, ...], Meta(max_length=MOST_ROWS)]


class Phases(Record, frozen=True, kw_only=True):
    """Where a process's time went, one after the other; None where it did not come so far."""

    start_s: Seconds | None = None
    """From the spawn to the first line of the worker: the interpreter itself."""
    import_s: Seconds | None = None
    """Of the client alone, and of what its driving mode needs (asyncio or threads)."""
    setup_s: Seconds | None = None
    """Session, pool of threads, event loop, certificate."""
    warmup_s: Seconds | None = None
    """0 in a cold measurement: it has none."""
    work_s: Seconds | None = None
    """All timed calls."""
    end_s: Seconds | None = None
    """Closing the session, writing the result and the interpreter's own end."""


class Cold(Record, frozen=True, kw_only=True):
    """A whole process, timed from outside as hyperfine times a command."""

    wall_s: Seconds
    """From just before the spawn to its end being known."""
    user_s: Seconds
    system_s: Seconds
    """Both as the system counted them for the ended process and its own children."""
    peak_rss_bytes: Count
    """As the process saw it just before its end."""


class Warm(Record, frozen=True, kw_only=True):
    """The timed calls inside a process that had made others before."""

    seconds: Seconds
    """Wall time of all timed calls; connections made by the warm-up may be used."""
    user_s: Seconds
    system_s: Seconds
    """Of this process, during the timed calls alone."""
    peak_rss_bytes: Count
    """Of the whole process, up to its end."""
    latencies: Histogram
    """Of verified calls, each from its start in its thread or task to its whole body; values in
    microseconds, to three significant digits."""


class Seen(Record, frozen=True, kw_only=True):
    """What the upstream counted during one measurement, with the warm-up."""

    connections: Count
    """Accepted."""
    requests: Count


class Outcome(Record, frozen=True, kw_only=True, tag_field="kind", tag="outcome"):
    """What became of one row in one round by one measure: one line of `outcomes.jsonl`."""

    row: Label
    round: Round
    measure: Measure
    status: Status
    stage: Stage | None = None
    reason: Reason | None = None
    """In one line; for failed and skipped."""
    detail: Detail | None = None
    """More of it, such as the end of a traceback."""
    started_at: Time | None = None
    """Unix time."""
    wall_s: Seconds = 0.0
    """All that the measurement took, with starting and ending the process."""
    calls: Count = 0
    """Timed calls that were made, whatever came of them."""
    answers: Count = 0
    """Among them those whose status, length and digest were right."""
    errors: dict[str, Count] = msgspec.field(default_factory=dict)
    """The others by kind: `status 500`, `wrong length`, `wrong digest`, or the exception's name.
    Any of them makes the row `failed`."""
    warmup_calls: Count = 0
    phases: Phases = Phases()
    cold: Cold | None = None
    warm: Warm | None = None
    seen: Seen | None = None
    """None where nobody counted (`--url`)."""
    http: str | None = None
    """The version that the upstream says was spoken, `1.1` or `2`, or both; None without it."""
    other_cpu_s: Seconds | None = None
    """Of the machine, during this measurement, by neither the child, the upstream nor us."""


class Ceiling(Record, frozen=True, kw_only=True, tag_field="kind", tag="ceiling"):
    """What our upstream gives a fast client at the same answer and as much in flight."""

    answer: Answer
    """Without keep-alive for rows that open a connection for each call."""
    connections: AtLeastOne
    """As many as the rows' batch, or more where each call opens its own."""
    requests_s: Rate
    tool: Literal["wrk", "sockets", "arithmetic"]
    """`sockets`: a loop over one bare HTTP/2 connection, which wrk does not speak. `arithmetic`:
    batch / delay, where that is what limits a fast client too."""


class Interpreter(Record, frozen=True, kw_only=True):
    """A Python that ran rows, in the environment made for a group of clients."""

    path: str
    """Of the environment's interpreter; `.` is the folder of the run's command, `~` the home."""
    version: str
    """As in `3.13.1`."""
    implementation: str
    """As in `CPython`."""
    versions: Annotated[dict[Version, Version], Meta(max_length=MOST_VERSIONS)]
    """Of each distribution that the clients require, by its normalised name."""


class Run(Record, frozen=True, kw_only=True):
    """`clients.json`: the facts that hold for all outcomes of a folder."""

    format: int
    created_at: Instant
    command: Typed
    """What to type to run it again, but for its seed."""
    plan: Plan
    machine: Machine
    interpreters: Annotated[dict[str, Interpreter], Meta(max_length=MOST_VERSIONS)]
    upstream: str | None
    """The server software that answered, as in `nginx 1.31.0`; None with `--url`."""
