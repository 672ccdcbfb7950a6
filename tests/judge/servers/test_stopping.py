"""What is still open, and that a pair of servers has one verdict wherever it is read."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from builders import endpoint, outcome, plan, run, server
from duplicate_arms import measured
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.judge.servers.summary import Summary, still_open, summarise
from loadtest.judge.stopping import interim_looks
from loadtest.records.measured import Histogram, Outcome

PLAN = plan(
    [
        server("alpha"),
        server("beta"),
        server("gamma", interface="asgi"),
        server("delta"),
        server("alpha-again", duplicate_of="alpha"),
    ],
    [endpoint("json", kind="cpu"), endpoint("slow", kind="waiting", delay_s=1.0)],
    rounds=3,
    precision=0.05,
    reference="alpha",
)
REASONS = ("/json: status 500 instead of 200", "/json: no answer", "another body", "was killed")


def early(path: str) -> Histogram:
    return Histogram(values_us=(int(path), 1_300_000), counts=(20, 100))


@st.composite
def outcomes(draw: st.DrawFn) -> Sequence[Outcome]:
    """Rounds of all cells: fast and slow, wrong and failed, with latencies of any length."""
    drawn: list[Outcome] = []
    usual = {cell.id: draw(st.sampled_from([100, 104, 200])) for cell in PLAN.cells}
    for cell in PLAN.cells:
        for number in range(draw(st.integers(1, 4))):
            match draw(st.sampled_from(["right"] * 8 + ["errors", "early", "failed", "skipped"])):
                case "failed":
                    reason = draw(st.sampled_from(REASONS))
                    stage = draw(st.sampled_from(["launch", "verify", "load", "verify-after"]))
                    drawn.append(
                        outcome(cell.id, number, status="failed", stage=stage, reason=reason)
                    )
                case "skipped":
                    drawn.append(outcome(cell.id, number, status="skipped", reason="no time"))
                case kind:
                    rate = usual[cell.id] * draw(st.sampled_from([0.5, 0.98, 1, 1, 1.01, 1.02]))
                    each = measured(cell.id, number, rate, draw(st.sampled_from([500, 510, 900])))
                    assert each.loaded
                    wrong = draw(st.integers(0, each.loaded.answers)) if kind == "errors" else 0
                    drawn.append(
                        msgspec.structs.replace(
                            each,
                            loaded=msgspec.structs.replace(each.loaded, status_errors=wrong),
                            histogram="1000" if kind == "early" else None,
                        )
                    )
    return drawn


def summary(facts: Sequence[Outcome]) -> Summary:
    return summarise(run(PLAN), facts, early)


@settings(deadline=None)
@given(outcomes())
def test_what_is_measured_again_is_what_the_report_calls_open(facts: Sequence[Outcome]) -> None:
    assert still_open(run(PLAN), facts, early) == frozenset(summary(facts).left_open)


@settings(deadline=None)
@given(outcomes())
def test_a_pair_has_one_verdict(facts: Sequence[Outcome]) -> None:
    """Between the reference and any other: its rank, its ratio and the decision say the same."""
    judged = summary(facts)
    costs = {cost.over: cost for cost in judged.decision.costs}
    for ranking in judged.rankings:
        ranks = {row.server: row.rank for row in ranking.rows}
        for row in ranking.rows:
            versus = row.versus_cpu if ranking.by == "cost" else row.versus
            better = "lower" if ranking.by == "cost" else "higher"
            if versus is None or row.rank is None or (base := ranks["alpha"]) is None:
                continue
            if row.rank == base:
                leader = next(each for each in ranking.rows if each.rank == base)
                decided = versus.finding in ("higher", "lower")
                assert leader.server not in (row.server, "alpha") or not decided
            if versus.finding == better:
                assert row.rank <= base
            elif versus.finding in ("higher", "lower"):
                assert row.rank >= base
        if cost := costs.get(ranking.endpoint.name):
            versus_cpu = {row.server: row.versus_cpu for row in ranking.rows}
            for pair in cost.pairs:
                if pair.over == "alpha" and (over := versus_cpu[pair.server]):
                    assert pair.finding == over.finding


HELD = plan(
    [server("alpha"), server("beta"), server("gamma"), server("alpha-again", duplicate_of="alpha")],
    [
        endpoint("json", kind="cpu"),
        endpoint("json", style="async", kind="cpu"),
        endpoint("slow", kind="waiting", delay_s=1.0),
    ],
    rounds=2,
    most_rounds=5,
    budget_s=300.0,
    reference="alpha",
)


def spent(costs: dict[str, list[float]]) -> frozenset[str]:
    facts = [
        measured(f"{name}.{at}", number, 8 if at == "slow-sync" else 100, us)
        for name, row in costs.items()
        for at in ("json-sync", "json-async", "slow-sync")
        for number, us in enumerate(row)
    ]
    return still_open(run(HELD), facts, early)


def test_a_budget_goes_to_the_servers_whose_place_by_cost_is_open() -> None:
    """With the reference and its duplicate, at the endpoints that count; then it ends."""
    alpha = [500.0, 510.0, 505.0]
    open_ = spent(
        {"alpha": alpha, "alpha-again": alpha, "beta": [520, 700, 480], "gamma": [5000] * 3}
    )
    assert open_ == {f"{name}.json-sync" for name in ("alpha", "beta", "alpha-again")}
    clear = spent(
        {"alpha": alpha, "alpha-again": alpha, "beta": [900, 905, 910], "gamma": [5000] * 3}
    )
    assert not clear


def test_no_more_looks_are_allowed_for_than_there_may_be() -> None:
    assert interim_looks(HELD) == 4
    assert interim_looks(PLAN) == 20
    assert interim_looks(plan()) == 1
