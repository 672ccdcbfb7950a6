"""A run in words: what it says where it knows, and that it says so where it does not."""

from __future__ import annotations

import pytest
from client_facts import ceiling, cold, group, plan, row, sample, stored, warm

from loadtest.records.clients import Answer, Ceiling, Outcome, Row
from loadtest.report.clients import report
from loadtest.report.clients.sentences import Point

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


def said(by_question: dict[str, Point], question: str) -> str:
    return " ".join(by_question[question].says)


CLIENT = "Which client?"
REUSE = "When does reuse matter?"
DRIVING = "Threads or asyncio?"
CPU = "What does it cost in CPU time?"
START = "What does it cost at the start?"


def test_a_leader_is_named_with_what_follows() -> None:
    advice = points({row("a"): 100, row("b"): 150, row("c"): 400})
    assert said(advice, CLIENT).startswith(
        "Ten calls in flight: `a` is fastest with 100 us per call; then `b`, 1.50x ("
    )
    assert "; last `c`, 4.00x (" in said(advice, CLIENT)
    assert advice[CLIENT].separated
    assert set(advice[CLIENT].rows) == {"a", "b", "c"}


def test_a_tie_is_called_one() -> None:
    same = points({row("a"): 100, row("b"): 100.5, row("c"): 400})
    assert "`a` and `b` are fastest with 100 us per call, no difference that" in said(same, CLIENT)
    advice = points({row("a"): 100, row("b"): 100.5, row("c"): 4_000}, NOISY)
    assert "`a` and `b` are fastest with 100 us per call, tied" in said(advice, CLIENT)


@pytest.mark.parametrize(
    ("jitter", "words"),
    [
        (NOISY, "this run cannot separate them"),
        ((1.0,), "one round cannot separate a real difference from noise"),
        ((1.0, 1.001, 0.999), "it makes no difference which"),
    ],
)
def test_what_the_run_cannot_tell_it_does_not_say(jitter: tuple[float, ...], words: str) -> None:
    advice = points({row("a"): 100, row("b"): 100.2}, jitter)
    assert words in said(advice, CLIENT)
    assert not advice[CLIENT].separated


def test_a_pace_set_by_the_server_is_no_praise() -> None:
    most = ceiling(11_000.0)
    led = points({row("a"): 100, row("b"): 200}, ceilings=(most,))
    assert "The server set the pace of the fastest" in said(led, CLIENT)
    tied = points({row("a"): 100, row("b"): 100.1}, ceilings=(most,))
    assert "the server sets the pace of all" in said(tied, CLIENT)


def test_nothing_to_compare_is_said() -> None:
    assert "only `a` has a number to show" in said(points({row("a"): 100}), CLIENT)
    advice = report.make(stored(plan([row("a")]))).advice
    assert [point.separated for point in advice] == [False]
    assert "no row has a number" in advice[0].says[0]


@pytest.mark.parametrize(
    ("each_us", "jitter", "words"),
    [
        (
            500.0,
            STEADY,
            "It matters. Over plain HTTP, 10 at a time, a new client for each call",
        ),
        (100.2, (1.0, 1.001, 0.999), "A new client for each call makes no difference to `a`"),
        (110.0, NOISY, "Whether it is slower with `a` 10 at a time, this run cannot tell"),
        (50.0, STEADY, "A new client for each call is faster with `a`"),
    ],
)
def test_reuse(each_us: float, jitter: tuple[float, ...], words: str) -> None:
    kept, each = row("a"), row("a, each call", client="a", reuse="each-call")
    advice = points({kept: 100.0, each: each_us}, jitter)
    assert words in said(advice, REUSE)
    assert advice[REUSE].separated == ("cannot tell" not in words)


