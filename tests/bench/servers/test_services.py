"""PostgreSQL, Valkey and the upstream, as real processes."""

from __future__ import annotations

import dataclasses
import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg
import pytest
from census import Census, until

from loadtest.bench.servers import consent
from loadtest.bench.servers.service_counters import Counters
from loadtest.bench.servers.services import Services
from loadtest.bench.servers.services import services as start_services
from loadtest.plan.servers.project import DEMO, Project, Service
from loadtest.records.errors import UserError
from loadtest.records.planned import Shape
from loadtest.system.process import CommandError

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("no_addresses")]


def rows(services: Services) -> int:
    return rows_at(services.env["DATABASE_URL"])


def rows_at(address: str) -> int:
    with psycopg.connect(address) as connection:
        row = connection.execute("SELECT count(*) FROM myapp_row").fetchone()
        assert row is not None
        return int(row[0])


def agreeing(project: Project, env: Mapping[str, str]) -> Project:
    """Return the project with what has to be typed for what an environment names."""
    typed: dict[Service, str] = {
        service: consent.place(service, env[DEMO.addresses[service]]).typed
        for service in consent.OPTIONS
    }
    return dataclasses.replace(project, allowed=typed)


def valkey(services: Services, *words: str) -> bytes:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(60)
        connection.connect(services.env["REDIS_URL"].removeprefix("unix://"))
        connection.sendall(" ".join(words).encode() + b"\r\n")
        return connection.recv(4096)


def test_they_are_up_and_seeded(services: Services) -> None:
    assert rows(services) == 30
    assert valkey(services, "DBSIZE") == b":1\r\n"
    with urlopen(f"{services.env['UPSTREAM_URL']}/posts", timeout=60) as answer:
        assert answer.status == 200
    assert set(services.processes) == {"postgres", "valkey", "upstream"}
    assert services.repair() is None


def test_they_listen_where_nobody_else_does(services: Services) -> None:
    """Two runs, or a run beside a system's own PostgreSQL, do not meet."""
    for name in ("postgres", "valkey"):
        for process in services.processes[name].tree():
            listening = [
                c for c in process.net_connections("tcp") if c.status == psutil.CONN_LISTEN
            ]
            assert not listening, (name, listening)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to step down")
def test_root_steps_down_for_postgres(services: Services) -> None:
    assert {process.username() for process in services.processes["postgres"].tree()} == {"nobody"}


def test_seeding_again_changes_nothing(services: Services, project: Project) -> None:
    project.manage("seed", env=services.env)
    assert rows(services) == 30


def test_each_server_gets_a_fresh_copy_of_the_database(services: Services) -> None:
    uwsgi, granian = (services.env_for(name)["DATABASE_URL"] for name in ("uwsgi", "granian-wsgi"))
    assert len({uwsgi, granian, services.env["DATABASE_URL"]}) == 3
    with psycopg.connect(uwsgi, autocommit=True) as connection:
        connection.execute("DELETE FROM myapp_row")
        assert (rows_at(uwsgi), rows_at(granian), rows(services)) == (0, 30, 30)
        # The next launch of a server has a new one, though the last still holds a session.
        assert rows_at(services.env_for("uwsgi")["DATABASE_URL"]) == 30


def test_only_its_own_scans_are_counted_for_a_server(services: Services) -> None:
    counters = {name: Counters(DEMO, services.env_for(name)) for name in ("uwsgi", "gunicorn-sync")}
    before = {name: each.scans() or 0 for name, each in counters.items()}
    for _ in range(3):
        rows_at(counters["uwsgi"].env["DATABASE_URL"])
    for each in counters.values():
        each.await_sessions_end()
    assert {name: (each.scans() or 0) - before[name] for name, each in counters.items()} == {
        "uwsgi": 3,
        "gunicorn-sync": 0,
    }


@pytest.fixture
def own(project: Project, tmp_path: Path, census: Census) -> Iterator[Services]:
    """Give services that a test may kill."""
    with start_services(project, tmp_path, Shape()) as running:
        yield running


def test_killed_they_are_repaired_and_stopped_they_are_gone(own: Services, census: Census) -> None:
    old = dict(own.env)
    for name in ("postgres", "upstream"):
        own.processes[name].tree()[0].kill()
        until(own.processes[name].ended, f"the end of {name}")
    kept = own.processes["valkey"]

    died = own.repair()
    assert died is not None
    assert died.stage == "services"
    assert died.reason == "PostgreSQL was ended by SIGKILL, the upstream was ended by SIGKILL"
    assert "ready to accept connections" in (died.detail or "")
    assert own.processes["valkey"] is kept
    assert own.env["DATABASE_URL"] != old["DATABASE_URL"]
    assert own.env["REDIS_URL"] == old["REDIS_URL"]
    assert rows(own) == 30
    assert own.repair() is None

    assert len(census.leftovers()) == 2  # one folder each; the dead one's is gone
    own.stop()
    assert census.names() == []
    assert census.leftovers() == []


def test_addresses_that_are_given_are_used(
    services: Services, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in services.env.items():
        monkeypatch.setenv(name, value)
    with start_services(agreeing(project, services.env), tmp_path, Shape()) as others:
        assert others.processes == {}
        assert others.env == services.env
        assert others.env_for("uvicorn") == services.env, "nothing is created in what is not ours"
        assert others.repair() is None
    assert rows(services) == 30  # and they were not stopped


def test_a_database_that_takes_nothing(
    services: Services, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in services.env.items():
        monkeypatch.setenv(name, value)
    readonly = "options=-c%20default_transaction_read_only%3Don"
    empty = services.env["DATABASE_URL"].replace("/seeded?", "/template1?")
    monkeypatch.setenv("DATABASE_URL", f"{empty}&{readonly}")
    with (
        pytest.raises(UserError) as caught,
        start_services(agreeing(project, os.environ), tmp_path, Shape()),
    ):
        pass
    (line,) = caught.value.lines
    assert line.startswith("the services named by DATABASE_URL and REDIS_URL cannot be used: ")
    assert "read-only transaction" in line


def test_one_that_does_not_come_up_leaves_nothing(
    project: Project, tmp_path: Path, census: Census, monkeypatch: pytest.MonkeyPatch
) -> None:
    nonsense = tmp_path / "postgres" / "bin"
    nonsense.mkdir(parents=True)
    for name in ("postgres", "initdb"):
        (nonsense / name).write_text("#!/bin/sh\necho out of memory >&2\nexit 7\n")
        (nonsense / name).chmod(0o755)
    monkeypatch.setattr("loadtest.bench.servers.services.postgres_binaries", lambda: nonsense)
    with (
        pytest.raises(CommandError, match="initdb exited with status 7") as caught,
        start_services(project, tmp_path, Shape()),
    ):
        pass
    assert (caught.value.detail or "").endswith("out of memory")
    assert census.names() == []
    assert census.leftovers() == []
    assert Path(tempfile.gettempdir()) == census.folder
