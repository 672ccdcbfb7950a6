"""The two arms in the reports: every round of both, and the floor that was judged by."""

from __future__ import annotations

import csv
import io

import msgspec
import pytest
from builders import endpoint, outcome, plan, run, server
from duplicate_arms import OUTCOMES, PLAN
from sample_run import loaded

from loadtest.judge.servers.summary import Summary, summarise
from loadtest.records.measured import Histogram
from loadtest.report.servers.formats import csv as csv_format
from loadtest.report.servers.formats import markdown
from loadtest.report.servers.noise_tables import twins
from loadtest.report.servers.page import first
from loadtest.report.servers.report import Report
from loadtest.report.servers.sentences.method import noise


def none(name: str) -> Histogram:
    raise AssertionError(name)


@pytest.fixture
def summary() -> Summary:
    return summarise(run(PLAN), OUTCOMES, none)


def test_each_round_of_both_arms(summary: Summary) -> None:
    table = twins(summary)
    json, rows = table.texts()
    assert json[:4] == ["json-sync", "1,000 / 1,000", "1,100 / 1,100", "+10.0 % / +10.0 %"]
    assert json[5] == "+2.0 % / +2.0 %"
    assert len(rows) == len(table.columns)


def test_a_missing_round_is_a_gap() -> None:
    without = [
        outcome
        for outcome in OUTCOMES
        if (outcome.cell, outcome.round) != ("alpha-again.json-sync", 0)
    ]
    (json, _) = twins(summarise(run(PLAN), without, none)).texts()
    assert json[2:4] == ["- / 1,100", "- / +10.0 %"]


def test_rounds_that_were_never_begun_are_none() -> None:
    """`153 / - / -` was read as three figures of a round."""
    begun = [outcome for outcome in OUTCOMES if outcome.round == 0]
    (json, _) = twins(summarise(run(PLAN), begun, none)).texts()
    assert json[1:4] == ["1,000", "1,100", "+10.0 %"]


def test_the_floor_that_is_said_is_that_of_what_ranks(summary: Summary) -> None:
    (by_cost, *others) = summary.rankings
    assert by_cost.noise_floor == pytest.approx(0.21, abs=0.01)
    assert by_cost.cpu_noise_floor == pytest.approx(0.04, abs=0.001)
    assert "differ in cost by 4 %;" in noise(summary)
    by_rate = msgspec.structs.replace(by_cost, by="goodput")
    text = noise(msgspec.structs.replace(summary, rankings=(by_rate, *others)))
    assert "differ in requests/s by 21 % and in cost by 4 %;" in text


def test_a_kind_without_arms_says_whose_floor_it_has(summary: Summary) -> None:
    assert not any(ranking.noise_borrowed for ranking in summary.rankings)
    assert "no second copy" not in noise(summary)
    without = [outcome for outcome in OUTCOMES if outcome.cell != "alpha-again.json-sync"]
    assert {each.noise_floor for each in summarise(run(PLAN), without, none).rankings} == {None}
    assert noise(summarise(run(PLAN), without, none)).startswith("Too few rounds to say how large")
    third = [msgspec.structs.replace(each, round=2) for each in without if each.round == 1]
    longer = run(msgspec.structs.replace(PLAN, rounds=3))
    json, rows = summarise(longer, [*without, *third], none).rankings
    assert (json.noise_borrowed, rows.noise_borrowed) == (True, False)
    assert json.noise_floor == rows.noise_floor
    assert noise(summarise(longer, [*without, *third], none)).endswith(
        " Of some workloads (CPU-bound JSON) no second copy was measured: this value is used there,"
        " and noise may be larger still."
    )


def test_noise_beyond_all_measure_is_no_number(summary: Summary) -> None:
    (first, *others) = summary.rankings
    wild = msgspec.structs.replace(first, cpu_noise_floor=9.0)
    text = noise(msgspec.structs.replace(summary, rankings=(wild, *others)))
    assert text.startswith("Too few rounds to say how large noise is. Servers that share a rank")


def test_cpu_time_is_compared_by_a_floor_of_its_own(summary: Summary) -> None:
    beta = next(row for row in summary.rankings[0].rows if row.server == "beta")
    assert beta.versus_cpu is not None
    assert beta.versus_cpu.ratio == pytest.approx(1.8)
    assert beta.versus_cpu.finding == "higher"
    second = next(row for row in summary.rankings[0].rows if row.server == "alpha")
    assert second.versus_cpu is None


def test_it_stands_in_the_page_and_in_the_table(summary: Summary) -> None:
    given = Report(summary, run(PLAN))
    page = markdown.files(given)["report.md"]
    assert "### Noise: `alpha` against itself" in page
    assert "1,100 / 1,100" in page
    row = next(csv.DictReader(io.StringIO(csv_format.render(given))))
    assert float(row["noise_floor"]) > 0.2 > float(row["cpu_noise_floor"]) > 0.01


def test_where_nobody_was_separated_nobody_has_a_rank() -> None:
    """Noise of one half in every round: nobody is told from anybody, and nobody is equal."""
    rates = {"alpha": (3_000.0, 1_000.0), "beta": (800.0, 2_600.0), "gamma": (1_000.0, 1_000.0)}
    of = plan([server(name) for name in rates], [endpoint("json")], rounds=2)
    wild = [
        outcome(f"{name}.json-sync", number, loaded=loaded(int(rate * 10)))
        for name, each in rates.items()
        for number, rate in enumerate(each)
    ]
    (ranking,) = summarise(run(of), wild, none).rankings
    assert {row.rank for row in ranking.rows} == {None}
    assert first(ranking) == "no server is ranked: too few or too variable rounds to rank them"
    once = [outcome for outcome in wild if outcome.round == 0]
    (ranking,) = summarise(run(of), once, none).rankings
    assert "one round cannot separate" in first(ranking)


def test_without_a_second_arm_the_page_says_so() -> None:
    servers = tuple(msgspec.structs.replace(server, duplicate_of=None) for server in PLAN.servers)
    summary = summarise(run(msgspec.structs.replace(PLAN, servers=servers)), OUTCOMES, none)
    assert summary.twins == ()
    assert "no server was measured twice" in noise(summary)
