"""Loads at a rate, searches and steps on a fake machine: resumed, repeated, side by side."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
from builders import endpoint, outcome, plan, run, server
from fakes import FakeBench, Fault, measured
from hypothesis import given, settings
from hypothesis import strategies as st

from loadtest.judge.servers import within
from loadtest.judge.servers.turns import merged
from loadtest.measure import loop
from loadtest.measure.experiments.rounds import rounds
from loadtest.measure.experiments.search import search
from loadtest.measure.loop import Key, Shown, Watcher
from loadtest.measure.servers import measuring
from loadtest.measure.servers.session import ServerTrials
from loadtest.records.planned import Cell, Goal, Load, Plan
from loadtest.records.run_folder import SERVERS, create, read

SERVERS_UP = [server("alpha"), server("beta")]
CAPACITIES = {"alpha": 300.0, "beta": 900.0}
LOAD = Load(connections=8, duration_s=1, warmup_s=0.1, arrivals="poisson")


def with_loads(*loads: Load, **changes: Any) -> Plan:
    cells = tuple(
        Cell(server=of.name, endpoint=endpoint("json"), load=load)
        for load in loads
        for of in SERVERS_UP
    )
    return plan(SERVERS_UP, cells=cells, at_once=2, **changes)


def at_rate(rate: float) -> Load:
    return LOAD.at_rate(rate, 0.0, 0.5, 400)


FIXED = with_loads(at_rate(50.0), at_rate(200.0), rounds=2, turns=2)
SEARCHED = with_loads(Load(connections=8, duration_s=1, warmup_s=0.1, within=Goal(p99_us=300_000)))
STEPPED = with_loads(Load(connections=8, duration_s=1, warmup_s=0.1, steps=(0.5, 0.9, 1.2)))


@dataclass
class Machine(FakeBench):
    """Is interrupted in the middle of a load, after so many."""

    loads: int | None = None
    disturbed: str = ""
    """Loads during which others take the processors; a glob."""

    def fault(self, name: str) -> Fault | None:
        if self.loads is not None and len(measured(self.events)) > self.loads:
            return "interrupt" if self.events[-1] == f"load {name}" else None
        return super().fault(name)

    def other_cpu_s(self, name: str) -> float:
        return 20.0 if fnmatchcase(name, self.disturbed) else 0.0


class Silent(Watcher):
    def showing(self) -> Any:
        return nullcontext()

    def add(self, trials: Iterable[Shown]) -> None:
        pass

    def began(self, trial: Shown) -> None:
        pass

    def ended(self, outcome: Any) -> None:
        pass


@dataclass(frozen=True)
class Up:
    """The fake machine for the loop."""

    of: Plan
    machine: Machine
    repair: measuring.Repair = field(default_factory=measuring.Repair)

    def ceilings(self, known: Sequence[Any]) -> Iterator[Any]:
        yield from ()

    def run(
        self, todo: Sequence[Any], record: Callable[[Any], None], began: Callable[[Key], None]
    ) -> None:
        def watch(cell: Cell, round_: int, turn: int) -> None:
            began(((cell.id, turn), round_))

        measuring.run(self.of, todo, self.machine, record, watch, self.repair)


def go_on(folder: Path, **of_machine: Any) -> Machine:
    """Measure what a run lacks, as `loadtest run --resume` does."""
    stored = read(folder, SERVERS)
    of = stored.run.plan
    machine = Machine(folder, rates=CAPACITIES, **of_machine)

    next_loads = within.Exploring(of, stored.histogram).next_loads

    @contextmanager
    def up() -> Iterator[Up]:
        yield Up(of, machine)

    trials = ServerTrials(of, lambda outcomes: (), next_loads=next_loads)
    experiment: Any = search if any(cell.load.explores for cell in of.cells) else rounds
    try:
        loop.fill(stored, trials, experiment, up(), Silent(), print)
    except KeyboardInterrupt:
        assert machine.loads is not None
    return machine


def facts(folder: Path) -> dict[tuple[str, int, int], tuple[str, Load | None]]:
    """Return what was sent in each turn, and what became of it."""
    return {
        (of.cell, of.round, of.turn): (of.status, of.tried) for of in read(folder, SERVERS).outcomes
    }


@pytest.mark.parametrize("of", [FIXED, SEARCHED, STEPPED], ids=["rates", "search", "steps"])
@settings(max_examples=15)
@given(stops=st.lists(st.integers(0, 12), max_size=4))
def test_a_resumed_run_is_what_it_would_have_been(of: Plan, stops: list[int]) -> None:
    """Interrupted anywhere, any number of times: all is measured, once, with the same arrivals."""
    with tempfile.TemporaryDirectory() as name:
        whole, cut = (create(Path(name) / each, run(of, format=3)) for each in ("a", "b"))
        straight = go_on(whole)
        loads: list[str] = []
        seeds: dict[str, int] = {}
        for stop in [*stops, None]:
            machine = go_on(cut, loads=stop)
            ended = measured(machine.events)
            loads += ended[:stop]  # the next was interrupted
            seeds |= machine.seeds
        assert facts(cut) == facts(whole)
        assert sorted(loads) == sorted(measured(straight.events))
        assert seeds == straight.seeds


def test_a_search_that_is_whole_measures_nothing_more(tmp_path: Path) -> None:
    folder = create(tmp_path, run(SEARCHED, format=3))
    assert measured(go_on(folder).events)
    assert go_on(folder).events == []


def test_a_try_that_failed_is_made_again_at_its_rate(tmp_path: Path) -> None:
    folder = create(tmp_path, run(SEARCHED, format=3))
    go_on(folder, faults={"alpha.json-sync.r3": "silent"})
    status, failed = facts(folder)["alpha.json-sync", 3, 0]
    assert status == "failed"
    go_on(folder)
    assert facts(folder)["alpha.json-sync", 3, 0] == ("measured", failed)
    stored = read(folder, SERVERS)
    _, searches = within.settled(SEARCHED, merged(stored.outcomes), stored.histogram)
    for name, capacity in CAPACITIES.items():
        low, high = searches[f"{name}.json-sync"].low, searches[f"{name}.json-sync"].high
        assert low
        assert high
        assert low <= capacity < high <= low * 1.06


def test_a_search_ends_where_not_one_load_fits_into_the_budget() -> None:
    """It went on to the next round, and the next, and launched the servers for each."""
    loads = {cell.id: cell.load for cell in SEARCHED.cells}
    trials = ServerTrials(SEARCHED, lambda outcomes: (), next_loads=lambda outcomes: loads)
    assert len(list(search(trials, (), [], 0.0))) == 1


def test_all_servers_of_a_round_get_the_same_arrivals(tmp_path: Path) -> None:
    folder = create(tmp_path, run(FIXED, format=3))
    seeds = go_on(folder).seeds
    by_load: dict[str, set[int]] = {}
    for name, seed in seeds.items():
        by_load.setdefault(name.partition(".")[2].partition(".t")[0], set()).add(seed)
    assert {len(each) for each in by_load.values()} == {1}
    assert len(set.union(*by_load.values())) == len(by_load) == 4, "each rate and round its own"


def test_servers_take_turns_at_each_rate(tmp_path: Path) -> None:
    folder = create(tmp_path, run(FIXED, format=3))
    names = [name.partition(".") for name in measured(go_on(folder).events)]
    pairs = [names[at : at + 2] for at in range(0, len(names), 2)]
    for first, second in pairs:
        assert {first[0], second[0]} == {"alpha", "beta"}
        assert first[2] == second[2], "the same endpoint, rate, round and turn"


def test_a_turn_that_others_disturbed_is_repeated_with_its_arrivals(tmp_path: Path) -> None:
    folder = create(tmp_path, run(FIXED, format=3))
    name = "beta.json-sync@200.r1.t1"
    seeds = go_on(folder, disturbed=name).seeds
    assert seeds[f"{name}.again1"] == seeds[name]
    (kept,) = [
        of
        for of in merged(read(folder, SERVERS).outcomes)
        if (of.cell, of.round) == ("beta.json-sync@200", 1)
    ]
    assert [turn.repeat for turn in kept.loads] == [0, 1]
    assert kept.loaded
    assert kept.loaded.sent
    assert kept.loaded.sent.requests == 2 * 400


def test_a_try_that_others_disturbed_is_repeated(tmp_path: Path) -> None:
    folder = create(tmp_path, run(SEARCHED, format=3))
    go_on(folder, disturbed="alpha.json-sync.r2")
    tries = [
        of for of in read(folder, SERVERS).outcomes if (of.cell, of.round) == ("alpha.json-sync", 2)
    ]
    assert [of.repeat for of in tries] == [0, 1]
    assert tries[0].tried == tries[1].tried


def test_a_search_does_not_wait_for_a_machine_that_is_busy_all_the_time(tmp_path: Path) -> None:
    """Each round counted its loads anew, and had too few of them to know: all was sent twice."""
    folder = create(tmp_path, run(SEARCHED, format=3))
    go_on(folder, disturbed="*")
    outcomes = read(folder, SERVERS).outcomes
    assert sum(of.repeat > 0 for of in outcomes) <= 0.25 * len(outcomes)


def test_what_was_measured_before_is_told_by_what_is_in_the_folder() -> None:
    """A closed loop that failed is made again before any rate is tried."""
    of = SEARCHED.cells[0]
    failed = outcome(of.id, 0, status="failed", stage="load", reason="it ended", tried=of.load)
    loads = within.Exploring(SEARCHED, lambda path: pytest.fail(path)).next_loads([failed])
    assert loads[of.id].rate is None