def test_the_fastest_is_named_for_each_kind_of_view() -> None:
    sync = {"mode": "threads-reuse"}
    rows = {row("aiohttp"): 75.0, row("urllib3", **sync): 230.0, row("requests", **sync): 480.0}
    assert said(points(rows), CLIENT).startswith(
        "Ten calls in flight: in a sync view `urllib3` is fastest (230 us per call), in an async"
        " one `aiohttp` is fastest (75.0 us per call). Ten calls"
    )
    rows = {row("a", **sync): 100.0, row("b", **sync): 100.1, row("c"): 400.0}
    assert "in a sync view `a` and `b` are fastest" in said(points(rows, NOISY), CLIENT)
    assert "view" not in said(points({row("a"): 100.0, row("b"): 200.0}), CLIENT)
    assert "view" not in said(points(rows, (1.0,)), CLIENT)


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
    first, second, last = advice[REUSE].says
    assert first.startswith(
        "It matters. Over TLS, of a server that takes 10.0 ms, one after the other, a new client"
        " for each call costs more by: `b` 2.00 ms, 1.20x ("
    )
    assert "); `a` 5.00 ms, 1.50x (" in first
    assert second.startswith(
        "Over plain HTTP, 10 at a time, a new client for each call costs more by: `c` 400 us, 5.00"
    )
    assert last.startswith("That is the client's own time")


def test_threads_and_asyncio_are_told_with_their_clients() -> None:
    threads, tasks = row("requests", mode="threads-reuse"), row("aiohttp", mode="async-for")
    advice = points({threads: 400, tasks: 100})
    assert "`aiohttp` (asyncio) against `requests` (threads): 0.25x (" in said(advice, DRIVING)
    assert "0.25x the CPU time" in said(advice, DRIVING)
    assert "part of the gap is the client" in said(advice, DRIVING)
    alone = points({row("t", client="x", mode="threads-map"): 400, row("a", client="x"): 100})
    assert "part of the gap is the client" not in said(alone, DRIVING)


def test_where_the_server_sets_the_pace_the_processor_time_is_left() -> None:
    late = Answer(delay_s=0.01)
    threads = row("requests", mode="threads-map", answer=late)
    tasks = row("aiohttp", answer=late)
    advice = points(
        {threads: 1_010, tasks: 1_012}, ceilings=(ceiling(1_000.0, answer=late, connections=10),)
    )
    assert "takes as long, as the server sets the pace of both; 1.00x the CPU" in said(
        advice, DRIVING
    )
    assert "sets the pace" not in said(points({threads: 2_000, tasks: 2_004}), DRIVING)


def test_what_is_not_in_the_run_is_not_asked() -> None:
    advice = points({row("a"): 100, row("b"): 200})
    assert set(advice) == {CLIENT, CPU}


def test_processor_time_is_worked_out() -> None:
    advice = points({row("a"): 100, row("b"): 400})
    assert "`a` 70.0 us, `b` 280 us" in said(advice, CPU)
    assert "0.7 % of a CPU core for `a` and 2.8 % for `b`" in said(advice, CPU)


def test_a_longer_import_is_paid_back_by_so_many_calls() -> None:
    quick, fast = row("quick"), row("fast")
    started = [
        cold(client, number, 0.5, phases=cold(client).phases.__class__(
            start_s=0.02, import_s=import_s, setup_s=0.0, warmup_s=0.0, work_s=0.3, end_s=0.0
        ))
        for client, import_s in ((quick, 0.05), (fast, 0.15))
        for number in range(3)
    ]  # fmt: skip
    advice = points({quick: 300, fast: 100}, more=tuple(started))
    assert "The interpreter needs 20.0 ms, then the import: `quick` 50.0 ms" in said(advice, START)
    assert "fewer than about 500 calls finishes sooner with `quick`" in said(advice, START)


def test_every_point_rests_on_rows_of_the_run() -> None:
    stored = sample()
    known = {row.id for row in stored.run.plan.rows}
    advice = report.make(stored).advice
    assert len(advice) == 5
    for point in advice:
        assert point.says
        assert set(point.rows) <= known
        assert point.rows
