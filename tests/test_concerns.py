"""Every concern just below and just above its threshold, alone, and silent where nothing is known.

A case is a healthy cell with one fact changed; the table says which verdict that one concern gives,
and every case asserts that no other concern is raised.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import stdev
from typing import Any

import msgspec
import pytest
from builders import endpoint, outcome, plan, server
from hypothesis import given
from hypothesis import strategies as st

from loadtest import verify
from loadtest.concerns import CONCERNS, Evidence, judge
from loadtest.concerns.evidence import NO_ANSWER, TOO_EARLY
from loadtest.concerns.surroundings import chance
from loadtest.figures import figures, latencies
from loadtest.model import (
    Ceiling,
    Cell,
    During,
    Histogram,
    Host,
    Left,
    Load,
    Loaded,
    Outcome,
    Shape,
    Usage,
    Verified,
    Work,
)

BY_NAME = {concern.name: concern for concern in CONCERNS}
WIRE_BYTES = 200
CEILINGS = (
    Ceiling(body_bytes=30, goodput=60_000.0, generator_cpu_us=7.0),
    Ceiling(body_bytes=30_000, goodput=20_000.0, generator_cpu_us=20.0),
)


@dataclass(frozen=True)
class Facts:
    """What a test may set; a healthy cell follows from it."""

    delay_s: float = 0.0
    connections: int = 64
    duration_s: float = 3.0
    rates: tuple[float, ...] = (2_000.0, 2_060.0, 1_940.0)
    """Answers a second of each round."""
    latency_us: int | None = None
    """Of every answer; what Little's law asks for where it is not given."""
    needs: tuple[int, int, int] = (0, 0, 0)
    """Operations of an answer in PostgreSQL, Valkey and the upstream."""
    in_flight: str = "connections"
    shape: Shape = field(default_factory=Shape)
    loaded: Any = msgspec.UNSET
    """Changes to what was counted in each round."""
    each: Any = msgspec.UNSET
    """Changes to each outcome."""
    histogram: Histogram | None = None
    ceilings: tuple[Ceiling, ...] = CEILINGS


def evidence(facts: Facts, failed: tuple[Outcome, ...] = ()) -> Evidence:
    """Return the evidence of a cell in which all that the engine can record was recorded."""
    postgres, redis, upstream = facts.needs
    profile = server(in_flight=facts.in_flight, processes_seen="workers + 1")
    cell = Cell(
        server=profile.name,
        endpoint=endpoint(delay_s=facts.delay_s, postgres=postgres, redis=redis, upstream=upstream),
        load=Load(connections=facts.connections, duration_s=facts.duration_s, warmup_s=1.0),
    )
    changes = {} if facts.each is msgspec.UNSET else facts.each
    measured = tuple(
        msgspec.structs.replace(_round(facts, number, rate), **changes)
        for number, rate in enumerate(facts.rates)
    )
    made = plan(servers=(profile,), rounds=len(facts.rates), shape=facts.shape)
    read = partial(_histogram, facts)
    return Evidence(
        plan=made,
        cell=cell,
        server=profile,
        measured=measured,
        failed=failed,
        figures=figures(made, cell, profile, measured, read),
        latencies=latencies(cell, measured, read),
        ceilings=facts.ceilings,
    )


