"""The turns of a round as one outcome: nothing lost, and nothing chosen for its value."""

from __future__ import annotations

import pytest
from builders import loaded, outcome, usage
from hypothesis import given
from hypothesis import strategies as st

from loadtest.judge.servers.turns import merged
from loadtest.measure.loop import finished
from loadtest.records.measured import Afterwards, Host, Left, Outcome, Verified, Work


def host(others_s: float) -> Host:
    return Host(
        window_s=1.0,
        processors=2,
        busy_cpu_s=1.5,
        other_cpu_s=others_s,
        steal_cpu_s=0.0,
        throttled_s=None,
    )


def turn(
    number: int, answers: int, others_s: float = 0.0, repeat: int = 0, **changes: object
) -> Outcome:
    facts: dict[str, object] = {
        "turn": number,
        "repeat": repeat,
        "loaded": loaded(answers, windows=10, silent_windows=1),
        "load_s": 1.0,
        "usage": {"server": usage(0.5, each_cpu_s=(0.3, 0.2))},
        "host": host(others_s),
        "verified": Verified(before=8 if number == 0 else 0, after=1, wire_bytes=180),
    }
    return outcome(**facts | changes)


def test_turns_add_up() -> None:
    (both,) = merged([turn(0, 1000), turn(1, 500)])
    assert both.loaded is not None
    assert (both.loaded.answers, both.loaded.duration_us) == (1500, 2_000_000)
    assert both.loaded.goodput == 750
    assert both.loaded.silent_windows == 2
    assert both.usage["server"].each_cpu_s == (0.6, 0.4)
    assert both.server_cpu_us == pytest.approx(1e6 / 1500)
    assert both.verified == Verified(before=8, after=2, wire_bytes=180)
    assert len(both.loads) == 2


def test_a_round_of_one_turn_stays_as_it_is() -> None:
    (alone,) = merged([turn(0, 1000)])
    assert alone == turn(0, 1000)
    assert alone.loads == (alone,)


@given(
    st.lists(
        st.lists(st.tuples(st.integers(1, 9999), st.floats(0, 2)), min_size=1, max_size=3),
        min_size=1,
        max_size=4,
    ),
    st.lists(st.integers(1, 9999), min_size=12, max_size=12),
)
def test_what_counts_never_hangs_on_what_was_measured(
    turns: list[list[tuple[int, float]]], others: list[int]
) -> None:
    """Other rates, and the very same turns are kept: the disturbance alone decides."""

    def kept(rates: list[int]) -> list[tuple[int, int]]:
        left = iter(rates)
        tried = [
            turn(number, next(left), others_s, repeat)
            for number, repeats in enumerate(turns)
            for repeat, (_, others_s) in enumerate(repeats)
        ]
        (together,) = merged(tried)
        return [(load.turn, load.repeat) for load in together.loads]

    assert kept([rate for repeats in turns for rate, _ in repeats]) == kept(others)


def test_of_a_turn_that_was_repeated_the_undisturbed_one_counts() -> None:
    tried = [turn(0, 100, 1.0), turn(0, 200, 0.01, 1), turn(1, 300)]
    (together,) = merged(tried)
    assert [load.repeat for load in together.loads] == [1, 0]
    # All disturbed: the least.
    (least,) = merged([turn(0, 100, 1.0), turn(0, 200, 0.5, 1), turn(0, 300, 0.8, 2)])
    assert least.repeat == 1


def test_a_round_with_a_failed_turn_has_failed() -> None:
    (failed,) = merged([turn(0, 100), outcome(turn=1, status="failed", reason="it died")])
    assert (failed.status, failed.reason) == ("failed", "it died")


def test_what_was_measured_again_later_replaces_what_failed() -> None:
    (again,) = merged([outcome(turn=0, status="failed"), turn(0, 100)])
    assert again.status == "measured"


def test_a_turn_that_failed_as_it_was_repeated_is_mended_by_beginning_anew() -> None:
    tried = [turn(0, 100, 1.0), outcome(turn=0, repeat=1, status="failed")]
    assert merged(tried)[0].status == "failed"
    assert finished(tried, lambda each: ((each.cell, each.turn), each.round)) == frozenset()
    (again,) = merged([*tried, turn(0, 300)])
    assert again == turn(0, 300)


def test_rounds_and_cells_stay_apart() -> None:
    outcomes = [turn(0, 100), outcome(number=1), outcome("beta.json-sync")]
    assert {(each.cell, each.round) for each in merged(outcomes)} == {
        ("alpha.json-sync", 0),
        ("alpha.json-sync", 1),
        ("beta.json-sync", 0),
    }


def test_what_is_told_later_belongs_to_its_round() -> None:
    work = Work(answers=1000, postgres=1000)
    left = Left(connections=3, threads=0, memory_bytes=0)
    told = [
        Afterwards(cell="alpha.json-sync", round=0, work=work),
        Afterwards(cell="alpha.json-sync", round=0, left=left),
        Afterwards(cell="alpha.json-sync", round=1, work=Work(answers=1)),
    ]
    (round_,) = merged([turn(0, 1000, work=Work(answers=990, redis=5))], told)
    assert (round_.work, round_.left) == (work, left)


def test_work_of_turns_adds_up_where_each_is_known() -> None:
    works = [Work(answers=10, redis=20), Work(answers=5, redis=9, upstream=1)]
    (both,) = merged([turn(number, 100, work=work) for number, work in enumerate(works)])
    assert both.work == Work(answers=15, redis=29)


def test_a_turn_that_was_repeated_for_ever_is_merged() -> None:
    """A folder of others may have it in each of its lines: to copy what came before takes hours."""
    tried = outcome(repeat=1)
    assert merged([tried] * 300_000) == [tried]
