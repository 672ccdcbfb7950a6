"""A run in words: what it says where it knows, and that it says so where it does not."""

from __future__ import annotations

import io

import msgspec
import pytest
from client_facts import ceiling, cold, group, plan, row, sample, stored, warm
from rich.console import Console

from loadtest.records.clients import Answer, Ceiling, Outcome, Row
from loadtest.report.clients import report, terminal
from loadtest.report.clients.formats import rst
from loadtest.report.clients.page import page
from loadtest.report.clients.sentences import Point, doubt, noise

STEADY = (1.0, 1.01, 0.99)
NOISY = (1.0, 2.0, 0.6)


def points(
    rows: dict[Row, float],
    jitter: tuple[float, ...] = STEADY,
    ceilings: tuple[Ceiling, ...] = (),
    more: tuple[Outcome, ...] = (),
) -> dict[str, Point]:
    measures = ("cold", "warm") if more else ("warm",)
    of = plan(list(rows), [group(measures=measures)], rounds=len(jitter))
    outcomes = [
        # What all rows share in a round is no noise; each has its own where it is to be noisy.
        warm(arm, number, us * jitter[(number + at * (jitter is NOISY)) % len(jitter)])
        for at, (arm, us) in enumerate(rows.items())
        for number in range(len(jitter))
    ]
    known = stored(of, (*outcomes, *more), ceilings=ceilings)
    return {point.question: point for point in report.make(known).advice}


def answer(by_question: dict[str, Point], question: str) -> str:
    return " ".join(by_question[question].says)


CLIENT = "Which client?"
REUSE = "When does reuse matter?"
DRIVING = "Threads or asyncio?"
CPU = "What does it cost in CPU time?"
START = "What does it cost at the start?"


def test_a_leader_is_named_with_what_follows() -> None:
    advice = points({row("a"): 100, row("b"): 150, row("c"): 400})
    # Alike in every round, their ratios need no interval.
    assert answer(advice, CLIENT) == (
        "`a` is fastest with 100 us per call; then `b`, 1.50x; last `c`, 4.00x."
    )
    assert advice[CLIENT].separated
    assert set(advice[CLIENT].rows) == {"a", "b", "c"}


def test_a_tie_is_called_one() -> None:
    same = points({row("a"): 100, row("b"): 100.5, row("c"): 400})
    assert "`a` and `b` are fastest with 100 us per call, no difference that" in answer(
        same, CLIENT
    )
    advice = points({row("a"): 100, row("b"): 100.5, row("c"): 4_000}, NOISY)
    assert "`a` and `b` are fastest with 100 us per call, within noise of each other" in answer(
        advice, CLIENT
    )


def test_an_imprecise_tie_is_no_win_for_those_it_is_not_separated_from() -> None:
    """`b` is as fast as `a` for all that is known, and not shown faster than `c` either."""
    times = {"a": (100, 101, 99, 100), "b": (105, 240, 60, 130), "c": (150, 151, 149, 150)}
    rows = {name: row(name) for name in times}
    outcomes = [warm(rows[name], n, us) for name in times for n, us in enumerate(times[name])]
    of = plan(list(rows.values()), [group(measures=("warm",))], rounds=4)
    known = report.make(stored(of, outcomes))
    (lead,) = known.summary.decision.leads
    assert ([first.label for first in lead.first], lead.clear) == (["a", "b"], False)
    assert (
        known.advice[0]
        .says[0]
        .startswith(
            "`a` is fastest, or `b`, within noise of it (100 to 118 us per call); then `c`, 1.50x ("
        )
    )
    assert "`b` is suspect (unstable)." in known.advice[0].says[0]


@pytest.mark.parametrize(
    ("jitter", "words"),
    [
        (NOISY, "This run cannot separate the 2 rows (100 us per call)."),
        ((1.0,), "One round cannot separate a real difference from noise"),
        ((1.0, 1.001, 0.999), "It makes no difference which of the 2 rows"),
    ],
)
def test_what_the_run_cannot_tell_it_does_not_say(jitter: tuple[float, ...], words: str) -> None:
    advice = points({row("a"): 100, row("b"): 100.2}, jitter)
    assert words in answer(advice, CLIENT)
    assert not advice[CLIENT].separated


