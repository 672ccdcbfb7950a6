"""`docker-compose.yml`: a profile for each server, settings in one place, nothing exposed."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from typing import Any

import pytest
from demo import DEMO
from paths import ROOT

from loadtest.bench.servers import consent
from loadtest.bench.servers.compose import serve, stack
from loadtest.bench.servers.services import SPARE_CONNECTIONS
from loadtest.plan.servers import matrix
from loadtest.records.errors import UserError
from loadtest.records.planned import Shape
from loadtest.system import cpu_pinning

TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
SERVERS = {path.stem for path in (ROOT / "servers").glob("*.toml")}
SETTINGS = dict(
    line.split("=", 1)
    for line in (ROOT / ".env").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
)
ASIDE = {
    "AGENT_IMAGE",
    "BUILD_NETWORK",
    "CA_FILE",
    "LOADTEST_IMAGE",
    "LOADTEST_SECRET",
    "NO_HEALTH_CHECK",
    "PIP_FILE",
    "SERVER_IMAGE",
}
"""Variables that are no setting of a person's, but of how images come about and of the launcher."""


def test_every_server_is_a_profile_and_the_other_way_round() -> None:
    profiles = re.findall(
        r"^  (\S+): \{<<: \*server, profiles: \[(\S+)\], command: \[(\S+)\]\}$", TEXT, re.MULTILINE
    )
    assert all(service == profile == command for service, profile, command in profiles)
    assert sorted(service for service, _, _ in profiles) == sorted(SERVERS)
    # No other service takes the anchor in another form.
    assert TEXT.count("*server") == len(profiles)


def test_the_generator_waits_for_any_of_them() -> None:
    waited = re.findall(
        r"^      (\S+): \{condition: service_healthy, required: false\}$", TEXT, re.MULTILINE
    )
    assert sorted(waited) == sorted(SERVERS)


def test_every_setting_stands_in_env_with_the_same_default() -> None:
    used = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", TEXT))
    assert len(re.findall(r"\$\{", TEXT)) == len(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", TEXT))
    assert {name: default for name, default in used.items() if name not in ASIDE} == SETTINGS


def test_what_is_prepared_was_agreed_to() -> None:
    """The file passes the consent that a variable alone would not be."""
    env = dict(re.findall(r"^  (LOADTEST_\w+): (\S+)$", TEXT, re.MULTILINE))
    (words,) = re.findall(r"command: \[--prepare, (.+)\]", TEXT)
    options = dict(re.findall(r"(--[\w-]+), ([^, ]+)", words))
    typed = {service: options.pop(option) for service, option in consent.OPTIONS.items()}
    assert options == {}
    assert env.keys() == set(DEMO.addresses.values())
    assert consent.refusals(env, DEMO, typed) == []
    # Literally: no shell has a say in it.
    assert "$" not in words + "".join(env.values())


def test_a_container_prepares_nothing_that_was_not_typed() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "loadtest.bench.servers.compose.serve", "--prepare"],
        env=os.environ | {"LOADTEST_DATABASE": "postgresql://postgres:secret@127.0.0.1:9/theirs"},
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert ran.returncode == 1
    assert "type --allow-database 127.0.0.1:9/theirs to agree" in ran.stderr.splitlines()[0]
    assert "secret" not in ran.stderr


def test_the_shape_of_env_is_the_tools_own() -> None:
    assert serve.shape(SETTINGS) == Shape()


def test_the_database_has_connections_for_the_largest_shape() -> None:
    shapes = [
        matrix.load_matrix(path.stem, DEMO.matrices).shape
        for path in sorted(DEMO.matrices.glob("*.toml"))
    ]
    most = max(shape.workers * shape.database_pool for shape in shapes)
    assert int(SETTINGS["MAX_CONNECTIONS"]) >= most + SPARE_CONNECTIONS


def test_a_shape_survives_the_environment() -> None:
    shape = Shape(workers=3, threads=7, backlog=128, keep_alive_s=5, database_pool=2)
    assert serve.shape(serve.variables(shape)) == shape
    assert serve.variables(shape).keys() == SETTINGS.keys() & serve.SHAPE.keys()


