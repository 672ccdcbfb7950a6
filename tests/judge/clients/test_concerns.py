"""Each doubt about a client's number: found in the facts of that fault, and in no others."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from client_facts import ceiling, cold, failed, row, warm
from msgspec import structs

from loadtest.judge.clients import concerns
from loadtest.judge.clients.concerns import CONCERNS, Evidence
from loadtest.judge.concern import weigh
from loadtest.records.clients import Answer, Outcome, Row, Seen

SLOW = Answer(delay_s=0.01)


def evidence(of: Row, measured: list[Outcome], **changes: Any) -> Evidence:
    fields: dict[str, Any] = {
        "row": of,
        "measure": measured[0].measure if measured else "warm",
        "measured": tuple(measured),
        "failed": (),
        "ceiling": ceiling(answer=of.answer, connections=of.batch),
        "processors": 2,
    }
    return Evidence(**fields | changes)


def raised(facts: Evidence) -> dict[str, str]:
    return {concern.concern: concern.severity for concern in weigh(CONCERNS, facts).concerns}


def warms(of: Row, times: int = 3, **changes: Any) -> list[Outcome]:
    return [warm(of, number, **changes) for number in range(times)]


HEALTHY = [
    row(),
    row("one by one", mode="sequential", batch=1, chunk=None),
    row("new each time", reuse="each-call"),
    row("kept, but closed by the server", answer=Answer(keep_alive=False), reuse="each-call"),
    row("late", answer=SLOW),
    row("threads", mode="threads-reuse"),
]


@pytest.mark.parametrize("of", HEALTHY, ids=lambda facts: facts.label)
@pytest.mark.parametrize("measure", ["cold", "warm"])
def test_a_healthy_row_raises_nothing(of: Row, measure: str) -> None:
    make = warm if measure == "warm" else cold
    slow = {"call_us": 2_000.0} if measure == "warm" else {"seconds": 2.5}
    changes: dict[str, Any] = slow if of.answer.delay_s else {}
    judged = weigh(CONCERNS, evidence(of, [make(of, number, **changes) for number in range(3)]))
    assert judged.concerns == ()
    assert judged.verdict == "valid"
    assert judged.unchecked == ()


def test_requests_of_no_call_are_hidden_retries() -> None:
    """A folder of others may have them, and their share is of nothing."""
    of = row()
    nothing = {"calls": 0, "answers": 0, "warmup_calls": 0}
    facts = [structs.replace(each, **nothing) for each in warms(of)]
    assert raised(evidence(of, facts))["hidden-retries"] == "invalid"


def test_what_was_not_recorded_is_no_clean_bill() -> None:
    of = row()
    blind = warms(of, seen=None, http=None, other_cpu_s=None)
    assert set(weigh(CONCERNS, evidence(of, blind, ceiling=None)).unchecked) == {
        "answers-missing",
        "hidden-retries",
        "not-reused",
        "other-protocol",
        "upstream-limited",
        "noisy-host",
    }
    assert weigh(CONCERNS, evidence(of, warms(of, 1))).unchecked == ("unstable",)


def faults() -> dict[str, tuple[Evidence, dict[str, str]]]:
    kept, each, slow = row(), row(reuse="each-call"), row(answer=SLOW)
    few = {"errors": {"ReadTimeout": 3}, "answers": 997}
    many = {"errors": {"status 500": 60}, "answers": 940}
    return {
        "a few calls went wrong": (
            evidence(kept, warms(kept), failed=(failed(kept, 3, **few),)),
            {"errors": "suspect", "lost-rounds": "suspect"},
        ),
        "more than one in twenty": (
            evidence(kept, [], failed=(failed(kept, 0, **many),)),
            {"errors": "invalid"},
        ),
        "a client that ignores errors": (
            # It returns at once, says all is well, and nothing was verified.
            evidence(kept, warms(kept, answers=900)),
            {"errors": "invalid"},
        ),
        "a client that answers from a cache": (
            evidence(kept, warms(kept, seen=Seen(connections=1, requests=101))),
            {"answers-missing": "invalid"},
        ),
        "a client that sends each request twice": (
            evidence(kept, warms(kept, seen=Seen(connections=10, requests=2_200))),
            {"hidden-retries": "invalid"},
        ),
        "a request now and then is sent again": (
            evidence(kept, warms(kept, seen=Seen(connections=10, requests=1_101))),
            {"hidden-retries": "suspect"},
        ),
        "a new connection each, where reuse is claimed": (
            evidence(kept, warms(kept, seen=Seen(connections=1_100, requests=1_100))),
            {"not-reused": "invalid"},
        ),
        "a pool smaller than the batch": (
            evidence(kept, warms(kept, seen=Seen(connections=200, requests=1_100))),
            {"not-reused": "suspect"},
        ),
        "one connection, where each call is to open its own": (
            evidence(each, warms(each, seen=Seen(connections=10, requests=1_100))),
            {"not-reused": "invalid"},
        ),
        "HTTP/1.1, where HTTP/2 is declared": (
            evidence(
                row(answer=Answer(tls=True, http="2")),
                warms(row(answer=Answer(tls=True, http="2"))),
            ),
            {"other-protocol": "invalid"},
        ),
        "answers that were not waited for": (
            evidence(slow, warms(slow, call_us=500.0)),
            {"faster-than-possible": "invalid"},
        ),
        "as fast as the server": (
            evidence(kept, warms(kept, call_us=1e6 / 26_000)),
            {"upstream-limited": "suspect"},
        ),
        "as fast as the delay allows": (
            evidence(
                slow,
                warms(slow, call_us=1_010.0),
                ceiling=ceiling(1_000.0, answer=SLOW),
            ),
            {"upstream-limited": "suspect"},
        ),
        "a process whose work is as fast as the server": (
            evidence(kept, [cold(kept, n, 0.2 + 1_000 / 28_000) for n in range(3)]),
            {"upstream-limited": "suspect"},
        ),
        "rounds that disagree": (
            evidence(kept, [warm(kept, n, us) for n, us in enumerate((100, 150, 220))]),
            {"unstable": "suspect"},
        ),
        "others on the machine": (
            evidence(kept, warms(kept, other_cpu_s=0.2)),
            {"noisy-host": "suspect"},
        ),
        "a round that was lost": (
            evidence(
                kept,
                warms(kept),
                failed=(failed(kept, 3, stage="start", reason="it ended", calls=0, errors={}),),
            ),
            {"lost-rounds": "suspect"},
        ),
    }


@pytest.mark.parametrize("fault", faults())
def test_a_fault_is_caught_for_what_it_is_and_for_nothing_else(fault: str) -> None:
    facts, expected = faults()[fault]
    assert raised(facts) == expected


def test_every_concern_is_tried() -> None:
    tried = {name for _, expected in faults().values() for name in expected}
    assert tried == {concern.name for concern in CONCERNS}


def test_the_words_are_those_of_the_concerns() -> None:
    words = Path(concerns.__file__).with_suffix(".toml").read_text(encoding="utf-8")
    assert [*tomllib.loads(words)] == [concern.name for concern in CONCERNS]


@pytest.mark.parametrize(("connections", "severity"), [(10, None), (12, None), (13, "suspect")])
def test_a_connection_may_have_to_be_opened_anew(connections: int, severity: str | None) -> None:
    of = row()
    seen = Seen(connections=connections, requests=1_100)
    assert raised(evidence(of, warms(of, seen=seen))).get("not-reused") == severity


def test_as_many_connections_as_calls_show_no_reuse() -> None:
    of = row(batch=1_000)
    for connections, unchecked in ((40, False), (1_000, True)):
        seen = Seen(connections=connections, requests=1_100)
        judged = weigh(CONCERNS, evidence(of, warms(of, seen=seen)))
        assert ("not-reused" in judged.unchecked) == unchecked
        assert "not-reused" not in {concern.concern for concern in judged.concerns}


@pytest.mark.parametrize(
    ("share", "severity"), [(0.79, None), (0.80, "suspect"), (0.81, "suspect"), (1.2, "suspect")]
)
def test_the_ceiling_is_near_from_80_percent_on(share: float, severity: str | None) -> None:
    of = row()
    rows = warms(of, call_us=1e6 / (30_000 * (share + 1e-9)))
    assert raised(evidence(of, rows)).get("upstream-limited") == severity


@pytest.mark.parametrize(("wrong", "severity"), [(1, "suspect"), (50, "suspect"), (51, "invalid")])
def test_any_error_counts(wrong: int, severity: str) -> None:
    of = row()
    lost = failed(of, 0, errors={"ReadTimeout": wrong}, answers=of.requests - wrong)
    assert raised(evidence(of, [], failed=(lost,)))["errors"] == severity