def test_a_pace_set_by_the_server_is_no_praise() -> None:
    most = ceiling(11_000.0)
    led = points({row("a"): 100, row("b"): 200}, ceilings=(most,))
    assert "The server set the pace of the fastest" in answer(led, CLIENT)
    tied = points({row("a"): 100, row("b"): 100.1}, ceilings=(most,))
    assert "the server sets the pace of all" in answer(tied, CLIENT)


def test_nothing_to_compare_is_said() -> None:
    assert "Only `a` has a number to show" in answer(points({row("a"): 100}), CLIENT)
    advice = report.make(stored(plan([row("a")]))).advice
    assert [point.separated for point in advice] == [False]
    assert "No row has a number" in advice[0].says[0]


@pytest.mark.parametrize(
    ("each_us", "jitter", "words"),
    [
        (500.0, STEADY, "a new client for each call takes longer: `a` 400 us, 5.00x."),
        (100.2, (1.0, 1.001, 0.999), "a new client for each call makes no difference to `a`."),
        (
            110.0,
            NOISY,
            "a new client for each call may or may not be slower; this run cannot tell for `a`.",
        ),
        (50.0, STEADY, "a new client for each call is faster: `a` 50.0 us, 0.50x."),
    ],
)
def test_reuse(each_us: float, jitter: tuple[float, ...], words: str) -> None:
    kept, each = row("a"), row("a, each call", client="a", reuse="each-call")
    advice = points({kept: 100.0, each: each_us}, jitter)
    assert f"Over plain HTTP, 10 at a time, {words}" in answer(advice, REUSE)
    assert advice[REUSE].separated == ("cannot tell" not in words)


def test_the_fastest_is_named_for_each_kind_of_view() -> None:
    sync = {"mode": "threads-reuse"}
    rows = {row("aiohttp"): 75.0, row("httpx"): 300.0}
    rows |= {row("urllib3", **sync): 230.0, row("requests", **sync): 480.0}
    first, second = points(rows)[CLIENT].says
    assert first.startswith("`aiohttp` is fastest with 75.0 us per call; then `urllib3`, 3.07x;")
    assert second.startswith("In a sync view: `urllib3` is fastest with 230 us per call; then `req")
    rows = {row("a", **sync): 100.0, row("b", **sync): 100.1, row("c"): 400.0}
    assert "view" not in answer(points(rows, NOISY), CLIENT)
    assert "view" not in answer(points({row("a"): 100.0, row("b"): 200.0}), CLIENT)


def test_the_only_client_of_a_kind_is_not_called_the_fastest_of_it() -> None:
    rows = {row("httpx_sync", mode="threads-reuse"): 900.0, row("aiohttp"): 100.0, row("b"): 400.0}
    advice = answer(points(rows), CLIENT)
    assert advice.startswith("`aiohttp` is fastest with 100 us per call; then `b`, 4.00x;")
    assert "view" not in advice


def disturbed(share: float, rounds: int = 4) -> report.Report:
    """Give a run of two rows and a duplicate, in which others took so much of the machine."""
    rows = [row("a"), row("b"), row("a again", duplicate_of="a")]
    outcomes = [
        warm(of, n, us * (1 + n * share), other_cpu_s=share)
        for n in range(rounds)
        for of, us in zip(rows, (100, 300, 100 + 20 * (-1) ** n), strict=True)
    ]
    return report.make(stored(plan(rows, [group(measures=("warm",))], rounds=rounds), outcomes))


def test_noise_and_suspect_measurements_are_said_before_all_else() -> None:
    quiet, busy = disturbed(0.0), disturbed(0.5)
    assert not doubt(quiet.summary)
    (first,) = doubt(busy.summary)
    assert first.startswith(
        "This run was noisy: other programs took processor time during 2 of 2 measurements, and"
    )
    assert page(busy).lead[0] == first
    assert rst.render(busy).index("This run was noisy") < rst.render(busy).index("2 rows measured")
    shown = Console(file=io.StringIO(), width=1_000)
    terminal.show(busy, shown)
    assert isinstance(shown.file, io.StringIO)
    text = shown.file.getvalue()
    assert text.index(first) < text.index(CLIENT)


def test_two_rounds_give_no_noise_floor() -> None:
    two, four = disturbed(0.0, rounds=2).summary, disturbed(0.0).summary
    assert two.rankings[0].noise_floor is None
    assert "that takes three rounds of a row that is measured twice" in noise(two)
    assert four.rankings[0].noise_floor == pytest.approx(0.33, abs=0.01)
    assert "differ by 33 % (warm); smaller gaps count as noise" in noise(four)