def _round(facts: Facts, number: int, rate: float) -> Outcome:
    answers = int(rate * facts.duration_s)
    window_s = facts.duration_s
    loaded = Loaded(
        generator="wrk",
        duration_us=int(facts.duration_s * 1e6),
        answers=answers,
        received_bytes=answers * WIRE_BYTES,
        connect_errors=0,
        read_errors=0,
        write_errors=0,
        status_errors=0,
        timeouts=0,
        windows=int(10 * facts.duration_s),
        silent_windows=0,
    )
    if facts.loaded is not msgspec.UNSET:
        loaded = msgspec.structs.replace(loaded, **facts.loaded)
    return outcome(
        number=number,
        load_s=facts.duration_s,
        loaded=loaded,
        histogram=str(number),
        verified=Verified(before=8, after=1, wire_bytes=WIRE_BYTES),
        during=During(checked=10, broken=None),
        usage={
            "server": _usage(cpu_s=4.0, processes=3, threads=17),
            "generator": _usage(cpu_s=0.05 * facts.duration_s, processes=1, threads=2),
        },
        work=Work(
            answers=answers + 20,
            postgres=facts.needs[0] * (answers + 20),
            redis=facts.needs[1] * (answers + 20),
            upstream=facts.needs[2] * (answers + 20),
            database_connections=32,
        ),
        host=Host(
            window_s=window_s,
            processors=2,
            busy_cpu_s=window_s * 1.9,
            other_cpu_s=window_s * 0.02,
            steal_cpu_s=0.0,
            throttled_s=0.0,
        ),
        left=Left(connections=0, threads=4, memory_bytes=5_000_000),
    )


def _usage(cpu_s: float, processes: int, threads: int) -> Usage:
    return Usage(
        cpu_s=cpu_s,
        rss_peak_bytes=100_000_000,
        pss_peak_bytes=60_000_000,
        processes=processes,
        threads=threads,
    )


def _histogram(facts: Facts, number: str) -> Histogram:
    if facts.histogram is not None:
        return facts.histogram
    rate = facts.rates[int(number)]
    answers = int(rate * facts.duration_s)
    # 3 % of the time each connection is between an answer and the next request.
    latency_us = facts.latency_us or int(facts.connections / rate * 0.97 * 1e6)
    return Histogram(values_us=(latency_us,), counts=(answers,))


def raised(evidence: Evidence) -> dict[str, str]:
    return {one.concern: one.severity for one in judge(evidence).concerns}


HEALTHY = Facts()
SLOW = Facts(delay_s=1.0, duration_s=10.0, connections=500, rates=(380.0, 381.0, 379.0))
"""About 1.3 s for an answer of 1 s: its server is the limit."""


def counted(**changes: int) -> Facts:
    return replace(HEALTHY, loaded=changes)


def with_each(**changes: Any) -> Facts:
    return replace(HEALTHY, each=changes)


def usage(processes: int = 3, threads: int = 17, generator_s: float = 0.15) -> dict[str, Usage]:
    return {
        "server": _usage(4.0, processes, threads),
        "generator": _usage(generator_s, 1, 2),
    }


def host(other_s: float, steal_s: float | None = 0.0, throttled_s: float | None = 0.0) -> Host:
    return Host(
        window_s=3.0,
        processors=2,
        busy_cpu_s=5.9,
        other_cpu_s=other_s,
        steal_cpu_s=steal_s,
        throttled_s=throttled_s,
    )


def left(connections: int | None = 0, threads: int = 0, memory_bytes: int = 0) -> Facts:
    held = Left(connections=connections, threads=threads, memory_bytes=memory_bytes)
    return with_each(left=held)


def worked(**counts: int) -> Facts:
    work = Work(answers=10_000, **counts)
    return replace(HEALTHY, needs=(2, 1, 1), each={"work": work})


FULL = {"postgres": 20_000, "redis": 10_000, "upstream": 10_000}
GTHREAD = replace(SLOW, in_flight="workers * threads", rates=(7.9, 7.9, 7.9), latency_us=1_010_000)


def at(latency_us: int, early: int = 0) -> Facts:
    """Return a slow cell of which `early` answers took `latency_us`, the others 1.3 s."""
    found = Histogram(values_us=(latency_us, 1_300_000), counts=(early, 3_800 - early))
    return replace(SLOW, histogram=found)


def in_flight(share: float, generator_s: float = 0.15) -> Facts:
    return replace(
        HEALTHY,
        rates=(2_000.0,) * 3,
        latency_us=int(64 / 2_000 * share * 1e6),
        each={"usage": usage(generator_s=generator_s)},
    )


