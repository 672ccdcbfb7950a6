"""Every concern just below and just above its threshold, alone, and silent where nothing is known.

A case is a healthy cell with one fact changed; the table says which verdict that one concern gives,
and every case asserts that no other concern is raised.
"""

from __future__ import annotations

import inspect
import math
import random
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import stdev
from typing import Any

import msgspec
import pytest
from builders import outcome
from facts import (
    CEILINGS,
    FULL,
    GTHREAD,
    HEALTHY,
    MANY,
    SLOW,
    Facts,
    at,
    counted,
    delayed,
    evidence,
    host,
    in_flight,
    left,
    made_by_two,
    queueing,
    raised,
    rated,
    sent,
    stalling,
    starving,
    unknown,
    usage,
    with_each,
    worked,
)
from hypothesis import given
from hypothesis import strategies as st

from loadtest.bench.servers import answer_check
from loadtest.judge.concern import weigh
from loadtest.judge.servers import concerns
from loadtest.judge.servers.concerns import CONCERNS
from loadtest.judge.servers.concerns.evidence import NO_ANSWER, TOO_EARLY, Evidence
from loadtest.judge.servers.metrics import LATE_US
from loadtest.records.measured import During, Histogram, Host, Outcome, Verified, Work
from loadtest.records.planned import Shape
from loadtest.stats.series import chance


def elsewhere(seen: Host) -> Facts:
    """Return a cell that needs a database whose CPU time nobody sampled."""
    ours = {name: used for name, used in usage().items() if name != "postgres"}
    return replace(HEALTHY, needs=(1, 0, 0), each={"host": seen, "usage": ours})


def answering(answers: int) -> Facts:
    """Return a cell at a rate of which so many of 400 requests in each round got a response."""
    facts = rated(sent())
    counts = {"answers": answers, "received_bytes": answers * 200}
    return replace(facts, loaded=facts.loaded | counts)


def differing(wire_bytes: int, by: int) -> Facts:
    """Return a cell whose right answers differ in their size."""
    verified = Verified(before=8, after=1, wire_bytes=wire_bytes, wire_spread_bytes=by)
    return with_each(verified=verified)


def noted(**counts: int) -> Facts:
    """Return a cell of whose answers each takes four statements, of which one changes a row."""
    work = Work(answers=10_000, **counts)
    return replace(HEALTHY, recorded=(4, 1), each={"work": work})


