"""Runs in containers: undisturbed, and with everything killed that can be."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from census import until
from real_engine import Run, begin_engine, docker, end_engine, held

from loadtest.records.run_folder import SERVERS, read

pytestmark = pytest.mark.docker

SMALL = """
summary = "The smallest that is real."
rounds = 1
servers = ["uvicorn", "gunicorn-gthread"]
endpoints = ["json", "json_query"]
observe_release = false
[duplicate]
endpoints = ["json"]
styles = ["sync"]
[[loads]]
connections = 8
duration_s = 1
warmup_s = 0.1
"""
CELLS = 9


@pytest.fixture
def small(tmp_path: Path) -> Path:
    path = tmp_path / "small.toml"
    path.write_text(SMALL)
    return path


@pytest.mark.usefixtures("nothing_left")
def test_the_quick_matrix(tmp_path: Path) -> None:
    run = Run(tmp_path, "quick", "--rounds", os.environ.get("ROUNDS", "1"))
    run.wait()
    stored = run.stored()
    failed = [outcome for outcome in stored.outcomes if outcome.status == "failed"]
    # It ends each connection; what a system's default costs it is said, and is no fault of ours.
    assert all(
        outcome.cell.startswith("gunicorn-sync") and "local ports ran short" in str(outcome.reason)
        for outcome in failed
    ), run.output()
    assert len(failed) < sum(outcome.status == "measured" for outcome in stored.outcomes) / 5
    assert "0.0.0.0" in " ".join(stored.run.argv["uvicorn"])
    assert stored.run.launcher == "compose"
    assert stored.run.engine is not None
    assert not stored.run.engine.remote
    assert stored.run.machine.python.startswith("CPython 3.13")
    for outcome in stored.outcomes:
        if outcome.status == "measured":
            server = outcome.usage["server"]
            assert server.throttled_s is not None
            assert server.cpu_s > 0
    summary = json.loads((run.folder() / "summary.json").read_text())
    doubts = {
        concern["concern"]
        for ranking in summary["rankings"]
        for row in ranking["rows"]
        for concern in row["concerns"]
    }
    # What a busy machine gives rise to is no fault of the launcher's, nor that gunicorn-gevent
    # lets connections starve.
    busy = {"noisy-host", "unstable", "generator-limited", "no-samples"}
    assert doubts <= busy | {"littles-law"}, run.output()


@pytest.mark.usefixtures("nothing_left")
def test_a_server_that_is_killed_costs_its_cell(tmp_path: Path, small: Path) -> None:
    run = Run(tmp_path / "out", small)
    run.until_measured(2)
    until(run.kill_a_server, "a server that stays for half a second", 60)
    assert run.wait() == 1
    failed = [outcome for outcome in run.outcomes() if outcome.status == "failed"]
    assert len(failed) == 1
    assert "container was ended by signal 9" in str(failed[0].reason), failed
    assert len(run.outcomes()) == CELLS


@pytest.mark.usefixtures("nothing_left")
def test_a_database_that_is_killed_costs_the_cells_that_met_it(tmp_path: Path, small: Path) -> None:
    run = Run(tmp_path / "out", small)
    run.until_measured(2)
    docker("kill", run.service("postgres"))
    run.wait()
    outcomes = run.outcomes()
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    assert len(outcomes) == CELLS
    assert len(failed) <= 2, failed
    assert all(
        outcome.stage == "services" and "PostgreSQL's container was ended by" in str(outcome.reason)
        for outcome in failed
    ), failed


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.usefixtures("nothing_left")
def test_a_run_that_is_ended_leaves_nothing(tmp_path: Path, small: Path, number: int) -> None:
    run = Run(tmp_path / "out", small)
    run.until_measured(1)
    run.process.send_signal(number)
    assert run.wait() == (-9 if number == signal.SIGKILL else 130)
    # After a KILL the guard is alone, and takes its time.
    until(lambda: "loadtest-run" not in docker("ps", "--all"), "the containers' end", 60)
    until(lambda: "loadtest-run" not in docker("network", "ls"), "the network's end", 60)
    assert run.outcomes()


def test_an_engine_that_is_killed_costs_no_more_than_the_cells_it_missed(
    tmp_path: Path, small: Path, nothing_left: str
) -> None:
    """It is started again, as systems do; the run goes on with what there is to measure."""
    run = Run(tmp_path / "out", small)
    run.until_measured(2)
    end_engine()
    time.sleep(5)
    begin_engine()
    run.wait()
    outcomes = run.outcomes()
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    assert len(outcomes) == CELLS
    # Containers outlive the engine for as long as it is away, so the cell that was being measured
    # may come to its end, and the run waits for the engine before the next.
    assert len(failed) <= 2, failed
    assert all("Docker" in str(outcome.reason) for outcome in failed), failed
    assert outcomes[-1].status == "measured"
    docker("start", nothing_left)  # it ended with the engine, as all containers do


def test_an_engine_that_stays_away_costs_the_cells_to_come(
    tmp_path: Path, small: Path, nothing_left: str
) -> None:
    """What the dead run had to leave is removed by the next; `--resume` measures what failed."""
    before = held()
    run = Run(tmp_path / "out", small)
    run.until_measured(2)
    end_engine()
    assert run.wait() == 1
    first = run.outcomes()
    measured = [outcome for outcome in first if outcome.status == "measured"]
    failed = [outcome for outcome in first if outcome.status == "failed"]
    assert len(measured) >= 2
    assert len(measured) + len(failed) == CELLS
    assert all("Docker" in str(outcome.reason) for outcome in failed), failed
    assert "Docker could not remove the containers of this run: " in run.output()
    begin_engine()
    docker("start", nothing_left)
    assert held() - before, "there is nothing to sweep"
    second = Run(tmp_path / "again", "--resume", run.folder())
    assert second.wait() == 0, second.output()
    last = {outcome.cell: outcome.status for outcome in run.outcomes()}
    assert list(last.values()) == ["measured"] * CELLS


@pytest.mark.usefixtures("nothing_left")
def test_a_port_that_is_taken(tmp_path: Path, small: Path) -> None:
    listener = (
        "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port=8000, bind='127.0.0.1')"
    )

    def is_taken() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", 8000)) == 0

    with subprocess.Popen([sys.executable, "-c", listener], stderr=subprocess.DEVNULL) as other:
        try:
            until(is_taken, "the other's start")
            run = Run(tmp_path / "out", small)
            assert run.wait() == 2
            assert run.output().count("\n") == 1
            assert "port 8000 of 127.0.0.1 cannot be published" in run.output()
            assert "PORT=8001" in run.output()
        finally:
            other.kill()


@pytest.mark.usefixtures("nothing_left")
def test_an_image_that_cannot_be_had(
    tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POSTGRES_IMAGE", "127.0.0.1:9/none:1")
    run = Run(tmp_path / "out", small)
    assert run.wait() == 2
    last = run.output().splitlines()[-1]
    assert last.startswith("loadtest: the image 127.0.0.1:9/none:1 cannot be used: ")
    assert "POSTGRES_IMAGE in .env names another" in last


@pytest.mark.usefixtures("nothing_left")
def test_an_image_that_cannot_be_built(
    tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BASE_IMAGE", "127.0.0.1:9/none:1")
    run = Run(tmp_path / "out", small)
    assert run.wait() == 2
    assert "loadtest: the image cannot be built: " in run.output()
    assert "`docker compose build upstream` shows all of it" in run.output()


@pytest.mark.usefixtures("nothing_left")
def test_agents_in_containers(tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `docker compose --profile agent up --scale agent=3`, for servers of this machine."""
    network = json.loads(docker("network", "inspect", "theirs"))[0]
    master = network["IPAM"]["Config"][0]["Gateway"]
    monkeypatch.setenv("MASTER", master)
    monkeypatch.setenv("LOADTEST_SECRET", "of these tests and of nobody else")
    agents = ("compose", "--profile", "agent")
    docker(*agents, "build", "--quiet", "agent")
    try:
        docker(*agents, "up", "--detach", "--scale", "agent=3", "agent")
        chosen = ("--server", "uvicorn", "--endpoint", "json", "--launcher", "local")
        run = Run(tmp_path / "out", small, *chosen, "--agents", "3", "--listen", master)
        assert run.wait() == 0, run.output() + docker(*agents, "logs", check=False)
    finally:
        docker(*agents, "down", "--volumes", "--timeout", "1")
    stored = run.stored()
    assert len({agent.name for agent in stored.run.agents}) == 3
    assert stored.outcomes
    for outcome in stored.outcomes:
        assert outcome.status == "measured", outcome.reason
        assert [part.connections for part in outcome.parts] == [3, 3, 2]


