"""What becomes a number, what does not, and in which order."""

from __future__ import annotations

import msgspec
import pytest
from sample_run import LOAD, SKIPPED, histograms, loaded, outcome, sample

from loadtest.judge.rows import NOT_REACHED
from loadtest.judge.servers.rows import Row
from loadtest.judge.servers.summary import Summary, summarise
from loadtest.judge.servers.turns import merged
from loadtest.records.measured import Ceiling, Histogram, Outcome, Usage, Work
from loadtest.records.planned import Shape
from loadtest.records.text import MOST


def row(summary: Summary, cell: str) -> Row:
    return next(r for ranking in summary.rankings for r in ranking.rows if r.cell == cell)


@pytest.fixture
def summary() -> Summary:
    run, outcomes, segments = sample()
    return summarise(run, outcomes, histograms, segments)


def test_counts_and_load_share(summary: Summary) -> None:
    counts = summary.counts
    assert (counts.measured, counts.failed, counts.skipped) == (10, 1, 1)
    assert counts.measured_with_failed_rounds == 1
    assert summary.load_share == pytest.approx(21 * 4 / 160)


def test_each_load_of_a_turn_that_was_repeated_is_load() -> None:
    run, _, segments = sample()
    disturbed = outcome(run.plan.cells[0], 1, 6_000)
    again = msgspec.structs.replace(disturbed, repeat=1, warmup_s=0.0)
    both = [disturbed, again]
    summary = summarise(run, merged(both), histograms, segments, recorded=both)
    assert summary.load_share == pytest.approx((1 + 3 + 3) / 160)


def test_ranked_by_cost_or_what_waits_by_goodput_then_failed_then_skipped(
    summary: Summary,
) -> None:
    assert {ranking.endpoint.id: ranking.by for ranking in summary.rankings} == {
        "json-sync": "cost",
        "json-async": "cost",
        "gateway_1s-sync": "goodput",
        "blocking-async": "cost",
    }
    for ranking in summary.rankings:
        figures = [row.reportable for row in ranking.rows if row.reportable]
        best = [
            of.goodput if ranking.by == "goodput" else -(of.server_cpu_us or 0) for of in figures
        ]
        assert best == sorted(best, reverse=True)
        others = ranking.rows[len(figures) :]
        assert all(row.rank is None and (row.reason or row.concerns) for row in others)
        ranks = [row.rank for row in ranking.rows if row.rank is not None]
        assert [row.tied for row in ranking.rows if row.rank] == [ranks.count(r) > 1 for r in ranks]
        assert (ranking.unranked is None) == bool(ranks) or not figures


def test_an_invalid_cell_keeps_its_figures_and_loses_its_rank(summary: Summary) -> None:
    invalid = row(summary, "gthread.gateway_1s-sync")
    assert (invalid.verdict, invalid.rank, invalid.reportable) == ("invalid", None, None)
    assert [raised.concern for raised in invalid.concerns] == ["errors"]
    assert invalid.figures is not None
    assert invalid.figures.goodput == 7


def test_a_verdict_for_what_can_be_judged(summary: Summary) -> None:
    verdicts = {
        "gthread.json-sync": "valid",
        "daphne.json-sync": "suspect",  # launched in one round of two
        "gevent.json-async": "invalid",  # all errors
        "gthread.blocking-async": None,  # skipped
    }
    assert {cell: row(summary, cell).verdict for cell in verdicts} == verdicts
    assert row(summary, "daphne.json-sync").rank is None  # one round separates nobody
    counts = summary.counts
    assert (counts.valid, counts.suspect, counts.invalid) == (7, 2, 2)


def test_what_could_not_be_checked_is_named(summary: Summary) -> None:
    assert "noisy-host" in row(summary, "gthread.json-sync").unchecked
    explained = {each.concern for each in summary.concerns}
    assert explained >= set(row(summary, "gthread.json-sync").unchecked)


def test_a_second_arm_is_not_ranked(summary: Summary) -> None:
    run, outcomes, segments = sample()
    servers = tuple(
        msgspec.structs.replace(server, duplicate_of="gthread" if server.name == "daphne" else None)
        for server in run.plan.servers
    )
    run = msgspec.structs.replace(run, plan=msgspec.structs.replace(run.plan, servers=servers))
    with_arm = summarise(run, outcomes, histograms, segments)
    assert {r.server for ranking in with_arm.rankings for r in ranking.rows} == {
        "gthread",
        "gevent",
    }
    assert with_arm.counts.measured < summary.counts.measured


