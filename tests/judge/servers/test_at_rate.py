"""Loads at a rate: what they show, and that what was not held is no measurement at that rate."""

from __future__ import annotations

from dataclasses import replace

import pytest
from at_rates import cell, histogram, measured, planned
from builders import endpoint, loaded, outcome, plan, run, server
from facts import Facts, evidence, raised, rated, sent
from msgspec.structs import replace as replace_struct

from loadtest.judge.concern import weigh
from loadtest.judge.servers.concerns import CONCERNS
from loadtest.judge.servers.metrics import HELD, LATE_US, behind, unanswered
from loadtest.judge.servers.summary import summarise
from loadtest.judge.servers.turns import merged
from loadtest.records.measured import Histogram, Sent
from loadtest.records.planned import Cell


def test_a_rate_that_was_not_held_has_no_latencies() -> None:
    held, short = (evidence(rated(of)).figures for of in (sent(late=4), sent(late=5)))
    assert held
    assert short
    assert (held.p50_us, held.late_share) == (5_000, HELD)
    assert (short.p50_us, short.p99_us, short.late_share) == (None, None, 0.0125)


@pytest.mark.parametrize(
    ("answers", "read_errors", "delay_s", "share"),
    [
        (400, 0, 0.0, 0.0),
        # 200/s x twice 5 ms are under way, x 20 ms of a pause, and 2 by chance.
        (392, 0, 0.0, 0.0),
        (308, 0, 0.0, 0.21),
        # What broke off is an error.
        (308, 92, 0.0, 0.0),
        # What waits a second is under way for as long, and a half more in a queue.
        (200, 0, 1.0, 0.0),
        (50, 0, 1.0, 0.11),
    ],
)
def test_what_got_no_response_is_more_than_what_is_under_way(
    answers: int, read_errors: int, delay_s: float, share: float
) -> None:
    load = loaded(answers, 2.2, sent=sent(), read_errors=read_errors)
    raw = Histogram(values_us=(5_000,), counts=(answers,))
    assert unanswered([load], raw, 1.5 * delay_s).share == pytest.approx(share)


@pytest.mark.parametrize(
    ("answers", "mean_us", "share"),
    [
        # As many wait as the mean latency says, for a pause, or by chance.
        (5_638, 100_000, 0.0),
        (5_578, 100_000, 0.01),
        # 400/s more than it answers, for two seconds, each of which waited for 0.13 s on average.
        (5_200, 133_000, 339 / 6_000),
        # It kept up, behind what was there when the load began.
        (4_800, 400_000, 0.0),
    ],
)
def test_a_queue_that_grows_is_longer_at_the_end_than_on_average(
    answers: int, mean_us: int, share: float
) -> None:
    load = loaded(answers, 2.0, sent=sent(requests=6_000))
    raw = Histogram(values_us=(mean_us,), counts=(answers,))
    assert behind([load], raw, 0.0).share == pytest.approx(share, abs=1e-4)


def test_a_server_that_falls_behind_has_no_latencies() -> None:
    """A queue as long as connections are: each request found one, and none was late."""
    facts = rated(sent())
    histogram = Histogram(values_us=(100_000,), counts=(360,))
    answered = {"answers": 360, "received_bytes": 360 * 200}
    of = evidence(replace(facts, loaded=facts.loaded | answered, histogram=histogram))
    assert of.figures
    assert (of.figures.p50_us, of.figures.p99_us, of.figures.late_share) == (None, None, 0.0)
    (concern,) = weigh(CONCERNS, of).concerns
    assert concern.concern == "rate-not-held"
    assert concern.facts == (
        "at the end 42 of 1,200 requests waited beside those that a mean latency of 100 ms leaves"
        " under way: more came than were answered"
    )


def test_a_server_that_leaves_connections_unserved_has_no_latencies() -> None:
    """Eight of a hundred were served, at once: p99 was 5 ms, with every fourth request lost."""
    facts = rated(sent())
    facts = replace(facts, loaded=facts.loaded | {"answers": 308, "received_bytes": 308 * 200})
    of = evidence(replace(facts, in_flight="workers * threads"))
    assert of.figures
    assert (of.figures.p50_us, of.figures.p99_us, of.figures.late_share) == (None, None, 0.0)
    (concern,) = weigh(CONCERNS, of).concerns
    assert concern.concern == "starved-connections"
    assert concern.facts == (
        "252 of 1,200 requests on 100 connections, 8 of which it serves at once, got no response;"
        " half of the others took no longer than 5.00 ms"
    )