def test_reuse_names_its_price_the_lowest_first_for_each_way_of_asking() -> None:
    late = Answer(delay_s=0.01, tls=True)
    advice = points(
        {
            row("a", answer=late, batch=1): 10_000,
            row("a each", client="a", answer=late, batch=1, reuse="each-call"): 15_000,
            row("b", answer=late, batch=1): 10_000,
            row("b each", client="b", answer=late, batch=1, reuse="each-call"): 12_000,
            row("c"): 100,
            row("c each", client="c", reuse="each-call"): 500,
        }
    )
    second, first, last = advice[REUSE].says
    assert first == (
        "Over TLS, of a server that takes 10.0 ms, one after the other, a new client for each call"
        " takes longer: `b` 2.00 ms, 1.20x; `a` 5.00 ms, 1.50x."
    )
    assert second.startswith(
        "Over plain HTTP, 10 at a time, a new client for each call takes longer: `c` 400 us, 5.00x"
    )
    assert last.startswith("That is the client's own time")


def test_threads_and_asyncio_are_told_with_their_clients() -> None:
    threads, tasks = row("requests", mode="threads-reuse"), row("aiohttp", mode="async-for")
    advice = points({threads: 400, tasks: 100})
    assert "`aiohttp` (asyncio) against `requests` (threads): 0.25x the t" in answer(
        advice, DRIVING
    )
    assert "; 0.25x the CPU time." in answer(advice, DRIVING)
    assert "part of the gap is the client" in answer(advice, DRIVING)
    alone = points({row("t", client="x", mode="threads-map"): 400, row("a", client="x"): 100})
    assert "part of the gap is the client" not in answer(alone, DRIVING)


def test_where_the_server_sets_the_pace_the_processor_time_is_left() -> None:
    late = Answer(delay_s=0.01)
    threads = row("requests", mode="threads-map", answer=late)
    tasks = row("aiohttp", answer=late)
    advice = points(
        {threads: 1_010, tasks: 1_012}, ceilings=(ceiling(1_000.0, answer=late, connections=10),)
    )
    paced = "takes as long, as the server sets the pace of both; 1.00x the CPU time"
    assert paced in answer(advice, DRIVING)
    assert "sets the pace" not in answer(points({threads: 2_000, tasks: 2_004}), DRIVING)


def test_what_is_not_in_the_run_is_not_asked() -> None:
    advice = points({row("a"): 100, row("b"): 200})
    assert set(advice) == {CLIENT, CPU}


def test_processor_time_is_worked_out() -> None:
    advice = points({row("a"): 100, row("b"): 400})
    assert answer(advice, CPU).startswith(
        "`a` is cheapest with 70.0 us of CPU time per call; then `b`, 4.00x."
    )
    assert "is 0.7 % of a CPU core for `a`, and 2.8 % for `b`" in answer(advice, CPU)


def started(imports: dict[Row, tuple[float, ...]]) -> tuple[Outcome, ...]:
    phases = cold(row()).phases
    return tuple(
        cold(client, n, 0.5, phases=msgspec.structs.replace(phases, import_s=import_s))
        for client, each in imports.items()
        for n, import_s in enumerate(each)
    )


@pytest.mark.parametrize(
    ("longer", "calls"),
    [
        (
            (0.15, 0.151, 0.149),
            "A process of fewer than about 500 calls finishes sooner with `quick`",
        ),
        ((0.12, 0.15, 0.1), "A process of fewer than about 200 to 800 calls finishes sooner with"),
        ((0.06, 0.25, 0.1), None),
        ((0.04, 0.151, 0.149), None),
    ],
)
def test_a_break_even_has_the_digits_that_its_interval_allows(
    longer: tuple[float, ...], calls: str | None
) -> None:
    quick, fast = row("quick"), row("fast")
    rounds = started({quick: (0.05, 0.05, 0.05), fast: longer})
    advice = points({quick: 300, fast: 100}, more=rounds)
    assert "The interpreter needs 20.0 ms, then the import: `quick` 50.0 ms" in answer(
        advice, START
    )
    assert len(advice[START].says) == 1 + bool(calls)
    assert (calls or "") in answer(advice, START)


def test_every_point_rests_on_rows_of_the_run() -> None:
    stored = sample()
    known = {row.id for row in stored.run.plan.rows}
    advice = report.make(stored).advice
    assert len(advice) == 5
    for point in advice:
        assert point.says
        assert set(point.rows) <= known
        assert point.rows
