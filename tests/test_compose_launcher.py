"""The launcher against a `docker` that misbehaves: each mistake is one line that says what to do.

`docker` here is a script on PATH whose answers a test chooses; engines of the real kind are in
`tests/compose/`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from loadtest.compose import cgroup, container, docker, engine, guard
from loadtest.compose.docker import Docker
from loadtest.errors import UserError
from loadtest.matrix import load_servers
from loadtest.prepare import Bearings
from loadtest.process import CommandError
from loadtest.project import Project

ROOT = Path(__file__).resolve().parent.parent

INFO = {
    "ServerVersion": "28.0.1",
    "Name": "farm",
    "OperatingSystem": "Debian GNU/Linux 13",
    "KernelVersion": "6.12",
    "NCPU": 8,
    "MemTotal": 16_000_000_000,
}
PROFILES = "\n".join(sorted(path.stem for path in (ROOT / "servers").glob("*.toml")))
VERSIONS = json.dumps({"python": "CPython 3.13.5", "Django": "6.0", "uvicorn": "0.35"})
WELL: dict[str, str | tuple[int, str]] = {
    "compose version": "v2.30",
    "context inspect": "unix:///var/run/docker.sock",
    "info": json.dumps(INFO),
    "--profiles": PROFILES,
    "ps --all": "",
    "build": "",
    "--entrypoint python ": VERSIONS,
    "--entrypoint postgres ": "postgres (PostgreSQL) 17.6",
    "--entrypoint valkey-server ": "Server v=8.1.3 sha=0",
    "image inspect": "sha256:1234",
    "down": "",
}
"""What an engine that is well answers, by words of the command; the first that fits counts."""

FAKE = """#!{python}
import json, sys
line = " ".join(sys.argv[1:]) + " "
with open({log!r}, "a") as log:
    log.write(line + "\\n")
for words, answer in json.load(open({answers!r})).items():
    if words in line:
        status, text = answer if isinstance(answer, list) else (0, answer)
        if status == "hangs":
            import time; time.sleep(600)
        print(text, file=sys.stderr if status else sys.stdout)
        sys.exit(status)
sys.exit("unexpected: " + line)
"""


@pytest.fixture
def said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Give what puts a `docker` with chosen answers on PATH, and returns its log."""
    for name in ("DOCKER_HOST", "SERVER_IMAGE", "PUBLISH", "PORT"):
        monkeypatch.delenv(name, raising=False)

    def install(**answers: str | tuple[int | str, str]) -> Path:
        given = {words.replace("_", " "): answer for words, answer in answers.items()}
        (tmp_path / "answers.json").write_text(
            json.dumps(
                {**given, **{words: answer for words, answer in WELL.items() if words not in given}}
            )
        )
        fake = tmp_path / "bin" / "docker"
        fake.parent.mkdir(exist_ok=True)
        log = tmp_path / "log"
        fake.write_text(
            FAKE.format(python=sys.executable, log=str(log), answers=str(tmp_path / "answers.json"))
        )
        fake.chmod(0o755)
        monkeypatch.setenv("PATH", f"{fake.parent}:{os.environ['PATH']}")
        return log

    return install


def bearings() -> Bearings:
    return Bearings(Project(ROOT, sys.executable), load_servers(ROOT / "servers"), (), {})


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "loadtest", "run", "quick", "--launcher", "compose", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )


CANNOT = (
    "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
    " Is the docker daemon running?"
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
    said: Callable[..., Path], answers: dict[str, Any], line: str
) -> None:
    log = said(**answers)
    with pytest.raises(UserError) as error:
        engine.look(bearings(), lambda text: None)
    assert len(error.value.lines) == 1
    assert error.value.lines[0].endswith(line)
    # Nothing was started.
    assert " up " not in log.read_text()


def test_an_engine_that_is_well(said: Callable[..., Path]) -> None:
    said()
    found = engine.look(bearings(), lambda text: None)
    assert found.launcher == "compose"
    assert found.engine is not None
    assert (found.engine.name, found.engine.remote, found.engine.processors) == ("farm", False, 8)
    assert found.versions["Django"] == "6.0"
    assert found.versions["PostgreSQL"] == "17.6"
    assert found.versions["Valkey"] == "8.1.3"
    assert found.engine.images["postgres:17.6"] == "sha256:1234"


