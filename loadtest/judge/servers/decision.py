"""What a run decides, as records: the cheapest server, who holds requests that wait, how sure.

No words here: `report/servers/sentences/` puts the same sentences into every format.
"""

from __future__ import annotations

from typing import Literal

from loadtest.judge.rows import Versus
from loadtest.judge.servers.within import Search
from loadtest.records.measured import Site
from loadtest.records.planned import Goal, Interface, Mix, Record, Shape, Style
from loadtest.stats.significance import Finding

Chosen = Literal["server", "group", "interface", "nothing", "alone"]


class AtEndpoint(Record, frozen=True, kw_only=True):
    """What 1,000 requests/s cost at one endpoint."""

    endpoint: str
    """With its style, as in `json-sync`."""
    cores: float


class Place(Record, frozen=True, kw_only=True):
    """One server in a ranking by cost."""

    server: str
    interface: Interface | None
    rank: int | None = None
    """From 1, the cheapest; None without a number at each endpoint that counts, and for all where
    the run has no power to rank them."""
    tied: bool = False
    """Shares its rank."""
    cores: float | None = None
    """CPU cores to serve 1,000 requests/s: the mean over the endpoints, see `Cost.mix`."""
    cores_with_databases: float | None = None
    """Likewise, with PostgreSQL's and Valkey's."""
    cheapest: AtEndpoint | None = None
    dearest: AtEndpoint | None = None
    versus: Versus | None = None
    """Its cost against that of the first place; None for that."""
    versus_today: Versus | None = None
    """Its cost against that of what the site runs on today; None for that, and where it has no cost
    or nobody knows it."""
    goodput: float | None = None
    """Ok responses a second, a mean over the endpoints, each the median round's: the geometric one,
    or 1 / the mean time of a site's request."""
    memory_launched_bytes: int | None = None
    """Of its processes together, when it had just answered; the median round's."""
    memory_bytes: int | None = None
    """Likewise, after its last load; of a run that did not look, the most that was seen."""
    suspect: int = 0
    """Of its `cells`, those whose number is in doubt."""
    cells: tuple[str, ...] = ()
    """The rows that its cost is the mean of."""
    missing: str | None = None
    """Why it has no cost, in one line; None where it has one."""


class Between(Record, frozen=True, kw_only=True):
    """The cost of one server against another's: each pair once, the dearer median first."""

    server: str
    over: str
    ratio: float
    low: float | None
    """Of the 95 % interval; None with fewer than 2 rounds in common."""
    high: float | None
    finding: Finding


class LeftOut(Record, frozen=True, kw_only=True):
    """An endpoint that does not count for a cost."""

    endpoint: str
    """With its style."""
    why: Literal["waits", "dominated", "incomplete"]
    """`waits`: it declares a delay, and waiting costs next to nothing. `dominated`: its own work
    takes ten times that of the median endpoint, whatever the server. `incomplete`: a server that
    is ranked has no number there."""


class Cost(Record, frozen=True, kw_only=True):
    """Servers by what 1,000 requests/s cost, over some endpoints with one style of views."""

    over: str
    """`all`, or the workload, or the name of the one endpoint."""
    style: Style
    """Of the views, `sync` or `async`; where `mix` is not None, those of the first endpoint."""
    mix: Mix | None = None
    """Of a site, whose requests these are, by their shares: the cost is the arithmetic mean of
    them, and this is how the shares are known. None: the geometric mean over the endpoints, of one
    style of views."""
    rate: float | None = None
    """Requests a second that each endpoint was asked for; None: as many as the server can do."""
    today: str | None = None
    """The server that the site runs on today, where it has a cost."""
    endpoints: tuple[str, ...]
    """That count, with their style."""
    left_out: tuple[LeftOut, ...]
    noise_floor: float | None
    """The difference, as a share, that two copies of one server show; None where fewer than three
    pairs of rounds were compared, or there is no duplicate."""
    apart: float | None = None
    """How many times as much one copy of a server cost as the other, by the median round; None
    without a duplicate."""
    places: tuple[Place, ...]
    """The cheapest first, then those without a cost."""
    pairs: tuple[Between, ...]
    """All pairs of those that have a cost."""
    first: tuple[str, ...]
    """The tie group to deploy from, the cheapest first: none of them was shown to be cheaper than
    another, and everyone else was shown to cost more than one of them. Who is alone in it is
    separated from everyone; it is empty where it would be all."""

    def over_base(self, place: Place) -> Versus | None:
        """Return a cost against today's, or the first; None for that, and without a cost."""
        return place.versus_today if self.today else place.versus

    @property
    def has_intervals(self) -> bool:
        """Whether the ratios to the base have intervals: those of one round have none."""
        return any(over.low is not None for over in map(self.over_base, self.places) if over)


