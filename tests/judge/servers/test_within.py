"""Searches of the highest rate within a goal: what is tried, what of it is judged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from builders import loaded, outcome, run
from hypothesis import given
from hypothesis import strategies as st
from searched import Machine

from loadtest.judge.servers.metrics import LATE_US
from loadtest.judge.servers.summary import still_open, summarise
from loadtest.judge.servers.within import (
    LONGEST_TRY_S,
    REQUESTS,
    Exploring,
    Search,
    _without,
    copies_apart,
    keeps_up,
    reach_ranks,
    settled,
)
from loadtest.records.measured import Histogram, Segment, Sent
from loadtest.records.values import MOST_RATE


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
    assert Exploring(machine.plan, machine.histogram).next_loads(outcomes) == {}
    _, searches = settled(machine.plan, outcomes, machine.histogram)
    assert check(searches["alpha.json-sync"])


def test_what_is_open_of_a_search_is_read_as_its_tries_were_sent() -> None:
    """Back-fill is undone by the connections of a load, of which a try has its own."""
    machine = Machine({"alpha": 800.0})
    outcomes = machine.search()

    def histogram(name: str) -> Histogram:
        of = next(each for each in outcomes if each.histogram == name)
        assert of.loaded
        if not of.loaded.sent:
            return machine.histogram(name)
        apart_us = of.loaded.duration_us // (of.loaded.answers // 64)
        counts = (1, of.loaded.answers - 1)
        return Histogram(values_us=(100_000, 100_000 + apart_us), counts=counts)

    of_run = run(machine.plan)
    left_open = summarise(of_run, outcomes, histogram).left_open
    assert still_open(of_run, outcomes, histogram) == set(left_open)


def test_a_server_that_fails_is_not_tried_for_ever() -> None:
    of = Machine({"alpha": 100.0}).plan
    failed = [
        outcome("alpha.json-sync", at, status="failed", stage="launch", reason="it ended")
        for at in range(2)
    ]
    next_loads = Exploring(of, lambda name: Histogram(values_us=(), counts=())).next_loads
    assert next_loads(failed[:1])
    assert next_loads(failed) == {}


def test_the_histogram_of_a_try_is_read_once() -> None:
    machine = Machine({"alpha": 800.0, "beta": 90.0})
    outcomes = machine.search()
    tried = [each.histogram for each in outcomes if each.tried and each.tried.rate]
    assert sorted(machine.read) == sorted(filter(None, tried))


@pytest.mark.parametrize("steps", [(), (0.1, 0.5, 0.8)])
def test_a_report_reads_the_histogram_of_a_try_once(steps: tuple[float, ...]) -> None:
    machine = Machine({"alpha": 800.0, "beta": 90.0}, steps=steps)
    outcomes = machine.search()
    machine.read.clear()
    summarise(run(machine.plan), outcomes, machine.histogram)
    assert len(machine.read) == len(set(machine.read)) > 0


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
        == "the goal was missed at 1 request/s, the lowest rate that was tried"
    )


def test_a_search_that_was_cut_short_says_what_it_knows() -> None:
    machine = Machine({"alpha": 800.0})
    _, searches = settled(machine.plan, machine.search(most_rounds=1), machine.histogram)
    search = searches["alpha.json-sync"]
    assert (search.low, search.high, search.tries) == (None, None, 0)
    assert msgspec.to_builtins(search)


def between(low: float | None, high: float | None, why: Any = "server", tries: int = 9) -> Search:
    return Search(low=low, high=high, why=why, tries=tries)


@pytest.mark.parametrize(
    ("searches", "apart", "expected"),
    [
        ([between(100, 105), between(90, 94)], None, [1, 2]),
        # They meet: nobody knows who takes more.
        ([between(100, 105), between(98, 102)], None, [1, 1]),
        # One ends where the other begins: the one kept a rate that the other missed.
        ([between(105, 110), between(100, 105)], None, [1, 2]),
        # Neither of the first two was shown to take more, and the third less than one of them.
        ([between(106, 112), between(103, 108), between(100, 105)], None, [1, 1, 3]),
        # Two copies of one server were as far apart.
        ([between(100, 105), between(90, 94)], 1.07, [1, 1]),
        # What the generator held back may take any more.
        ([between(100, 105), between(50, 60, "generator")], None, [1, 1]),
        ([between(100, 105), between(50, None, None)], None, [1, 1]),
        ([between(100, 105), between(None, 1.0), between(None, None)], None, [1, None, None]),
    ],
)
def test_rates_that_overlap_share_a_rank(
    searches: list[Search], apart: float | None, expected: list[int | None]
) -> None:
    ranks = reach_ranks({str(at): search for at, search in enumerate(searches)}, apart)
    assert [ranks.get(str(at)) for at in range(len(searches))] == expected


@given(
    st.dictionaries(
        st.text("abcdef", min_size=1, max_size=2),
        st.tuples(
            st.floats(1, 1e4), st.floats(1.01, 1.5), st.sampled_from(["server", "generator"])
        ),
        min_size=2,
    )
)
def test_only_who_kept_what_another_missed_ranks_above_it(
    servers: dict[str, tuple[float, float, Any]],
) -> None:
    searches = {name: between(low, low * by, why) for name, (low, by, why) in servers.items()}
    ranks = reach_ranks(searches)
    assert min(ranks.values()) == 1
    for name, search in searches.items():
        beaten = [other for other in searches.values() if other.above(search, 1.0)]
        assert (ranks[name] == 1) == (not beaten)
        for other, its in searches.items():
            if its.above(search, 1.0):
                assert ranks[other] < ranks[name]


def test_a_search_says_how_far_apart_two_copies_of_a_server_came_out() -> None:
    machine = Machine({"alpha": 800.0, "beta": 760.0, "copy": 700.0}, duplicate=True)
    outcomes = machine.search()
    _, searches = settled(machine.plan, outcomes, machine.histogram)
    apart = copies_apart(machine.plan, "json-sync", searches)
    assert apart == pytest.approx(8 / 7, rel=0.07)
    summary = summarise(run(machine.plan), outcomes, machine.histogram)
    (searched,) = summary.decision.searched
    assert searched.apart == apart
    # 5 % is less than what one server differs from itself by.
    assert {(place.server, place.rank, place.tied) for place in searched.places} == {
        ("alpha", 1, True),
        ("beta", 1, True),
    }


def test_a_server_may_be_called_none() -> None:
    """It is no copy of one that has none."""
    searches = {
        f"{name}.json-sync": Search(low=low, high=low * 1.05, why="server", tries=5)
        for name, low in (("alpha", 800.0), ("None", 90.0))
    }
    of = Machine({"alpha": 800.0, "None": 90.0}).plan
    assert copies_apart(of, "json-sync", searches) is None


def test_tries_on_a_busy_machine_are_counted_and_no_server_is_ahead() -> None:
    quiet, busy = (Machine({"alpha": 800.0, "beta": 90.0}, others=share) for share in (0.0, 0.2))
    for machine, disturbed in ((quiet, False), (busy, True)):
        summary = summarise(run(machine.plan), machine.search(), machine.histogram)
        assert summary.decision.sure.busy_machine is disturbed
        row = summary.rankings[0].rows[0]
        assert row.search
        assert row.search.disturbed == (row.search.tries if disturbed else 0)


def test_tries_are_no_rounds() -> None:
    machine = Machine({"alpha": 300.0, "beta": 800.0})
    outcomes = machine.search()
    summary = summarise(run(machine.plan), outcomes, machine.histogram)
    tries = sum(each.tried is not None and each.tried.rate is not None for each in outcomes)
    assert summary.decision.sure.tries == tries
    assert summary.rounds < 1 + max(each.round for each in outcomes)
    assert summary.ended is None


@pytest.mark.parametrize(
    ("rounds", "budget_s", "interrupted", "expected"),
    [
        (50, None, False, None),
        (50, 60.0, True, None),
        (4, 60.0, False, "budget"),
        (4, 60.0, True, "interrupted"),
        (4, None, False, None),
    ],
)
def test_a_search_that_ends_early_says_why(
    rounds: int, budget_s: float | None, interrupted: bool, expected: str | None
) -> None:
    machine = Machine({"alpha": 800.0})
    of = msgspec.structs.replace(machine.plan, budget_s=budget_s)
    segments = [Segment(started_at=0, wall_s=60, interrupted=interrupted)]
    outcomes = machine.search(rounds)
    summary = summarise(run(of), outcomes, machine.histogram, segments)
    assert summary.ended == expected


STEPS = (0.1, 0.25, 0.4, 0.6, 0.8)
"""Of what the closed loop shows, which is twice the limit."""


def test_a_server_keeps_up_until_the_first_step_that_it_does_not() -> None:
    machine = Machine({"alpha": 800.0, "beta": 90.0}, steps=STEPS)
    summary = summarise(run(machine.plan), machine.search(), machine.histogram)
    (stepped,) = summary.decision.stepped
    assert [
        (place.server, place.capacity, of.low, of.high, of.why)
        for place in stepped.places
        for of in [place.search]
    ] == [
        ("alpha", 1_600.0, 640.0, 960.0, "connections"),
        ("beta", 180.0, 72.0, 108.0, "connections"),
    ]
    assert stepped.places[0].cores == pytest.approx(0.128)
    assert stepped.places[0].p99_us == 100_000
    (ranking,) = summary.rankings
    alpha = next(row for row in ranking.rows if row.server == "alpha")
    assert [step.figures.p99_us is None for step in alpha.steps] == [False] * 3 + [True] * 2
    # A step that happens to be kept above one that was not is no more than luck.
    lucky = [*alpha.steps[:4], msgspec.structs.replace(alpha.steps[4], why=None)]
    assert keeps_up(lucky).last == alpha.steps[2]
    assert keeps_up(alpha.steps[:3]) == (alpha.steps[2], None)
    assert keeps_up(alpha.steps[3:]) == (None, alpha.steps[3])
    # The closed loop was one round.
    assert (summary.rounds, summary.decision.sure.tries) == (1, 2 * len(STEPS))


@pytest.mark.parametrize(
    ("high", "reason"),
    [
        (1.0, "the goal was missed at 1 request/s, the lowest rate that was tried"),
        (2.5, "the goal was missed at 2.5 requests/s, the lowest rate that was tried"),
        (12340.0, "the goal was missed at 12,340 requests/s, the lowest rate that was tried"),
        (None, "no rate was tried before the search ended"),
    ],
)
def test_a_search_without_a_rate_says_why(high: float | None, reason: str) -> None:
    assert _without(outcome("alpha.json-sync"), high).reason == reason