def test_an_engine_elsewhere_publishes_where_it_is_told(
    said: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    said(context_inspect="ssh://me@farm.lan")
    monkeypatch.setenv("PUBLISH", "10.0.0.5")
    found = engine.look(bearings(), lambda text: None)
    assert found.engine is not None
    assert found.engine.remote
    assert engine.host(found.engine.address) == "farm.lan"


@pytest.mark.parametrize("port", ["http", "0", "70000"])
def test_a_port_that_is_none(
    said: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, port: str
) -> None:
    said()
    monkeypatch.setenv("PORT", port)
    with pytest.raises(UserError, match=rf"^PORT={port}: not a port; correct it"):
        engine.look(bearings(), lambda text: None)


def test_no_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match=r"^docker is missing; install Docker Engine 25"):
        engine.look(bearings(), lambda text: None)


def test_an_engine_that_never_answers(
    said: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    said(info=("hangs", ""))
    monkeypatch.setattr(docker, "BRIEF_S", 0.5)
    with pytest.raises(UserError, match=r"does not answer; start it again, or set DOCKER_HOST$"):
        engine.look(bearings(), lambda text: None)


def test_the_command_line_says_it_and_exits_with_2(said: Callable[..., Path]) -> None:
    said(info=(1, CANNOT))
    ran = run()
    assert ran.returncode == 2
    assert ran.stderr.startswith("loadtest: no Docker engine at unix:///var/run/docker.sock; ")
    assert ran.stderr.count("\n") == 1


def test_an_unknown_server_is_found_before_an_engine_is_needed(said: Callable[..., Path]) -> None:
    said()
    ran = run("--server", "uvicron")
    assert ran.returncode == 2
    assert "unknown server 'uvicron'" in ran.stderr


def test_what_a_dead_run_left_is_taken_down_and_nothing_else(said: Callable[..., Path]) -> None:
    dead = engine.project_name(2**22 + 1)
    alive = engine.project_name(os.getpid())
    log = said(**{"ps --all": f"{dead}\n{alive}\nloadtest\nloadtest-run-elsewhere-1\n"})
    engine.sweep(Docker(ROOT, "any"))
    downs = [line for line in log.read_text().splitlines() if " down " in line]
    assert len(downs) == 1
    assert f"--project-name {dead} " in downs[0]


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


def test_the_guard_gives_up(said: Callable[..., Path]) -> None:
    said(down=(1, CANNOT))
    assert guard.take_down(Docker(ROOT, "p"), 0.0) == 1


# What is read of a container ---------------------------------------------------------------------

V1_GROUPS = """12:pids:/docker/abc
11:memory:/docker/abc
4:cpu,cpuacct:/docker/abc
0::/system.slice/docker.service
"""


def test_the_files_of_version_1() -> None:
    found = cgroup.paths(V1_GROUPS)
    assert str(found["cpuacct/cpuacct.usage"]) == "/sys/fs/cgroup/cpuacct/docker/abc/cpuacct.usage"
    assert str(found["cpu/cpu.stat"]) == "/sys/fs/cgroup/cpu/docker/abc/cpu.stat"


def test_the_files_of_version_2() -> None:
    found = cgroup.paths("0::/system.slice/docker-abc.scope\n")
    expected = "/sys/fs/cgroup/system.slice/docker-abc.scope/cpu.stat"
    assert str(found["cpu.stat"]) == expected


def test_a_reading_of_version_1() -> None:
    found = cgroup.parse(
        {
            "cpuacct/cpuacct.usage": "2500000000\n",
            "cpu/cpu.stat": "nr_periods 4\nnr_throttled 2\nthrottled_time 500000000\n",
            "memory/memory.usage_in_bytes": "1000\n",
            "memory/memory.stat": "cache 400\ntotal_inactive_file 300\n",
            "memory/cgroup.procs": "10\n11\n",
        }
    )
    assert (found.cpu_s, found.throttled_s) == (2.5, 0.5)
    assert (found.charged_bytes, found.pids) == (700, (10, 11))


def test_a_reading_of_version_2() -> None:
    found = cgroup.parse(
        {
            "cpu.stat": "usage_usec 2500000\nuser_usec 1\nthrottled_usec 500000\n",
            "memory.current": "1000\n",
            "memory.stat": "anon 600\ninactive_file 300\n",
            "cgroup.procs": "10\n11\n",
        }
    )
    assert (found.cpu_s, found.throttled_s) == (2.5, 0.5)
    assert (found.charged_bytes, found.pids) == (700, (10, 11))


def test_a_group_that_cannot_be_read_is_unknown() -> None:
    assert cgroup.here(2**22 + 1) is None


def test_a_reading_from_inside(said: Callable[..., Path]) -> None:
    root = "/sys/fs/cgroup"
    text = f"{root}/cpu.stat:usage_usec 1000000\n{root}/memory.current:1000\n"
    text += f"{root}/memory.stat:inactive_file 300\n{root}/cgroup.procs:1\n{root}/cgroup.procs:7"
    said(exec=text)
    found = cgroup.inside(Docker(ROOT, "p"), "abc")
    assert found is not None
    assert (found.cpu_s, found.charged_bytes, found.pids) == (1.0, 700, (1, 7))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"Running": True, "ExitCode": 0}, None),
        ({"Running": False, "ExitCode": 3}, "uvicorn's container exited with status 3"),
        ({"Running": False, "ExitCode": 137}, "uvicorn's container was ended by signal 9"),
        (
            {"Running": False, "ExitCode": 137, "OOMKilled": True},
            "uvicorn's container ran out of the memory that .env allows it",
        ),
    ],
)
def test_how_a_container_ended(
    said: Callable[..., Path], tmp_path: Path, state: dict[str, Any], words: str | None
) -> None:
    said(inspect=json.dumps([{"State": state}]))
    assert _container(tmp_path).ended() == words


