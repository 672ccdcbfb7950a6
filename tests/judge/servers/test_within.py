"""Searches of the highest rate within a goal: what is tried, what of it is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec
import pytest
from builders import endpoint, loaded, outcome, plan, run, server, usage

from loadtest.judge.servers.metrics import LATE_US
from loadtest.judge.servers.summary import summarise
from loadtest.judge.servers.within import LONGEST_TRY_S, REQUESTS, exploring, settled
from loadtest.records.measured import Histogram, Outcome, Sent
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
    stored: dict[str, Histogram] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    """Names of histograms, each time."""

    @property
    def plan(self) -> Plan:
        load = Load(connections=64, duration_s=2, warmup_s=0.1, within=GOAL)
        cells = tuple(
            Cell(server=name, endpoint=endpoint("json"), load=load) for name in self.limits
        )
        return plan([server(name) for name in self.limits], cells=cells)

    def measure(self, cell: Cell, load: Load, round_: int) -> Outcome:
        limit = self.limits[cell.server]
        rate = load.rate or 2 * limit
        p99_us = 100_000 if rate <= limit else 900_000
        requests = round(rate * load.duration_s)
        name = f"{cell.id}.{round_}"
        self.stored[name] = Histogram(values_us=(p99_us,), counts=(requests,))
        late = requests if rate > self.late_from else 0
        sent = Sent(
            window_us=round(load.duration_s * 1e6),
            requests=requests,
            missed=0,
            late=Histogram(values_us=(0, self.late_us), counts=(requests - late, late)),
        )
        return outcome(
            cell.id,
            round_,
            tried=load,
            load_s=load.duration_s,
            loaded=loaded(requests, load.duration_s, sent=sent if load.rate else None),
            histogram=name,
            usage={"server": usage(0.0002 * requests)},
        )

    def histogram(self, name: str) -> Histogram:
        self.read.append(name)
        return self.stored[name]

    def search(self, most_rounds: int = 50) -> list[Outcome]:
        of, outcomes = self.plan, list[Outcome]()
        cells = {cell.id: cell for cell in of.cells}
        next_loads = exploring(of, self.histogram)
        for round_ in range(most_rounds):
            loads = next_loads(outcomes)
            if not loads:
                return outcomes
            outcomes += [self.measure(cells[id_], load, round_) for id_, load in loads.items()]
        return outcomes


def test_each_server_is_searched_by_itself() -> None:
    machine = Machine({"alpha": 800.0, "beta": 90.0})
    outcomes = machine.search()
    assert all(each.tried and each.tried.rate is None for each in outcomes if each.round == 0)
    kept, searches = settled(machine.plan, outcomes, machine.histogram)
    for name, limit in machine.limits.items():
        search = searches[f"{name}.json-sync"]
        assert search.low is not None
        assert search.high is not None
        assert search.low <= limit < search.high <= search.low * 1.06
        assert search.why == "server"
    assert all(each.tried and each.tried.rate for each in kept)
    rounds = [each.round for each in kept if each.cell == "alpha.json-sync"]
    assert rounds == list(range(len(rounds)))
    assert len(rounds) >= 2


def test_loads_have_the_connections_that_their_rate_needs() -> None:
    for each in Machine({"alpha": 800.0}).search():
        assert each.tried
        if each.tried.rate:
            assert each.tried.connections == pytest.approx(each.tried.rate * 0.6, abs=1)


@pytest.mark.parametrize(
    ("machine", "check"),
    [
        (Machine({"alpha": 0.5}), lambda of: of.low is None and of.high == 1.0),
        (
            Machine({"alpha": 10_000.0}, late_from=3_000.0),
            lambda of: of.why == "generator" and of.low <= 3_000 < of.high,
        ),
        # Its own lateness is no answer of the server's, and yet the goal is of both.
        (
            Machine({"alpha": 10_000.0}, late_from=3_000.0, late_us=250_000),
            lambda of: of.why == "generator" and of.low <= 3_000 < of.high,
        ),
        (Machine({"alpha": MOST_RATE * 1.5}), lambda of: (of.low, of.high) == (MOST_RATE, None)),
    ],
)
def test_a_search_has_an_end(machine: Machine, check: Callable[[object], bool]) -> None:
    outcomes = machine.search()
    assert exploring(machine.plan, machine.histogram)(outcomes) == {}
    _, searches = settled(machine.plan, outcomes, machine.histogram)
    assert check(searches["alpha.json-sync"])


def test_a_server_that_fails_is_not_tried_for_ever() -> None:
    of = Machine({"alpha": 100.0}).plan
    failed = [
        outcome("alpha.json-sync", at, status="failed", stage="launch", reason="it ended")
        for at in range(2)
    ]
    next_loads = exploring(of, lambda name: Histogram(values_us=(), counts=()))
    assert next_loads(failed[:1])
    assert next_loads(failed) == {}


def test_the_histogram_of_a_try_is_read_once() -> None:
    machine = Machine({"alpha": 800.0, "beta": 90.0})
    outcomes = machine.search()
    tried = [each.histogram for each in outcomes if each.tried and each.tried.rate]
    assert sorted(machine.read) == sorted(filter(None, tried))


@pytest.mark.parametrize(
    ("late_us", "late_share", "why"),
    [
        # Late by less than what makes a rate not held, and yet by too much.
        (LATE_US, 1.0, "generator"),
        (LATE_US * 100, 0.02, "generator"),
        # So few that 99 of 100 keep the goal.
        (LATE_US * 100, 0.01, None),
    ],
)
def test_a_goal_is_of_what_the_schedule_asks(
    late_us: int, late_share: float, why: str | None
) -> None:
    of = Machine({"alpha": 800.0}).plan
    late = round(1_000 * late_share)
    sent = Sent(
        window_us=2_000_000,
        requests=1_000,
        missed=0,
        late=Histogram(values_us=(0, late_us), counts=(1_000 - late, late)),
    )
    tried = outcome(
        tried=of.cells[0].load.at_rate(500.0, 0.0, 0.5, 1),
        loaded=loaded(1_000, 2.0, sent=sent),
        histogram="any",
    )
    just = Histogram(values_us=(295_000,), counts=(1_000,))
    _, searches = settled(of, [tried], lambda name: just)
    assert searches["alpha.json-sync"].why == why


def test_a_try_has_enough_requests_for_its_p99() -> None:
    for each in Machine({"alpha": 800.0, "beta": 90.0}).search():
        if each.tried and each.tried.rate:
            asked = each.tried.rate * each.tried.duration_s
            assert asked >= REQUESTS or each.tried.duration_s == LONGEST_TRY_S


def test_who_takes_more_within_the_goal_ranks_first() -> None:
    machine = Machine({"alpha": 300.0, "beta": 800.0, "gamma": 0.5})
    outcomes = machine.search()
    summary = summarise(run(machine.plan), outcomes, machine.histogram)
    (ranking,) = summary.rankings
    assert [row.server for row in ranking.rows] == ["beta", "alpha", "gamma"]
    (searched,) = summary.decision.searched
    assert [(place.server, place.rank) for place in searched.places][:2] == [
        ("beta", 1),
        ("alpha", 2),
    ]
    beta = searched.places[0]
    assert beta.cores == pytest.approx(0.0002 * (beta.search.low or 0), rel=0.01)
    assert (
        ranking.rows[2].reason
        == "the goal was missed at 1 requests/s, the lowest rate that was tried"
    )


def test_a_search_that_was_cut_short_says_what_it_knows() -> None:
    machine = Machine({"alpha": 800.0})
    _, searches = settled(machine.plan, machine.search(most_rounds=1), machine.histogram)
    search = searches["alpha.json-sync"]
    assert (search.low, search.high, search.tries) == (None, None, 0)
    assert msgspec.to_builtins(search)
