"""Two runs at a rate, or two searches: what is compared of them, what is refused, what is said."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest
from builders import endpoint, loaded, outcome, plan, run, server, usage
from command_line import Type
from two_runs import STEADY

from loadtest.judge.servers.compare import APART, Change, Comparisons, compare
from loadtest.judge.servers.history import Between, Line, Made, history
from loadtest.judge.servers.metrics import LATE_US
from loadtest.judge.servers.summary import summarise_stored
from loadtest.records import run_folder
from loadtest.records.errors import UserError
from loadtest.records.measured import Histogram, Outcome, Sent
from loadtest.records.planned import Cell, Goal, Load
from loadtest.records.run_folder import SERVERS, ServersRun, Writer, create, read
from loadtest.report.markdown.page import document
from loadtest.report.servers.comparison import page
from loadtest.report.servers.history import changed, files, headline, steps_table

NAMES = ("alpha", "alpha-again", "beta")
LOAD = Load(connections=100, duration_s=2, warmup_s=0.1)
GOAL = Goal(p99_us=300_000)


@dataclass(frozen=True)
class Shows:
    """What a server shows at a rate."""

    cpu_us: float = 800.0
    p99_us: int = 20_000
    holds: float = 1e9
    """Requests a second: above it, it cannot keep up."""
    reaches: float = 500.0
    """The highest rate that it takes within the goal."""
    generator: bool = False
    """It is the generator that does not keep up."""


def at_rate(cell: Cell, number: int, of: Shows, folder: Path) -> Outcome:
    """Return 400 requests or more, with 1 in 20 of them slow."""
    rate = cell.load.rate or 1_000.0
    requests = int(rate * cell.load.duration_s)
    late = requests // 4 if rate > of.holds else 0
    short = 0 if of.generator else late
    came, shake = requests - short, STEADY[number % len(STEADY)]
    slow, slow_us = came // 20, 900_000 if short else int(of.p99_us * shake)
    path = f"raw/{cell.id}.r{number}.json"
    seen = Histogram(values_us=(5_000, slow_us), counts=(came - slow, slow))
    (folder / path).write_bytes(msgspec.json.encode(seen))
    sent = Sent(
        window_us=int(cell.load.duration_s * 1e6),
        requests=requests,
        missed=short,
        late=Histogram(values_us=(0, 2 * LATE_US), counts=(requests - late, late)),
    )
    return outcome(
        cell.id,
        number,
        tried=cell.load if cell.load.explores else None,
        load_s=cell.load.duration_s,
        histogram=path,
        loaded=loaded(
            came,
            cell.load.duration_s,
            received_bytes=came * 180,
            sent=sent if cell.load.rate else None,
        ),
        usage={"server": usage(came * of.cpu_us * shake / 1e6)},
    )


def stored(
    out: Path,
    rates: Sequence[float | None] = (200.0,),
    within: Goal | None = None,
    rounds: int = 5,
    endpoints: int = 1,
    **shows: Shows,
) -> ServersRun:
    """Return a run of `NAMES` at some rates, or a search, as it is read from its folder."""
    servers = [
        server(name, duplicate_of="alpha" if name == "alpha-again" else None) for name in NAMES
    ]
    cells = tuple(
        Cell(
            server=name,
            endpoint=endpoint(f"json{number or ''}"),
            load=msgspec.structs.replace(LOAD, rate=rate, within=within),
        )
        for rate in rates
        for number in range(endpoints)
        for name in NAMES
    )
    of = plan(servers, cells=cells, rounds=rounds, reference="alpha")
    out.mkdir(exist_ok=True)
    at = f"2026-01-02T03:04:0{len(out.name)}+00:00"
    folder = create(out, run(of, format=3, created_at=at))
    writer = Writer(folder)
    for cell in cells:
        own = shows.get(cell.server.removesuffix("-again"), Shows())
        for number, tried in enumerate(tries(cell, own) if within else [cell] * rounds):
            writer.append(at_rate(tried, number, own, folder))
    writer.close()
    return read(folder, SERVERS)


def tries(cell: Cell, of: Shows) -> list[Cell]:
    """Return a closed loop, and two loads at either end of a bracket of 4 %."""
    rates = (None, of.reaches, of.reaches * 1.04, of.reaches, of.reaches * 1.04)
    return [
        msgspec.structs.replace(cell, load=msgspec.structs.replace(cell.load, rate=rate))
        for rate in rates
    ]


def answers(compared: Comparisons) -> dict[tuple[str, str, str], str]:
    return {(each.server, each.endpoint, each.figure): each.answer for each in compared.changes}


def of(compared: Comparisons, name: str, figure: str) -> Change:
    return next(c for c in compared.changes if (c.server, c.figure) == (name, figure))


def text(compared: Comparisons) -> str:
    return document(page(compared), level=3)


def test_what_a_request_costs_at_the_same_rate(tmp_path: Path) -> None:
    base = stored(tmp_path / "a")
    comparison = compare(base, stored(tmp_path / "bb", beta=Shows(cpu_us=880)))
    assert answers(comparison) == {
        ("alpha", "all@200", "cost"): "same",
        ("beta", "all@200", "cost"): "worse",
        ("alpha", "json-sync@200", "server_cpu_us"): "same",
        ("beta", "json-sync@200", "server_cpu_us"): "worse",
        # That of rounds with too few requests to show one; requests/s are what was asked for.
        ("alpha", "json-sync@200", "p99_us"): "same",
        ("beta", "json-sync@200", "p99_us"): "same",
    }
    cost = of(comparison, "beta", "cost")
    assert (cost.rate, cost.base, cost.new) == (200.0, pytest.approx(0.8), pytest.approx(0.88))
    assert cost.noise is not None, "the two copies of alpha are at that rate as well"
    assert page(comparison).title.startswith("beta costs 1.10x")
    assert page(comparison).title.endswith("what it did at 200/s")
    assert "CPU cores for 1,000 requests/s at 200 requests/s, over 1 endpoint" in text(comparison)
    assert comparison.regressed


def test_p99_as_it_was_scheduled(tmp_path: Path) -> None:
    slower = stored(tmp_path / "bb", alpha=Shows(p99_us=30_000))
    comparison = compare(stored(tmp_path / "a"), slower)
    change = of(comparison, "alpha", "p99_us")
    assert change.answer == "worse"
    assert (change.base, change.new) == pytest.approx((20_000, 30_000), rel=0.01)
    assert change.noise is not None
    assert page(comparison).title == "1 of 1 endpoint got slower"


def test_where_requests_were_too_few_for_a_p99_it_is_said(tmp_path: Path) -> None:
    comparison = compare(*(stored(tmp_path / name, rounds=2) for name in ("a", "bb")))
    assert {change.figure for change in comparison.of_cells} == {"server_cpu_us"}
    assert "At 2 cells p99 is not compared: in one of the runs" in text(comparison)


def test_a_rate_that_is_held_no_more_is_a_regression(tmp_path: Path) -> None:
    """What it costs and how long it takes there is of another rate, and compared with nothing."""
    base, tired = stored(tmp_path / "a"), stored(tmp_path / "bb", beta=Shows(holds=100))
    comparison = compare(base, tired)
    assert [(lost.cell, lost.run, lost.why) for lost in comparison.lost] == [
        ("beta.json-sync@200", "new", "not held")
    ]
    assert {figure for name, _, figure in answers(comparison) if name == "beta"} == {"goodput"}
    assert of(comparison, "beta", "goodput").answer == "worse"
    assert comparison.regressed
    assert page(comparison).title.startswith("1 cell cannot keep the rate any more")
    assert "Cannot keep the rate in NEW" in text(comparison)
    back = compare(tired, base)
    assert not back.regressed
    assert "1 cell cannot keep the rate in BASE: " in text(back)
    assert not compare(tired, stored(tmp_path / "ccc", beta=Shows(holds=100))).lost


def test_a_history_counts_a_rate_that_is_held_no_more(tmp_path: Path) -> None:
    """It is what `compare` ends with 1 for."""
    runs = [stored(tmp_path / "a"), stored(tmp_path / "bb", beta=Shows(holds=100))]
    whole = history(
        [Made(name=run.folder.name, run=run.run, summary=summarise_stored(run)) for run in runs],
        [Between(differences=(), compared=compare(*runs), refused=None)],
    )
    assert "1 cell cannot keep the rate any more." in headline(whole)
    table = steps_table(whole.steps)
    at = [column.title for column in table.columns].index("lost")
    assert table.texts()[0][at] == "1"
    (lost, *_) = changed(whole)[runs[1].folder.name]
    assert (lost.line.server, lost.line.endpoint, lost.answer) == ("beta", "json-sync@200", "lost")
    assert lost.reason == whole.steps[0].lost[0].reason
    assert lost.reason in files(whole)["history.md"].replace("\\", "")


def test_each_rate_is_compared_with_itself(tmp_path: Path) -> None:
    """With closed loops among them; the noise of one says nothing of the other."""
    rates = (None, 200.0, 400.0)
    dear = stored(tmp_path / "bb", rates, beta=Shows(cpu_us=1_000))
    comparison = compare(stored(tmp_path / "a", rates), dear)
    costs = [(cost.server, cost.endpoint, cost.answer) for cost in comparison.costs]
    assert costs == [
        (name, where, answer)
        for where in ("all", "all@200", "all@400")
        for name, answer in (("alpha", "same"), ("beta", "worse"))
    ]
    shown = page(comparison)
    assert shown.title.startswith("beta costs 1.25x"), "one server, however many rates"
    assert ("alpha", "json-sync", "goodput") in answers(comparison)
    assert ("alpha", "json-sync@200", "goodput") not in answers(comparison)


def test_runs_at_different_rates_share_those_that_both_have(tmp_path: Path) -> None:
    base, new = stored(tmp_path / "a", (100.0, 200.0)), stored(tmp_path / "bb", (200.0, 400.0))
    comparison = compare(base, new)
    assert {each.rate for each in comparison.changes} == {200.0}
    assert {lost.why for lost in comparison.lost} == {"unplanned"}


@pytest.mark.parametrize(
    ("rates", "line"),
    [
        (
            (400.0,),
            "/a/2026-01-02T03-04-01-test was loaded at 200 requests/s, {new} at 400 requests/s;"
            " `loadtest run` both with the same --rate",
        ),
        ((None,), "at 200 requests/s, {new} in closed loops; `loadtest run` both with the same"),
    ],
)
def test_without_a_rate_in_common_it_is_one_line(
    tmp_path: Path, rates: Sequence[float | None], line: str
) -> None:
    base, new = stored(tmp_path / "a"), stored(tmp_path / "bb", rates)
    with pytest.raises(UserError) as refused:
        compare(base, new)
    (text_of_it,) = refused.value.lines
    assert line.format(new=new.folder) in text_of_it


def test_other_arrivals_are_another_load(tmp_path: Path) -> None:
    base, new = stored(tmp_path / "a"), stored(tmp_path / "bb")
    cells = tuple(
        msgspec.structs.replace(cell, load=msgspec.structs.replace(cell.load, arrivals="poisson"))
        for cell in new.run.plan.cells
    )
    random = msgspec.structs.replace(new.run.plan, cells=cells)
    new = msgspec.structs.replace(new, run=msgspec.structs.replace(new.run, plan=random))
    with pytest.raises(UserError) as refused:
        compare(base, new)
    assert "200 requests/s, even, on 100 connections" in refused.value.lines[1]
    assert "200 requests/s, poisson, on 100 connections" in refused.value.lines[1]


# Searches ----------------------------------------------------------------------------------------


def searched(out: Path, within: Goal = GOAL, endpoints: int = 3, **reaches: float) -> ServersRun:
    shows = {name: Shows(reaches=rate, holds=rate * 1.02) for name, rate in reaches.items()}
    return stored(out, (None,), within, endpoints=endpoints, **shows)


@pytest.mark.parametrize(
    ("factor", "answer"), [(0.8, "worse"), (1.25, "better"), (1.0, "same"), (0.93, "cannot tell")]
)
def test_the_highest_rate_within_the_goal(tmp_path: Path, factor: float, answer: str) -> None:
    base = searched(tmp_path / "a", alpha=500.0, beta=400.0)
    comparison = compare(base, searched(tmp_path / "bb", alpha=500.0, beta=400.0 * factor))
    # Its tries are at rates of their own, and so nothing else of them is compared.
    assert {figure for _, _, figure in answers(comparison)} == {"reaches"}
    change = of(comparison, "beta", "reaches")
    assert change.answer == answer
    assert (change.base, change.new) == (400.0, pytest.approx(400.0 * factor))
    assert change.comparison.low == pytest.approx(factor / 1.04)
    assert change.comparison.high == pytest.approx(factor * 1.04)
    assert (change.noise, change.margin) == pytest.approx((0.0, APART))
    assert of(comparison, "alpha", "reaches").answer == "same"
    assert comparison.regressed == (answer == "worse")
    assert comparison.conclusive == (answer != "cannot tell")
    if answer == "worse":
        assert page(comparison).title == "3 of 3 endpoints lost requests/s within the goal"
    assert "Of a highest rate within the goal each search leaves a bracket open" in text(comparison)
    assert "Intervals and tests are of the rounds" not in text(comparison)
    assert ("at a fixed `--rate` shows smaller changes" in text(comparison)) == (
        answer == "cannot tell"
    )


def test_each_try_of_two_searches_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [searched(tmp_path / name, alpha=500.0, beta=400.0) for name in ("a", "bb")]
    paths: list[Path] = []
    bytes_of = run_folder.files.read

    def noted(path: Path) -> bytes:
        paths.append(path)
        return bytes_of(path)

    monkeypatch.setattr(run_folder.files, "read", noted)
    compare(*runs)
    assert len(paths) == len(set(paths)) > 0


def test_where_the_generator_ends_a_search_nobody_knows_how_far_the_server_goes(
    tmp_path: Path,
) -> None:
    """A rate that all kept up to the generator's limit is no limit of the server."""
    limited = stored(tmp_path / "bb", (None,), GOAL, alpha=Shows(reaches=500.0))
    comparison = compare(searched(tmp_path / "a", endpoints=1, alpha=500.0), limited)
    change = of(comparison, "alpha", "reaches")
    assert change.comparison.high is None
    assert change.answer == "cannot tell"