def test_a_container_that_is_gone_and_an_engine_that_is(
    said: Callable[..., Path], tmp_path: Path
) -> None:
    said(inspect=(1, "Error: No such container: abc"))
    assert _container(tmp_path).ended() == "uvicorn's container was removed"
    said(inspect=(1, CANNOT))
    assert str(_container(tmp_path).ended()).startswith("the Docker engine does not answer: ")


def test_the_processes_around_a_server_are_not_its_own(
    said: Callable[..., Path], tmp_path: Path
) -> None:
    """As another machine's engine tells them."""
    said(
        top="PID NLWP RSS COMMAND\n"
        "10 1 500 /sbin/docker-init -- python -m loadtest.compose.serve uvicorn\n"
        "11 1 9000 python -I -S /app/loadtest/warden.py --times=1 -- python -m uvicorn\n"
        "12 3 40000 python -m uvicorn --workers 2\n"
        "13 40 60000 python -c from multiprocessing.spawn import spawn_main"
    )
    held = _container(tmp_path).holding()
    assert held is not None
    assert (held.processes, held.threads, held.rss_bytes) == (2, 43, 100_000 * 1024)


def _container(folder: Path) -> container.Container:
    return container.Container(
        name="uvicorn",
        docker=Docker(ROOT, "p"),
        id="abc",
        pid=2**22 + 1,
        address="10.9.9.9",
        log=folder / "uvicorn.log",
    )


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
    assert docker.said(CommandError("docker exited with status 1", tail)) == line


def test_settings_are_overridden_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("# why\nPORT=8000\nCACHE=redis\nTHEIRS=secret\n")
    (tmp_path / "docker-compose.yml").write_text("${PORT:-1} ${CACHE:-x} ${WORKERS:-2}")
    monkeypatch.setenv("PORT", "9000")
    for name in ("CACHE", "WORKERS"):
        monkeypatch.delenv(name, raising=False)
    assert docker.settings(tmp_path) == {"PORT": "9000", "CACHE": "redis", "WORKERS": "2"}
