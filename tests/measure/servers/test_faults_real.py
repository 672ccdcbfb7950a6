"""Every concern against real servers under real loads: one with that very fault, and healthy ones.

The servers are uvicorn with an application that has the fault (`faulty/apps.py`), launched,
verified and loaded by the engine as any other. Loads are as short as wrk can make them, and the
times of the faults are scaled down to fit: a page of 1 s that is answered in 0.5 s, connections
that break after 0.5 s.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import builders
import psutil
import pytest
from faulty import apps
from paths import FAULTY

from loadtest.bench.load import ceiling
from loadtest.bench.servers.local import LocalBench
from loadtest.bench.servers.services import Services
from loadtest.judge.servers.concerns import CONCERNS
from loadtest.judge.servers.rows import Row
from loadtest.judge.servers.summary import summarise_stored
from loadtest.measure.servers import measuring
from loadtest.plan.servers import schedule
from loadtest.records.measured import Ceiling
from loadtest.records.planned import Cell, Endpoint, Load, Server, Shape
from loadtest.records.run_folder import SERVERS, Writer, create, read

pytestmark = pytest.mark.real

CONNECTIONS = 32
ALONE = Shape(workers=1)

ENVIRONMENT = {"noisy-host", "unstable"}
"""What a busy machine gives rise to whatever the server: true of the run, and no false alarm, so
only the tests that are about these two look at them."""


def page(path: str = "/page") -> Endpoint:
    """Return what a page of a server without a fault is."""
    wait_s = apps.WAIT_S[path]
    return builders.endpoint(
        path.strip("/"),
        path=path,
        body_bytes=len(apps.BODY),
        body_sha256=hashlib.sha256(apps.BODY).hexdigest(),
        delay_s=wait_s if wait_s >= apps.SLOW_S else 0.0,
        postgres=int(path == "/rows"),
    )


def uvicorn(fault: str = "none", *options: str, **changes: Any) -> Server:
    """Return one process of uvicorn that has a fault."""
    argv = ("{python}", "-m", "uvicorn", "--host", "{host}", "--port", "{port}")
    argv += ("--backlog", "{backlog}", "--timeout-keep-alive", "{keep_alive_s}")
    # A broken-off answer is an error to it, with a traceback each.
    argv += ("--lifespan", "off", "--no-access-log", "--log-level", "critical", *options)
    fields: dict[str, Any] = {
        "interface": "asgi",
        "argv": (*argv, "--app-dir", str(FAULTY), "apps:app"),
        "processes_seen": "1",
        "env": {"FAULT": fault} | changes.pop("env", {}),
    }
    return builders.server(fault, **fields | changes)


Measure = Callable[..., Row]


@pytest.fixture(scope="module")
def ceilings(tmp_path_factory: pytest.TempPathFactory) -> list[Ceiling]:
    """Give what the generator can reach on this machine."""
    return reached(tmp_path_factory.mktemp("ceilings"))


def reached(folder: Path) -> list[Ceiling]:
    for name in ("raw", "logs"):
        (folder / name).mkdir(exist_ok=True)
    return list(ceiling.ceilings([(CONNECTIONS, len(apps.BODY))], folder, None))


@pytest.fixture(scope="module")
def plain(services: Services) -> Services:
    """Give the services, for servers without Django that say nothing of its settings."""
    given = copy.copy(services)
    app = dataclasses.replace(services.project.app, applications={})
    given.project = dataclasses.replace(services.project, app=app)
    return given


@pytest.fixture(scope="module")
def measure(
    plain: Services, ceilings: list[Ceiling], tmp_path_factory: pytest.TempPathFactory
) -> Measure:
    """Give what runs one server as the engine does and returns its row of the summary."""

    def measure(
        server: Server,
        endpoint: Endpoint | None = None,
        *,
        rounds: int = 1,
        connections: int = CONNECTIONS,
        duration_s: int = 1,
        shape: Shape = ALONE,
        observe_release: bool = False,
        ceilings: Sequence[Ceiling] = ceilings,
    ) -> Row:
        load = Load(connections=connections, duration_s=duration_s, warmup_s=0.1)
        cell = Cell(server=server.name, endpoint=endpoint or page(), load=load)
        of = builders.plan(
            [server],
            [cell.endpoint],
            rounds,
            cells=(cell,),
            shape=shape,
            observe_release=observe_release,
        )
        folder = create(tmp_path_factory.mktemp("results"), builders.run(of))
        writer = Writer(folder)
        for known in ceilings:
            writer.append(known)
        todo = schedule.batches(of)
        bench = LocalBench(plain, shape, folder, None)
        # Some faults are those of a first load: a busy machine must not have it repeated.
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(measuring, "REPEATS", 0)
            measuring.run(of, todo, bench, writer.append, lambda cell, at, turn: None)
        writer.close()
        stored = read(folder, SERVERS)
        assert stored.notes == ()
        summary = summarise_stored(stored)
        (ranking,) = summary.rankings
        (row,) = ranking.rows
        return row

    return measure


def raised(row: Row) -> set[str]:
    return {concern.concern for concern in row.concerns}


def only(row: Row, *expected: str) -> bool:
    """Say whether no other concerns were raised; skip where others were, but on a busy machine."""
    concerns = raised(row) - ENVIRONMENT
    if concerns > set(expected) and "noisy-host" in raised(row):
        pytest.skip(f"this machine is busy: {words(row, 'noisy-host')}")
    return concerns == set(expected)


def words(row: Row, concern: str) -> str:
    return next(known.facts for known in row.concerns if known.concern == concern)


def undisturbed(concern: str, measured: Callable[[], Row]) -> Row:
    """Return a row on which nothing else bore, or one with the concern all the same."""
    for _ in range(4):
        row = measured()
        if "noisy-host" not in raised(row) or concern in raised(row):
            return row
    pytest.skip(f"this machine is busy: {words(row, 'noisy-host')}")


# A healthy server --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def healthy(measure: Measure) -> dict[str, Row]:
    """Give the rows of servers that have no fault."""
    return {
        "page": measure(uvicorn(), rounds=2, observe_release=True),
        "rows": measure(uvicorn(), page("/rows")),
        "slow": measure(uvicorn("overworked"), page("/half_second"), duration_s=2),
        "four": measure(
            uvicorn("none", "--workers", "{workers}", processes_seen="workers + 2"),
            shape=Shape(workers=4),
        ),
    }


@pytest.mark.parametrize("concern", [concern.name for concern in CONCERNS])
def test_a_healthy_server_is_not_caught(concern: str, healthy: dict[str, Row]) -> None:
    which = {
        "work-not-done": "rows",
        "faster-than-possible": "slow",
        "connection-limited": "slow",
        "shape-differs": "four",
    }
    row = healthy[which.get(concern, "page")]
    assert row.status == "measured", row
    if concern in row.unchecked and "noisy-host" in raised(row):
        pytest.skip(f"this machine is busy: {words(row, 'noisy-host')}")
    assert concern not in row.unchecked  # it has been looked for
    if concern in raised(row) and ("noisy-host" in raised(row) or concern == "unstable"):
        pytest.skip(f"this machine is busy: {words(row, concern)}")
    assert concern not in raised(row), row.concerns


def test_a_healthy_server_has_no_other_concern(healthy: dict[str, Row]) -> None:
    for row in healthy.values():
        assert only(row), row.concerns


# What comes back ---------------------------------------------------------------------------------


def test_500_to_all(measure: Measure) -> None:
    """The check before the load meets it; there is no load and no number."""
    row = measure(uvicorn("error_for_all"))
    assert (row.status, row.stage, row.figures) == ("failed", "verify", None)
    assert row.verdict == "invalid"
    assert only(row, "errors"), row.concerns
    assert "status 500 instead of 200" in words(row, "errors")


def test_500_to_all_under_load(measure: Measure) -> None:
    row = measure(uvicorn("error_for_all_under_load"))
    assert row.verdict == "invalid"
    assert row.rank is None
    assert only(row, "errors"), row.concerns


def test_500_to_one_in_a_hundred(measure: Measure) -> None:
    row = measure(uvicorn("error_for_one_in_a_hundred"))
    assert row.verdict == "suspect"
    assert only(row, "errors"), row.concerns
    assert "status 4xx or 5xx" in words(row, "errors")


def test_connections_that_break_after_a_while(measure: Measure) -> None:
    row = measure(uvicorn("breaks_off"), duration_s=2)
    assert row.verdict != "valid"
    assert only(row, "errors"), row.concerns
    assert "reading" in words(row, "errors")


def test_a_time_limit_below_what_the_page_takes(measure: Measure) -> None:
    row = measure(uvicorn("gives_up"), page("/second"))
    assert (row.status, row.stage, row.figures) == ("failed", "verify", None)
    assert only(row, "errors"), row.concerns
    assert "no answer" in words(row, "errors")


def test_no_answer_to_the_generator(measure: Measure) -> None:
    row = measure(uvicorn("hangs"))
    assert row.verdict == "invalid"
    assert only(row, "no-samples"), row.concerns


def test_another_body_under_load(measure: Measure) -> None:
    """Of the same length, so only who reads it can tell."""
    row = measure(uvicorn("other_body_under_load"), duration_s=2)
    assert row.verdict == "invalid"
    assert only(row, "contract"), row.concerns
    assert words(row, "contract").startswith("during the load: another body of the same length")


def test_another_size_that_no_second_client_meets(measure: Measure) -> None:
    row = measure(uvicorn("other_size_for_the_generator"))
    assert row.verdict == "invalid"
    assert only(row, "contract"), row.concerns
    assert "bytes on average" in words(row, "contract")


def test_redirects_under_load(measure: Measure) -> None:
    """wrk counts them as right; the second client meets one, whatever its size."""
    row = measure(uvicorn("moved_under_load"), duration_s=2)
    assert row.verdict == "invalid"
    assert only(row, "contract"), row.concerns
    assert words(row, "contract").startswith("during the load: status 302 instead of 200")


def test_redirects_that_no_second_client_meets(measure: Measure) -> None:
    row = measure(uvicorn("moved_for_the_generator"))
    assert row.verdict == "invalid"
    assert only(row, "contract"), row.concerns
    assert "bytes on average" in words(row, "contract")


def test_answers_from_a_cache(measure: Measure) -> None:
    row = measure(uvicorn("from_cache"), page("/rows"))
    assert row.verdict == "invalid"
    assert only(row, "work-not-done"), row.concerns


def test_answers_from_a_cache_beside_a_server_that_does_the_work(
    plain: Services, tmp_path: Path
) -> None:
    """Side by side each server has a database of its own, and nobody is stopped to be counted."""
    servers = [uvicorn("from_cache"), uvicorn("none")]
    pages = [page("/rows"), page("/page")]
    of = builders.plan(servers, pages, shape=ALONE, at_once=2, turns=2)
    folder = create(tmp_path, builders.run(of))
    writer = Writer(folder)
    bench = LocalBench(plain, ALONE, folder, None)
    measuring.run(of, schedule.batches(of), bench, writer.append, lambda cell, at, turn: None)
    writer.close()
    stored = read(folder, SERVERS)
    assert len([o for o in stored.outcomes if not o.repeat]) == 8
    assert len([o for o in stored.outcomes if o.launch_s is not None]) == 2
    rows = {r.cell: r for ranking in summarise_stored(stored).rankings for r in ranking.rows}
    assert "work-not-done" in raised(rows["from_cache.rows-sync"])
    assert "work-not-done" not in raised(rows["none.rows-sync"]), words(
        rows["none.rows-sync"], "work-not-done"
    )
    assert {each.cell: each.work for each in stored.afterwards}.keys() == {
        *("from_cache.rows-sync", "none.rows-sync")
    }


def test_no_second_start(measure: Measure, tmp_path: Path) -> None:
    server = uvicorn("starts_once", env={"LAUNCHES": str(tmp_path / "launches")})
    row = measure(server, rounds=2)
    assert (row.rounds_measured, row.rounds_failed) == (1, 1)
    assert only(row, "lost-rounds"), row.concerns


# What is possible --------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", ["other_page", "other_page_for_the_generator"])
def test_another_page_answers_sooner(fault: str, measure: Measure) -> None:
    """Always, which the check before the load meets, and where only the load is answered so."""
    row = measure(uvicorn(fault), page("/second"), duration_s=2)
    assert row.verdict == "invalid"
    assert only(row, "faster-than-possible"), row.concerns


def test_connections_that_are_never_served(measure: Measure) -> None:
    row = measure(uvicorn("starves"))
    assert row.verdict == "suspect"
    assert only(row, "littles-law"), row.concerns


def test_stalls(measure: Measure) -> None:
    row = undisturbed("stalls", lambda: measure(uvicorn("stalls"), duration_s=2))
    assert row.verdict == "suspect"
    assert only(row, "stalls"), row.concerns
    assert row.figures
    assert row.figures.samples == row.figures.answers  # without those that wrk has added


@pytest.mark.skipif(sys.platform != "linux", reason="the timer is that of Linux")
def test_an_answer_in_pieces_waits_for_an_acknowledgement(measure: Measure) -> None:
    """uvicorn with several workers opens a socket on which asyncio leaves Nagle's algorithm on."""
    argv = ("--loop", "asyncio", "--http", "h11", "--workers", "{workers}")
    server = uvicorn("none", *argv, processes_seen="workers + 2")
    # It is looked for on a machine with nothing else to do.
    row = undisturbed("delayed-ack", lambda: measure(server, shape=Shape(workers=2)))
    assert row.verdict == "suspect"
    assert only(row, "delayed-ack"), row.concerns


