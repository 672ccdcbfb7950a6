"""Ranks, ratios and pairs of clients: from the same statistics as the servers' tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from client_facts import ROUNDS, ceiling, failed, group, plan, rounds, row, run, sample, warm

from loadtest.judge.clients.rows import Ranking
from loadtest.judge.clients.summary import Summary, summarise
from loadtest.records.clients import Answer, Outcome, Plan, Row

NOISE = 0.03


def summed(of: Plan, outcomes: list[Outcome]) -> Summary:
    return summarise(run(of), outcomes)


def warmed(rows: dict[Row, list[float]], **changes: str | None) -> Summary:
    """Return the summary of a run in which each row took so many microseconds in each round."""
    many = max(map(len, rows.values()))
    of = plan(list(rows), [group(measures=("warm",), **changes)], rounds=many)
    return summed(
        of, [warm(arm, n, us) for arm, times in rows.items() for n, us in enumerate(times)]
    )


def places(ranking: Ranking) -> dict[str, tuple[int | None, bool]]:
    return {row.row.label: (row.rank, row.tied) for row in ranking.rows}


def test_the_fastest_leads_and_others_are_compared_with_it() -> None:
    summary = warmed(
        {
            row("slow"): [300.0, 303.0, 297.0],
            row("fast"): [100.0, 101.0, 99.0],
            row("middle"): [200.0, 202.0, 198.0],
        }
    )
    ranking = summary.rankings[0]
    assert places(ranking) == {"fast": (1, False), "middle": (2, False), "slow": (3, False)}
    first, second, third = ranking.rows
    assert first.versus is None
    assert second.versus is not None
    assert third.versus is not None
    assert (second.versus.ratio, third.versus.ratio) == (pytest.approx(2), pytest.approx(3))
    assert third.versus.finding == "higher"


def test_noise_shared_by_a_round_does_not_hide_a_difference() -> None:
    """Pairing: the rounds vary by half, and the two rows by 5 %, always the same way."""
    base = [100.0, 150.0, 110.0, 140.0, 120.0]
    summary = warmed({row("a"): base, row("b"): [1.05 * us + n / 10 for n, us in enumerate(base)]})
    assert places(summary.rankings[0]) == {"a": (1, False), "b": (2, False)}


def test_with_one_round_nobody_is_told_apart() -> None:
    summary = warmed({row("a"): [100.0], row("b"): [500.0]})
    assert places(summary.rankings[0]) == {"a": (None, False), "b": (None, False)}
    assert summary.rankings[0].unranked == "one round cannot separate a real difference from noise"
    versus = summary.rankings[0].rows[1].versus
    assert versus is not None
    assert (versus.low, versus.finding) == (None, "inconclusive")


def test_a_difference_below_the_noise_of_the_run_is_none() -> None:
    """The second arm of `a` is 6 % off, so that 4 % between `a` and `b` says nothing."""
    arms = {
        row("a"): [100.0, 100.1, 99.9],
        row("a again", duplicate_of="a"): [106.0, 106.1, 105.9],
        row("b"): [104.0, 104.1, 103.9],
    }
    summary = warmed(arms)
    floor = summary.rankings[0].noise_floor
    assert floor is not None
    assert floor > 0.05
    assert places(summary.rankings[0]) == {"a": (1, True), "b": (1, True)}  # the arm is no row
    quiet = warmed({arm: times for arm, times in arms.items() if arm.duplicate_of is None})
    assert places(quiet.rankings[0]) == {"a": (1, False), "b": (2, False)}


@pytest.mark.slow
def test_identical_rows_are_hardly_ever_told_apart() -> None:
    """Four clients that are one and the same, in 200 runs: any rank told is a false alarm."""
    rng = np.random.default_rng(11)
    rows = [row(name) for name in ("a", "b", "c", "d")]
    twin = row("a again", duplicate_of="a")
    alarms = 0
    for _ in range(200):
        shared = rng.standard_normal(ROUNDS) * 0.05
        logs = math.log(150) + shared + NOISE * rng.standard_normal((5, ROUNDS))
        summary = warmed(dict(zip([*rows, twin], np.exp(logs).tolist(), strict=True)))
        alarms += any((row.rank or 1) > 1 for row in summary.rankings[0].rows)
    assert alarms <= 16  # 5 % of 200, and luck


def test_a_fifth_more_time_is_found() -> None:
    rng = np.random.default_rng(12)
    slower = 0
    for _ in range(100):
        logs = math.log(150) + NOISE * rng.standard_normal((2, ROUNDS))
        logs[1] += math.log(1.2)
        times = np.exp(logs).tolist()
        summary = warmed({row("a"): times[0], row("b"): times[1]})
        slower += places(summary.rankings[0])["b"] == (2, False)
    assert slower >= 95


def test_what_is_invalid_failed_or_skipped_has_no_rank_and_stands_last() -> None:
    summary = summarise(sample().run, sample().outcomes, sample().ceilings)
    warm_table = next(r for r in summary.rankings if r.measure == "warm")
    last = warm_table.rows[-3:]
    assert [ranked.row.client for ranked in last] == ["liar", "broken", "niquests"]
    assert [ranked.verdict for ranked in last] == ["invalid", "invalid", None]
    assert {ranked.rank for ranked in last} == {None}
    assert last[0].versus is None
    assert last[2].reason is not None
    assert last[2].reason.startswith("niquests is not installed")


def test_a_measurement_without_a_time_is_no_number() -> None:
    of = row()
    summary = summed(plan([of], [group(measures=("warm",))], rounds=1), [warm(of, answers=0)])
    only = summary.rankings[0].rows[0]
    assert (only.status, only.reason) == ("failed", "it left no usable time")


def test_a_row_that_the_run_did_not_come_to_says_so() -> None:
    first, second = row("a"), row("b")
    summary = summed(plan([first, second]), rounds(first, 0.5, 150))
    missing = next(each for each in summary.rankings[0].rows if each.row.id == "b")
    assert (missing.status, missing.reason) == (
        "skipped",
        "the run ended before this was measured",
    )


# Pairs -------------------------------------------------------------------------------------------


def pairs(summary: Summary, question: str) -> list[tuple[str, str]]:
    return [
        (contrast.base, contrast.new)
        for contrast in summary.contrasts
        if contrast.question == question
    ]


def test_reuse_is_asked_of_rows_that_differ_in_nothing_else() -> None:
    kept, each = row("kept"), row("each", client="kept", reuse="each-call")
    other = row("other", client="kept", reuse="each-call", answer=Answer(delay_s=0.1))
    summary = warmed(
        {kept: [100.0, 101.0, 99.0], each: [250.0, 252.0, 248.0], other: [900.0, 901.0, 899.0]}
    )
    assert pairs(summary, "reuse") == [("kept", "each")]
    contrast = summary.contrasts[0]
    assert contrast.versus.ratio == pytest.approx(2.5)
    assert contrast.versus.finding == "higher"
    assert contrast.cpu is not None
    assert contrast.cpu.ratio == pytest.approx(2.5)


def test_the_best_of_threads_meets_the_best_of_asyncio() -> None:
    summary = warmed(
        {
            row("t1", mode="threads-recreate"): [400.0, 402.0, 398.0],
            row("t2", mode="threads-map"): [300.0, 302.0, 298.0],
            row("a1", mode="async-for"): [150.0, 151.0, 149.0],
            row("a2", mode="async-map"): [160.0, 161.0, 159.0],
            row("s", mode="sequential"): [100.0, 101.0, 99.0],
        }
    )
    assert pairs(summary, "driving") == [("t2", "a1")]
    assert summary.contrasts[0].versus.ratio == pytest.approx(0.5)


def test_a_python_is_compared_with_the_first() -> None:
    summary = warmed(
        {
            row("a 3.11", client="a"): [100.0, 101.0, 99.0],
            row("a 3.13", client="a", python="3.13"): [80.0, 81.0, 79.0],
            row("a 3.14", client="a", python="3.14"): [70.0, 71.0, 69.0],
        }
    )
    assert pairs(summary, "python") == [("a-3.11", "a-3.13"), ("a-3.11", "a-3.14")]


def test_a_pair_without_a_round_in_common_is_no_pair() -> None:
    kept, each = row("kept"), row("each", client="kept", reuse="each-call")
    outcomes = [warm(kept, 0), failed(kept, 1), failed(each, 0), warm(each, 1)]
    summary = summed(plan([kept, each], [group(measures=("warm",))], rounds=2), outcomes)
    assert summary.contrasts == ()


def test_rounds_are_those_that_were_begun() -> None:
    first, second = row("a"), row("b", skip="it is not installed")
    skipped = Outcome(row=second.id, round=0, measure="warm", status="skipped", reason=second.skip)
    of = plan([first, second], [group(measures=("warm",))], rounds=5)
    assert summed(of, []).rounds == 0
    assert summed(of, [skipped]).rounds == 0
    assert summed(of, [skipped, warm(first, 0), failed(first, 1)]).rounds == 2


def test_a_row_is_held_to_the_ceiling_of_its_own_way_to_connect() -> None:
    """A kept connection gives many more answers than one that is opened for each call."""
    kept, each = row("a"), row("b", reuse="each-call")
    of = plan([kept, each], [group(measures=("warm",))], rounds=1)
    ceilings = (
        ceiling(30_000.0),
        ceiling(2_000.0, answer=Answer(keep_alive=False)),
    )
    outcomes = [warm(kept, call_us=550), warm(each, call_us=550)]  # 1,820 calls a second
    rows = summarise(run(of), outcomes, ceilings).rankings[0].rows
    assert {row.row.label: [each.concern for each in row.concerns] for row in rows} == {
        "a": [],
        "b": ["upstream-limited"],
    }
