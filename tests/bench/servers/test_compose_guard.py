"""What a run leaves is taken down, by its guard or by the next run, and nothing else is."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from census import until
from fake_docker import CANNOT, FakeDocker
from paths import ROOT

from loadtest.bench.servers.compose import engine, guard
from loadtest.system.docker import Docker
from loadtest.system.process import CommandError


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Give a results folder with a run in it."""
    (tmp_path / "results" / "run" / "logs").mkdir(parents=True)
    return tmp_path / "results"


@contextlib.contextmanager
def guarding(out: Path, project: str) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Give a guard at work, and its mark."""
    path = guard.mark(out / "run" / "logs", project)
    argv = [sys.executable, "-m", "loadtest.bench.servers.compose.guard", ROOT, project, path]
    with subprocess.Popen(argv, cwd=ROOT) as running:
        try:
            until(lambda: path.exists() and path not in guard.left_behind(out), "the guard's lock")
            yield running, path
        finally:
            running.kill()


def downs(log: Path) -> list[str]:
    return [
        line.split("--project-name ")[1].split()[0]
        for line in log.read_text().splitlines()
        if " down " in line
    ]


def test_what_a_dead_run_left_is_taken_down_and_nothing_else(
    docker_says: FakeDocker, out: Path
) -> None:
    elsewhere, dead, alive, of_another = (engine.project_name() for _ in range(4))
    log = docker_says(network_ls="\n".join([dead, alive, of_another, "loadtest", "theirs"]))
    marks = {name: guard.mark(out / "run" / "logs", name) for name in (elsewhere, dead)}
    for mark in marks.values():
        mark.touch()
    with guarding(out, alive) as (_, guarded):
        engine.sweep(Docker(ROOT, "any"), out)
        assert guarded.exists()
    assert downs(log) == [dead]
    assert not marks[dead].exists()
    # It may be on another engine, which a later run is pointed at.
    assert marks[elsewhere].exists()


def test_a_mark_of_somebody_else_takes_down_nothing(docker_says: FakeDocker, out: Path) -> None:
    """A results folder may come from anybody, and `down` removes what a project has stored."""
    theirs, linked, piped = "production", engine.project_name(), engine.project_name()
    log = docker_says(network_ls="\n".join([theirs, linked, piped]))
    logs = out / "run" / "logs"
    guard.mark(logs, theirs).touch()
    guard.mark(logs, linked).symlink_to("/etc/hostname")
    os.mkfifo(guard.mark(logs, piped))  # which would be waited for
    engine.sweep(Docker(ROOT, "any"), out)
    assert downs(log) == []


def test_what_cannot_be_taken_down_is_left_to_the_next_run(
    docker_says: FakeDocker, out: Path
) -> None:
    dead = engine.project_name()
    log = docker_says(network_ls=dead, down=(1, CANNOT))
    mark = guard.mark(out / "run" / "logs", dead)
    mark.touch()
    engine.sweep(Docker(ROOT, "any"), out)
    assert downs(log) == [dead]
    assert mark.exists()


def test_a_guard_removes_its_mark_with_the_project(docker_says: FakeDocker, out: Path) -> None:
    log, project = docker_says(), engine.project_name()
    with guarding(out, project) as (running, mark):
        running.terminate()
        assert running.wait(20) == 0
        assert downs(log) == [project]
        assert not mark.exists()


def test_a_guard_that_is_killed_leaves_its_mark_to_the_next_run(
    docker_says: FakeDocker, out: Path
) -> None:
    docker_says()
    with guarding(out, engine.project_name()) as (running, mark):
        running.kill()
        running.wait(20)
        assert list(guard.left_behind(out)) == [mark]


def test_the_guard_asks_again_until_the_engine_is_back(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, ...]] = []

    def compose(self: Docker, *argv: str, timeout_s: float | None = None) -> str:
        asked.append(argv)
        if len(asked) < 3:
            raise CommandError("docker exited with status 1", CANNOT)
        return ""

    monkeypatch.setattr(Docker, "compose", compose)
    monkeypatch.setattr(guard, "RETRY_EVERY_S", 0.01)
    assert guard.take_down(Docker(ROOT, "p"), 60.0) == 0
    assert len(asked) == 3
    assert {"down", "--volumes", "--remove-orphans"} <= set(asked[0])
    assert capfd.readouterr().err.count("Cannot connect") == 2


def test_the_guard_gives_up(docker_says: FakeDocker) -> None:
    docker_says(down=(1, CANNOT))
    assert guard.take_down(Docker(ROOT, "p"), 0.0) == 1
