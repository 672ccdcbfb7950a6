"""`loadtest run --agents` and `loadtest agent`: what is typed wrong, and a run on this machine."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from census import Census, until
from command_line import Type
from paths import ROOT

from loadtest.bench.load.agents import linked, signing
from loadtest.bench.servers.compose.attached import Target, target
from loadtest.measure.servers.new_run import command_of
from loadtest.records.errors import UserError
from loadtest.records.planned import Choice
from loadtest.records.run_folder import SERVERS, read
from loadtest.system import listening

pytestmark = pytest.mark.usefixtures("no_addresses")

SECRET = "of these tests and of nobody else"

needs_locust = pytest.mark.skipif(
    importlib.util.find_spec("locust") is None or shutil.which("wrk") is None,
    reason="needs Locust and wrk: `make agents`",
)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["run", "--agents", "0"], "0: at least 1, as in --agents 2"),
        (["run", "--agents", "65"], "65: at most 64, as in --agents 2"),
        (["run", "--agents", "2", "--resume", "x"], "leave out --agents"),
        (["run", "--listen", "0.0.0.0"], "0.0.0.0 is no address of this machine"),
        (["run", "--listen", "192.0.2.7"], "192.0.2.7 is no address of this machine"),
        (["run", "--listen", "127.0.0.1:70000"], "is no host and port, as in --listen 10.0.0.1"),
        (["run", "--launcher", "agent"], "--launcher agent goes with --agents"),
        (["agent"], "Missing option '--master'"),
        (["agent", "--master", "a", "--python", "x"], "--python goes with --serves"),
        (["agent", "--master", "a", "--project", "."], "--project goes with --serves"),
        (
            ["agent", "--master", "a", "--serves", "--any-target"],
            "out --any-target or --serves",
        ),
        (["agent", "--master", "a b"], "'a b' is no host and port, as in --master 10.0.0.1"),
        (["agent", "--master", "x:0"], "'x:0' is no host and port"),
    ],
)
def test_a_mistake_is_one_line(
    type_: Type,
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(signing.VARIABLE, SECRET)
    (tmp_path / "x").mkdir()
    done = type_(*[str(tmp_path / "x") if word == "x" else word for word in arguments])
    assert done.status == 2
    assert any(expected in line for line in done.lines), done.lines


def test_another_installation_is_known_by_its_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(linked, "PACKAGE", tmp_path)
    (tmp_path / "a.py").write_text("first")
    before = linked.version()
    (tmp_path / "a.pyc").write_text("what Python makes of it")
    assert linked.version() == before
    (tmp_path / "b.lua").touch()
    with_another = linked.version()
    (tmp_path / "a.py").write_text("other")
    assert len({before, with_another, linked.version()}) == 3


def test_an_agent_serves_with_services_of_its_own_alone(
    type_: Type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(signing.VARIABLE, SECRET)
    monkeypatch.setenv("LOADTEST_DATABASE", "postgresql://x@10.0.0.1/production")
    monkeypatch.setattr(linked, "check_installed", lambda: None)
    done = type_("agent", "--serves", "--master", "127.0.0.1")
    assert done.status == 2
    assert done.lines[0].startswith("loadtest: network: this machine's, for those that load it:")
    assert done.lines[1:] == [
        "loadtest: LOADTEST_DATABASE is set, and an agent has services of its own; unset it"
    ]


@pytest.mark.parametrize("words", [["agent", "--master", "127.0.0.1"], ["run", "--agents", "2"]])
def test_without_a_secret_or_locust_nothing_begins(
    type_: Type, words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = [*words, *(["--out", str(tmp_path)] if words[0] == "run" else [])]
    monkeypatch.delenv(signing.VARIABLE, raising=False)
    monkeypatch.setattr(linked, "check_installed", lambda: None)
    done = type_(*words)
    assert done.status == 2
    assert "export LOADTEST_SECRET=$(openssl rand -hex 32)" in done.lines[-1]

    def missing() -> None:
        raise UserError(f"Locust is missing; type {linked.INSTALL}")

    monkeypatch.setattr(linked, "check_installed", missing)
    done = type_(*words)
    assert (done.status, done.lines[-1]) == (
        2,
        "loadtest: Locust is missing; type `pip install 'loadtest[distributed]'`",
    )


def test_a_run_says_how_many_agents_it_was_begun_with() -> None:
    assert command_of(Choice(agents=3), "local") == "loadtest run quick --agents 3"


@pytest.mark.parametrize(
    ("url", "where"),
    [
        (None, Target("server", 8000)),
        ("http://10.0.0.5:81", Target("10.0.0.5", 81)),
        ("http://example.org/", Target("example.org", 80)),
    ],
)
def test_where_a_server_is_that_runs_already(url: str | None, where: Target) -> None:
    assert target({} if url is None else {"TARGET_URL": url}) == where


@pytest.mark.parametrize(
    "url", ["", "10.0.0.5:81", "https://a", "http://a:x", "http://a/b", "http://"]
)
def test_what_is_no_address_of_a_server(url: str) -> None:
    with pytest.raises(UserError, match="as in TARGET_URL=http"):
        target({"TARGET_URL": url})


MATRIX = """
summary = "The smallest that is real."
rounds = 1
servers = ["granian-wsgi"]
endpoints = ["json"]
styles = ["sync"]
observe_release = false
[[loads]]
connections = 8
duration_s = 1
warmup_s = 0.1
"""


@needs_locust
@pytest.mark.real
def test_two_agents_of_this_machine_make_a_run(tmp_path: Path, census: Census) -> None:
    matrix = tmp_path / "small.toml"
    matrix.write_text(MATRIX)
    at = f"{listening.HOST}:{listening.free_port()}"
    env = {**os.environ, signing.VARIABLE: SECRET}
    agents = []
    for number in range(2):
        with open(tmp_path / f"agent-{number}.log", "wb") as log:
            words = [sys.executable, "-m", "loadtest", "agent", "--master", at]
            agents.append(subprocess.Popen(words, cwd=ROOT, env=env, stdout=log, stderr=log))
    try:
        done = subprocess.run(
            [
                *(sys.executable, "-m", "loadtest", "run", str(matrix)),
                *("--agents", "2", "--listen", at, "--out", str(tmp_path / "results")),
            ],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    finally:
        for agent in agents:
            agent.send_signal(signal.SIGINT)
        statuses = [agent.wait(30) for agent in agents]
    assert done.returncode == 0, done.stderr
    assert statuses == [0, 0]
    assert f"no other machine reaches {listening.HOST}; with --listen" in done.stderr
    until(lambda: not census.alive(), f"all to end: {census.names()}")
    (folder,) = (tmp_path / "results").iterdir()
    stored = read(folder, SERVERS)
    assert stored.notes == ()
    assert [agent.here for agent in stored.run.agents] == [True, True]
    assert "--agents 2" in stored.run.command
    for outcome in stored.outcomes:
        assert [part.connections for part in outcome.parts] == [4, 4]
        assert all(part.late_us is not None for part in outcome.parts)
    for name in ("agent-0", "agent-1"):
        assert "the run is over" in (tmp_path / f"{name}.log").read_text()
    assert "The load was made together by" in (folder / "report.md").read_text()
