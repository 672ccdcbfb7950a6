"""Whole runs with real servers, services and wrk: undisturbed, and disturbed in every way."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import own_network
import psutil
import pytest
from builders import plan
from census import PATIENCE_S, Census, until
from paths import ROOT

from loadtest.bench.load.generator import Generator, Printed
from loadtest.bench.servers.loaded_server import LoadedServer
from loadtest.bench.servers.local import LocalBench
from loadtest.bench.servers.services import Services
from loadtest.measure.servers import measuring
from loadtest.plan.servers import profile, schedule
from loadtest.records.errors import UserError
from loadtest.records.measured import Outcome
from loadtest.records.planned import Cell, Endpoint, Load, Plan, Server, Shape
from loadtest.records.run_folder import SERVERS, read
from loadtest.system.cpu_time import cpu_s

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("no_addresses")]

MATRIX = """
summary = "The smallest that is real."
rounds = 1
servers = ["uvicorn", "gunicorn-gthread"]
endpoints = ["json-sync", "json_query-sync"]
observe_release = false
[duplicate]
endpoints = ["json"]
[[loads]]
connections = 8
duration_s = 1
warmup_s = 0.1
"""
CELLS = 5


class Engine:
    """`loadtest run` as a person starts it, in a process of its own."""

    def __init__(self, log: Path, *arguments: str | Path) -> None:
        with open(log, "wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "loadtest", "run", *map(str, arguments)],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self.log = log

    def wait(self) -> int:
        return self.process.wait(PATIENCE_S)

    def output(self) -> str:
        return self.log.read_text()

    def runs(self) -> bool:
        assert self.process.poll() is None, self.output()
        return True


def outcomes(folder: Path) -> list[Outcome]:
    return firsts(read(folder, SERVERS).outcomes) if folder.exists() else []


def firsts(facts: Iterable[object]) -> list[Outcome]:
    """Return the outcomes without the repeats of what a busy machine disturbed."""
    return [fact for fact in facts if isinstance(fact, Outcome) and not fact.repeat]


def test_a_run_killed_and_interrupted_at_random_moments_is_completed(
    tmp_path: Path, census: Census
) -> None:
    (tmp_path / "small.toml").write_text(MATRIX)
    out = tmp_path / "results"
    until_s, then_s = random.uniform(0, 5), random.uniform(0, 1)
    moments = f"random moments: {until_s:.3f} and {then_s:.3f} s"

    # Killed while its services start or while it measures.
    engine = Engine(tmp_path / "1.log", tmp_path / "small.toml", "--out", out)
    try:
        until(lambda: engine.runs() and list(out.glob("*/run.json")), "the run's folder")
        pause(until_s)
    finally:
        engine.process.kill()
        engine.wait()
    census.empty()
    (folder,) = out.iterdir()
    assert read(folder, SERVERS).notes == (), moments
    assert read(folder, SERVERS).run.network == ("machine" if own_network.refused() else "own")
    first = outcomes(folder)
    if first:  # what was being made as it started may be left in the system's folder for that
        until(lambda: census.leftovers() == [], f"the end of the services' folders; {moments}")

    # Interrupted while it measures.
    before = census.leftovers()
    engine = Engine(tmp_path / "2.log", "--resume", folder)
    try:
        until(lambda: engine.runs() and len(outcomes(folder)) > len(first), "an outcome")
        pause(then_s)
    finally:
        engine.process.send_signal(signal.SIGINT)
        status = engine.wait()
    assert census.names() == [], moments  # not soon, but when the engine has ended
    assert census.leftovers() == before, moments
    assert status == 130, engine.output()
    assert "interrupted; what was measured is kept; to go on: " in engine.output()
    assert f"loadtest run --resume {folder}" in engine.output()
    assert "Traceback" not in engine.output()
    second = outcomes(folder)
    assert second[: len(first)] == first, moments
    assert len(second) < CELLS, moments

    # And to its end.
    engine = Engine(tmp_path / "3.log", "--resume", folder)
    assert engine.wait() == 0, engine.output()
    assert census.names() == []
    assert census.leftovers() == before
    stored = read(folder, SERVERS)
    assert firsts(stored.outcomes)[: len(second)] == second
    assert Counter(outcome.cell for outcome in firsts(stored.outcomes)) == {
        cell.id: 1 for cell in stored.run.plan.cells
    }
    assert {outcome.status for outcome in stored.outcomes} == {"measured"}, stored.outcomes
    assert len(firsts(stored.outcomes)) == CELLS
    # The first may have been killed before its services were up.
    assert len(stored.segments) in (2, 3)
    assert stored.notes == ()
    for outcome in stored.outcomes:
        assert outcome.raw
        assert "Requests/sec" in (stored.folder / outcome.raw).read_text()
        assert outcome.histogram
        assert sum(stored.histogram(outcome.histogram).counts) > 0
        assert set(outcome.usage) == {"server", "generator", "postgres", "valkey", "upstream"}
        assert outcome.usage["server"].cpu_s > 0
        assert outcome.usage["server"].processes >= 2
    for name in ("report.md", "summary.json", "summary.csv"):
        assert (folder / name).stat().st_size > 0
        assert name in engine.output()
    assert f"Report: open {folder / 'index.html'} in a browser." in engine.output()


def pause(seconds: float) -> None:
    """Wait for no reason: that is what a random moment is."""
    threading.Event().wait(seconds)


# In the middle of a load -------------------------------------------------------------------------


def chosen(declared: dict[str, Endpoint], *endpoints: str, rounds: int = 1) -> Plan:
    """Return a plan of uvicorn at sync endpoints, in the order in which they are named."""
    servers = [
        server for server in profile.load_servers(ROOT / "servers") if server.name == "uvicorn"
    ]
    cells = tuple(
        Cell(
            server="uvicorn",
            endpoint=declared[f"{name}-sync"],
            load=Load(connections=4, duration_s=2, warmup_s=0.1),
        )
        for name in endpoints
    )
    return plan(servers, [cell.endpoint for cell in cells], rounds=rounds, cells=cells)


class Watched(LocalBench):
    """This machine, remembering the server it has launched last."""

    launched: list[LoadedServer] = []  # noqa: RUF012

    def launch(self, profile: Server, name: str) -> LoadedServer:
        self.launched.append(super().launch(profile, name))
        return self.launched[-1]


def measure(
    of: Plan, services: Services, folder: Path, kill: Callable[[Watched], psutil.Process]
) -> list[Outcome]:
    """Run a plan, killing a process in the middle of its first load."""
    for name in ("raw", "logs"):
        (folder / name).mkdir()
    bench = Watched(services, Shape(), folder)
    first = next(schedule.turns(schedule.batches(of))).cell
    finish = Generator.finish

    def disturbed(generator: Generator) -> Printed:
        """Kill once the load has made its server work, and before anybody waits for its end."""
        server = bench.launched[-1].groups()["server"]()
        before_s = sum(map(cpu_s, server))

        def is_loaded() -> bool:
            worked_s = sum(map(cpu_s, server)) - before_s
            return worked_s > 0.05 or generator.process.ended() is not None

        until(is_loaded, "the work of the load")
        kill(bench).kill()
        patch.undo()
        return finish(generator)

    facts: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Generator, "finish", disturbed)
        measuring.run(
            of,
            schedule.batches(of),
            bench,
            facts.append,
            lambda cell, at, turn: None,
        )
    outcomes = firsts(facts)
    assert outcomes[0].cell == first.id
    return outcomes


def test_a_server_killed_in_the_middle_of_its_load(
    services: Services, declared: dict[str, Endpoint], tmp_path: Path
) -> None:
    failed, *rest = measure(
        chosen(declared, "json", "json_query"),
        services,
        tmp_path,
        lambda bench: bench.launched[-1].groups()["server"]()[0],
    )
    assert (failed.status, failed.stage) == ("failed", "verify-after")
    assert (failed.reason or "").startswith("uvicorn was ended by SIGKILL (")
    assert [outcome.status for outcome in rest] == ["measured"], rest
    assert rest[0].launch_s is not None


def test_postgres_killed_in_the_middle_of_a_load(
    services: Services, declared: dict[str, Endpoint], tmp_path: Path
) -> None:
    # The shared services: the run itself repairs them. If not, other tests need them all the same.
    try:
        failed, *rest = measure(
            chosen(declared, "json_query", rounds=2),
            services,
            tmp_path,
            lambda bench: services.processes["postgres"].tree()[0],
        )
        assert services.repair() is None
    finally:
        until(lambda: services.repair() is None, "the repair")
    assert (failed.status, failed.stage) == ("failed", "services")
    assert (failed.reason or "").startswith("PostgreSQL was ended by SIGKILL (")
    assert [outcome.status for outcome in rest] == ["measured"], rest


def test_a_disk_that_fills_up_in_the_middle(
    services: Services,
    declared: dict[str, Endpoint],
    tmp_path: Path,
    census: Census,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("loadtest.records.files.write", full)
    of = chosen(declared, "json")
    (tmp_path / "raw").mkdir()
    (tmp_path / "logs").mkdir()
    with pytest.raises(UserError, match="cannot be written: No space left on device"):
        measuring.run(
            of,
            schedule.batches(of),
            LocalBench(services, Shape(), tmp_path),
            lambda outcome: None,
            lambda cell, at, turn: None,
        )
    assert census.names() == []  # its server was stopped all the same
