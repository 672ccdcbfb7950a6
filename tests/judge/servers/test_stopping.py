"""What is still open, and that a pair of servers has one verdict wherever it is read."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from builders import endpoint, outcome, plan, run, server
from duplicate_arms import measured
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.judge.servers.summary import Summary, still_open, summarise
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
    """Between the reference and any other: its rank, its ratio and the answer say the same."""
    judged = summary(facts)
    turned = {"higher": "lower", "lower": "higher"}
    for ranking in judged.rankings:
        ranks = {row.server: row.rank for row in ranking.rows}
        for row in ranking.rows:
            if row.versus is None or row.rank is None or (base := ranks["alpha"]) is None:
                continue
            if row.rank == base and row.tied:
                leader = next(each for each in ranking.rows if each.rank == base)
                assert leader.server not in (row.server, "alpha") or row.versus.finding not in (
                    "higher",
                    "lower",
                )
            if row.versus.finding == "higher":
                assert row.rank <= base
            if row.versus.finding == "lower":
                assert row.rank >= base
    versus = {row.cell: row.versus for ranking in judged.rankings for row in ranking.rows}
    for kind in judged.answer.kinds:
        for lead in (claim.lead for claim in kind.claims if claim.lead):
            if lead.over.startswith("alpha.") and (over := versus[lead.cell]):
                assert lead.finding == over.finding
            if lead.cell.startswith("alpha.") and (under := versus[lead.over]):
                assert lead.finding == turned.get(under.finding, under.finding)