def test_servers_are_compared_at_the_endpoints_that_they_share() -> None:
    """The mean over both of `alpha` is what `beta` takes at the cheap one, which is all it has."""
    load = cell("alpha", 50).load
    takes_us = {("alpha", "json"): 1_000, ("alpha", "rows"): 4_000, ("beta", "json"): 2_000}
    cells = [
        Cell(
            server=name,
            endpoint=endpoint(at),
            load=load,
            skip=None if (name, at) in takes_us else "it has none",
        )
        for at in ("json", "rows")
        for name in ("alpha", "beta")
    ]
    of = plan([server("alpha"), server("beta")], rounds=3, cells=tuple(cells))
    outcomes = [
        replace_struct(
            measured(each.server, 50, number, takes_us[each.server, each.endpoint.name]),
            cell=each.id,
        )
        for each in cells
        if not each.skip
        for number in range(3)
    ]
    (at,) = summarise(run(of), outcomes, histogram).decision.at_rates
    assert at.endpoints == ("json-sync",)
    assert [(place.server, place.cores) for place in at.places] == [
        ("alpha", pytest.approx(0.05)),
        ("beta", pytest.approx(0.1)),
    ]


def test_latencies_count_from_the_schedule() -> None:
    figures = evidence(rated(sent(late=4))).figures
    every = evidence(rated(sent(late=400, by_us=LATE_US))).figures
    assert figures
    assert every
    # Four of 400 in each of three rounds: a p99 of 1,200 has room for just as many.
    assert (figures.p50_us, figures.p99_us) == (5_000, 5_000)
    assert (every.p50_us, every.p99_us, every.late_share) == (15_000, 15_000, 0.0)


def test_slots_that_were_never_sent_are_late() -> None:
    figures = evidence(rated(sent(late=5, requests=400, unsent=5))).figures
    assert figures
    assert figures.late_share == pytest.approx(10 / 405)
    assert (figures.p50_us, figures.offered) == (None, 200.0)


@pytest.mark.parametrize(
    ("answers", "first_answer_us", "goodput"),
    [
        # A server that keeps up with what waits for a second of two has answered half of it.
        (200, 1_000_000, 200.0),
        # One that does not: as many as it was able to.
        (100, 1_000_000, 100.0),
        (400, 5_000, 200.0),
        (40, 5_000, 40 / 1.995),
        # What was slow itself is no reason to count a moment only.
        (3, 1_999_999, 3.0),
        (3, 3_000_000, 3.0),
    ],
)
def test_what_is_under_way_at_the_end_is_not_missing(
    answers: int, first_answer_us: int, goodput: float
) -> None:
    of = replace_struct(sent(), first_answer_us=first_answer_us)
    assert loaded(answers, 2.2, sent=of).goodput == pytest.approx(goodput)


def test_what_a_request_takes_of_the_generator_is_known() -> None:
    figures = evidence(rated(sent())).figures
    assert figures
    assert figures.generator_cpu_us == pytest.approx(0.05 * 2.2 * 1e6 / 400)
    own = rated(sent())
    figures = evidence(replace(own, loaded={**own.loaded, "cpu_us": 40_000})).figures
    assert figures
    assert figures.generator_cpu_us == 100.0


def test_requests_count_from_the_first_slot_on() -> None:
    figures = evidence(rated(sent())).figures
    assert figures
    assert (figures.offered, figures.goodput) == (200.0, 200.0)
    assert figures.cores == pytest.approx(2.0)


def test_a_closed_loop_has_no_rate() -> None:
    figures = evidence(Facts()).figures
    assert figures
    assert (figures.offered, figures.late_share) == (None, None)


