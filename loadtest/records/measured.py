"""What became of a plan: the facts of a run.

Units are in the names: `_s` seconds, `_us` microseconds, `_bytes` bytes. Unknown is `None`,
never 0 or -1.
"""

from __future__ import annotations

import itertools
from operator import lt
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from loadtest.records.planned import Choice, Load, Plan, Record, Stage, Status
from loadtest.records.values import (
    MOST_AGENTS,
    MOST_NOTES,
    MOST_VERSIONS,
    AtLeastOne,
    Change,
    Connections,
    Count,
    Detail,
    Instant,
    Label,
    Micros,
    Name,
    Pinned,
    Processors,
    Rate,
    RawFile,
    Reason,
    Round,
    Seconds,
    Time,
    Typed,
    Version,
    Window,
    Word,
)

Launcher = Literal["local", "compose", "running", "agent"]
Network = Literal["own", "machine"]


class Histogram(Record, frozen=True, kw_only=True):
    """Latencies: `counts[i]` answers took `values_us[i]` microseconds, ascending."""

    values_us: tuple[Annotated[int, Meta(ge=0, le=10**11)], ...]
    counts: tuple[Annotated[int, Meta(ge=0, le=10**12)], ...]

    def __post_init__(self) -> None:
        """Refuse what is no histogram; raises ValueError."""
        if len(self.values_us) != len(self.counts):
            raise ValueError("not as many counts as values")
        if not all(map(lt, self.values_us, self.values_us[1:])):
            raise ValueError("values that do not ascend")
        if sum(self.counts) > 2**53:
            raise ValueError("more samples than anybody can have measured")

    def coarse(self, fine: int) -> Histogram:
        """Return it with the highest values in groups, each of which counts as its last.

        So many of the lowest stay apart, and there are about as many groups.
        """
        bins = len(self.values_us)
        starts = [*range(min(bins, fine)), *range(fine, bins, max(1, bins // fine))]
        each = [*itertools.pairwise([*starts, bins])]
        return Histogram(
            values_us=tuple(self.values_us[end - 1] for _, end in each),
            counts=tuple(sum(self.counts[start:end]) for start, end in each),
        )


class TextLatency(Record, frozen=True, kw_only=True):
    """Latencies as wrk's text has them: to three digits, after its back-fill, below its timeout.

    Each None where the text has none. `stats.latency.backfilled` tells whether they differ from
    what was measured.
    """

    mean_us: Count | None = None
    stdev_us: Count | None = None
    max_us: Count | None = None
    percentiles_us: Annotated[dict[str, Count], Meta(max_length=100)] = msgspec.field(
        default_factory=dict
    )
    """By percentile, as in `99`; empty where wrk ran without `--latency`."""


class Sent(Record, frozen=True, kw_only=True):
    """How a load at a rate kept to its schedule."""

    window_us: Annotated[int, Meta(ge=1, le=2**53)]
    """From its first slot to the end of the load."""
    first_answer_us: Count = 0
    """Of that, for how long no answer could come: as long as the fastest of them took."""
    requests: Count
    """Sent in that time."""
    missed: Count
    """Slots of the schedule that had passed before a connection was free."""
    late: Histogram
    """How late each slot was sent, in whole milliseconds; one that was due and never sent is as
    late as the end of the load."""

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / (self.window_us / 1e6)


class Loaded(Record, frozen=True, kw_only=True):
    """What the load generator counted; integers as it gave them."""

    generator: str
    duration_us: Annotated[int, Meta(ge=1, le=10**14)]
    answers: Count
    """Answers of any status."""
    received_bytes: Count
    connect_errors: Count
    read_errors: Count
    write_errors: Count
    status_errors: Count
    """Answers of status 400 and above; they are among `answers`."""
    timeouts: Count
    """Answers slower than `timeout_s`; they are among `answers` and have no latency sample."""
    timeout_s: Seconds | None = None
    """The generator's limit for a latency sample; None where it isn't known."""
    windows: Count | None = None
    """Tenths of a second that the load lasted."""
    silent_windows: Count | None = None
    """Among them those in which no answer came at all."""
    text_latency: TextLatency | None = None
    """Of a report of others, which has no histogram."""
    cpu_us: Count | None = None
    """User and system time of the generator's own process; None where it doesn't tell."""
    sent: Sent | None = None
    """Of a load at a rate."""
    began_us: Count | None = None
    """Unix time in microseconds, by the clock of the generator's machine; None where it was not
    told when to begin."""

    def fits(self, latencies: Histogram) -> bool:
        """Say whether a back-filled histogram can be of this load.

        wrk adds samples only below those of over twice the time that answers are apart.
        """
        added = max(latencies.values_us, default=0) * self.answers > 2 * self.duration_us
        return added or sum(latencies.counts) <= self.answers

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
        """Ok responses a second: 2xx, and 3xx, which wrk does not tell from them.

        At a rate, of the time in which they could come: what is under way at the end is nothing
        that the server owes. That is half of the load at least; and no more than were sent.
        """
        right = self.answers - self.status_errors
        if self.sent is None:
            return right / (self.duration_us / 1e6)
        window_us = self.sent.window_us
        could_come_us = max(window_us / 2, window_us - self.sent.first_answer_us)
        return min(self.sent.rate, right / (could_come_us / 1e6))


class Usage(Record, frozen=True, kw_only=True):
    """What one group of processes used while the load ran."""

    cpu_s: Seconds
    """User and system time during the load alone."""
    rss_peak_bytes: Count
    """Sum over the group; shared pages count in each process."""
    pss_peak_bytes: Count | None = None
    """Shared pages divided among their users; of runs before format 3, see `Launch`."""
    processes: Count
    threads: Count
    """The most seen at once."""
    connections: Count | None = None
    """Open sockets to others, the most seen at once; None where the system doesn't tell, and of
    others than the server, of which nobody asks."""
    each_cpu_s: tuple[Seconds, ...] = ()
    """Of each process of the server, the busiest first: how evenly the workers were used. Of
    another group the busiest alone; older runs have all."""
    throttled_s: Seconds | None = None
    """For which its container's control group was held back; None outside of containers."""


class During(Record, frozen=True, kw_only=True):
    """What a second, slow client saw while the load ran: whole answers against the contract."""

    checked: Count
    broken: Reason | None
    """The first answer that was not what the contract says, in one line."""


class Work(Record, frozen=True, kw_only=True):
    """Operations that the services counted around a cell, and the answers that needed them.

    From before the first verified answer to after the last one; None where nobody counted.
    """

    answers: Count
    """All right answers in that time: verified ones and the generator's 2xx."""
    postgres: Count | None = None
    """Scans of its tables."""
    redis: Count | None = None
    """Commands, but for those of connecting and of counting."""
    upstream: Count | None = None
    statements: Count | None = None
    """That the project sent to its databases, as its processes counted them."""
    changes: Count | None = None
    """Of these, those that insert, update or delete."""
    exceptions: Count | None = None
    """That its views left to Django, whatever the client saw of them."""
    database_connections: Count | None = None
    """Open after the load, our own aside."""

    def __add__(self, other: Work) -> Work:
        """Return the work of both; a count that either lacks is not known."""

        def total(first: int | None, second: int | None) -> int | None:
            return None if first is None or second is None else first + second

        totals: dict[str, Any] = {
            name: total(getattr(self, name), getattr(other, name))
            for name in Work.__struct_fields__
        }
        both = (self.database_connections, other.database_connections)
        totals["database_connections"] = max((of for of in both if of is not None), default=None)
        return Work(**totals)


class Host(Record, frozen=True, kw_only=True):
    """What else went on while the load ran; None where the system doesn't tell."""

    window_s: Window
    processors: Processors
    busy_cpu_s: Seconds
    """Of all processors, whoever used them."""
    other_cpu_s: Seconds
    """Of processes that are neither server, service, generator nor the engine."""
    steal_cpu_s: Seconds | None
    throttled_s: Seconds | None
    """For which a control group held this machine back."""

    def taken(self, others: bool = True) -> dict[str, float]:
        """Return the shares of the machine that were not the run's to use, by who took them.

        Without `others` where a service that is not the run's own cannot be told from them.
        """
        capacity_s = self.window_s * self.processors
        return {
            **({"other processes": self.other_cpu_s / capacity_s} if others else {}),
            "steal": (self.steal_cpu_s or 0.0) / capacity_s,
            "throttling": (self.throttled_s or 0.0) / self.window_s,
        }


DISTURBED = 0.05
"""Of the machine, taken by others during a load: what is above it is measured again, or doubted."""


class Clock(Record, frozen=True, kw_only=True):
    """The clock of another machine, compared with that of the one that steers."""

    offset_us: Change
    """By how much it is ahead."""
    within_us: Count
    """How far off that may be: half of the shortest round trip."""

    def here_us(self, there_us: int) -> int:
        """Return an instant of that clock in the time of the one that steers."""
        return there_us - self.offset_us


class Way(Record, frozen=True, kw_only=True):
    """The way from an agent to the server, as it was just before a load."""

    round_trips_us: Annotated[tuple[Count, ...], Meta(min_length=1, max_length=100)]
    """Of opening a connection, ascending: each goes there and back once."""
    link_mbit: Annotated[int, Meta(ge=1, le=10**7)] | None
    """What the agent's interface can carry in a second; None where the system doesn't tell."""


class Part(Record, frozen=True, kw_only=True):
    """What one agent had in a load that several made together."""

    agent: Label
    """Its name among `Run.agents`."""
    connections: Connections
    """Of those of the load, the ones that it had."""
    clock: Clock
    """Compared just before the load."""
    planned_us: Count
    """When all were to begin: Unix time of the machine that steers."""
    loaded: Loaded
    """What its wrk counted."""
    raw: RawFile
    """wrk's untouched output, as a path inside the run's folder."""
    histogram: RawFile | None
    """Its back-filled histogram, likewise; None: it is missing."""
    usage: Usage
    """Of wrk."""
    host: Host | None
    """What else went on on its machine; None where servers run there as well."""
    network: Way
    """From it to the server, just before the load."""

    @property
    def late_us(self) -> int | None:
        """How long after the planned instant it began; None where it did not say."""
        if self.loaded.began_us is None:
            return None
        return self.clock.here_us(self.loaded.began_us) - self.planned_us


class Left(Record, frozen=True, kw_only=True):
    """What the server held 2 s after its load, against before it."""

    connections: Change | None
    threads: Change
    memory_bytes: Change
    """Growth; negative where it gave some back."""


class Verified(Record, frozen=True, kw_only=True):
    """Whole answers that were compared with the contract."""

    wire_bytes: Count | None = None
    """Of one right answer as it came: status line, headers and encoded body."""
    wire_spread_bytes: Count = 0
    """By how much right answers differed in it."""

    before: Count
    """Answers to concurrent requests before the load."""
    after: Count | None
    """None: not asked, as where requests wait the answer would stand behind them."""


class Outcome(Record, frozen=True, kw_only=True, tag_field="kind", tag="outcome"):
    """What became of one cell in one turn of a round: one line of `outcomes.jsonl`."""

    cell: Label
    round: Round
    turn: Round = 0
    """Of the round, from 0."""
    repeat: Round = 0
    """How often the turn had been measured before, because others had disturbed it."""
    status: Status
    stage: Stage | None = None
    reason: Reason | None = None
    """In one line; for failed and skipped."""
    detail: Detail | None = None
    """More of it, such as the end of the server's log."""
    started_at: Time | None = None
    """Unix time."""
    launch_s: Seconds | None = None
    """Until the server answered; None where it was up already."""
    warmup_s: Seconds = 0.0
    load_s: Seconds = 0.0
    wall_s: Seconds = 0.0
    """All that the cell took, with launch and verification."""
    tried: Load | None = None
    """Of a search, what was sent: a closed loop first, then at one rate after another."""
    loaded: Loaded | None = None
    raw: RawFile | None = None
    """The generator's untouched output, as a path inside the run's folder."""
    histogram: RawFile | None = None
    """The back-filled histogram, likewise."""
    verified: Verified | None = None
    usage: dict[Name, Usage] = msgspec.field(default_factory=dict)
    """By group: `server`, `postgres`, `valkey`, `upstream`, `generator`."""
    during: During | None = None
    work: Work | None = None
    host: Host | None = None
    left: Left | None = None
    parts: Annotated[tuple[Part, ...], Meta(max_length=MOST_AGENTS)] = ()
    """Of a load that several agents made, of which `loaded` is the sum; `raw` and `histogram` are
    theirs then."""

    @property
    def loads(self) -> tuple[Outcome, ...]:
        """Itself; where it stands for several turns, these."""
        return (self,)

    @property
    def tried_rate(self) -> float | None:
        """Requests a second that a search or a step tried; None of any other load."""
        return self.tried.rate if self.tried else None

    @property
    def disturbance(self) -> float:
        """The share of the machine that others took meanwhile; 0 up to `DISTURBED`."""
        taken = sum(self.host.taken().values()) if self.host else 0.0
        return taken if taken > DISTURBED else 0.0

    @property
    def server_cpu_us(self) -> float | None:
        """User and system time of the server's processes for an answer; None where not known."""
        return self.cpu_us("server")

    def cpu_us(self, group: str) -> float | None:
        """Return the CPU microseconds of a group of `usage` for an answer; None where not known."""
        if self.loaded is None or not self.loaded.answers or group not in self.usage:
            return None
        return self.usage[group].cpu_s * 1e6 / self.loaded.answers


class Ceiling(Record, frozen=True, kw_only=True, tag_field="kind", tag="ceiling"):
    """What the generator reached against a server that does nothing, measured once a run."""

    body_bytes: Count
    connections: AtLeastOne = 64
    """Of its load; runs that do not say measured it with 64, whatever their own loads had."""
    goodput: Rate
    generator_cpu_us: Micros
    """Of the generator for an answer."""
    load_s: Seconds = 0.0


class Afterwards(Record, frozen=True, kw_only=True, tag_field="kind", tag="afterwards"):
    """What is known of a cell only some time after its turns of a round: a line of its own."""

    cell: Label
    round: Round
    work: Work | None = None
    left: Left | None = None


class Launch(Record, frozen=True, kw_only=True, tag_field="kind", tag="launch"):
    """A server's process that was started and, at the end, stopped: its memory.

    By endpoint it would be the history of the process.
    """

    server: Name
    round: Round
    launch_s: Seconds
    """Until it answered; several servers are launched at once."""
    memory_launched_bytes: Count | None
    """Of its processes together, when it had just answered: shared pages divided among their users
    (PSS), or counted in each (RSS) where the system doesn't tell. None where nobody knows."""
    memory_bytes: Count | None
    """Likewise, after its last turn."""


class Begun(Record, frozen=True, kw_only=True, tag_field="kind", tag="begun"):
    """A stretch of a run begins; its end is missing where the engine was killed."""

    started_at: Time


class Segment(Record, frozen=True, kw_only=True, tag_field="kind", tag="segment"):
    """One uninterrupted stretch of a run; a resumed run has several."""

    started_at: Time
    wall_s: Seconds
    interrupted: bool | None = None
    """It did not come to its own end: interrupted or killed, or its folder took no more. None: an
    older run, of which nobody noted it."""


class Machine(Record, frozen=True, kw_only=True):
    """Where the run was made; None where a report of others doesn't tell."""

    system: str | None
    cpu: str | None
    processors: Processors | None
    memory_bytes: Count | None
    python: str | None
    """The app's interpreter."""
    versions: Annotated[dict[Version, Version], Meta(max_length=MOST_VERSIONS)]
    """Of the tools and of each distribution that the app and its servers need."""
    open_files: Annotated[int, Meta(ge=-1, le=2**63 - 1)] | None
    """That a process may have; -1: as many as there can be."""
    governor: str | None = None
    """Of the processors' frequency (Linux)."""


class Source(Record, frozen=True, kw_only=True):
    """The report of others that a run was read from."""

    file: str
    """Its name; of several, all of them."""
    sha256: str
    """SHA-256 of its content, in hexadecimal; of several, of one after the other."""
    notes: Annotated[tuple[str, ...], Meta(max_length=MOST_NOTES)] = ()
    """What could not be read, and what had to be assumed, a line each with its line number."""


class Placement(Record, frozen=True, kw_only=True):
    """The processors each part is kept on; the generator shares none with the server."""

    generator: Pinned
    services: Pinned
    server: Pinned


class Engine(Record, frozen=True, kw_only=True):
    """The Docker engine that ran the servers and their services."""

    address: str
    """As Docker names it: a socket, or another machine's address."""
    name: str
    """Of the machine it runs on."""
    remote: bool
    """That machine is another than the generator's, which `Machine` describes."""
    version: str
    """Of the engine."""
    system: str
    """Of that machine, with its kernel."""
    processors: Processors
    """Of that machine."""
    memory_bytes: Count
    """Likewise."""
    images: dict[str, str] = msgspec.field(default_factory=dict)
    """Their ids, by name."""
    settings: dict[str, str] = msgspec.field(default_factory=dict)
    """Of `.env` and the environment: what each part may use, and where it is published."""


class Agent(Record, frozen=True, kw_only=True):
    """A machine that took part in making the loads."""

    name: Label
    """Of the machine, with a number where several have it."""
    machine: Machine
    """With its wrk among the versions."""
    clock: Clock
    """As it was compared when it joined."""
    round_trip_us: Count
    """Of a message, the shortest of several."""
    here: bool
    """It is on the machine that the servers run on; of the agent that serves: on the one that
    steers."""


class Site(Record, frozen=True, kw_only=True):
    """What somebody's own project says of itself that may matter more than its server."""

    reconnects: bool = False
    """A database gets a new connection for each request: `CONN_MAX_AGE` is 0, and there is no
    pool."""
    driver: Label | None = None
    """What psycopg is implemented in: `c`, `binary` or `python`; None of other drivers."""
    asynchronous: bool = True
    """Some view can be awaited."""
    blocks: Label | None = None
    """The first middleware that cannot be awaited; None: all can."""


class Run(Record, frozen=True, kw_only=True):
    """`run.json`: the facts that hold for all outcomes of a folder."""

    format: int
    created_at: Instant
    command: Typed
    """What to type to run it again."""
    choice: Choice | None = None
    """What was asked for; None in runs of format 1, and in a report of others."""
    plan: Plan
    machine: Machine
    argv: dict[str, tuple[Word, ...]]
    """Of each server as it can be deployed: as started, but for its port and what is the run's."""
    placement: Placement | None = None
    """None: all share all processors."""
    source: Source | None = None
    """None: this tool measured it."""
    launcher: Launcher = "local"
    """Who started the servers: processes of the generator's machine, Docker Compose, (`running`)
    somebody else before the run, or an `agent` on its machine."""
    engine: Engine | None = None
    """None: no container that this tool knows of."""
    network: Network | None = None
    """Where `local` servers, services and generator met: on a network of their own, from which
    nothing else can be reached, or on the machine's. None: not noted, as in older runs."""
    site: Site | None = None
    """None: not known."""
    agents: Annotated[tuple[Agent, ...], Meta(max_length=MOST_AGENTS)] = ()
    """Those that made the loads; none: the machine that `Machine` describes."""
    served_by: Agent | None = None
    """The one that started the servers and services, on its machine, which `Machine` describes."""
