"""Real clients in real interpreters against a real upstream: what is recorded is what happened."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from client_bench import Gate, at, bench, measure, right, row, serving
from paths import BAD_CLIENTS

from loadtest.bench.clients import job, upstream
from loadtest.bench.clients.upstream import Upstream
from loadtest.measure.clients import measuring
from loadtest.measure.clients.session import ClientTrials
from loadtest.plan.clients import catalogue
from loadtest.records.clients import Answer, Mode, Reuse
from loadtest.system.process import Timed

pytestmark = pytest.mark.real

PLAIN = Answer()
ANSWERS = (
    PLAIN,
    Answer(delay_s=0.01),
    Answer(keep_alive=False),
    Answer(tls=True),
    Answer(tls=True, http="2"),
    Answer(body_bytes=0),
    Answer(body_bytes=200_000),
)
CLIENTS = [name for name, client in catalogue.clients().items() if client.lock == "clients"]
COMBINATIONS = [
    (name, mode, reuse)
    for name in CLIENTS
    for mode in catalogue.clients()[name].modes
    for reuse in ("kept", "each-call")
]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upstream]:
    log = tmp_path_factory.mktemp("upstream") / "upstream.log"
    with upstream.running(ANSWERS, log) as running:
        yield running


@pytest.mark.parametrize(("name", "mode", "reuse"), COMBINATIONS)
def test_each_way_of_driving(ours: Upstream, name: str, mode: Mode, reuse: Reuse) -> None:
    driven = row(
        name,
        mode=mode,
        reuse=reuse,
        requests=12,
        batch=1 if mode == "sequential" else 3,
        chunk=None if mode in ("sequential", "threads-map") else 5,
    )
    warmup = max(2, driven.batch)  # as many as are in flight, though the plan asks for fewer
    outcome = right(measure(driven, upstream=ours))
    assert (outcome.calls, outcome.warmup_calls) == (12, warmup)
    assert outcome.seen is not None
    assert outcome.seen.requests == 12 + warmup
    if reuse == "each-call":
        assert outcome.seen.connections == 12 + warmup
    else:
        assert 1 <= outcome.seen.connections <= driven.batch
    assert outcome.warm is not None
    assert sum(outcome.warm.latencies.counts) == 12
    assert outcome.cold is None


@pytest.mark.parametrize("name", CLIENTS)
@pytest.mark.parametrize("answer", ANSWERS[1:], ids=repr)
def test_each_answer(ours: Upstream, name: str, answer: Answer) -> None:
    if answer.http not in catalogue.clients()[name].http:
        pytest.skip(f"{name} does not speak it")
    outcome = right(measure(row(name, answer=answer, requests=6), upstream=ours))
    assert outcome.http == answer.http
    assert outcome.seen is not None
    assert outcome.seen.connections == (1 if answer.keep_alive else 8)
    assert outcome.warm is not None
    if answer.delay_s:
        # nginx's timers count whole milliseconds.
        assert min(outcome.warm.latencies.values_us) >= answer.delay_s * 1e6 - 1000


@pytest.mark.parametrize("mode", ["async-for", "async-map", "async-taskgroup", "threads-reuse"])
def test_a_batch_is_in_flight_at_once_and_no_more(mode: Mode) -> None:
    """Nobody gets an answer before 20 requests are in flight."""
    name = "requests" if mode == "threads-reuse" else "aiohttp"
    batch, gate = row(name, mode=mode, requests=60, batch=20), Gate(20)
    with serving(gate) as port:
        outcome = right(measure(batch, expected=at(port), warmup_requests=20))
    assert gate.most == gate.connections == 20
    assert outcome.warm is not None
    assert outcome.warm.seconds >= 3 * 0.01


def test_a_cold_row_is_timed_from_outside_and_its_phases_fit(ours: Upstream) -> None:
    outcome = right(measure(row("requests"), "cold", upstream=ours))
    assert outcome.warm is None
    assert outcome.cold is not None
    assert outcome.warmup_calls == 0
    phases = outcome.phases
    parts = (phases.start_s, phases.import_s, phases.setup_s, phases.work_s, phases.end_s)
    assert all(part is not None and part >= 0 for part in parts)
    assert sum(part or 0 for part in parts) == pytest.approx(outcome.cold.wall_s, rel=0.1)
    assert 0.01 < outcome.cold.user_s + outcome.cold.system_s < outcome.cold.wall_s * 1.5
    # A copy of this process would have far more: numpy and pytest are in it.
    assert 10e6 < outcome.cold.peak_rss_bytes < 60e6


def test_the_import_is_the_clients_own() -> None:
    """Nothing that the worker needs is loaded before the client: its import is not made cheaper."""
    tree = ast.parse(job.WORKER.read_text())
    early = {
        alias.name
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert early == {"annotations", "sys", "time"}


@pytest.mark.parametrize(
    "path", [*catalogue.FOLDER.glob("*.py"), job.WORKER, *job.DRIVING.values()]
)
def test_what_runs_in_a_child_imports_one_client_alone(path: Path) -> None:
    clients = {"requests", "urllib3", "httpx", "aiohttp", "niquests"}
    never = False  # what `if TYPE_CHECKING` holds is never run
    imported = set()
    for node in ast.parse(path.read_text()).body:
        never = isinstance(node, ast.If)
        for inner in ast.walk(node):
            if isinstance(inner, ast.Import) and not never:
                imported |= {alias.name.partition(".")[0] for alias in inner.names}
            elif isinstance(inner, ast.ImportFrom) and not never:
                imported.add((inner.module or "").partition(".")[0])
    assert imported - clients <= sys.stdlib_module_names
    assert len(imported & clients) == (path.parent == catalogue.FOLDER and path.stem != "__init__")


def test_the_ports_of_upstream_and_its_counts(ours: Upstream) -> None:
    before = ours.counts()
    assert ours.seen(before, ours.counts())[0].connections == 0
    assert ours.software.startswith("nginx ")
    assert upstream.body(1024) == upstream.body(1024)
    assert len(upstream.body(1024)) == 1024


def test_a_digest_that_does_not_fit_is_an_error(ours: Upstream) -> None:
    url = ours.url(PLAIN)
    expected = at(1, url=url, body_bytes=1024, sha256="0" * 64)
    outcome = measure(row("urllib3"), expected=expected)
    assert (outcome.status, outcome.stage) == ("failed", "warm-up")
    assert outcome.reason == "2 of 2 calls failed: wrong digest 2"
    outcome = measure(row("urllib3"), expected=at(1, url=url, body_bytes=1023))
    assert "wrong length" in (outcome.reason or "")


@pytest.mark.parametrize(
    ("name", "stage", "reason"),
    [
        ("ignores_errors", "work", "20 of 20 calls failed: wrong length 20"),
        ("skips_body", "work", "20 of 20 calls failed: wrong length 20"),
        ("dies", "result", "ended with status 3 and no result"),
        ("absent", "import", "ModuleNotFoundError: No module named 'a_client_that_nobody_has'"),
    ],
)
def test_a_client_that_fails(ours: Upstream, name: str, stage: str, reason: str) -> None:
    if name == "ignores_errors":
        expected = at(1, url=ours.url(PLAIN).replace("/bytes/", "/nowhere/"), body_bytes=1024)
        outcome = measure(row(name), "cold", expected=expected, folder=BAD_CLIENTS)
    else:
        outcome = measure(row(name), "cold", upstream=ours, folder=BAD_CLIENTS)
    assert (outcome.status, outcome.stage, outcome.reason) == ("failed", stage, reason)
    assert outcome.cold is None


def test_a_client_that_hangs_is_ended(ours: Upstream, monkeypatch: pytest.MonkeyPatch) -> None:
    # Long enough to get there on a busy machine.
    monkeypatch.setattr(job, "limit_s", lambda *arguments: 3.0)
    outcome = measure(row("hangs"), "cold", upstream=ours, folder=BAD_CLIENTS)
    assert (outcome.status, outcome.stage) == ("failed", "result")
    assert re.fullmatch(r"did not end within ([3-9]|\d\d) s", outcome.reason or "")
    assert "in get" in (outcome.detail or "")  # where it hung


def test_rounds_are_shuffled_and_repeat_with_their_seed(ours: Upstream) -> None:
    rows = [row(name, id=name) for name in CLIENTS]
    plan, other = bench(*rows, rounds=3).plan, bench(*rows, rounds=3, seed=2).plan
    parts = [measuring.round_of(plan, number) for number in range(3)]
    trials = ClientTrials(plan, lambda outcomes: ())
    assert [trials.of_round(number, (), None, 1) for number in range(3)] == parts
    assert parts == [measuring.round_of(plan, number) for number in range(3)]
    assert parts != [measuring.round_of(other, number) for number in range(3)]
    for number, part in enumerate(parts):
        assert {round_ for _, _, round_ in part} == {number}
        assert len({(each.id, by) for each, by, _ in part}) == 2 * len(rows)


def test_damaged_output_is_no_result() -> None:
    ended = Timed(
        began_at_s=1.0,
        ended_at_s=2.0,
        status=0,
        user_s=0.1,
        system_s=0.1,
        output='{"stage": "end", "first',
        errors="what it said",
        overdue=False,
    )
    outcome = job.outcome(row(), 0, "warm", ended)
    assert (outcome.status, outcome.stage, outcome.detail) == ("failed", "result", "what it said")
