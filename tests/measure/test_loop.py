"""The loop with a clock of its own: when it ends, and what of it is recorded."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from builders import endpoint, plan, run, server
from fakes import FakeBench

from loadtest.judge.stopping import most_rounds
from loadtest.measure import loop
from loadtest.measure.experiments.rounds import rounds
from loadtest.measure.loop import Key, Shown, Watcher
from loadtest.measure.servers import measuring
from loadtest.measure.servers.session import ServerTrials
from loadtest.plan.servers import schedule
from loadtest.records.errors import UserError
from loadtest.records.measured import Outcome
from loadtest.records.run_folder import SERVERS, create, read
from loadtest.records.values import MOST_ROUNDS

PLAN = plan(
    [server("alpha"), server("beta")],
    [endpoint("json"), endpoint("cache")],
    rounds=2,
    at_once=2,
    turns=2,
    budget_s=30.0,
)


class Clock:
    """Moves when something is measured."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


class Silent(Watcher):
    """Says nothing, and has to know of the whole plan from the start."""

    def __init__(self) -> None:
        self.known: list[Shown] = []

    def showing(self) -> Any:
        return nullcontext()

    def add(self, trials: Iterable[Shown]) -> None:
        self.known.extend(trials)

    def began(self, trial: Shown) -> None:
        assert Counter(each.round for each in self.known) == {0: 8, 1: 8}
        assert trial in self.known

    def ended(self, outcome: Outcome) -> None:
        pass


class Bench:
    """A machine on which each load of a round takes so long."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        takes_s: Sequence[float],
        meanwhile: Callable[[Path], object],
    ) -> None:
        self.fake = FakeBench(folder)
        self.clock, self.takes_s, self.meanwhile = clock, takes_s, meanwhile

    def ceilings(self, known: Sequence[Any]) -> Iterator[Any]:
        yield from ()

    def run(
        self, todo: Sequence[Any], record: Callable[[Any], None], began: Callable[[Key], None]
    ) -> None:
        def watch(cell: Any, round_: int, turn: int) -> None:
            began(((cell.id, turn), round_))
            self.clock.now_s += self.takes_s[round_]
            self.meanwhile(self.fake.folder)

        measuring.run(PLAN, todo, self.fake, record, watch)


@pytest.fixture
def measure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Give what measures a plan with loads that take so long in each round."""

    def measure(*takes_s: float, meanwhile: Callable[[Path], object] = lambda folder: None) -> Any:
        clock = Clock()
        monkeypatch.setattr(loop, "time", SimpleNamespace(monotonic=clock, time=clock))
        folder = create(tmp_path, run(PLAN, format=3))

        @contextmanager
        def up() -> Iterator[Bench]:
            clock.now_s += 50.0  # services take their time, and it is not measuring
            yield Bench(folder, clock, takes_s, meanwhile)
            clock.now_s += 50.0

        trials = ServerTrials(PLAN, lambda outcomes: ())
        loop.fill(
            read(folder, SERVERS), trials, partial(rounds, clock=clock), up(), Silent(), print
        )
        return read(folder, SERVERS)

    return measure


def counts(stored: Any) -> list[int]:
    """Return how many loads each round had."""
    return [sum(outcome.round == at for outcome in stored.outcomes) for at in range(2)]


def test_a_run_within_its_budget_is_whole(measure: Callable[..., Any]) -> None:
    stored = measure(1.2, 1.2)
    assert counts(stored) == [8, 8]
    (segment,) = stored.segments
    assert segment.wall_s == pytest.approx(16 * 1.2)
    assert not segment.interrupted


def test_a_run_that_was_interrupted_is_known_to_be(
    measure: Callable[..., Any], tmp_path: Path
) -> None:
    def interrupt(folder: Path) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(1.2, 1.2, meanwhile=interrupt)
    (folder,) = tmp_path.iterdir()
    (segment,) = read(folder, SERVERS).segments
    assert segment.interrupted


def test_a_machine_that_becomes_slow_ends_a_round_between_two_endpoints(
    measure: Callable[..., Any],
) -> None:
    stored = measure(1.2, 4.0)
    assert counts(stored) == [8, 4]
    whole = list(schedule.turns(schedule.one_round(PLAN, 1)))[:4]
    assert [(o.cell, o.turn) for o in stored.outcomes if o.round == 1] == [
        (turn.cell.id, turn.turn) for turn in whole
    ]


def test_the_first_round_is_made_however_long_it_takes(measure: Callable[..., Any]) -> None:
    assert counts(measure(10.0, 10.0)) == [8, 0]


def test_no_round_is_begun_that_could_not_be_read_back() -> None:
    assert most_rounds(plan(rounds=MOST_ROUNDS, precision=0.03)) == MOST_ROUNDS


def moved(folder: Path) -> None:
    if folder.exists():
        folder.rename(folder.with_name("moved"))


@pytest.mark.parametrize("meanwhile", [shutil.rmtree, moved])
def test_a_folder_that_is_gone_is_one_line(
    measure: Callable[..., Any], meanwhile: Callable[[Path], object]
) -> None:
    with pytest.raises(UserError) as caught:
        measure(1.0, 1.0, meanwhile=meanwhile)
    (line,) = caught.value.lines
    assert "cannot be written: No such file or directory; put it back, then go on with" in line
    assert "`--resume`" in line