@pytest.mark.usefixtures("nothing_left")
@pytest.mark.parametrize("owner", [0, 1234])
def test_the_generator_in_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: int
) -> None:
    """As `docker compose --profile uvicorn run --rm loadtest`, for two of its endpoints."""
    out = tmp_path / "results"
    out.mkdir()
    os.chown(out, owner, owner)
    monkeypatch.setenv("RESULTS", str(out))
    monkeypatch.setenv("THREADS", "3")
    try:
        output = docker(
            *("compose", "--profile", "uvicorn", "run", "--rm", "--no-TTY", "loadtest"),
            *("run", "quick", "--launcher", "running", "--rounds", "1"),
            *("--endpoint", "json", "--endpoint", "raw"),
        )
    finally:
        docker("compose", "--profile", "*", "down", "--volumes", "--timeout", "1")
    (folder,) = out.iterdir()
    stored = read(folder, SERVERS)
    assert {outcome.status for outcome in stored.outcomes} == {"measured"}, output
    # Three cells, and one of the duplicate, each in its turns.
    assert len(stored.outcomes) == 4 * stored.run.plan.turns
    assert (stored.run.launcher, stored.run.plan.shape.threads) == ("running", 3)
    assert stored.ceilings
    assert stored.run.argv["uvicorn"][:3] == ("python", "-m", "uvicorn")
    assert {path.stat().st_uid for path in (folder, folder / "index.html")} == {owner}
