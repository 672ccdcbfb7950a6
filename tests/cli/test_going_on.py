"""What is said of a run that was interrupted, goes on, or has nothing left to measure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from builders import endpoint, outcome, plan, run, server
from fakes import FakeBench, Fault

from loadtest.cli import kinds
from loadtest.measure import loop
from loadtest.measure.experiments.search import search
from loadtest.measure.loop import Key
from loadtest.measure.servers import measuring
from loadtest.measure.servers.session import ServerTrials
from loadtest.records.run_folder import SERVERS, create, read

PLAN = plan([server("alpha"), server("beta")], [endpoint("json"), endpoint("cache")], rounds=2)
LOADS = 8


class Bench:
    """A machine on which loads take no time."""

    def __init__(self, folder: Path, faults: Mapping[str, Fault]) -> None:
        self.fake = FakeBench(folder, faults=faults)

    def ceilings(self, known: Sequence[Any]) -> Iterator[Any]:
        yield from ()

    def run(
        self, todo: Sequence[Any], record: Callable[[Any], None], began: Callable[[Key], None]
    ) -> None:
        def watch(cell: Any, round_: int, turn: int) -> None:
            began(((cell.id, turn), round_))

        measuring.run(PLAN, todo, self.fake, record, watch)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder of a run that has just been planned; its reports are not what is tested."""
    monkeypatch.setattr("sys.argv", ["loadtest"])
    monkeypatch.setattr(kinds, "write_reports", lambda kind, folder, as_json: 0)
    return create(tmp_path, run(PLAN, format=3))


def measure(folder: Path, faults: Mapping[str, Fault] | None = None) -> tuple[int, bool]:
    """Return the exit status, and whether the services were started."""
    entered = []

    @contextmanager
    def up() -> Iterator[Bench]:
        entered.append(True)
        if "services" in (faults or {}):
            raise KeyboardInterrupt
        yield Bench(folder, faults or {})

    status = kinds.measure(kinds.SERVERS, folder, partial(ServerTrials, PLAN), up(), False)
    return status, bool(entered)