def stalling(silent: int, fast_us: int) -> Facts:
    """Return a cell of 30 tenths of a second: most answers take `fast_us`, the others 1 s."""
    answers = 6_000
    # As many slow ones as keep all connections busy for 97 % of the time.
    total_us = 64 * 3e6 * 0.97
    slow = int((total_us - answers * fast_us) / (1_000_000 - fast_us))
    found = Histogram(values_us=(fast_us, 1_000_000), counts=(answers - slow, slow))
    facts = replace(HEALTHY, rates=(2_000.0,) * 3, histogram=found)
    return replace(facts, loaded={"silent_windows": silent})


CASES: list[tuple[str, str | None, Facts]] = [
    # 6,000 answers in a round: 6 are one in a thousand.
    ("errors", None, replace(counted(status_errors=6), rates=(2_000.0,) * 3)),
    ("errors", "suspect", replace(counted(status_errors=7), rates=(2_000.0,) * 3)),
    ("errors", "suspect", replace(counted(status_errors=300), rates=(2_000.0,) * 3)),
    ("errors", "invalid", replace(counted(status_errors=301), rates=(2_000.0,) * 3)),
    ("errors", "suspect", counted(read_errors=100)),
    ("errors", "suspect", counted(connect_errors=100)),
    ("errors", "suspect", counted(write_errors=100)),
    ("errors", "suspect", counted(timeouts=100)),
    # The second client met one of the errors that wrk counted: one fault, one concern.
    (
        "errors",
        "suspect",
        replace(
            counted(status_errors=60),
            each={"during": During(checked=9, broken="status 500 instead of 200: oh dear")},
        ),
    ),
    ("no-samples", None, replace(HEALTHY, duration_s=1.0, rates=(10.0,))),
    ("no-samples", "suspect", replace(HEALTHY, duration_s=1.0, rates=(9.0,))),
    # 500 answers have no p99, and none is shown.
    ("no-samples", None, replace(HEALTHY, duration_s=1.0, rates=(500.0,))),
    ("contract", None, with_each(during=During(checked=0, broken=None))),
    ("contract", "invalid", with_each(during=During(checked=9, broken="another body"))),
    ("contract", None, with_each(during=During(checked=9, broken="no answer: timed out"))),
    ("contract", None, with_each(verified=Verified(before=8, after=1, wire_bytes=219))),
    ("contract", "invalid", with_each(verified=Verified(before=8, after=1, wire_bytes=230))),
    ("contract", None, with_each(verified=Verified(before=8, after=1, wire_bytes=181))),
    ("contract", "invalid", with_each(verified=Verified(before=8, after=1, wire_bytes=170))),
    # The end of the load finds each connection with most of an answer.
    ("contract", None, replace(counted(received_bytes=163 * 200), rates=(33.0, 33.0, 33.0))),
    ("contract", "invalid", replace(counted(received_bytes=200 * 200), rates=(33.0, 33.0, 33.0))),
    ("faster-than-possible", None, at(986_000, early=5)),
    ("faster-than-possible", "invalid", at(984_000, early=1)),
    # Errors are early and have a latency like all answers.
    ("errors", "suspect", replace(at(10_000, early=30), loaded={"status_errors": 30})),
    ("faster-than-possible", None, replace(GTHREAD, rates=(8.0,) * 3)),
    ("faster-than-possible", "invalid", replace(GTHREAD, rates=(8.2,) * 3)),
    ("littles-law", None, in_flight(1.09)),
    ("littles-law", "suspect", in_flight(1.11)),
    # 1 % is under way at the end, 5 % is the generator's own time.
    ("littles-law", None, in_flight(0.85)),
    ("littles-law", "suspect", in_flight(0.83)),
    ("littles-law", None, in_flight(0.83, generator_s=0.30)),
    # Eight connections are served and 56 are not.
    ("littles-law", "suspect", in_flight(8 / 64)),
    # 2,000 answers a second on 64 connections: one every 32 ms on each.
    ("stalls", None, stalling(silent=3, fast_us=1_000)),
    ("stalls", "suspect", stalling(silent=4, fast_us=1_000)),
    ("stalls", "suspect", stalling(silent=4, fast_us=7_900)),
    ("stalls", None, stalling(silent=4, fast_us=8_100)),
    # Eight of 64 connections are served all the time, the others late: unfair, but no standstill.
    ("stalls", None, stalling(silent=0, fast_us=1_000)),
    ("stalls", None, replace(SLOW, loaded={"silent_windows": 80})),
    ("work-not-done", None, worked(**FULL)),
    ("work-not-done", None, worked(**FULL | {"postgres": 19_800})),
    ("work-not-done", "invalid", worked(**FULL | {"postgres": 19_799})),
    ("work-not-done", "invalid", worked(**FULL | {"redis": 9_899})),
    ("work-not-done", "invalid", worked(**FULL | {"upstream": 0})),
    ("generator-limited", None, with_each(usage=usage(generator_s=2.69))),
    ("generator-limited", "suspect", with_each(usage=usage(generator_s=2.71))),
    ("generator-limited", None, replace(HEALTHY, rates=(47_900.0,) * 3)),
    ("generator-limited", "suspect", replace(HEALTHY, rates=(48_100.0,) * 3)),
    ("connection-limited", None, replace(SLOW, rates=(470.0,) * 3, latency_us=1_060_000)),
    ("connection-limited", "suspect", replace(SLOW, rates=(476.0,) * 3, latency_us=1_060_000)),
    # Its last wave came back just after the end.
    ("connection-limited", "suspect", replace(SLOW, rates=(450.0,) * 3, latency_us=1_040_000)),
    # Threads are the limit, and that is what the row is to show.
    ("connection-limited", None, GTHREAD),
    ("shape-differs", "invalid", with_each(usage=usage(processes=2))),
    ("shape-differs", "suspect", with_each(usage=usage(processes=4))),
    (
        "shape-differs",
        None,
        replace(HEALTHY, shape=Shape(workers=1), each={"usage": usage(processes=1)}),
    ),
    ("shape-differs", None, replace(GTHREAD, each={"usage": usage(threads=8)})),
    ("shape-differs", "invalid", replace(GTHREAD, each={"usage": usage(threads=7)})),
    ("shape-differs", None, worked(**FULL, database_connections=32)),
    ("shape-differs", "suspect", worked(**FULL, database_connections=33)),
    ("unstable", None, replace(HEALTHY, rates=(2_000.0, 2_330.0, 2_700.0))),
    ("unstable", "suspect", replace(HEALTHY, rates=(2_000.0, 2_400.0, 2_900.0))),
    ("unstable", None, replace(HEALTHY, rates=(2_000.0, 2_500.0))),
    ("unstable", "suspect", replace(HEALTHY, rates=(2_000.0, 2_700.0))),
    ("noisy-host", None, with_each(host=host(0.29))),
    ("noisy-host", "suspect", with_each(host=host(0.31))),
    ("noisy-host", "suspect", with_each(host=host(0.2, steal_s=0.2))),
    ("noisy-host", "suspect", with_each(host=host(0.0, throttled_s=0.2))),
    ("noisy-host", None, with_each(host=host(0.29, steal_s=None, throttled_s=None))),
    ("left-behind", None, left(connections=24)),
    ("left-behind", "suspect", left(connections=25)),
    ("left-behind", None, left(threads=108)),
    ("left-behind", "suspect", left(threads=109)),
    ("left-behind", None, left(memory_bytes=104_000_000)),
    ("left-behind", "suspect", left(memory_bytes=105_000_000)),
    ("left-behind", None, left(connections=None, memory_bytes=-9_000_000)),
]


