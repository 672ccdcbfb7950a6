"""Servers whose limits are known, searched and loaded in steps as a run would do."""

from __future__ import annotations

from dataclasses import dataclass, field

from builders import endpoint, loaded, outcome, plan, server, usage

from loadtest.judge.servers.metrics import LATE_US
from loadtest.judge.servers.within import Exploring
from loadtest.records.measured import Histogram, Host, Outcome, Sent
from loadtest.records.planned import Cell, Goal, Load, Plan
from loadtest.records.values import MOST_RATE

GOAL = Goal(p99_us=300_000)


@dataclass
class Machine:
    """Servers whose p99 leaves the goal at a rate of their own, by name."""

    limits: dict[str, float]
    late_from: float = MOST_RATE * 2
    """Requests a second, from which on the generator is late."""
    late_us: int = LATE_US * 2
    steps: tuple[float, ...] = ()
    """In place of a search; beyond its limit a server has no connection free."""
    others: float = 0.0
    """Share of the machine that other programs took during each load."""
    duplicate: bool = False
    """The first has a copy, which is the last."""
    stored: dict[str, Histogram] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    """Names of histograms, each time."""

    @property
    def plan(self) -> Plan:
        goal = None if self.steps else GOAL
        load = Load(connections=64, duration_s=2, warmup_s=0.1, within=goal, steps=self.steps)
        cells = tuple(
            Cell(server=name, endpoint=endpoint("json"), load=load) for name in self.limits
        )
        names = list(self.limits)
        reference = names[0] if self.duplicate else None
        servers = [server(name) for name in names]
        if self.duplicate:
            servers[-1] = server(names[-1], duplicate_of=reference)
        return plan(servers, cells=cells, reference=reference)

    def measure(self, cell: Cell, load: Load, round_: int) -> Outcome:
        limit = self.limits[cell.server]
        rate = load.rate or 2 * limit
        p99_us = 100_000 if rate <= limit else 900_000
        requests = round(rate * load.duration_s)
        name = f"{cell.id}.{round_}"
        self.stored[name] = Histogram(values_us=(p99_us,), counts=(requests,))
        short = bool(self.steps) and rate > limit
        late = requests if short or rate > self.late_from else 0
        sent = Sent(
            window_us=round(load.duration_s * 1e6),
            requests=requests,
            missed=late if short else 0,
            late=Histogram(values_us=(0, self.late_us), counts=(requests - late, late)),
        )
        return outcome(
            cell.id,
            round_,
            tried=load,
            load_s=load.duration_s,
            loaded=loaded(requests, load.duration_s, sent=sent if load.rate else None),
            histogram=name,
            usage={"server": usage(0.0002 * requests), "generator": usage(0.0001 * requests)},
            host=Host(
                window_s=load.duration_s,
                processors=2,
                busy_cpu_s=load.duration_s,
                other_cpu_s=self.others * 2 * load.duration_s,
                steal_cpu_s=0.0,
                throttled_s=0.0,
            ),
        )

    def histogram(self, name: str) -> Histogram:
        self.read.append(name)
        return self.stored[name]

    def search(self, most_rounds: int = 50) -> list[Outcome]:
        of, outcomes = self.plan, list[Outcome]()
        cells = {cell.id: cell for cell in of.cells}
        next_loads = Exploring(of, self.histogram).next_loads
        for round_ in range(most_rounds):
            loads = next_loads(outcomes)
            if not loads:
                return outcomes
            outcomes += [self.measure(cells[id_], load, round_) for id_, load in loads.items()]
        return outcomes