@pytest.mark.parametrize(("generator", "why"), [(True, "not known"), (False, "failed")])
def test_a_search_that_the_generator_ended_shows_no_failure(
    tmp_path: Path, generator: bool, why: str
) -> None:
    """On a busy machine: exit status 1 would be a claim that noise made."""
    ended = stored(tmp_path / "bb", (None,), GOAL, alpha=Shows(holds=100, generator=generator))
    comparison = compare(searched(tmp_path / "a", endpoints=1, alpha=500.0), ended)
    assert [(lost.server, lost.why) for lost in comparison.lost] == [("alpha", why)]
    assert comparison.regressed is (why == "failed")
    assert (f"{why} in NEW: the goal was missed at 500 requests/s" in text(comparison)) is generator


def test_other_goals_are_another_load(tmp_path: Path) -> None:
    base = searched(tmp_path / "a", alpha=500.0)
    new = searched(tmp_path / "bb", Goal(p99_us=100_000, error_share=0.01), alpha=500.0)
    with pytest.raises(UserError) as refused:
        compare(base, new)
    assert "the highest rate within p99=300ms, first on 100 connections" in refused.value.lines[1]
    assert "the highest rate within p99=100ms errors=1%, first on" in refused.value.lines[1]


# What comes of it --------------------------------------------------------------------------------