class Gap(Record, frozen=True, kw_only=True):
    """Two interfaces, every server of one separated from every server of the other by cost."""

    cheaper: Interface
    dearer: Interface
    least: float
    """The smallest ratio of their costs among the pairs: the cheaper interface's dearest server
    against the dearer's cheapest."""
    most: float
    low: float | None
    """The lowest and highest ends of the intervals of all these pairs."""
    high: float | None


class Holds(Record, frozen=True, kw_only=True):
    """How many requests that wait a server worked on at once."""

    server: str
    interface: Interface | None
    measured: int
    """Responses for each time that the load had room for the endpoint's delay; the highest of the
    endpoints that wait."""
    configured: int | None
    """What its workers and threads allow, where they do: configuration, not a measurement. None
    where nothing but the load's connections limits it."""
    shape: Shape = Shape(known=False)
    """That it has."""
    connections: int
    """Of the load: nobody can be seen to hold more."""
    cell: str

    @property
    def free(self) -> bool:
        """Whether nothing but the load's connections limited it."""
        return self.configured is None or self.configured >= self.connections


class Waiting(Record, frozen=True, kw_only=True):
    """What endpoints that wait showed: the servers, those that held the most first."""

    endpoints: tuple[str, ...]
    holds: tuple[Holds, ...]


class AsyncViews(Record, frozen=True, kw_only=True):
    """What `async def` views cost against `def` views, for the servers of one interface."""

    interface: Interface
    servers: int
    """With a cost for both styles at some endpoint."""
    dearer: int
    """Servers under which async was shown to cost more, over the endpoints that have both."""
    cheaper: int
    least: float | None
    """The smallest and the largest ratio, async / sync, among those shown different."""
    most: float | None
    cells: tuple[str, ...]


class ServerAtRate(Record, frozen=True, kw_only=True):
    """What a server takes at a rate, and how fast it answers."""

    server: str
    interface: Interface | None
    cores: float | None
    """Processors that it keeps busy: the mean over the endpoints, as for a cost."""
    cpu_us: float | None = None
    """CPU time of the server for a response, likewise."""
    generator_cpu_us: float | None = None
    """That of the load generator, likewise."""
    offered: float | None = None
    """Requests a second that were sent, at the endpoint with the fewest."""
    goodput: float | None = None
    """Those that were answered rightly, likewise."""
    p50_us: int | None = None
    """The slowest endpoint's; None where one has too few responses for it."""
    p90_us: int | None
    """Likewise."""
    p99_us: int | None
    """Likewise."""
    p99_9_us: int | None = None
    """Likewise."""
    error_share: float | None = None
    """Of the requests, at the endpoint with the most."""
    short: tuple[str, ...]
    """Endpoints at which it did not keep the rate, or has no number."""
    late: tuple[str, ...] = ()
    """Endpoints at which the load generator was late: how fast it answers is not known."""
    suspect: int = 0
    """Of its `cells`, those whose number is in doubt."""
    cells: tuple[str, ...]


class AtRate(Record, frozen=True, kw_only=True):
    """All servers at one rate: those that kept it first, the one that takes the fewest cores."""

    rate: float
    """Requests a second, at each endpoint by itself."""
    mix: Mix | None = None
    """Of a site: cores are the mean by the shares of its requests, as many as `rate`; see
    `Cost.mix`."""
    endpoints: tuple[str, ...]
    places: tuple[ServerAtRate, ...]


