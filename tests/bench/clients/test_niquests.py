"""niquests, in the environment of its own that it needs, made from its lock file here if need be.

It takes some seconds and a package index once; then `.clients/` has it, as after a run of `make
bench`. Without an index these tests are skipped, with what pip said.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Iterator

import pytest
from client_bench import KEY, Talk, at, bench, closed_port, garbage, resets, right, row, serving
from paths import ROOT

from loadtest.bench.clients import upstream
from loadtest.bench.clients.upstream import Upstream
from loadtest.measure.clients import measuring
from loadtest.measure.clients.measuring import Bench
from loadtest.plan.clients import catalogue, environments
from loadtest.records.clients import Answer, Interpreter, Mode, Reuse
from loadtest.records.errors import UserError

pytestmark = pytest.mark.real

CLIENT = catalogue.clients()["niquests"]
ANSWERS = (Answer(), Answer(tls=True), Answer(tls=True, http="2"))


@pytest.fixture(scope="module")
def python() -> Interpreter:
    """Give the interpreter of the environment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_RETRIES", "1")
        patch.setenv("PIP_TIMEOUT", "10")
        try:
            place = environments.find(
                sys.executable,
                [CLIENT],
                own=True,
                make=True,
                say=print,
                environments=ROOT / environments.ENVIRONMENTS,
            )
        except UserError as error:
            pytest.skip(str(error))
    assert not place.missing
    assert place.interpreter is not None
    assert place.interpreter.path != sys.executable
    return place.interpreter


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    log = tmp_path_factory.mktemp("upstream") / "upstream.log"
    with upstream.running(ANSWERS, log) as running:
        yield running


def by(python: Interpreter, of: Bench) -> Bench:
    return dataclasses.replace(of, interpreters={KEY: python})


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
@pytest.mark.parametrize("reuse", ["kept", "each-call"])
def test_each_answer(python: Interpreter, ours: Upstream, answer: Answer, reuse: Reuse) -> None:
    niquests = row(
        "niquests", answer=answer, reuse=reuse, requests=8, batch=2, mode="threads-reuse"
    )
    measured = right(
        measuring.measure(by(python, bench(niquests, upstream=ours)), niquests, "warm", 0)
    )
    assert measured.http == answer.http
    assert measured.seen is not None
    assert measured.seen.connections in ((10,) if reuse == "each-call" else (1, 2))


@pytest.mark.parametrize("mode", [mode for mode in CLIENT.modes if mode != "threads-recreate"])
def test_each_way_of_driving(python: Interpreter, ours: Upstream, mode: Mode) -> None:
    niquests = row("niquests", mode=mode, requests=12, batch=1 if mode == "sequential" else 3)
    measured = right(
        measuring.measure(by(python, bench(niquests, upstream=ours)), niquests, "cold", 0)
    )
    assert measured.seen is not None
    assert measured.seen.requests == 12
    assert 1 <= measured.seen.connections <= niquests.batch


@pytest.mark.parametrize("talk", [resets, garbage])
def test_a_bad_upstream(python: Interpreter, talk: Talk) -> None:
    niquests = row("niquests")
    with serving(talk) as port:
        outcome = measuring.measure(
            by(python, bench(niquests, expected=at(port))), niquests, "cold", 0
        )
    assert (outcome.status, outcome.stage, outcome.answers) == ("failed", "work", 0)


def test_an_upstream_that_refuses(python: Interpreter) -> None:
    niquests = row("niquests")
    run = by(python, bench(niquests, expected=at(closed_port())))
    outcome = measuring.measure(run, niquests, "cold", 0)
    assert (outcome.status, outcome.stage, outcome.answers) == ("failed", "work", 0)
    assert "calls failed: Connection" in (outcome.reason or "")