def test_the_ceiling_of_the_generator_is_passed_on() -> None:
    run, outcomes, _ = sample()
    ceiling = Ceiling(body_bytes=30, goodput=4_500.0, generator_cpu_us=7.0)
    limited = row(summarise(run, outcomes, histograms, (), [ceiling]), "gthread.json-sync")
    assert [raised.concern for raised in limited.concerns] == ["generator-limited"]


def test_all_errors_is_a_failure_not_a_number(summary: Summary) -> None:
    failed = row(summary, "gevent.json-async")
    assert (failed.status, failed.stage, failed.figures) == ("failed", "load", None)
    assert failed.reason == "all 991 responses were errors"
    assert all(r.goodput is None for r in failed.rounds)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"loaded": loaded(0)}, "no request was answered"),
        ({"loaded": None}, "the load left no result"),
    ],
)
def test_zero_is_a_failure_not_a_number(changes: dict[str, object], reason: str) -> None:
    run, _, _ = sample()
    summary = summarise(run, [outcome(run.plan.cells[0], 1, 0, **changes)], histograms)
    failed = row(summary, run.plan.cells[0].id)
    assert (failed.status, failed.reason, failed.figures) == ("failed", reason, None)


def test_a_failed_round_is_told_beside_the_number(summary: Summary) -> None:
    partly = row(summary, "daphne.json-sync")
    assert (partly.status, partly.rounds_measured, partly.rounds_failed) == ("measured", 1, 1)
    assert partly.stage == "launch"


def test_of_a_long_reason_both_ends_are_shown() -> None:
    """A run may have thousands of them, and each stands in several reports."""
    run, _, _ = sample()
    reason = f"begin {'x' * 9_000} end"
    failed = outcome(run.plan.cells[0], 1, 0, status="failed", reason=reason)
    first = row(summarise(run, [failed], histograms), failed.cell)
    assert first.reason
    assert len(first.reason) <= MOST
    assert first.reason.startswith("begin x")
    assert first.reason.endswith("x end")
    assert [each.reason for each in first.rounds] == [first.reason]


def test_skipped_keeps_its_reason_and_an_unreached_cell_gets_one(summary: Summary) -> None:
    assert row(summary, "gthread.blocking-async").reason == SKIPPED
    run, _, _ = sample()
    nothing = summarise(run, [], histograms)
    assert row(nothing, "gthread.blocking-async").reason == SKIPPED
    assert row(nothing, "gevent.json-sync").reason == NOT_REACHED
    assert nothing.load_share is None
    assert nothing.counts.skipped == len(run.plan.cells)


def test_the_last_outcome_of_a_round_wins() -> None:
    run, _, _ = sample()
    cell = run.plan.cells[0]
    bad = Outcome(cell=cell.id, round=0, status="failed", stage="launch", reason="port taken")
    ranked = row(summarise(run, [bad, outcome(cell, 1, 6_000)], histograms), cell.id)
    assert (ranked.status, ranked.rounds_failed, ranked.reason) == ("measured", 0, None)
    assert ranked.figures is not None
    assert ranked.figures.goodput == 2_000


def test_ceiling_is_capacity_over_delay(summary: Summary) -> None:
    ceilings = {
        cell: figures.ceiling
        for cell in ("gthread.gateway_1s-sync", "gevent.gateway_1s-sync", "gevent.json-sync")
        if (figures := row(summary, cell).figures)
    }
    assert list(ceilings.values()) == [8, 64, None]


def test_percentiles_need_samples(summary: Summary) -> None:
    few = row(summary, "gevent.gateway_1s-sync").figures
    assert few is not None
    assert (few.samples, few.p50_us) == (38, 1_001_000)
    assert (few.p90_us, few.p99_us, few.backfilled_p99_us) == (None, None, None)


@pytest.mark.parametrize(("answers", "known"), [(63, False), (64, True)])
def test_the_few_that_were_answered_give_no_percentile(answers: int, known: bool) -> None:
    """Of 64 connections, some waited in vain: how long most of them wait, nobody knows."""
    run, _, _ = sample()
    cell = run.plan.cells[2]
    left = Histogram(values_us=(1_001_000,), counts=(answers,))
    judged = row(summarise(run, [outcome(cell, 1, answers)], lambda path: left), cell.id)
    assert judged.figures is not None
    assert judged.figures.samples == answers
    assert (judged.figures.p50_us is not None) == known
    assert (judged.curve is not None) == known


