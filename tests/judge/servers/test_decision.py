"""Which server a run names, which it does not, and why."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import pytest
from builders import endpoint, outcome, plan, run, server
from duplicate_arms import measured
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.judge.servers.decision import Decision
from loadtest.judge.servers.summary import summarise
from loadtest.judge.servers.turns import merged
from loadtest.judge.stopping import ended_by
from loadtest.records.measured import Histogram, Host, Launch, Segment
from loadtest.records.planned import Endpoint

ENDPOINTS = [endpoint(name, kind=name) for name in ("json", "rows", "page")]
QUIET = Host(
    window_s=1,
    processors=2,
    busy_cpu_s=2,
    other_cpu_s=0,
    steal_cpu_s=0,
    throttled_s=0,
)
BUSY = msgspec.structs.replace(QUIET, other_cpu_s=1.0)
CALM = (1.0, 1.01, 0.99)
"""What CPU time is multiplied with in each round."""
WILD = (1.0, 1.6, 0.7)


def unread(path: str) -> Histogram:
    raise AssertionError(path)


def decided(
    costs: Mapping[str, float],
    noise: Mapping[str, Sequence[float]] = {},
    asgi: Sequence[str] = (),
    host: Host = QUIET,
    endpoints: Sequence[Endpoint] = ENDPOINTS,
    **changes: Any,
) -> Decision:
    """Return the decision of a run whose servers cost so many microseconds a response."""
    servers = [
        server(name, interface="asgi" if name in asgi else "wsgi", **changes) for name in costs
    ]
    first = servers[0].name
    servers.append(server("copy", duplicate_of=first, interface=servers[0].interface))
    of = plan(servers, endpoints, rounds=3, reference=first)
    facts = [
        msgspec.structs.replace(
            measured(
                f"{name}.{at.id}", number, 100, us * factor * (1 + 0.01 * (number - place) * shift)
            ),
            host=host,
        )
        for shift, (name, us) in enumerate([*costs.items(), ("copy", costs[first])])
        for place, at in enumerate(endpoints)
        for number, factor in enumerate(noise.get(name, CALM))
    ]
    return summarise(run(of), facts, unread).decision


@pytest.mark.parametrize(
    ("beta_us", "noise", "done", "changes", "interrupted", "expected"),
    [
        # All planned rounds, and none that might have followed.
        (900, CALM, 3, {}, False, None),
        (900, CALM, 3, {"most_rounds": 5, "budget_s": 300}, False, "decided"),
        (900, CALM, 3, {"most_rounds": 5, "budget_s": 300}, True, "decided"),
        (500, WILD, 3, {"most_rounds": 5, "budget_s": 300}, False, "budget"),
        (500, WILD, 3, {"most_rounds": 5, "budget_s": 300}, True, "interrupted"),
        # Nobody knows, as of a run that did not say that it was interrupted.
        (500, WILD, 3, {"most_rounds": 5}, False, None),
        (500, WILD, 3, {"most_rounds": 3, "budget_s": 300}, False, None),
        (900, CALM, 2, {"budget_s": 300}, False, "budget"),
        (900, CALM, 2, {}, True, "interrupted"),
        (900, CALM, 2, {}, False, None),
    ],
)
def test_why_a_run_has_fewer_rounds_than_it_might(
    beta_us: float,
    noise: Sequence[float],
    done: int,
    changes: dict[str, Any],
    interrupted: bool,
    expected: str | None,
) -> None:
    of = plan([server("alpha"), server("beta")], ENDPOINTS[:1], rounds=3, **changes)
    facts = [
        measured(f"{name}.json-sync", number, 100, us * factor)
        for name, us, factors in (("alpha", 500, CALM), ("beta", beta_us, noise))
        for number, factor in enumerate(factors[:done])
    ]
    segments = [Segment(started_at=0, wall_s=100, interrupted=interrupted)]
    assert summarise(run(of), facts, unread, segments).ended == expected


@pytest.mark.parametrize(("turns", "expected"), [(1, "failed"), (2, "budget")])
def test_what_failed_in_a_further_round_is_no_spent_budget(turns: int, expected: str) -> None:
    """As whoever measured it says: with a load that did not fail, it would have gone on."""
    servers = [server("alpha"), server("beta")]
    of = plan(servers, ENDPOINTS[:1], rounds=3, most_rounds=5, budget_s=300)
    facts = [
        measured(f"{name}.json-sync", number, 100, 500 * factor)
        for name, factors in (("alpha", CALM), ("beta", WILD))
        for number, factor in enumerate(factors)
    ]
    for cell in of.cells:
        facts += [measured(cell.id, len(WILD), 100, 500) for _ in range(turns - 1)]
        failed = outcome(cell.id, len(WILD), status="failed", stage="load", reason="it ended")
        facts.append(msgspec.structs.replace(failed, turn=turns - 1))
    segments = [Segment(started_at=0, wall_s=100, interrupted=False)]
    summary = summarise(run(of), merged(facts), unread, segments, recorded=facts)
    assert summary.ended == expected
    assert ended_by(of, facts, more=False, left_open=summary.left_open) == expected


def test_who_took_the_time_of_a_busy_machine_is_known() -> None:
    stolen = msgspec.structs.replace(QUIET, steal_cpu_s=1.0)
    for host, by_host in ((BUSY, False), (stolen, True)):
        sure = decided({"slow": 700, "fast": 500}, host=host).sure
        assert sure.busy_machine
        assert sure.by_host == (sure.busy if by_host else 0)


def test_a_server_that_is_separated_from_all_others_is_named() -> None:
    decision = decided({"slow": 700, "fast": 500, "slower": 900})
    assert decision.cost
    assert decision.chosen == "server"
    assert decision.cost.first == ("fast",)
    assert [place.server for place in decision.cost.places] == ["fast", "slow", "slower"]
    assert [place.cores for place in decision.cost.places] == pytest.approx(
        [0.5, 0.7, 0.9], rel=0.02
    )
    assert decision.likely == ()


def test_whom_the_noise_happened_to_spare_is_not_named() -> None:
    """The cheapest swings widely: that is imprecise, and no reason to name the steady one."""
    decision = decided({"steady": 700, "wild": 500, "dear": 4000}, {"wild": WILD})
    assert decision.cost
    assert decision.chosen == "group"
    assert decision.cost.first == ("wild", "steady")
    assert decision.likely == ("wild",)


def test_whoever_is_no_further_off_than_two_copies_of_a_server_is_as_likely() -> None:
    """A single one was called likely whose lead was smaller than that of a copy of another."""
    costs, noise = {"slow": 560, "fast": 500, "wild": 900}, {"wild": WILD}
    apart = decided(costs, noise | {"copy": (1.3, 1.3, 1.3)}, host=BUSY)
    assert apart.cost
    assert apart.cost.apart == pytest.approx(1.3, rel=0.02)
    assert apart.likely == ("fast", "slow")
    assert decided(costs, noise, host=BUSY).likely == ("fast",)
    assert decided(costs, noise | {"copy": (2.0, 2.0, 2.0)}, host=BUSY).likely == ()


def test_on_a_busy_machine_nobody_is_named_but_what_is_safe() -> None:
    costs = {"slow": 700, "fast": 500, "async": 3000}
    decision = decided(costs, asgi=["async"], host=BUSY)
    assert decision.sure.busy_machine
    assert (decision.chosen, decision.likely) == ("interface", ("fast",))
    assert decision.gap
    assert (decision.gap.cheaper, decision.gap.dearer) == ("wsgi", "asgi")
    assert decision.gap.least == pytest.approx(3000 / 700, rel=0.02)
    assert dict(decision.within) == {"wsgi": ("fast", "slow")}
    assert decided(costs, asgi=["async"]).chosen == "server"
    assert decided({"slow": 700, "fast": 500}, host=BUSY).chosen == "nothing"


def test_nothing_is_named_where_nothing_was_separated() -> None:
    decision = decided({"alpha": 700, "beta": 705, "gamma": 710}, dict.fromkeys(("beta",), WILD))
    assert decision.cost
    assert (decision.chosen, decision.cost.first, decision.gap) == ("nothing", (), None)


def test_one_server_is_no_choice() -> None:
    assert decided({"only": 700}).chosen == "alone"


def test_no_interface_is_named_that_one_of_its_servers_was_not_separated_for() -> None:
    decision = decided(
        {"alpha": 500, "beta": 900, "async": 900}, {"beta": WILD, "async": WILD}, asgi=["async"]
    )
    assert decision.gap is None


def test_what_its_own_work_dominates_and_what_waits_does_not_count() -> None:
    heavy = endpoint("heavy", kind="heavy")
    endpoints = [*ENDPOINTS, endpoint("slow", kind="waiting", delay_s=0.05), heavy]
    servers = [server("alpha"), server("beta")]
    facts = [
        measured(f"{name}.{at.id}", number, 100, us * (20 if at is heavy else 1))
        for name, us in (("alpha", 500), ("beta", 700))
        for at in endpoints
        for number in range(3)
    ]
    decision = summarise(run(plan(servers, endpoints, rounds=3)), facts, unread).decision
    assert decision.cost
    assert decision.cost.endpoints == ("json-sync", "rows-sync", "page-sync")
    assert [(each.endpoint, each.why) for each in decision.cost.left_out] == [
        ("slow-sync", "waits"),
        ("heavy-sync", "dominated"),
    ]
    assert [cost.over for cost in decision.costs] == ["json", "rows", "page", "heavy"]
    assert decision.waiting
    assert [holds.measured for holds in decision.waiting.holds] == [5, 5]


def test_who_has_few_numbers_costs_the_others_no_endpoint() -> None:
    of = plan([server("alpha"), server("beta"), server("broken")], ENDPOINTS, rounds=3)
    facts = [
        measured(f"{name}.{at.id}", number, 100, us)
        for name, us in (("alpha", 500), ("beta", 700))
        for at in ENDPOINTS
        for number in range(3)
    ]
    failed = [
        outcome(f"broken.{at.id}", 0, status="failed", stage="launch", reason="port taken")
        for at in ENDPOINTS[1:]
    ]
    decision = summarise(
        run(of), [*facts, measured("broken.json-sync", 0, 100, 10), *failed], unread
    ).decision
    assert decision.cost
    assert len(decision.cost.endpoints) == 3
    missing = decision.cost.places[-1]
    assert (missing.server, missing.rank) == ("broken", None)
    assert missing.missing == "rows-sync: port taken"


def test_configuration_is_told_from_what_was_measured() -> None:
    slow = [endpoint("slow", kind="waiting", delay_s=0.05)]
    decision = decided({"alpha": 500}, endpoints=slow, in_flight="workers * threads")
    assert decision.waiting
    assert (decision.cost, decision.chosen) == (None, "nothing")
    (holds,) = decision.waiting.holds
    assert (holds.measured, holds.configured, holds.connections) == (5, 8, 8)


def test_what_a_pool_holds_back_is_not_what_a_server_holds() -> None:
    slow = [endpoint("query", kind="waiting", delay_s=0.05, postgres=1, pooled=True)]
    assert decided({"alpha": 500}, endpoints=slow).waiting is None


def test_memory_is_that_of_launches_not_of_what_ran_before() -> None:
    of = plan([server("alpha"), server("beta")], ENDPOINTS)
    facts = [
        measured(f"{name}.{at.id}", 0, 100, 500) for name in ("alpha", "beta") for at in ENDPOINTS
    ]
    launches = [
        Launch(
            server="alpha",
            round=number,
            launch_s=1.0,
            memory_launched_bytes=launched,
            memory_bytes=last,
        )
        for number, (launched, last) in enumerate([(60, 80), (62, None), (64, 90)])
    ]
    cost = summarise(run(of), facts, unread, launches=launches).decision.cost
    assert cost
    memory = {
        place.server: (place.memory_launched_bytes, place.memory_bytes) for place in cost.places
    }
    assert memory == {"alpha": (62, 80), "beta": (None, 1)}


def test_async_views_are_compared_by_cost_within_an_interface() -> None:
    styles = [endpoint("json", style=style) for style in ("sync", "async")]
    decision = decided({"alpha": 500, "beta": 700}, endpoints=styles)
    (views,) = decision.async_views
    assert (views.interface, views.servers, views.dearer, views.cheaper) == ("wsgi", 2, 0, 0)
    assert {(cost.over, cost.style) for cost in decision.costs} == {
        ("all", "async"),
        ("json", "sync"),
        ("json", "async"),
    }


def test_async_views_that_cost_more_are_counted_with_the_least_and_the_most() -> None:
    styles = [endpoint("json", style=style) for style in ("sync", "async")]
    facts = [
        measured(f"{name}.{at.id}", number, 100, 500 * (times if at.style == "async" else 1))
        for name, times in (("alpha", 2), ("beta", 3))
        for at in styles
        for number in range(3)
    ]
    of = plan([server("alpha"), server("beta")], styles, rounds=3)
    (views,) = summarise(run(of), facts, unread).decision.async_views
    assert (views.servers, views.dearer, views.cheaper) == (2, 2, 0)
    assert (views.least, views.most) == pytest.approx((2, 3))


def test_async_views_are_judged_over_all_endpoints() -> None:
    noise = random.Random(1)
    styles = [endpoint(f"view{at}", style=of) for at in range(10) for of in ("sync", "async")]
    servers = [server(name) for name in "abcde"]
    facts = [
        measured(
            f"{each.name}.{at.id}",
            number,
            100,
            500 * (2 if at.style == "async" else 1) * noise.lognormvariate(0, 0.15),
        )
        for each in servers
        for at in styles
        for number in range(3)
    ]
    of = plan(servers, styles, rounds=3)
    # At each of 50 pairs, three rounds show few of these differences.
    (views,) = summarise(run(of), facts, unread).decision.async_views
    assert (views.servers, views.dearer) == (5, 5)
    assert 1.8 < (views.least or 0) < (views.most or 0) < 2.2


@settings(deadline=None, max_examples=60)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "d"]),
        st.tuples(
            st.sampled_from([500, 520, 700, 3000]),
            st.tuples(*[st.sampled_from([0.7, 0.98, 1.0, 1.02, 1.6])] * 3),
            st.booleans(),
        ),
        min_size=2,
    ),
    st.booleans(),
)
def test_nobody_is_named_over_whom_he_was_not_separated_from(
    servers: dict[str, tuple[float, tuple[float, float, float], bool]], busy: bool
) -> None:
    decision = decided(
        {name: us for name, (us, _, _) in servers.items()},
        {name: noise for name, (_, noise, _) in servers.items()},
        [name for name, (*_, asgi) in servers.items() if asgi],
        BUSY if busy else QUIET,
    )
    cost = decision.cost
    assert cost
    order = [place.server for place in cost.places]
    cores = [place.cores or 0.0 for place in cost.places]
    assert cores == sorted(cores)
    apart = {(pair.server, pair.over) for pair in cost.pairs if pair.finding == "higher"}
    if decision.chosen == "server":
        assert not busy
        assert {(other, order[0]) for other in order[1:]} <= apart
    if decision.chosen == "group":
        assert len(cost.first) > 1
        # All of a tie group are tied, and nobody is left out who was not shown to cost more.
        assert not any((b, a) in apart for a in cost.first for b in cost.first)
        for other in set(order) - set(cost.first):
            assert any((other, member) in apart for member in cost.first)
    if decision.gap:
        of = {place.server: place.interface for place in cost.places}
        for cheap in order:
            for dear in order:
                if (of[cheap], of[dear]) == (decision.gap.cheaper, decision.gap.dearer):
                    assert (dear, cheap) in apart
    for pair in cost.pairs:
        assert pair.low is None or pair.low <= pair.ratio <= (pair.high or 0)
    ranks = [place.rank for place in cost.places if place.rank]
    assert ranks == sorted(ranks)