def notices(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = capsys.readouterr().err.splitlines()
    return [line.removeprefix("loadtest: ") for line in lines if line.startswith("loadtest: ")]


def test_a_new_run_says_nothing_of_what_is_there(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure(folder) == (0, True)
    assert notices(capsys) == []


def test_a_finished_run_starts_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(folder)
    before = read(folder, SERVERS)
    assert measure(folder) == (0, False)
    assert notices(capsys) == ["8 of 8 loads are there already; nothing is left to measure"]
    assert read(folder, SERVERS) == before


def test_an_interrupted_run_says_what_is_there_and_how_to_go_on(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert measure(folder, {"*.cache-sync.r1": "interrupt"})[0] == 130
    assert notices(capsys) == [
        f"interrupted; what was measured is kept; to go on: loadtest run --resume {folder}"
    ]
    there = len(read(folder, SERVERS).outcomes)
    assert 0 < there < LOADS
    assert measure(folder) == (0, True)
    assert notices(capsys) == [f"{there} of 8 loads are there already; {LOADS - there} to go"]


def test_what_failed_is_to_be_measured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(folder, {"alpha.json-sync.r0": "silent"})
    assert measure(folder) == (0, True)
    assert notices(capsys) == ["7 of 8 loads are there already; 1 to go"]


@pytest.mark.parametrize("fault", ["services", "*"])
def test_an_interruption_before_the_first_number_keeps_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], fault: str
) -> None:
    assert measure(folder, {fault: "interrupt"})[0] == 130
    assert notices(capsys) == [
        f"interrupted before anything was measured; to begin again: loadtest run --resume {folder}"
    ]
    assert measure(folder) == (0, True)
    assert len(read(folder, SERVERS).outcomes) == LOADS


def test_a_spent_budget_is_named() -> None:
    there = [outcome(cell.id) for cell in PLAN.cells]
    trials = ServerTrials(PLAN, lambda outcomes: ())
    done = loop.finished(there, trials.key)
    assert loop._standing(trials, done, there, goes_on=False) == (
        "4 of 8 loads are there already; no more fit into the budget of the run"
    )
    assert (
        loop._standing(trials, done, there, goes_on=True)
        == "4 of 8 loads are there already; 4 to go"
    )
    there += [outcome(cell.id, 1) for cell in PLAN.cells]
    done = loop.finished(there, trials.key)
    assert loop._standing(trials, done, there, goes_on=True) == (
        "8 of 8 loads are there already; more follow, as the answer is open"
    )


@pytest.mark.parametrize(
    ("open_", "goes_on", "then"),
    [
        (True, True, "more follow, as the answer is open"),
        (True, False, "no more fit into the budget of the run"),
        (False, False, "nothing is left to measure"),
    ],
)
def test_the_tries_of_a_search_are_counted(open_: bool, goes_on: bool, then: str) -> None:
    of = plan(budget_s=9.0)
    (cell,) = of.cells
    trials = ServerTrials(
        of, lambda outcomes: (), lambda outcomes: {cell.id: cell.load} if open_ else {}
    )
    there = [outcome(cell.id, round_) for round_ in range(of.rounds + 3)]
    done = loop.finished(there, trials.key)
    assert loop._standing(trials, done, there, goes_on=goes_on) == (
        f"{of.rounds} of {of.rounds} loads are there already, and 3 more; {then}"
    )


@pytest.mark.parametrize(
    ("rounds", "open_", "budget_s", "why"),
    [
        (2, (), None, "ended after 2 of at most 4 rounds: the answer is no longer open"),
        (3, ("alpha",), 9.0, "ended after 3 of at most 4 rounds: no more fit into the budget"),
        # Not even those that were planned.
        (1, (), 9.0, "ended after 1 of at most 4 rounds: no more fit into the budget"),
        (3, ("alpha",), None, None),  # what fails every time is not measured for ever
        (4, ("alpha",), 9.0, None),
        (0, ("alpha",), 9.0, None),
    ],
)
def test_a_run_that_ends_early_says_why(
    rounds: int, open_: tuple[str, ...], budget_s: float | None, why: str | None
) -> None:
    of = plan(rounds=2, most_rounds=4, budget_s=budget_s)
    outcomes = [outcome(cell.id, at) for at in range(rounds) for cell in of.cells]
    assert loop._ended(ServerTrials(of, lambda outcomes: open_), outcomes) == why


def test_a_search_that_its_budget_ends_says_so() -> None:
    of = plan(budget_s=9.0)
    (cell,) = of.cells
    trials = ServerTrials(of, lambda outcomes: (), lambda outcomes: {cell.id: cell.load})
    outcomes = [outcome(cell.id, at) for at in range(of.rounds + 2)]
    assert loop._ended(trials, outcomes) == "ended: no more fit into the budget"


def test_what_failed_in_a_further_round_is_no_spent_budget() -> None:
    of = plan(rounds=2, most_rounds=4, budget_s=9.0)
    (cell,) = of.cells
    outcomes = [outcome(cell.id, at) for at in range(2)]
    outcomes.append(outcome(cell.id, 2, status="failed", stage="load", reason="it ended"))
    assert loop._ended(ServerTrials(of, lambda outcomes: (cell.id,)), outcomes) == (
        "ended after 2 of at most 4 rounds: what is still open failed in the next one"
    )


def test_a_search_that_has_its_answer_is_not_begun_again() -> None:
    """Its finished rounds have nothing to do, which is not the same as a round to come."""
    of = plan()
    (cell,) = of.cells

    def next_loads(outcomes: Sequence[Any]) -> Mapping[str, Any]:
        return {} if len(outcomes) == 3 else {cell.id: cell.load}

    trials = ServerTrials(of, lambda outcomes: (), next_loads)
    there = [outcome(cell.id, round_) for round_ in range(3)]
    assert not any(search(trials, loop.finished(there, trials.key), there, 0.0))
    fewer = there[:2]
    assert any(search(trials, loop.finished(fewer, trials.key), fewer, 0.0))