def test_latencies_are_as_measured_and_the_backfilled_apart() -> None:
    run, _, _ = sample()
    cell = run.plan.cells[0]
    # e = 3 s / (6400 / 64) = 30 ms: wrk added 70, 40 ms for each 100 ms; not 10 ms, it is below e.
    left = Histogram(values_us=(1_000, 40_000, 70_000, 100_000), counts=(6_390, 10, 10, 10))
    only = outcome(cell, 1, 6_400)
    figures = row(summarise(run, [only], lambda path: left), cell.id).figures
    assert figures is not None
    assert figures.samples == 6_400
    assert (figures.p50_us, figures.p99_us) == (1_000, 1_000)


def test_errors_and_their_share(summary: Summary) -> None:
    figures = row(summary, "gthread.gateway_1s-sync").figures
    assert figures is not None
    assert figures.errors == 4
    assert figures.error_share == pytest.approx(4 / 42)


def test_memory_is_of_one_kind() -> None:
    run, _, _ = sample()
    cell = run.plan.cells[0]
    outcomes = [outcome(cell, 1, 900), outcome(cell, 2, 900)]
    usage = Usage(cpu_s=1.8, rss_peak_bytes=70, pss_peak_bytes=None, processes=1, threads=1)
    figures = row(summarise(run, outcomes, histograms), cell.id).figures
    assert figures is not None
    assert (figures.memory_peak_bytes, figures.memory_kind) == (61_000_000, "pss")
    outcomes[1] = msgspec.structs.replace(outcomes[1], usage={"server": usage})
    figures = row(summarise(run, outcomes, histograms), cell.id).figures
    assert figures is not None
    assert (figures.memory_peak_bytes, figures.memory_kind) == (90_000_000, "rss")
    assert figures.server_cpu_us == pytest.approx((5_000 + 2_000) / 2)


def test_what_an_answer_takes_with_its_databases() -> None:
    run, _, _ = sample()
    plan = msgspec.structs.replace(run.plan, shape=Shape(workers=4))
    run = msgspec.structs.replace(run, plan=plan)
    cell = run.plan.cells[0]

    def used(cpu_s: float, threads: int, sockets: int | None) -> Usage:
        return Usage(
            cpu_s=cpu_s,
            rss_peak_bytes=90_000_000,
            pss_peak_bytes=60_000_000,
            processes=5,
            threads=threads,
            connections=sockets,
        )

    outcomes = [
        outcome(
            cell,
            number,
            1_000,
            usage={
                "server": used(0.3, 8 + number, 70 + number),
                "postgres": used(0.15, 1, None),
                "valkey": used(0.05, 1, None),
                "upstream": used(9.0, 1, None),
                "generator": used(9.0, 1, None),
            },
            work=Work(answers=1_000, database_connections=10 * number),
        )
        for number in (1, 2)
    ]
    figures = row(summarise(run, outcomes, histograms), cell.id).figures
    assert figures is not None
    assert figures.server_cpu_us == pytest.approx(300)
    assert figures.with_databases_cpu_us == pytest.approx(500)
    assert figures.answers_per_cpu_second == pytest.approx(1 / 0.0003)
    assert figures.memory_per_worker_bytes == 15_000_000
    assert (figures.processes_peak, figures.threads_peak) == (5, 10)
    assert (figures.sockets_peak, figures.database_connections) == (72, 20)


@pytest.mark.parametrize(("needs", "known"), [(0, True), (1, False), (None, False)])
def test_an_unmeasured_database_is_no_free_one(needs: int | None, known: bool) -> None:
    run, _, _ = sample()
    cell = run.plan.cells[0]
    contract = msgspec.structs.replace(cell.endpoint.contract, postgres=needs)
    needing = msgspec.structs.replace(
        cell, endpoint=msgspec.structs.replace(cell.endpoint, contract=contract)
    )
    plan = msgspec.structs.replace(run.plan, cells=(needing,))
    run = msgspec.structs.replace(run, plan=plan)
    figures = row(summarise(run, [outcome(cell, 1, 900)], histograms), cell.id).figures
    assert figures is not None
    assert figures.with_databases_cpu_us == (figures.server_cpu_us if known else None)


def test_different_loads_are_not_ranked_together() -> None:
    run, outcomes, _ = sample()
    first, *others = run.plan.cells
    heavier = msgspec.structs.replace(
        first, load=msgspec.structs.replace(LOAD, connections=LOAD.connections * 2)
    )
    plan = msgspec.structs.replace(run.plan, cells=(heavier, *others))
    summary = summarise(msgspec.structs.replace(run, plan=plan), outcomes, histograms)
    alone = summary.rankings[0]
    assert [r.cell for r in alone.rows] == [first.id]


def test_notes_are_carried(summary: Summary) -> None:
    assert len(row(summary, "daphne.blocking-async").notes) == 2
    assert row(summary, "gevent.json-sync").notes == ()