CASES: list[tuple[str, str | None, Facts]] = [
    # 400 requests in a round: 4 are one in a hundred.
    ("rate-not-held", None, rated(sent(late=4, missed=4))),
    ("rate-not-held", None, rated(sent(late=100, missed=100, by_us=LATE_US))),
    ("rate-not-held", "suspect", rated(sent(late=5, missed=5))),
    ("rate-not-held", "suspect", rated(sent(late=100, missed=90))),
    ("generator-late", None, rated(sent(late=4))),
    ("generator-late", "suspect", rated(sent(late=5))),
    ("generator-late", "suspect", rated(sent(late=100, missed=10))),
    # Of 400 requests, 4 may be under way at the end: 200/s x twice 5 ms, and 2 by chance.
    ("starved-connections", None, answering(389)),
    ("rate-not-held", "suspect", answering(388)),
    ("starved-connections", "suspect", answering(387)),
    # 6,000 answers in a round: 6 are one in a thousand.
    ("errors", None, replace(counted(status_errors=6), rates=(2_000.0,) * 3)),
    ("errors", "suspect", replace(counted(status_errors=7), rates=(2_000.0,) * 3)),
    ("errors", "suspect", replace(counted(status_errors=300), rates=(2_000.0,) * 3)),
    ("errors", "invalid", replace(counted(status_errors=301), rates=(2_000.0,) * 3)),
    ("errors", "suspect", counted(read_errors=100)),
    ("errors", "invalid", counted(connect_errors=4)),
    ("errors", "suspect", counted(connect_errors=3)),
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
    # 18,000 answers in all: 18 are one in a thousand.
    ("errors", None, with_each(work=Work(answers=6_000, exceptions=6))),
    ("errors", "suspect", with_each(work=Work(answers=6_000, exceptions=7))),
    ("few-waves", None, Facts(cost_s=0.03, connections=16, rates=(53.4,) * 3)),
    ("few-waves", "suspect", Facts(cost_s=0.03, connections=16, rates=(53.0,) * 3)),
    ("few-waves", None, Facts(cost_s=0.03, connections=4, rates=(23.0,) * 3)),
    ("few-waves", "suspect", Facts(cost_s=0.03, connections=4, rates=(22.0,) * 3)),
    ("few-waves", None, replace(rated(sent()), cost_s=0.03)),
    ("contract", None, with_each(during=During(checked=0, broken=None))),
    ("contract", "invalid", with_each(during=During(checked=9, broken="another body"))),
    ("contract", None, with_each(during=During(checked=9, broken="no answer: timed out"))),
    ("contract", None, with_each(verified=Verified(before=8, after=1, wire_bytes=219))),
    ("contract", "invalid", with_each(verified=Verified(before=8, after=1, wire_bytes=230))),
    ("contract", None, differing(wire_bytes=230, by=10)),
    ("contract", "invalid", differing(wire_bytes=230, by=9)),
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
    # A few are served again and again; the others get one answer in half a second, or none.
    ("littles-law", None, starving(fast_us=1_700, in_flight=0.97)),
    ("littles-law", "suspect", starving(fast_us=1_500, in_flight=0.97)),
    ("littles-law", "suspect", starving(fast_us=1_700, in_flight=0.60)),
    ("littles-law", "suspect", starving(fast_us=1_700, in_flight=0.80)),
    ("littles-law", None, starving(fast_us=1_700, in_flight=0.85)),
    # 2,000 answers a second on 64 connections: one every 32 ms on each.
    ("stalls", None, stalling(silent=3, fast_us=2_000)),
    ("stalls", "suspect", stalling(silent=4, fast_us=1_000)),
    ("stalls", "suspect", stalling(silent=4, fast_us=7_900)),
    ("stalls", None, stalling(silent=4, fast_us=8_100)),
    ("delayed-ack", None, delayed(0.74)),
    ("delayed-ack", "suspect", delayed(0.76)),
    ("delayed-ack", None, delayed(late_us=39_999)),
    ("delayed-ack", "suspect", delayed(late_us=40_000)),
    ("delayed-ack", "suspect", delayed(late_us=59_999)),
    ("delayed-ack", None, delayed(late_us=60_000)),
    # A queue is as long as that too: before one process that is at work, whichever it is,
    ("delayed-ack", None, delayed(server_s=2.26)),
    ("delayed-ack", "suspect", delayed(server_s=2.24)),
    ("delayed-ack", None, delayed(generator_s=2.26)),
    ("delayed-ack", None, delayed(workers=20, server_s=2.9, each_s=(2.5, 0.4))),
    # or before all of them together; with what the others take, 0.45 s,
    ("delayed-ack", "suspect", delayed(server_s=4.0, each_s=(2.0, 2.0))),
    ("delayed-ack", None, delayed(server_s=4.1, each_s=(2.05, 2.05))),
    ("delayed-ack", None, delayed(workers=1, server_s=1.85)),
    ("delayed-ack", "suspect", delayed(workers=1, server_s=1.75)),
    # or where the machine is held back.
    ("delayed-ack", None, delayed(throttled_s=0.1)),
    # Unfair, but no standstill.
    ("littles-law", "suspect", stalling(silent=0, fast_us=1_000)),
    ("stalls", None, replace(SLOW, loaded={"silent_windows": 80})),
    # Ten answers a second to 64 connections: the first of the queue are early, and nobody is late.
    ("stalls", None, queueing(10.0, 64, silent=11)),
    ("littles-law", None, queueing(40.0, 1_500, silent=0)),
    ("work-not-done", None, worked(**FULL)),
    ("work-not-done", None, worked(**FULL | {"postgres": 19_800})),
    ("work-not-done", "invalid", worked(**FULL | {"postgres": 19_799})),
    ("work-not-done", "invalid", worked(**FULL | {"redis": 9_899})),
    ("work-not-done", "invalid", worked(**FULL | {"upstream": 0})),
    ("work-not-done", None, noted(statements=32_000, changes=8_000)),
    ("work-not-done", "invalid", noted(statements=31_999, changes=8_000)),
    ("work-not-done", "invalid", noted(statements=32_000, changes=7_999)),
    ("generator-limited", None, with_each(usage=usage(generator_s=2.69))),
    ("generator-limited", "suspect", with_each(usage=usage(generator_s=2.71))),
    ("generator-limited", None, replace(HEALTHY, rates=(47_900.0,) * 3)),
    ("generator-limited", "suspect", replace(HEALTHY, rates=(48_100.0,) * 3)),
    # With 512 connections the generator reaches less, and that is what counts.
    ("generator-limited", None, replace(MANY, rates=(39_900.0,) * 3)),
    ("generator-limited", "suspect", replace(MANY, rates=(40_100.0,) * 3)),
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
    ("uneven-workers", None, with_each(usage=usage(each_s=(3.0, 1.01, 0.02)))),
    ("uneven-workers", "suspect", with_each(usage=usage(each_s=(3.0, 0.99, 0.02)))),
    ("uneven-workers", "suspect", with_each(usage=usage(each_s=(3.0, 0.09)))),  # 97 : 3
    # One worker has nobody to share with, and next to no work cannot be shared out evenly.
    (
        "uneven-workers",
        None,
        replace(HEALTHY, shape=Shape(workers=1), each={"usage": usage(1, each_s=(4.0,))}),
    ),
    ("uneven-workers", None, with_each(usage=usage(each_s=(0.4, 0.05)))),
    ("scripted", "suspect", replace(HEALTHY, script="post.lua")),
    ("noisy-host", None, with_each(host=host(0.29))),
    ("noisy-host", "suspect", with_each(host=host(0.31))),
    ("noisy-host", "suspect", with_each(host=host(0.2, steal_s=0.2))),
    ("noisy-host", "suspect", with_each(host=host(0.0, throttled_s=0.2))),
    ("noisy-host", None, with_each(host=host(0.29, steal_s=None, throttled_s=None))),
    # A database of the user's own is at work for the server, not beside it.
    ("noisy-host", None, elsewhere(host(2.0))),
    ("noisy-host", "suspect", elsewhere(host(0.0, steal_s=0.4))),
    ("left-behind", None, left(connections=24)),
    ("left-behind", "suspect", left(connections=25)),
    ("left-behind", None, left(threads=108)),
    ("left-behind", "suspect", left(threads=109)),
    ("left-behind", None, left(memory_bytes=104_000_000)),
    ("left-behind", "suspect", left(memory_bytes=105_000_000)),
    ("left-behind", None, left(connections=None, memory_bytes=-9_000_000)),
    ("not-together", None, made_by_two(late_us=5_000)),
    ("not-together", "suspect", made_by_two(late_us=5_001)),
    ("not-together", "suspect", made_by_two(late_us=-5_001)),
    # Half of a median of 31 ms.
    ("mostly-network", None, made_by_two(round_trip_us=15_400)),
    ("mostly-network", "suspect", made_by_two(round_trip_us=15_600)),
    ("near-bandwidth", None, made_by_two(received_bytes=2_990_000, link_mbit=10)),
    ("near-bandwidth", "suspect", made_by_two(received_bytes=3_000_000, link_mbit=10)),
    ("noisy-agent", None, made_by_two(host=host(0.29))),
    ("noisy-agent", "suspect", made_by_two(host=host(0.31))),
    ("generator-limited", None, made_by_two(usage=usage(generator_s=2.69)["generator"])),
    ("generator-limited", "suspect", made_by_two(usage=usage(generator_s=2.71)["generator"])),
]