def test_the_exit_status_of_a_gate(type_: Type, tmp_path: Path) -> None:
    base = stored(tmp_path / "a").folder
    same = stored(tmp_path / "bb").folder
    dear = stored(tmp_path / "ccc", beta=Shows(cpu_us=900)).folder
    short = stored(tmp_path / "dddd", rounds=1).folder
    other = stored(tmp_path / "eeeee", (300.0,)).folder
    statuses = [type_("compare", base, new).status for new in (same, dear, short, other)]
    assert statuses == [0, 1, 3, 2]
    done = type_("compare", base, dear, "--json")
    costs = [each for each in json.loads(done.out)["changes"] if each["cell"] is None]
    assert {(each["server"], each["rate"], each["answer"]) for each in costs} == {
        ("alpha", 200.0, "same"),
        ("beta", 200.0, "worse"),
    }


def test_a_history_keeps_loads_apart(tmp_path: Path) -> None:
    """A rate, a closed loop and a search of one endpoint are three lines."""
    runs = [
        stored(tmp_path / "a", (None, 200.0)),
        stored(tmp_path / "bb", (None, 200.0), beta=Shows(cpu_us=1_000)),
        searched(tmp_path / "ccc", endpoints=1, alpha=500.0),
        searched(tmp_path / "dddd", endpoints=1, alpha=300.0),
        stored(tmp_path / "eeeee", (200.0,)),
    ]
    steps = []
    for base, new in itertools.pairwise(runs):
        try:
            steps.append(Between(differences=(), compared=compare(base, new), refused=None))
        except UserError as error:
            steps.append(Between(differences=(), compared=None, refused=str(error)))
    whole = history(
        [Made(name=of.folder.name, run=of.run, summary=summarise_stored(of)) for of in runs], steps
    )

    def line(name: str, at: str) -> Line:
        return next(each for each in whole.lines if (each.server, each.endpoint) == (name, at))

    def filled(of: Line) -> list[bool]:
        return [point.goodput is not None for point in of.points]

    assert filled(line("alpha", "json-sync")) == [True, True, False, False, False]
    assert filled(line("alpha", "json-sync@200")) == [True, True, False, False, True]
    assert filled(line("alpha", "json-sync p99=300ms")) == [False, False, True, True, False]
    assert line("alpha", "json-sync p99=300ms").points[3].answer == "worse"
    assert line("beta", "all@200").points[1].cpu_answer == "worse"
    assert line("beta", "json-sync@200").points[1].cpu_answer == "worse"
    assert "all" not in {each.endpoint for each in whole.lines}, "the newest run has no closed loop"