class Reaches(Record, frozen=True, kw_only=True):
    """How much a server takes at one endpoint: within a goal, or as far as it keeps up."""

    server: str
    interface: Interface | None
    rank: int | None
    """From 1; None where no rate kept the goal, and of steps."""
    tied: bool = False
    """Shares its rank: the intervals overlap."""
    search: Search
    """Between which rates the highest lies; of steps, the highest below which it kept all, and the
    next."""
    capacity: float | None = None
    """Requests a second of the closed loop, of which the steps are shares; None of a search."""
    cores: float | None
    """Processors that it kept busy at `search.low`."""
    p90_us: int | None = None
    """At `search.low`."""
    p99_us: int | None = None
    """Likewise."""
    cell: str


class Searched(Record, frozen=True, kw_only=True):
    """All servers at one endpoint, by the highest rate that they take."""

    endpoint: str
    """With its style."""
    goal: Goal | None
    """What was to be kept; None of steps: who keeps up."""
    apart: float | None = None
    """How many times as much one copy of a server took as the other: no smaller difference counts;
    None without a duplicate, and of steps."""
    places: tuple[Reaches, ...]
    """The server that takes the most first."""


class Own(Record, frozen=True, kw_only=True):
    """How much of what a site's requests take is its own, whatever the server."""

    server: str
    """What it runs on today; where nobody knows, the dearest."""
    endpoint: str
    """The cheapest: all of the server, and of Django beneath a view, is in what it takes."""
    share: float
    """1 less the cost of that endpoint, as a share of the mean request's: at least so much."""


class Sureness(Record, frozen=True, kw_only=True):
    """How far the decision can be trusted."""

    rounds: int
    processors: int | None
    cells: int
    """With a number."""
    suspect: int
    busy: int
    """Cells with the concern `noisy-host`: other programs, or the host, took processor time; of a
    search, those most of whose tries were disturbed so."""
    by_host: int = 0
    """Among them those in which the host took more of it than programs of this machine."""
    tries: int = 0
    """Loads at a rate, of a search or of steps."""
    repeated: int
    """Loads that were measured again because others had disturbed them."""
    doubts: tuple[tuple[str, int, int], ...]
    """The servers with doubts: name, suspect cells, all cells; the most doubtful first."""

    @property
    def busy_machine(self) -> bool:
        """Whether more than half of the cells were disturbed."""
        return 2 * self.busy > self.cells


class Decision(Record, frozen=True, kw_only=True):
    """What a run can say to who has to deploy a server."""

    cost: Cost | None
    """Over all endpoints that count; None without CPU times, as in an imported report."""
    chosen: Chosen
    """What `cost` names: one server, separated from all others; its tie group; no more than that
    one interface costs less; nothing; or there is only one server. On a busy machine no single
    server is named."""
    likely: tuple[str, ...]
    """Where no single server is named, the one with the cheapest median and, after it, those that
    are no further from it than two copies of one server from each other (`Cost.apart`), if one of
    them is the cheapest at most of the endpoints as well: shown as likely, not as shown. Empty
    where that is all of what `chosen` leaves open."""
    gap: Gap | None
    costs: tuple[Cost, ...]
    """Of each endpoint by itself, and each workload that has more than one, for a reader who
    chooses; and of the other style of views."""
    waiting: Waiting | None
    """None where nothing that waits was measured."""
    within: tuple[tuple[Interface, tuple[str, ...]], ...]
    """For each interface with two servers or more: its own cheapest tie group; all of them where
    none was separated, or the machine was busy and one alone would be named."""
    async_views: tuple[AsyncViews, ...]
    at_rates: tuple[AtRate, ...] = ()
    searched: tuple[Searched, ...] = ()
    """Within a goal, for each endpoint; empty without a search."""
    stepped: tuple[Searched, ...] = ()
    """For each endpoint; empty where nothing was loaded in steps."""
    own: Own | None = None
    """None where that is not known, and where one server takes a tenth less than another."""
    site: Site | None = None
    """What of a site may matter more than its server."""
    sure: Sureness

    @property
    def overall(self) -> dict[float | None, Cost]:
        """The cost over all endpoints at each rate, of sync views where there are any; None: of
        closed loops."""
        costs: dict[float | None, Cost] = {}
        for cost in (*filter(None, [self.cost]), *self.costs):
            if cost.over == "all":
                costs.setdefault(cost.rate, cost)
        return costs