@pytest.mark.parametrize(
    ("name", "severity", "facts"),
    [pytest.param(*case, id=f"{case[0]}-{at}") for at, case in enumerate(CASES)],
)
def test_alone_and_at_its_threshold(name: str, severity: str | None, facts: Facts) -> None:
    judged = weigh(CONCERNS, evidence(facts))
    assert raised(evidence(facts)) == ({name: severity} if severity else {}), judged.concerns
    assert judged.verdict == (severity or "valid")


def spread(shares: tuple[float, ...], cpu_us: tuple[float, ...]) -> str:
    """Return the facts of rounds of 2,000, 2,500 and 3,500/s, with these figures of the server."""
    rates = (2_000.0, 2_500.0, 3_500.0)
    known = evidence(replace(HEALTHY, rates=rates))
    measured = []
    for before, share, cost_us, rate in zip(known.measured, shares, cpu_us, rates, strict=True):
        cpu_s = cost_us * rate * 3 / 1e6
        used = msgspec.structs.replace(
            before.usage["server"],
            cpu_s=cpu_s,
            each_cpu_s=(share * cpu_s, (1 - share) * cpu_s, 0.0),
        )
        measured.append(msgspec.structs.replace(before, usage={**before.usage, "server": used}))
    (concern,) = weigh(CONCERNS, replace(known, measured=tuple(measured))).concerns
    assert concern.concern == "unstable"
    return concern.facts


