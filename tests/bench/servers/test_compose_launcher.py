"""The launcher and a `docker` that misbehaves: each mistake is one line that says what to do."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from demo import PROJECT
from fake_docker import CANNOT, INFO, PROFILES, FakeDocker
from paths import ROOT

from loadtest.bench.servers.compose import engine
from loadtest.measure.servers import new_run
from loadtest.plan.servers.inventory import Inventory
from loadtest.plan.servers.profile import load_servers
from loadtest.records.errors import UserError
from loadtest.records.planned import Choice, Endpoint
from loadtest.system import docker
from loadtest.system.docker import Docker
from loadtest.system.process import CommandError

pytestmark = pytest.mark.real


def bearings() -> Inventory:
    return Inventory(PROJECT, load_servers(ROOT / "servers"), (), {})


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "loadtest", "run", "quick", "--launcher", "compose", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


DENIED = "permission denied while trying to connect to the Docker daemon socket"


@pytest.mark.parametrize(
    ("answers", "line"),
    [
        (
            {"compose_version": (1, "docker: 'compose' is not a docker command.")},
            "this docker has no working compose plugin; install Docker Engine 25 or newer with its"
            " compose plugin, or leave out --launcher",
        ),
        (
            {"info": (1, CANNOT)},
            "no Docker engine at unix:///var/run/docker.sock; start it (`sudo systemctl start"
            " docker`), or point DOCKER_HOST at another",
        ),
        (
            # Newer clients print what they know and say it there.
            {"info": json.dumps({"ServerErrors": [CANNOT]})},
            "no Docker engine at unix:///var/run/docker.sock; start it (`sudo systemctl start"
            " docker`), or point DOCKER_HOST at another",
        ),
        (
            {"info": (1, DENIED)},
            "the Docker engine at unix:///var/run/docker.sock refuses you; join the group docker"
            " (`sudo usermod -aG docker $USER`, then log in again), or run as root",
        ),
        ({"info": (1, "tls: bad certificate")}, "tls: bad certificate; `docker info` says more"),
        ({"info": "no JSON"}, "`docker info` prints what is not understood; look at it"),
        (
            {"info": json.dumps({**INFO, "ServerVersion": "20.10.24"})},
            "the Docker engine is version 20.10.24 and has to be 25 or newer",
        ),
        (
            {"--profiles": PROFILES.replace("waitress", "")},
            "servers/waitress.toml has no profile in docker-compose.yml; add"
            " `waitress: {<<: *server, profiles: [waitress], command: [waitress]}`",
        ),
        (
            {"--profiles": (15, "yaml: line 3: mapping values are not allowed")},
            "docker-compose.yml cannot be used: yaml: line 3: mapping values are not allowed;"
            " `docker compose config` says more",
        ),
        (
            {"build": (17, "#9 ERROR: no space left on device\nfailed to solve: no space left")},
            "the image cannot be built: failed to solve: no space left;"
            " `docker compose build upstream` shows all of it",
        ),
        (
            {"--entrypoint postgres ": (125, "Error response from daemon: pull access denied")},
            "the image postgres:17.6 cannot be used: Error response from daemon: pull access"
            " denied; POSTGRES_IMAGE in .env names another",
        ),
        (
            {"context_inspect": "tcp://10.0.0.5:2375"},
            "the engine is on 10.0.0.5 and would publish servers on its own loopback;"
            " PUBLISH=<an address of 10.0.0.5> opens them to whoever reaches that",
        ),
    ],
)
def test_what_is_amiss_is_one_line(
    docker_says: FakeDocker, answers: dict[str, Any], line: str
) -> None:
    log = docker_says(**answers)
    with pytest.raises(UserError) as error:
        engine.take_inventory(bearings(), Path("results"), lambda text: None)
    assert len(error.value.lines) == 1
    assert error.value.lines[0].endswith(line)
    # Nothing was started.
    assert " up " not in log.read_text()


def test_an_engine_that_is_well(docker_says: FakeDocker) -> None:
    docker_says()
    inventory = engine.take_inventory(bearings(), Path("results"), lambda text: None)
    assert inventory.launcher == "compose"
    assert inventory.engine is not None
    assert (inventory.engine.name, inventory.engine.remote, inventory.engine.processors) == (
        "there",
        False,
        8,
    )
    assert inventory.versions["Django"] == "6.0"
    assert inventory.versions["PostgreSQL"] == "17.6"
    assert inventory.versions["Valkey"] == "8.1.3"
    assert inventory.engine.images["postgres:17.6"] == "sha256:1234"


def test_a_run_tells_the_command_line_of_the_container(
    docker_says: FakeDocker, declared: dict[str, Endpoint], tmp_path: Path
) -> None:
    docker_says()
    inventory = dataclasses.replace(bearings(), endpoints=tuple(declared.values()))
    inventory = engine.take_inventory(inventory, tmp_path, lambda text: None)
    choice = Choice(servers=("uvicorn",), endpoints=("json",))
    run = new_run.make_run(inventory, choice, tmp_path)
    assert run.argv["uvicorn"][0] == "python"
    assert "0.0.0.0" in run.argv["uvicorn"]


def test_an_engine_elsewhere_publishes_where_it_is_told(
    docker_says: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker_says(context_inspect="ssh://me@there.lan")
    monkeypatch.setenv("PUBLISH", "10.0.0.5")
    inventory = engine.take_inventory(bearings(), Path("results"), lambda text: None)
    assert inventory.engine is not None
    assert inventory.engine.remote
    assert engine.host(inventory.engine.address) == "there.lan"


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_a_port_that_is_none(
    docker_says: FakeDocker, monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    docker_says()
    monkeypatch.setenv("PORT", port)
    with pytest.raises(UserError, match=rf"^PORT={port}: not a port; correct it"):
        engine.take_inventory(bearings(), Path("results"), lambda text: None)


def test_no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"^docker is missing; install Docker Engine 25"):
        engine.take_inventory(bearings(), Path("results"), lambda text: None)


def test_an_engine_that_never_answers(
    docker_says: FakeDocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    docker_says(info=("hangs", ""))
    ask = Docker.docker

    def soon(self: Docker, *argv: str, timeout_s: float | None = None) -> str:
        return ask(self, *argv, timeout_s=0.5 if argv[0] == "info" else timeout_s)

    monkeypatch.setattr(Docker, "docker", soon)
    with pytest.raises(UserError, match=r"does not answer; start it again, or set DOCKER_HOST$"):
        engine.take_inventory(bearings(), Path("results"), lambda text: None)


def test_the_command_line_says_it_and_exits_with_2(docker_says: FakeDocker) -> None:
    docker_says(info=(1, CANNOT))
    ran = run()
    assert ran.returncode == 2
    assert ran.stderr.startswith("loadtest: no Docker engine at unix:///var/run/docker.sock; ")
    assert ran.stderr.count("\n") == 1


def test_an_unknown_server_is_found_before_an_engine_is_needed(docker_says: FakeDocker) -> None:
    docker_says()
    ran = run("--server", "uvicron")
    assert ran.returncode == 2
    assert "unknown server 'uvicron'" in ran.stderr


@pytest.mark.parametrize(
    ("tail", "line"),
    [
        ("one\ntwo", "two"),
        ("", "docker exited with status 1"),
        ("#9 ERROR: x\n------\nDockerfile:3\nfailed to solve: x\n", "failed to solve: x"),
        (
            "Error response from daemon: no\nSee 'docker run --help'.",
            "Error response from daemon: no",
        ),
    ],
)
def test_the_line_that_says_why(tail: str, line: str) -> None:
    assert docker.reason_of(CommandError("docker exited with status 1", tail)) == line


def test_settings_are_overridden_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("# why\nPORT=8000\nCACHE=redis\nTHEIRS=secret\n")
    (tmp_path / "docker-compose.yml").write_text("${PORT:-1} ${CACHE:-x} ${WORKERS:-2}")
    monkeypatch.setenv("PORT", "9000")
    for name in ("CACHE", "WORKERS"):
        monkeypatch.delenv(name, raising=False)
    assert docker.settings(tmp_path) == {"PORT": "9000", "CACHE": "redis", "WORKERS": "2"}


def test_no_secret_is_a_setting_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOADTEST_SECRET", "DB_PASSWORD", "MASTER", "AGENT_IMAGE"):
        monkeypatch.setenv(name, "x" * 32)
    assert "x" * 32 not in docker.settings(ROOT).values()
    (tmp_path / "docker-compose.yml").write_text("a: ${DB_PASSWORD:-}\nb: ${KEEP_ALIVE_S:-75}\n")
    assert docker.settings(tmp_path) == {"KEEP_ALIVE_S": "75"}


def test_settings_of_a_file_in_another_encoding(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_bytes(b"NAME=\xe9\nPORT=8000\n")
    (tmp_path / "docker-compose.yml").write_bytes(b"# \xe9\n${PORT:-1}")
    monkeypatch.delenv("PORT", raising=False)
    assert docker.settings(tmp_path) == {"PORT": "8000"}


def test_a_compose_file_of_another_make_is_a_line(tmp_path: Path) -> None:
    (tmp_path / "docker-compose.yml").write_text("services: {}\n")
    with pytest.raises(UserError, match=r"it does not use \$\{CACHE:-\.\.\.\}, as"):
        engine._settings(tmp_path)