def test_every_part_has_processors_of_its_own() -> None:
    placed = cpu_pinning.place([[0], [1], [2], [3]])
    given = stack.cpus(placed)
    assert given == {"GENERATOR_CPUS": "0", "DATABASES_CPUS": "1", "SERVER_CPUS": "2,3"}
    assert given.keys() <= SETTINGS.keys()
    assert stack.cpus(None) == {}  # too few to share out: all share all


@pytest.mark.parametrize("text", ["two", "0", "-1", "1.5", "9" * 6])
def test_a_shape_that_is_none_names_its_variable(text: str) -> None:
    with pytest.raises(UserError, match=rf"^WORKERS={text}: not a number above 0"):
        serve.shape({"WORKERS": text})


def test_what_runs_in_the_small_image_needs_its_packages_alone() -> None:
    """The engine's other packages are not in it."""
    listing = (
        "import sys, loadtest.bench.servers.compose.serve;"
        " print(*{m.partition('.')[0] for m in sys.modules})"
    )
    out = subprocess.run(
        [sys.executable, "-c", listing], check=True, capture_output=True, text=True, cwd=ROOT
    ).stdout
    # msgspec takes typing_extensions where it is, and does without it.
    ours = {"__main__", "loadtest", "typing_extensions"}
    theirs = set(out.split()) - sys.stdlib_module_names - ours
    assert {name for name in theirs if not name.startswith("_")} <= {"click", "msgspec", "psutil"}


def test_a_server_that_there_is_not_is_one_line() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "loadtest.bench.servers.compose.serve", "uvicron"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("loadtest: unknown server 'uvicron'; did you mean uvicorn")
    assert ran.stderr.count("\n") == 1


def test_the_image_context_is_named_and_nothing_else_goes_in() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    named = {line[1:] for line in lines if line.startswith("!")}
    assert all((ROOT / name).exists() for name in named)
    assert not named & {".git", ".env", "results", ".venv"}


def _compose() -> list[str]:
    if shutil.which("docker") is None:
        pytest.skip("no `docker` here; `docker compose config` was not tried")
    ran = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    if ran.returncode:
        pytest.skip("this `docker` has no `compose` plugin; `docker compose config` was not tried")
    return ["docker", "compose", "--project-directory", str(ROOT), "--env-file", str(ROOT / ".env")]


@pytest.fixture(scope="module")
def config() -> dict[str, Any]:
    """Give what Compose makes of the file, with the defaults and all profiles."""
    argv = [*_compose(), "--profile", "*", "config", "--format", "json"]
    env = {key: value for key, value in os.environ.items() if key not in SETTINGS.keys() | ASIDE}
    ran = subprocess.run(argv, capture_output=True, text=True, cwd=ROOT, env=env, check=False)
    assert ran.returncode == 0, ran.stderr
    parsed: dict[str, Any] = json.loads(ran.stdout)
    return parsed


def test_compose_takes_the_file(config: dict[str, Any]) -> None:
    own = {"postgres", "cache", "upstream", "prepared", "loadtest", "agent"}
    assert config["services"].keys() == SERVERS | own
    for name in SERVERS:
        assert config["services"][name]["profiles"] == [name]


def test_servers_alone_are_published_and_on_the_loopback(config: dict[str, Any]) -> None:
    published = {name: service.get("ports", []) for name, service in config["services"].items()}
    assert {name for name, ports in published.items() if ports} == SERVERS
    for name in SERVERS:
        (port,) = published[name]
        assert (port["host_ip"], port["published"], port["target"]) == ("127.0.0.1", "8000", 8000)


def test_nothing_can_be_written_but_in_memory_and_no_volume_is_made(config: dict[str, Any]) -> None:
    assert not config.get("volumes")
    for name, service in config["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service.get("cap_add") == (["SETGID", "SETUID"] if name == "loadtest" else None), (
            name
        )
        kinds = {volume["type"] for volume in service.get("volumes", [])}
        assert kinds == ({"bind"} if name == "loadtest" else set()), name