def test_too_few_connections(measure: Measure) -> None:
    """The server is healthy: it is the row that shows 8 connections / 0.5 s."""
    row = measure(uvicorn(), page("/half_second"), connections=8, duration_s=2)
    assert row.verdict == "suspect"
    assert only(row, "connection-limited"), row.concerns


def test_a_server_as_fast_as_the_generator(measure: Measure, tmp_path: Path) -> None:
    """nginx itself: what it shows is what wrk can do."""
    argv = ("{python}", str(FAULTY / "nginx.py"), "{port}", str(tmp_path))
    server = builders.server("nginx", interface=None, argv=argv, processes_seen="2")
    # The two loads can be compared only if the machine was as fast for one as for the other.
    row = undisturbed("generator-limited", lambda: measure(server, ceilings=reached(tmp_path)))
    assert row.verdict == "suspect"
    assert only(row, "generator-limited"), row.concerns


# What is around the load -------------------------------------------------------------------------


def test_one_process_instead_of_four(measure: Measure) -> None:
    row = measure(uvicorn(processes_seen="workers + 2"), shape=Shape(workers=4))
    assert row.verdict == "invalid"
    assert only(row, "shape-differs"), row.concerns
    assert words(row, "shape-differs").startswith("1 server processes were seen")


def test_fewer_threads_than_declared(measure: Measure) -> None:
    declared = Shape(workers=1, threads=16)
    row = measure(uvicorn(in_flight="workers * threads"), shape=declared)
    assert row.verdict == "invalid"
    assert only(row, "shape-differs"), row.concerns
    assert "threads were seen" in words(row, "shape-differs")