def test_what_the_rounds_differ_with() -> None:
    """One worker did all of the work in the slowest round; or its requests cost twice as much."""
    even, alike = (0.5, 0.51, 0.5), (500.0, 502.0, 499.0)
    assert spread(even, alike).endswith("% over 3 rounds, 2,000 to 3,500/s")
    uneven = spread((0.95, 0.78, 0.55), alike)
    assert "the busiest process did 55 % to 95 % of the work" in uneven
    costly = spread(even, (800.0, 640.0, 460.0))
    assert "; CPU 460 us to 800 us per request" in costly
    # What goes the other way explains nothing.
    assert spread((0.55, 0.78, 0.95), alike).endswith("% over 3 rounds, 2,000 to 3,500/s")


def failed(stage: str, reason: str, **changes: Any) -> Outcome:
    return outcome(number=9, status="failed", stage=stage, reason=reason, **changes)


@pytest.mark.parametrize(
    ("name", "severity", "lost"),
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
def test_a_round_that_failed(name: str, severity: str, lost: Outcome) -> None:
    assert raised(evidence(SLOW, failed=(lost,))) == {name: severity}


def test_verification_says_it_in_these_words() -> None:
    source = inspect.getsource(answer_check)
    assert TOO_EARLY in source
    assert f"{NO_ANSWER}: " in source
    assert 'f"status {response.status} instead of ' in source


def test_what_could_not_be_looked_for_is_listed() -> None:
    assert weigh(CONCERNS, evidence(elsewhere(host(2.0)))).unchecked == ("noisy-host",)
    assert "stalls" in weigh(CONCERNS, evidence(queueing(10.0, 64, silent=11))).unchecked
    elsewhere_timed = evidence(replace(delayed(), system="macOS-15"))
    assert "delayed-ack" in weigh(CONCERNS, elsewhere_timed).unchecked
    # Its server may be busy on another machine, as may its database.
    nobody = with_each(host=host(0.0, busy_s=1.5), usage={"generator": usage()["generator"]})
    late = replace(delayed(), each=nobody.each)
    assert "delayed-ack" in weigh(CONCERNS, evidence(late)).unchecked
    late = replace(delayed(), needs=(1, 0, 0), each=elsewhere(host(0.0, busy_s=1.5)).each)
    assert "delayed-ack" in weigh(CONCERNS, evidence(late)).unchecked


@pytest.mark.parametrize(
    ("name", "facts"),
    [
        ("delayed-ack", delayed(0.5)),
        ("delayed-ack", delayed(server_s=2.9)),
        ("generator-limited", HEALTHY),
        ("generator-limited", SLOW),
    ],
)
def test_what_the_load_of_others_hides_is_unchecked_not_silent(name: str, facts: Facts) -> None:
    """They make responses late by any time, and take the processors that something waits for."""
    quiet = evidence(facts)
    assert name not in weigh(CONCERNS, quiet).unchecked
    noisy = [msgspec.structs.replace(each, host=host(0.6)) for each in quiet.measured]
    assert name in weigh(CONCERNS, replace(quiet, measured=tuple(noisy))).unchecked


def test_an_imbalance_that_changes_is_no_steady_one() -> None:
    """Which worker gets the connections differs from launch to launch: that is `unstable`."""
    uneven = evidence(with_each(usage=usage(each_s=(3.9, 0.1))))
    assert raised(uneven) == {"uneven-workers": "suspect"}
    even = msgspec.structs.replace(uneven.measured[0], usage=usage())
    assert raised(replace(uneven, measured=(even, *uneven.measured[1:]))) == {}


def test_connections_that_could_not_be_opened_are_set_against_connections() -> None:
    """759 of 1,000 connections are no 0.05 % of the requests that the others made."""
    facts = replace(counted(connect_errors=759), connections=1_000, rates=(500_000.0,))
    judged = weigh(CONCERNS, evidence(facts))
    assert judged.concerns[0].facts.startswith("75.9 % of 1,000 connections went wrong: 759 conn")
    assert judged.verdict == "invalid"
    figures = evidence(facts).figures
    assert figures
    assert figures.error_share == pytest.approx(0.759)


def test_what_is_declared_to_wait_may_take_40_ms() -> None:
    declared = replace(delayed(late_us=41_000), delay_s=0.04)
    assert "delayed-ack" not in raised(evidence(declared))


def test_a_pool_that_filled_up_in_one_round_is_as_declared() -> None:
    """One worker got all connections in the others, and its threads were all that were needed."""
    whole = evidence(replace(GTHREAD, each={"usage": usage(threads=7)}))
    assert raised(whole) == {"shape-differs": "invalid"}
    filled = msgspec.structs.replace(whole.measured[0], usage=usage(threads=11))
    assert raised(replace(whole, measured=(filled, *whole.measured[1:]))) == {}


@pytest.mark.parametrize(
    ("script", "words"),
    [("post.lua", "what it sent is unknown"), ("pipeline.lua", "several requests at once")],
)
def test_a_script_makes_the_load_another_one(script: str, words: str) -> None:
    (concern,) = weigh(CONCERNS, evidence(replace(HEALTHY, script=script))).concerns
    assert (concern.concern, concern.severity) == ("scripted", "suspect")
    assert words in concern.facts


@pytest.mark.parametrize(("answered", "verdict"), [(398, "valid"), (395, "suspect")])
def test_a_rate_of_others_is_held_where_it_was_answered(answered: int, verdict: str) -> None:
    """What was sent when, nobody counted: 200 requests/s are 400 in 2 s."""
    known = unknown(evidence(rated(sent())))
    rate = known.cell.load.rate
    assert rate
    measured = []
    for each in known.measured:
        assert each.loaded
        loaded = msgspec.structs.replace(
            each.loaded, answers=answered, duration_us=round(400 / rate * 1e6)
        )
        measured.append(msgspec.structs.replace(each, loaded=loaded))
    judged = weigh(CONCERNS, replace(known, measured=tuple(measured)))
    assert judged.verdict == verdict
    assert [each.concern for each in judged.concerns] == ["rate-not-held"] * (verdict != "valid")


def test_a_ceiling_of_other_connections_is_none() -> None:
    """As in a run of `--connections 512` from when it was measured at 64 only."""
    judged = weigh(CONCERNS, evidence(replace(MANY, ceilings=CEILINGS)))
    assert (judged.verdict, judged.unchecked) == ("valid", ("generator-limited",))
    # What waits needs none: as long as the generator is not busy, the delay sets the rate.
    assert "generator-limited" not in weigh(CONCERNS, evidence(SLOW)).unchecked


def test_nothing_answered_is_invalid_without_a_measured_round() -> None:
    silent = evidence(replace(HEALTHY, rates=(1.0,)))
    loaded = msgspec.structs.replace(silent.loads[0], answers=0, received_bytes=0)
    silent = replace(silent, measured=(msgspec.structs.replace(silent.measured[0], loaded=loaded),))
    silent = replace(silent, measured=(), failed=silent.measured)
    assert raised(silent) == {"no-samples": "invalid"}


def test_all_errors_are_invalid_without_a_measured_round() -> None:
    errors = evidence(counted(status_errors=5_820))
    errors = replace(errors, measured=(), failed=errors.measured)
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
        return unknown(evidence(facts))

    assert raised(read(10.0, 22.05, 4_000)) == {
        "errors": "invalid",
        "connection-limited": "suspect",
    }
    assert raised(read(3.0, 15.08, 26_300)) == {
        "errors": "invalid",
        "faster-than-possible": "invalid",
    }
    assert "faster-than-possible" not in raised(read(3.0, 15.08, 10_000))


# What holds of all concerns -----------------------------------------------------------------------


BY_NAME = {concern.name: concern for concern in CONCERNS}
FAULTS = [facts for name, severity, facts in CASES if severity]
KNOWN_FROM_COUNTS = {
    "errors",
    "no-samples",
    "faster-than-possible",
    "connection-limited",
    "few-waves",
    "unstable",
    "rate-not-held",
    "scripted",
}
"""Or from the plan."""


AT_RATE = {"rate-not-held", "generator-late", "starved-connections"}
"""Of a load at a rate alone."""

CLOSED = {"littles-law", "stalls", "generator-limited"}
"""Of a closed loop alone."""
SHARED = {"not-together", "noisy-agent", "mostly-network", "near-bandwidth"}
"""Of a load that several agents made alone."""


@pytest.mark.parametrize("facts", [HEALTHY, SLOW, *FAULTS])
def test_the_unknown_raises_nothing_and_is_listed(facts: Facts) -> None:
    judged = weigh(CONCERNS, unknown(evidence(facts)))
    assert {concern.concern for concern in judged.concerns} <= KNOWN_FROM_COUNTS
    of_another_loop = AT_RATE if facts.at_rate is None else CLOSED
    asked = BY_NAME.keys() - KNOWN_FROM_COUNTS - {"lost-rounds"} - of_another_loop - SHARED
    assert set(judged.unchecked) >= asked


def test_a_healthy_cell_is_checked_for_everything() -> None:
    judged = weigh(CONCERNS, evidence(replace(HEALTHY, needs=(2, 1, 1))))
    assert (judged.verdict, judged.concerns, judged.unchecked) == ("valid", (), ())


def test_nothing_measured_is_nothing_checked() -> None:
    empty = replace(evidence(HEALTHY), measured=())
    judged = weigh(CONCERNS, empty)
    assert judged.concerns == ()
    assert set(judged.unchecked) >= BY_NAME.keys() - {
        "work-not-done",
        "faster-than-possible",
        "connection-limited",
        "scripted",
        *AT_RATE,
        *SHARED,
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
        rates=tuple(rate * (1 + deviation) for deviation in spread),
        needs=needs,
    )
    assert raised(evidence(facts)) == {}


def test_the_words_are_those_of_the_concerns() -> None:
    words = Path(concerns.__file__).with_name("concerns.toml").read_text(encoding="utf-8")
    assert [*tomllib.loads(words)] == [concern.name for concern in CONCERNS]


def test_every_member_is_explained() -> None:
    assert len(BY_NAME) == len(CONCERNS)
    for concern in CONCERNS:
        assert callable(concern.find)
        for text in (concern.means, concern.advice):
            assert text.endswith("."), concern.name
            assert len(text) > 40, concern.name
        assert {name for name, severity, _ in CASES if severity} >= {concern.name} - {
            "lost-rounds",
            "scripted",
        }


def test_facts_are_one_line_with_a_number() -> None:
    for facts in FAULTS:
        for concern in weigh(CONCERNS, evidence(facts)).concerns:
            assert "\n" not in concern.facts
            assert (
                any(character.isdigit() for character in concern.facts) or "body" in concern.facts
            )


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
    assert chance(rounds) == pytest.approx(exact, rel=0.001)


def test_the_allowance_keeps_its_promise() -> None:
    """Of cells that vary by just 10 %, one in twenty is called unstable."""
    draw = random.Random(7)
    for rounds in (3, 5, 10):
        raised_runs = sum(
            stdev(draw.gauss(0, 0.10) for _ in range(rounds)) > 0.10 * chance(rounds)
            for _ in range(4_000)
        )
        assert raised_runs / 4_000 == pytest.approx(0.05, abs=3 * math.sqrt(0.05 * 0.95 / 4_000))
