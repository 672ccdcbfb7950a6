"""What is read of a container: what the kernel counts for it, how it ended, what it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from fake_docker import CANNOT, FakeDocker
from paths import ROOT

from loadtest.bench.servers.compose import container
from loadtest.system import cgroup, sampling
from loadtest.system.docker import Docker
from loadtest.system.sampling import Holding

V1_GROUPS = """12:pids:/docker/abc
11:memory:/docker/abc
4:cpu,cpuacct:/docker/abc
0::/system.slice/docker.service
"""


def test_the_files_of_version_1() -> None:
    paths = cgroup.paths(V1_GROUPS)
    assert str(paths["cpuacct/cpuacct.usage"]) == "/sys/fs/cgroup/cpuacct/docker/abc/cpuacct.usage"
    assert str(paths["cpu/cpu.stat"]) == "/sys/fs/cgroup/cpu/docker/abc/cpu.stat"


def test_the_files_of_version_2() -> None:
    paths = cgroup.paths("0::/system.slice/docker-abc.scope\n")
    expected = "/sys/fs/cgroup/system.slice/docker-abc.scope/cpu.stat"
    assert str(paths["cpu.stat"]) == expected


def test_a_reading_of_version_1() -> None:
    reading = cgroup.parse(
        {
            "cpuacct/cpuacct.usage": "2500000000\n",
            "cpu/cpu.stat": "nr_periods 4\nnr_throttled 2\nthrottled_time 500000000\n",
            "memory/cgroup.procs": "10\n11\n",
        }
    )
    assert (reading.cpu_s, reading.throttled_s) == (2.5, 0.5)
    assert reading.pids == (10, 11)


def test_a_reading_of_version_2() -> None:
    reading = cgroup.parse(
        {
            "cpu.stat": "usage_usec 2500000\nuser_usec 1\nthrottled_usec 500000\n",
            "cgroup.procs": "10\n11\n",
        }
    )
    assert (reading.cpu_s, reading.throttled_s) == (2.5, 0.5)
    assert reading.pids == (10, 11)


def test_a_group_that_cannot_be_read_is_unknown() -> None:
    assert cgroup.here(2**22 + 1) is None


def test_a_reading_from_inside(docker_says: FakeDocker) -> None:
    root = "/sys/fs/cgroup"
    text = f"{root}/cpu.stat:usage_usec 1000000\n{root}/cgroup.procs:1\n{root}/cgroup.procs:7"
    docker_says(exec=text)
    reading = cgroup.inside(Docker(ROOT, "p"), "abc")
    assert reading is not None
    assert (reading.cpu_s, reading.pids) == (1.0, (1, 7))


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
    docker_says: FakeDocker, tmp_path: Path, state: dict[str, Any], words: str | None
) -> None:
    docker_says(inspect=json.dumps([{"State": state}]))
    assert _container(tmp_path).ended() == words


def test_a_container_that_is_gone_and_an_engine_that_is(
    docker_says: FakeDocker, tmp_path: Path
) -> None:
    docker_says(inspect=(1, "Error: No such container: abc"))
    assert _container(tmp_path).ended() == "uvicorn's container was removed"
    docker_says(inspect=(1, CANNOT))
    assert str(_container(tmp_path).ended()).startswith("the Docker engine does not answer: ")


def test_the_processes_around_a_server_are_not_its_own(
    docker_says: FakeDocker, tmp_path: Path
) -> None:
    """As another machine's engine tells them."""
    docker_says(
        top="PID NLWP RSS COMMAND\n"
        "10 1 500 /sbin/docker-init -- python -m loadtest.bench.servers.compose.serve uvicorn\n"
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


def test_what_grew_is_unknown_where_either_end_is() -> None:
    held = Holding(rss_bytes=5, processes=1, threads=2, connections=None)
    assert sampling.left(held, None) is None
    assert sampling.left(None, held) is None
    assert sampling.left(held, held) is not None