@pytest.mark.parametrize(
    ("name", "severity", "facts"),
    [pytest.param(*case, id=f"{case[0]}-{at}") for at, case in enumerate(CASES)],
)
def test_alone_and_at_its_threshold(name: str, severity: str | None, facts: Facts) -> None:
    judged = judge(evidence(facts))
    assert raised(evidence(facts)) == ({name: severity} if severity else {}), judged.concerns
    assert judged.verdict == (severity or "valid")


def failed(stage: str, reason: str, **changes: Any) -> Outcome:
    return outcome(number=9, status="failed", stage=stage, reason=reason, **changes)


@pytest.mark.parametrize(
    ("name", "severity", "one"),
    [
        ("contract", "invalid", failed("verify", "/json: body of 2 bytes instead of 30: []")),
        ("contract", "invalid", failed("verify", "/json: status 302 instead of 200: moved")),
        ("errors", "invalid", failed("verify", "/json: status 500 instead of 200: oh dear")),
        ("lost-rounds", "suspect", failed("verify-after", "it ended (/json: no answer: refused)")),
        ("contract", "invalid", failed("verify-after", "/json: another body")),
        ("faster-than-possible", "invalid", failed("verify", f"after 1.00 s, {TOO_EARLY} 3 s")),
        ("lost-rounds", "suspect", failed("launch", "it ended with status 3")),
        ("lost-rounds", "suspect", failed("load", "it was ended by SIGKILL")),
    ],
)
def test_a_round_that_failed(name: str, severity: str, one: Outcome) -> None:
    assert raised(evidence(SLOW, failed=(one,))) == {name: severity}


