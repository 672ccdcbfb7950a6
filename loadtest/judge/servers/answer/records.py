"""What a run answers, as records: claims, each with the rows it rests on.

No words here: `report/servers/sentences/` puts the same sentences into every format.
"""

from __future__ import annotations

from typing import Literal

from loadtest.judge.servers.control import Share as Share
from loadtest.records.planned import Interface, Record, Style
from loadtest.stats.pairs import TURNED
from loadtest.stats.significance import Finding

Limit = Literal[
    "no-number", "alone", "one-round", "tied", "no-noise-floor", "connection-limited", "suspect"
]
"""Why a claim says less than a reader hopes for.

`no-number`: no server has a number that may be shown. `alone`: one server has. `one-round`:
nothing can be told from noise. `tied`: no server was separated from the first. `no-noise-floor`:
what noise alone does was not measured. `connection-limited`: those ahead show how many requests
were let in. `suspect`: there are doubts about the number of one that is ahead.
"""


class Arm(Record, frozen=True, kw_only=True):
    """One server at an endpoint, with the style of view that serves it best."""

    cell: str
    """Of its row."""
    server: str
    interface: Interface | None
    style: Style
    over_other_style: Finding | None
    """Of this style against the server's other one; None where that has no number here."""
    goodput: float
    """Median over rounds, ok responses a second (2xx)."""
    ceiling: float | None
    """The most it could be; None where nothing but the server limits it."""
    p99_us: int | None
    cpu_us: float | None
    """Processor time of the server's processes for an answer."""
    memory_bytes: int | None
    """The most its processes held together."""
    doubts: tuple[str, ...]
    """Concerns about the number; none where it is valid."""


class Difference(Record, frozen=True, kw_only=True):
    """How many times the goodput of one cell another has, round by round."""

    cell: str
    over: str
    """The cell it is compared with."""
    ratio: float
    """Goodput of `cell` / goodput of `over`, the median over rounds."""
    low: float | None
    """Lower end of its 95 % interval; None with fewer than 2 rounds in common."""
    high: float | None
    """Upper end, likewise."""
    finding: Finding
    """Of `cell` against `over`; `higher` and `lower` are beyond the run's noise."""

    @property
    def turned(self) -> Difference:
        """The same, the other way round."""
        return Difference(
            cell=self.over,
            over=self.cell,
            ratio=1 / self.ratio,
            low=1 / self.high if self.high else None,
            high=1 / self.low if self.low else None,
            finding=TURNED.get(self.finding, self.finding),
        )


class Claim(Record, frozen=True, kw_only=True):
    """Who leads at one endpoint, each server with the style of view that serves it best."""

    endpoint: str
    """Its name, for both styles."""
    connections: int
    """Of the load."""
    leaders: tuple[Arm, ...]
    """The first tie group, the highest median first; empty without a number."""
    followers: tuple[Arm, ...]
    """The group after it; empty where none was separated from the first."""
    lead: Difference | None
    """The first of the leaders over the first of the followers."""
    limits: tuple[Limit, ...]
    """What the claim cannot say; see `separated`."""
    separated: bool
    """Servers were separated, so there is a leader to name."""
    rankings: tuple[str, ...]
    """The endpoints with their styles, as in `json-sync`, that the claim is about."""
    cells: tuple[str, ...]
    """The rows it rests on."""


class Styles(Record, frozen=True, kw_only=True):
    """What `async def` views cost or gain at one endpoint, for the servers of one interface."""

    endpoint: str
    interface: Interface
    servers: tuple[Difference, ...]
    """Async over sync, of each server that has a number for both."""
    cells: tuple[str, ...]
    """The rows it rests on."""


class Interfaces(Record, frozen=True, kw_only=True):
    """The first WSGI server against the first ASGI server at one endpoint, best styles each."""

    endpoint: str
    wsgi: Arm
    asgi: Arm
    difference: Difference
    """WSGI over ASGI."""
    cells: tuple[str, ...]
    """The rows it rests on."""


class Led(Record, frozen=True, kw_only=True):
    """A server among the leaders of claims."""

    server: str
    at: tuple[str, ...]
    """Where it leads: names of endpoints in a `Kind`, workloads in an `Answer`."""


class Within(Record, frozen=True, kw_only=True):
    """Who leads among the servers of one interface, for who cannot choose the other."""

    interface: Interface
    """Of these servers."""
    leaders: tuple[Led, ...]
    """By workload, who leads at the most of them first."""
    separated: int
    """Workloads in which these servers were separated."""
    cells: tuple[str, ...]
    """The rows of the leaders; where nobody leads, of all these servers."""


class Kind(Record, frozen=True, kw_only=True):
    """One workload: a claim for each of its endpoints, and who leads at most of them."""

    kind: str
    """As the endpoints declare it."""
    waits: bool
    """An endpoint declares a delay: it counts how many requests a server works on at once."""
    claims: tuple[Claim, ...]
    leaders: tuple[Led, ...]
    """Who leads, alone or tied, at the most of the endpoints that were told."""
    styles: tuple[Styles, ...]
    interfaces: tuple[Interfaces, ...]
    separated: bool
    """At least one claim names a leader."""


class Answer(Record, frozen=True, kw_only=True):
    """What to deploy and why, as far as this run can tell."""

    kinds: tuple[Kind, ...]
    """In the order of the plan; the control, which bypasses Django, is not among them."""
    shares: tuple[Share, ...]
    """The largest share first."""
    leaders: tuple[Led, ...]
    """Who leads at the most workloads, the first to name first; all that lead anywhere."""
    separated: int
    """Workloads in which servers were separated."""
    within: tuple[Within, ...]
    """For each interface of which there are two servers or more."""
    usable: int
    """Cells with a number that may be shown."""
    cells: int
    """All cells, but for those that were skipped as they cannot be measured."""
    numberless: tuple[str, ...]
    """Servers that were tried and have no number anywhere, so that no claim is about them."""
    limits: tuple[Limit, ...]
    """That hold for the whole run."""
