"""How a load is shared out, how clocks are compared, and how what was counted is put together."""

from __future__ import annotations

from types import SimpleNamespace

import msgspec
import pytest
from builders import loaded
from hypothesis import given
from hypothesis import strategies as st

from loadtest.bench.load import generator
from loadtest.bench.load.agents import clocks, messages
from loadtest.bench.load.agents.clocks import Exchange
from loadtest.bench.load.agents.master import Master
from loadtest.bench.load.agents.shared import FEWEST_RATE, _orders, shared_out, together
from loadtest.records.measured import Histogram, Sent
from loadtest.records.planned import Load

WAYS = st.integers(0, 500_000)


@given(
    offset_us=st.integers(-(10**9), 10**9),
    ways=st.lists(st.tuples(WAYS, WAYS, WAYS), min_size=1, max_size=20),
)
def test_a_clock_is_never_further_off_than_it_says(
    offset_us: int, ways: list[tuple[int, int, int]]
) -> None:
    exchanges, now_us = [], 10**15
    for there_us, thinks_us, back_us in ways:
        came_us = now_us + there_us + offset_us
        back_at_us = now_us + there_us + thinks_us + back_us
        exchanges.append(Exchange(now_us, came_us, came_us + thinks_us, back_at_us))
        now_us = back_at_us
    clock, round_trip_us = clocks.compared(exchanges)
    assert round_trip_us == min(there + back for there, _, back in ways)
    assert abs(clock.offset_us - offset_us) <= clock.within_us
    assert clock.within_us <= round_trip_us / 2 + 1
    assert clock.here_us(now_us + clock.offset_us) == now_us


@given(
    connections=st.integers(1, 65_535),
    rate=st.none() | st.floats(0.01, 1e5),
    agents=st.integers(1, 64),
)
def test_connections_are_shared_out_evenly(
    connections: int, rate: float | None, agents: int
) -> None:
    shares = shared_out(connections, rate, agents)
    assert sum(shares) == connections
    assert 1 <= len(shares) <= agents
    assert max(shares) - min(shares) <= 1
    assert min(shares) >= 1
    if rate is not None:
        assert len(shares) == 1 or rate / len(shares) >= FEWEST_RATE


def test_each_agent_is_told_its_part() -> None:
    load = Load(connections=5, duration_s=2.5, warmup_s=0, rate=100.0, arrivals="poisson")
    shares = shared_out(5, 100.0, 2)
    first, second = _orders(7, load, "http://10.0.0.1:81/a?b", 0.5, shares, 3, [b"GET"])
    assert (first.connections, second.connections) == (3, 2)
    assert (first.number, second.number) == (0, 1)
    assert first.seed != second.seed
    assert {first.rate, second.rate} == {100.0}
    alike = {"connections": 0, "number": 0, "seed": 0}
    assert [msgspec.to_builtins(first) | alike] == [msgspec.to_builtins(second) | alike]
    assert first.url == "http://10.0.0.1:81/a?b"
    assert first.duration_s == 3.0  # wrk takes whole seconds


def test_an_agent_alone_has_the_arrivals_of_one_generator() -> None:
    load = Load(connections=1, duration_s=1, warmup_s=0, rate=50.0, arrivals="poisson")
    (only,) = _orders(0, load, "http://127.0.0.1:80/", 0.0, [1], 3, ())
    assert only.seed == 3


def test_counts_are_sums_and_times_are_means() -> None:
    parts = [
        loaded(100, 2.0, received_bytes=10, cpu_us=5, windows=20, silent_windows=3),
        loaded(50, 2.1, received_bytes=1, cpu_us=7, windows=21, silent_windows=0, read_errors=2),
    ]
    whole = together(parts)
    assert (whole.answers, whole.received_bytes, whole.cpu_us) == (150, 11, 12)
    assert (whole.read_errors, whole.errors) == (2, 2)
    assert whole.duration_us == 2_050_000
    # Of all, no tenth of a second was silent in which one had an answer.
    assert (whole.windows, whole.silent_windows) == (21, 0)


def late(counts: dict[int, int]) -> Histogram:
    return Histogram(values_us=tuple(counts), counts=tuple(counts.values()))


def test_a_schedule_that_was_shared_is_one_again() -> None:
    parts = [
        loaded(
            n,
            sent=Sent(
                window_us=800_000,
                requests=n,
                missed=1,
                first_answer_us=n,
                late=late({0: n, 2000: 1}),
            ),
        )
        for n in (10, 20)
    ]
    sent = together(parts).sent
    assert sent is not None
    assert (sent.requests, sent.missed, sent.first_answer_us) == (30, 2, 10)
    assert sent.late == late({0: 30, 2000: 2})
    assert sent.rate == 30 / 0.8


@given(counts=st.lists(st.integers(0, 2**40), min_size=1, max_size=64))
def test_nothing_that_was_counted_is_lost(counts: list[int]) -> None:
    assert together([loaded(n) for n in counts]).answers == sum(counts)


def test_an_agent_answers_a_load_so_often_and_no_more() -> None:
    """Each answer may have 64 MB, and is kept until the load is over."""
    member = SimpleNamespace(heard=0.0, answers={1: []})
    master = SimpleNamespace(_changed=SimpleNamespace(notify_all=lambda: None))
    for _ in range(10):
        Master._hear(master, member, messages.Failed(load=1, reason="x"))  # type: ignore[arg-type]
    assert len(member.answers[1]) == 2


def test_wrk_s_own_text_has_an_end() -> None:
    ended = {"status": 0, "out": "x" * 1_000_000, "errors": ""}
    with pytest.raises(ValueError, match="length <= 100000"):
        msgspec.convert(ended, generator.Ended)


def test_how_late_the_loads_of_many_agents_were_fits_into_a_line() -> None:
    """Of each there may be a thousand, and an outcome that is longer is not read back."""
    loads = [
        loaded(
            1_000,
            sent=Sent(
                window_us=1_000_000,
                requests=1_000,
                missed=0,
                late=Histogram(values_us=tuple(range(at, 6_000, 6)), counts=(1,) * 1_000),
            ),
        )
        for at in range(6)
    ]
    sent = together(loads).sent
    assert sent is not None
    assert len(sent.late.values_us) <= 1_000
    assert sum(sent.late.counts) == 6_000