def test_turns_at_a_rate_add_up() -> None:
    each = (replace_struct(sent(late=3, missed=2), first_answer_us=700), sent(late=1))
    turns = [outcome(turn=turn, loaded=loaded(400, 2.2, sent=of)) for turn, of in enumerate(each)]
    (together,) = merged(turns)
    assert together.loaded
    assert together.loaded.sent == Sent(
        window_us=4_000_000,
        first_answer_us=700,
        requests=800,
        missed=2,
        late=Histogram(values_us=(0, LATE_US + 1_000), counts=(796, 4)),
    )


def test_each_rate_has_its_own_ranking_and_what_it_takes() -> None:
    names, rates = ("alpha", "beta", "gamma"), (None, 50.0, 400.0)
    of = planned(names, rates)
    outcomes = [
        measured(name, rate, number, cpu_us, late, late)
        for number in range(3)
        for rate in rates
        for name, cpu_us in zip(names, (1_000.0 + number, 2_000.0 - number, 3_000.0), strict=True)
        for late in (100 * (name == "gamma" and rate == 400.0),)
    ]
    fast = Histogram(values_us=(6_000,), counts=(400,))
    summary = summarise(run(of), outcomes, lambda path: fast)
    assert [ranking.at for ranking in summary.rankings] == [
        "json-sync",
        "json-sync@50",
        "json-sync@400",
    ]
    assert summary.decision.cost
    assert summary.decision.cost.rate is None
    assert {cost.rate for cost in summary.decision.costs if cost.over == "all"} == {50.0, 400.0}
    low, high = summary.decision.at_rates
    assert (low.rate, [place.server for place in low.places]) == (50.0, list(names))
    assert [place.short for place in high.places] == [(), (), ("json-sync@400",)]
    assert low.places[0].cores == pytest.approx(0.05, rel=0.01)
    assert low.places[0].p99_us == 6_000
    assert low.places[0].cpu_us == pytest.approx(1_000, rel=0.01)
    assert (low.places[0].offered, low.places[0].goodput) == (50.0, 50.0)
    assert high.places[2].p99_us is None
    # A rate that was not held is no measurement at that rate: nobody is compared with it.
    (cost,) = (it for it in summary.decision.costs if it.over == "all" and it.rate == 400.0)
    assert [(place.server, place.cores is None) for place in cost.places] == [
        ("alpha", False),
        ("beta", False),
        ("gamma", True),
    ]
    assert "were not sent within 10.0 ms of their time" in (cost.places[2].missing or "")


def test_a_rate_that_nobody_keeps_is_said_of_all() -> None:
    """It was left out, as nobody had a cost there."""
    outcomes = [
        measured(name, rate, 0, 1_000.0, late, late)
        for name in ("alpha", "beta")
        for rate, late in ((50.0, 0), (400.0, 100))
    ]
    of = planned(("alpha", "beta"), (50.0, 400.0))
    fast = Histogram(values_us=(6_000,), counts=(400,))
    low, high = summarise(run(of), outcomes, lambda path: fast).decision.at_rates
    assert [place.short for place in low.places] == [(), ()]
    assert [place.short for place in high.places] == [("json-sync@400",)] * 2


def test_a_rate_without_cpu_times_is_said_as_well() -> None:
    of = planned(("alpha", "beta"), (50.0,))
    outcomes = [
        replace_struct(measured(name, 50.0, 0, 1_000.0), usage={}) for name in ("alpha", "beta")
    ]
    fast = Histogram(values_us=(6_000,), counts=(100,))
    (at,) = summarise(run(of), outcomes, lambda path: fast).decision.at_rates
    assert [(place.server, place.cores, place.short) for place in at.places] == [
        ("alpha", None, ()),
        ("beta", None, ()),
    ]


def test_a_rate_at_which_all_is_skipped_is_not_said() -> None:
    of = planned(("alpha", "beta"), (50.0,))
    cells = tuple(replace_struct(cell, skip="not installed") for cell in of.cells)
    outcomes = [outcome(cell.id, status="skipped", reason="not installed") for cell in cells]
    skipped = run(replace_struct(of, cells=cells))
    summary = summarise(skipped, outcomes, lambda path: Histogram(values_us=(), counts=()))
    assert not summary.decision.at_rates


def test_idle_connections_are_no_fault_at_a_rate() -> None:
    quiet = replace(rated(sent()), connections=400)
    assert raised(evidence(quiet)) == {}