def test_verification_says_it_in_these_words() -> None:
    source = inspect.getsource(verify)
    assert TOO_EARLY in source
    assert f"{NO_ANSWER}: " in source
    assert 'f"status {response.status} instead of ' in source


def test_nothing_answered_is_invalid_without_a_measured_round() -> None:
    silent = evidence(replace(HEALTHY, rates=(1.0,)))
    loaded = msgspec.structs.replace(silent.loads[0], answers=0, received_bytes=0)
    silent = replace(silent, measured=(msgspec.structs.replace(silent.measured[0], loaded=loaded),))
    silent = replace(silent, measured=(), failed=silent.measured, figures=None, latencies=None)
    assert raised(silent) == {"no-samples": "invalid"}


def test_all_errors_are_invalid_without_a_measured_round() -> None:
    errors = evidence(counted(status_errors=5_820))
    errors = replace(errors, measured=(), failed=errors.measured, figures=None, latencies=None)
    assert raised(errors) == {"errors": "invalid"}


def test_the_rows_of_the_original_report() -> None:
    """4,000 answers in 22.05 s from 2,000 connections on 10 s; 1,746/s on 3 s: from wrk's text."""

    def read(delay_s: float, duration_s: float, answers: int) -> Evidence:
        facts = Facts(
            delay_s=delay_s,
            duration_s=duration_s,
            connections=2_000,
            rates=(answers / duration_s,),
            loaded={"timeouts": answers, "answers": answers},
            histogram=Histogram(values_us=(), counts=()),
        )
        return _unknown(evidence(facts))

    assert raised(read(10.0, 22.05, 4_000)) == {
        "errors": "invalid",
        "connection-limited": "suspect",
    }
    assert raised(read(3.0, 15.08, 26_300)) == {
        "errors": "invalid",
        "faster-than-possible": "invalid",
    }
    assert "faster-than-possible" not in raised(read(3.0, 15.08, 10_000))


def _unknown(known: Evidence) -> Evidence:
    """Return what a report of others tells: counts, and nothing around them."""
    bare = tuple(
        outcome(number=one.round, loaded=one.loaded, load_s=one.load_s) for one in known.measured
    )
    unknown = msgspec.structs.replace(
        known.cell.endpoint.contract, status=None, postgres=None, redis=None, upstream=None
    )
    cell = msgspec.structs.replace(
        known.cell, endpoint=msgspec.structs.replace(known.cell.endpoint, contract=unknown)
    )
    profile = msgspec.structs.replace(known.server, processes_seen=None)
    made = msgspec.structs.replace(known.plan, shape=Shape(known=False))
    return Evidence(
        plan=made,
        cell=cell,
        server=profile,
        measured=bare,
        failed=(),
        figures=figures(made, cell, profile, bare, _never),
    )