def test_more_database_connections_than_declared(measure: Measure) -> None:
    row = measure(uvicorn("too_many_sessions"), page("/rows"))
    assert row.verdict == "suspect"
    assert only(row, "shape-differs"), row.concerns
    assert "31 database connections" in words(row, "shape-differs")


def test_rounds_of_different_speed(measure: Measure, tmp_path: Path) -> None:
    server = uvicorn("slower_each_time", env={"LAUNCHES": str(tmp_path / "launches")})
    row = measure(server, rounds=2)
    assert row.verdict == "suspect"
    assert raised(row) - {"noisy-host"} == {"unstable"}, row.concerns


@pytest.fixture
def noise() -> Iterator[None]:
    """Keep a fifth of the machine's processors busy, at least one, with something of no concern."""
    busy = max(1, (psutil.cpu_count() or 1) // 5)
    with ExitStack() as stack:
        for _ in range(busy):
            process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


@pytest.mark.usefixtures("noise")
def test_something_else_uses_the_machine(measure: Measure) -> None:
    row = measure(uvicorn())
    assert row.verdict == "suspect"
    assert raised(row) - {"unstable"} == {"noisy-host"}, row.concerns


@pytest.mark.parametrize(
    ("fault", "held"),
    [("leaks_threads", "threads"), ("leaks_connections", "sockets"), ("leaks_memory", "MB")],
)
def test_what_is_never_let_go_of(fault: str, held: str, measure: Measure) -> None:
    row = measure(uvicorn(fault), observe_release=True)
    assert row.verdict == "suspect"
    assert only(row, "left-behind"), row.concerns
    assert f" {held} more than before" in words(row, "left-behind")
