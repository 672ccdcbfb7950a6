"""What a site's requests cost: by their shares of its traffic, against what it runs on today."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import geometric_mean
from typing import Any

import msgspec
import pytest
from builders import endpoint, loaded, outcome, plan, run, server, usage
from duplicate_arms import measured
from facts import sent
from hypothesis import given
from hypothesis import strategies as st

from loadtest.judge.servers.cost import floor_of_means, mean, mean_of
from loadtest.judge.servers.decision import Cost, Decision
from loadtest.judge.servers.summary import summarise
from loadtest.records.measured import Histogram, Site
from loadtest.records.planned import Cell, Endpoint, Load

CALM = (1.0, 1.01, 0.99)

PING = endpoint("ping", share=0.9)
PAGE = endpoint("page", style="async", share=0.1)


def unread(path: str) -> Histogram:
    raise AssertionError(path)


def decided(
    costs: Mapping[str, Sequence[float]],
    endpoints: Sequence[Endpoint] = (PING, PAGE),
    site: Site | None = None,
    varied: str | None = None,
    **changes: Any,
) -> Decision:
    """Return the decision of a run of a site; `costs` are by server, in us at each endpoint."""
    servers = [server(name, variant="pooled" if name == varied else None) for name in costs]
    first = servers[0].name
    servers.append(server("copy", duplicate_of=first))
    fields = {"mix": "stated", "today": first, "reference": first} | changes
    of = plan(servers, endpoints, rounds=3, **fields)
    facts = [
        measured(f"{name}.{at.id}", number, 100, us * factor * (1 + 0.01 * (number - place)))
        for name, all_us in [*costs.items(), ("copy", costs[first])]
        for place, (at, us) in enumerate(zip(endpoints, all_us, strict=True))
        for number, factor in enumerate(CALM)
    ]
    return summarise(run(of, site=site), facts, unread).decision


def cost_of(decision: Decision) -> Cost:
    assert decision.cost is not None
    return decision.cost


def cores(cost: Cost) -> dict[str, float | None]:
    return {place.server: place.cores for place in cost.places}


def test_a_mix_costs_what_its_mean_request_does() -> None:
    """The geometric mean would prefer whoever is quick at what hardly anybody asks for."""
    costs = {"alpha": (100, 2_000), "beta": (200, 600)}
    by_share = cost_of(decided(costs))
    assert cores(by_share) == pytest.approx({"beta": 0.24, "alpha": 0.29}, rel=0.02)
    assert by_share.mix == "stated"
    often = [msgspec.structs.replace(PING, share=0.99), msgspec.structs.replace(PAGE, share=0.01)]
    assert next(iter(cores(cost_of(decided(costs, often))))) == "alpha"


def test_all_that_a_site_is_asked_for_counts() -> None:
    """Both styles of views, and an endpoint whose own work dominates all others."""
    heavy = endpoint("heavy", share=0.05)
    of = cost_of(decided({"alpha": (100, 100, 5_000)}, [PING, PAGE, heavy], today=None))
    assert of.endpoints == ("ping-sync", "page-async", "heavy-sync")
    assert of.left_out == ()


def test_who_lacks_most_of_the_traffic_takes_no_endpoint_from_the_others() -> None:
    """By number each had half of the endpoints, and that of 90 % was left out for all."""
    of = plan(
        [server("alpha"), server("beta")], [PING, PAGE], rounds=3, mix="stated", reference="alpha"
    )
    cells = [("alpha.ping-sync", 100), ("alpha.page-async", 900), ("beta.page-async", 500)]
    facts = [
        measured(cell, number, 100, us * factor)
        for cell, us in cells
        for number, factor in enumerate(CALM)
    ]
    costs = cost_of(summarise(run(of), facts, unread).decision)
    assert costs.endpoints == ("ping-sync", "page-async")
    assert [place.server for place in costs.places if place.cores] == ["alpha"]


def test_an_endpoint_that_is_called_like_all_of_them_is_not_taken_for_that() -> None:
    every = endpoint("all", share=0.5)
    decision = decided({"alpha": (100, 2_000)}, [endpoint("ping", share=0.5), every])
    assert [each.over for each in decision.costs].count("all") == 0
    assert cost_of(decision).endpoints == ("ping-sync", "all-sync")


def test_without_shares_of_a_site_it_is_as_it_was() -> None:
    of = cost_of(decided({"alpha": (100, 2_000)}, mix=None))
    assert of.endpoints == ("ping-sync",)
    assert (of.mix, of.today) == (None, "alpha")


def test_what_runs_today_is_the_base_of_ratios() -> None:
    of = cost_of(decided({"today": (100, 1_000), "less": (60, 600), "more": (150, 1_500)}))
    versus = {place.server: place.versus_today for place in of.places}
    assert list(versus) == ["less", "today", "more"]
    assert versus["today"] is None
    less, more = versus["less"], versus["more"]
    assert less
    assert more
    assert (less.ratio, less.finding) == (pytest.approx(0.6), "lower")
    assert (more.ratio, more.finding) == (pytest.approx(1.5), "higher")
    assert less.low is not None
    assert less.high is not None
    assert less.low <= less.ratio <= less.high
    assert {each.today for each in decided({"a": (1, 1)}, today=None).costs} == {None}


def test_ties_and_intervals_are_those_of_the_mean_request() -> None:
    """A difference at what nobody asks for separates nobody; the pair's verdict is the pool's."""
    rare = [msgspec.structs.replace(PING, share=0.999), msgspec.structs.replace(PAGE, share=0.001)]
    costs = {"alpha": (1_000, 1_000), "beta": (1_000, 1_300)}
    assert [pair.finding for pair in cost_of(decided(costs, rare)).pairs] == ["equivalent"]
    assert [pair.finding for pair in cost_of(decided(costs)).pairs] != ["higher"]
    both = {"alpha": (1_000, 1_000), "beta": (1_300, 1_300)}
    assert [pair.finding for pair in cost_of(decided(both, rare)).pairs] == ["higher"]


@pytest.mark.parametrize(
    ("costs", "changes", "share"),
    [
        # Of the mean request, the cheapest endpoint takes the hundredth part.
        ({"today": (10, 10_000), "other": (10, 9_900)}, {}, 1 - 10 / 1_009),
        # Another server saves more than a tenth: then it does take part of the work beyond.
        ({"today": (10, 10_000), "other": (10, 6_000)}, {}, None),
        # A variant of the project is no other server, and without one nothing is shown.
        ({"today": (10, 10_000), "other": (10, 6_000)}, {"varied": "other"}, None),
        (
            {"today": (10, 10_000), "pooled": (10, 6_000), "other": (10, 10_000)},
            {"varied": "pooled"},
            1 - 10 / 1_009,
        ),
        # One that takes more is no reason to change.
        ({"today": (10, 10_000), "other": (10, 16_000)}, {}, 1 - 10 / 1_009),
        # Where nobody knows what runs today, it is the dearest that none saves much against.
        ({"today": (10, 10_000), "other": (10, 16_000)}, {"today": None}, None),
        ({"today": (10, 10_000)}, {"mix": None}, None),
    ],
)
def test_how_much_of_the_cost_no_server_takes(
    costs: dict[str, Sequence[float]], changes: dict[str, Any], share: float | None
) -> None:
    own = decided(costs, **changes).own
    assert (own and own.share) == (share and pytest.approx(share, rel=0.01))


def test_one_endpoint_says_nothing_of_what_is_the_servers() -> None:
    assert decided({"alpha": (1_000,)}, [PING]).own is None


def test_what_is_known_of_a_site_is_handed_on() -> None:
    site = Site(reconnects=True)
    assert decided({"alpha": (1_000, 1_000)}, site=site).site == site


def test_at_a_rate_cores_are_what_so_many_requests_of_the_mix_take() -> None:
    """Each endpoint is asked at the rate by itself."""
    load = Load(connections=50, duration_s=2, warmup_s=0.1, rate=200)
    cells = tuple(Cell(server="alpha", endpoint=each, load=load) for each in (PING, PAGE))
    of = run(plan([server("alpha")], rounds=3, cells=cells, mix="equal"))
    facts = [
        outcome(
            cell.id,
            number,
            load_s=2.0,
            loaded=loaded(400, 2.0, sent=sent(requests=400)),
            histogram="raw",
            usage={"server": usage(us * 400 / 1e6)},
        )
        for cell, us in zip(cells, (1_000, 4_000), strict=True)
        for number in range(3)
    ]
    raw = Histogram(values_us=(900,), counts=(400,))
    (at,) = summarise(of, facts, lambda _: raw).decision.at_rates
    (place,) = at.places
    assert (at.mix, at.endpoints) == ("equal", ("ping-sync", "page-async"))
    # By their shares 1.3 ms a request, 200 times a second.
    assert place.cores == pytest.approx(0.26, rel=0.01)


# The mean ----------------------------------------------------------------------------------------

COSTS = st.lists(st.floats(1, 1e6), min_size=1, max_size=6)


@given(costs=COSTS)
def test_without_shares_the_mean_is_geometric(costs: list[float]) -> None:
    assert mean(costs) == pytest.approx(geometric_mean(costs))


@given(costs=COSTS, factor=st.floats(0.01, 100), data=st.data())
def test_a_mean_by_shares_lies_within_and_scales(
    costs: list[float], factor: float, data: st.DataObject
) -> None:
    shares = data.draw(
        st.lists(st.floats(0.001, 1), min_size=len(costs), max_size=len(costs)), label="shares"
    )
    of = mean(costs, shares)
    assert min(costs) * (1 - 1e-9) <= of <= max(costs) * (1 + 1e-9)
    assert mean([us * factor for us in costs], shares) == pytest.approx(of * factor)
    assert mean(costs, [share * factor for share in shares]) == pytest.approx(of)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        # Usually 1,000 and 10,000; in the second round only the first, 10 % dearer.
        (None, [math.sqrt(1e7), 1.1 * math.sqrt(1e7), math.sqrt(1e7)]),
        ((0.9, 0.1), [1_900, 1.1 * 1_900, 1_900]),
        # What it lacks is most of the traffic.
        ((0.1, 0.9), [9_100, None, 9_100]),
    ],
)
def test_a_round_that_lacks_some_is_what_is_usual_times_what_it_differs_by(
    shares: tuple[float, ...] | None, expected: list[float | None]
) -> None:
    rows: list[list[float | None]] = [[1_000.0, 1_100.0, 1_000.0], [10_000.0, None, 10_000.0]]
    means = mean_of(rows, shares)
    assert [us and round(us, 3) for us in means] == [us and round(us, 3) for us in expected]


def test_the_noise_of_a_mix_is_that_of_what_is_asked_for_most() -> None:
    still, wild = ([1.0] * 4, [1.0, 1.01, 0.99, 1.0]), ([1.0] * 4, [1.5, 0.7, 1.4, 0.8])
    quiet, loud = (floor_of_means([still, wild], shares) for shares in ((0.99, 0.01), (0.01, 0.99)))
    assert quiet
    assert loud
    assert quiet(4) < loud(4)