def _never(name: str) -> Histogram:
    raise AssertionError(f"there is no histogram to read: {name}")


FAULTS = [facts for name, severity, facts in CASES if severity]
KNOWN_FROM_COUNTS = {
    "errors",
    "no-samples",
    "faster-than-possible",
    "connection-limited",
    "unstable",
}


@pytest.mark.parametrize("facts", [HEALTHY, SLOW, *FAULTS])
def test_the_unknown_raises_nothing_and_is_listed(facts: Facts) -> None:
    judged = judge(_unknown(evidence(facts)))
    assert {one.concern for one in judged.concerns} <= KNOWN_FROM_COUNTS
    assert set(judged.unchecked) >= BY_NAME.keys() - KNOWN_FROM_COUNTS - {"lost-rounds"}


def test_a_healthy_cell_is_checked_for_everything() -> None:
    judged = judge(evidence(replace(HEALTHY, needs=(2, 1, 1))))
    assert (judged.verdict, judged.concerns, judged.unchecked) == ("valid", (), ())


def test_nothing_measured_is_nothing_checked() -> None:
    empty = replace(evidence(HEALTHY), measured=(), figures=None, latencies=None)
    judged = judge(empty)
    assert judged.concerns == ()
    assert set(judged.unchecked) >= BY_NAME.keys() - {
        "work-not-done",
        "faster-than-possible",
        "connection-limited",
    }


@given(
    connections=st.integers(1, 2_000),
    waves=st.floats(0.5, 1_000),
    duration_s=st.floats(1.0, 30.0),
    spread=st.lists(st.floats(-0.08, 0.08), min_size=1, max_size=10),
    needs=st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(0, 2)),
)
def test_a_healthy_cell_raises_nothing(
    connections: int,
    waves: float,
    duration_s: float,
    spread: list[float],
    needs: tuple[int, int, int],
) -> None:
    rate = min(connections * waves / duration_s, 40_000.0)
    if rate * duration_s * 0.9 < 11:  # too few to say anything, which is a concern
        return
    facts = Facts(
        connections=connections,
        duration_s=duration_s,
        rates=tuple(rate * (1 + one) for one in spread),
        needs=needs,
    )
    assert raised(evidence(facts)) == {}


def test_every_member_is_explained() -> None:
    assert len(BY_NAME) == len(CONCERNS)
    for concern in CONCERNS:
        assert callable(concern.find)
        for text in (concern.means, concern.advice):
            assert text.endswith("."), concern.name
            assert len(text) > 40, concern.name
        assert {name for name, severity, _ in CASES if severity} >= {concern.name} - {"lost-rounds"}


def test_facts_are_one_line_with_a_number() -> None:
    for facts in FAULTS:
        for one in judge(evidence(facts)).concerns:
            assert "\n" not in one.facts
            assert any(character.isdigit() for character in one.facts) or "body" in one.facts


def test_a_check_is_a_function_of_the_evidence_alone() -> None:
    for concern in CONCERNS:
        find: Callable[..., Any] = concern.find
        assert list(inspect.signature(find).parameters) == ["cell"]


@pytest.mark.parametrize(
    ("rounds", "exact"),
    # The root of chi-square's 95 % point over n - 1, from tables.
    [(2, 1.960), (3, 1.731), (5, 1.540), (10, 1.371), (30, 1.212)],
)
def test_the_allowance_for_few_rounds(rounds: int, exact: float) -> None:
    assert chance(rounds) == pytest.approx(exact, rel=0.02)


def test_the_allowance_keeps_its_promise() -> None:
    """Of cells that vary by just 10 %, one in twenty is called unstable."""
    import random

    draw = random.Random(7)
    for rounds in (3, 5, 10):
        found = sum(
            stdev(draw.gauss(0, 0.10) for _ in range(rounds)) > 0.10 * chance(rounds)
            for _ in range(4_000)
        )
        assert found / 4_000 == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 4_000))
