"""Upstreams that behave badly: a row fails with its reason, and the others go on."""

from __future__ import annotations

import dataclasses
import socket
from functools import partial
from pathlib import Path

import msgspec
import pytest
from client_bench import (
    HERE,
    KEY,
    Talk,
    answers,
    at,
    bench,
    closed_port,
    cut_off,
    garbage,
    measure,
    resets,
    row,
    serving,
    stalls,
)
from client_facts import stored
from paths import BAD_CLIENTS

from loadtest.bench.clients import upstream
from loadtest.measure.clients import measuring
from loadtest.plan.clients import catalogue
from loadtest.records.clients import Answer, Outcome
from loadtest.report.clients.report import make

pytestmark = pytest.mark.real

CLIENTS = [name for name, client in catalogue.clients().items() if client.lock == "clients"]
LATE_500 = partial(answers, after=b"HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\nhello")
LATE_OTHER = partial(answers, after=b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nHELLO")
REDIRECTS = partial(
    answers, after=b"HTTP/1.1 302 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
)
HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("talk", [resets, garbage, cut_off])
def test_each_client_against_each_bad_upstream(name: str, talk: Talk) -> None:
    with serving(talk) as port:
        outcome = measure(row(name), "cold", expected=at(port))
    assert (outcome.status, outcome.stage) == ("failed", "work")
    assert (outcome.reason or "").startswith("20 of 20 calls failed: ")
    assert sum(outcome.errors.values()) == outcome.calls == 20
    assert outcome.answers == 0
    assert outcome.cold is None


@pytest.mark.parametrize("name", CLIENTS)
def test_an_upstream_that_refuses(name: str) -> None:
    outcome = measure(row(name, requests=50), "warm", expected=at(closed_port()))
    assert (outcome.status, outcome.stage) == ("failed", "warm-up")
    assert outcome.detail


@pytest.mark.parametrize("name", ["requests", "aiohttp"])
def test_an_upstream_that_stalls_costs_seconds_and_no_more(name: str) -> None:
    with serving(stalls) as port:
        outcome = measure(row(name, requests=1000), "cold", expected=at(port), timeout_s=0.02)
    assert (outcome.status, outcome.stage) == ("failed", "work")
    assert outcome.calls == 20  # of 1,000: the row has failed, and the rest is waiting
    assert (outcome.reason or "").endswith(", then gave up")


@pytest.mark.parametrize(
    ("talk", "kind"),
    [(LATE_500, "status 500"), (LATE_OTHER, "wrong digest"), (REDIRECTS, "status 302")],
)
@pytest.mark.parametrize("name", CLIENTS)
def test_one_wrong_answer_is_enough(name: str, talk: Talk, kind: str) -> None:
    with serving(talk) as port:
        outcome = measure(row(name, requests=3), "cold", expected=at(port, sha256=HELLO))
    assert (outcome.status, outcome.reason) == ("failed", f"2 of 3 calls failed: {kind} 2")
    assert outcome.answers == 1


@pytest.mark.parametrize(("name", "mode"), [("requests", "threads-map"), ("aiohttp", "async-map")])
def test_a_dead_server_is_not_a_fast_one(name: str, mode: str) -> None:
    """One of the documents never looked at a future's result."""
    asked = row(name, mode=mode, requests=40, batch=10)
    outcome = measure(asked, "cold", expected=at(closed_port()))
    assert outcome.status == "failed"
    assert sum(outcome.errors.values()) == outcome.calls > 0


def test_the_rest_goes_on() -> None:
    outcomes: list[Outcome] = []

    with serving(answers) as port:
        rows = [row("urllib3", id="good"), row("urllib3", id="bad", requests=2, python="gone")]
        run = bench(*rows, expected=at(port))
        gone = msgspec.structs.replace(HERE, path="/nowhere/python")
        run = dataclasses.replace(run, interpreters={KEY: HERE, "gone": gone})
        run.run(measuring.round_of(run.plan, 0), outcomes.append)
    ends = {(outcome.row, outcome.measure): outcome for outcome in outcomes}
    assert len(ends) == 4
    assert ends["good", "cold"].status == ends["good", "warm"].status == "measured"
    bad = ends["bad", "cold"]
    assert (bad.status, bad.stage) == ("failed", "start")
    assert "/nowhere/python" in (bad.reason or "")


@pytest.mark.parametrize("bad", [resets, stalls, garbage, cut_off])
def test_a_server_that_is_bad_to_one_client_costs_no_other(bad: Talk) -> None:
    def picky(connection: socket.socket, number: int) -> None:
        asked = connection.recv(65_536, socket.MSG_PEEK)
        (bad if b"python-requests" in asked else answers)(connection, number)

    outcomes: list[Outcome] = []
    with serving(picky) as port:
        rows = [row(name, requests=2) for name in ("requests", "urllib3", "aiohttp")]
        # The others have to be answered within it, however busy the machine is.
        patience = {"timeout_s": 2.0} if bad is stalls else {}
        run = bench(*rows, expected=at(port), warmup_requests=0, **patience)
        run.run(measuring.round_of(run.plan, 0), outcomes.append)
    ends = {(outcome.row, outcome.measure): outcome for outcome in outcomes}
    assert len(ends) == 6
    for (name, _), outcome in ends.items():
        if name == "requests":
            assert (outcome.status, outcome.stage) == ("failed", "work")
            assert (outcome.reason or "").startswith("2 of 2 calls failed: ")
        else:
            assert (outcome.status, outcome.answers) == ("measured", 2)


def test_an_upstream_of_ours_that_dies_fails_the_row(tmp_path: Path) -> None:
    with upstream.running([Answer()], tmp_path / "log") as ours:
        ours.process.stop()
        outcome = measure(row("urllib3"), upstream=ours)
    assert (outcome.status, outcome.stage) == ("failed", "work")
    assert (outcome.reason or "").startswith("the upstream does not answer: nginx ")


@pytest.mark.parametrize(
    ("name", "concern"),
    [
        ("reconnects", "not-reused"),
        ("makes_up", "answers-missing"),
        ("asks_twice", "hidden-retries"),
    ],
)
def test_a_client_that_only_says_so_is_caught(name: str, concern: str, tmp_path: Path) -> None:
    asked = row(name, requests=100, batch=4, mode="threads-reuse")
    with upstream.running([Answer()], tmp_path / "log") as ours:
        honest = row("urllib3", requests=100, batch=4, mode="threads-reuse")
        run = bench(asked, honest, upstream=ours, folder=BAD_CLIENTS)
        run = dataclasses.replace(run, clients={**run.clients, **catalogue.clients()})
        outcomes: list[Outcome] = []
        run.run(measuring.round_of(run.plan, 0), outcomes.append)
    assert {each.status for each in outcomes} == {"measured"}
    judged = make(stored(run.plan, outcomes, folder=tmp_path)).summary
    for ranking in judged.rankings:
        raised = {
            standing.row.id: {each.concern for each in standing.concerns}
            for standing in ranking.rows
        }
        assert concern in raised[name]
        assert not any(standing.row.id == name for standing in ranking.reportable)
        assert concern not in raised["urllib3"]
