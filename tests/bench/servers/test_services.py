"""PostgreSQL, Valkey and the upstream, as real processes."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.request import urlopen

import psutil
import psycopg
import pytest
import valkey as valkey_client
from builders import contract
from census import Census, until
from demo import DEMO, PROJECT
from paths import ROOT
from psycopg.conninfo import conninfo_to_dict

from loadtest.bench.load import ceiling
from loadtest.bench.servers import consent, external_services
from loadtest.bench.servers.service_counters import Counters
from loadtest.bench.servers.services import (
    Services,
    obstacles,
    postgres_binaries,
    postgres_user,
)
from loadtest.bench.servers.services import services as start_services
from loadtest.cli import record
from loadtest.plan.servers.project import FILES, SERVER_MEDIA, App, Project, Service
from loadtest.records.errors import UserError
from loadtest.records.planned import Shape
from loadtest.system import limits, listening, process
from loadtest.system.process import CommandError

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("no_addresses")]


def rows(services: Services) -> int:
    return rows_at(services.env["LOADTEST_DATABASE"])


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
        connection.connect(services.env["LOADTEST_REDIS"].removeprefix("unix://"))
        connection.sendall(" ".join(words).encode() + b"\r\n")
        return connection.recv(4096)


def test_they_are_up_and_seeded(services: Services) -> None:
    assert rows(services) == 30
    assert valkey(services, "DBSIZE") == b":1\r\n"
    with urlopen(f"{services.env['LOADTEST_UPSTREAM']}/posts", timeout=60) as answer:
        assert answer.status == 200
    assert set(services.processes) == {"postgres", "valkey", "upstream"}
    assert services.repair() is None


def test_they_listen_where_nobody_else_does(services: Services) -> None:
    """Two runs, or a run beside a system's own PostgreSQL, do not meet."""
    for name in ("postgres", "valkey"):
        for member in services.processes[name].tree():
            connections = []
            with contextlib.suppress(psutil.NoSuchProcess):  # some of PostgreSQL's come and go
                connections = member.net_connections("tcp")
            listeners = [c for c in connections if c.status == psutil.CONN_LISTEN]
            assert not listeners, (name, listeners)


def test_a_valkey_with_a_port_takes_no_orders(tmp_path: Path, census: Census) -> None:
    """Any program of this machine can reach it: it neither ends nor writes a file for one."""
    app = App(addresses={"redis": "LOADTEST_REDIS"})
    with start_services(Project(tmp_path, sys.executable, app), tmp_path, Shape()) as running:
        address = running.env["LOADTEST_REDIS"]
        assert address.startswith("redis://127.0.0.1:")
        connections = running.processes["valkey"].tree()[0].net_connections("tcp")
        listeners = [c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN]
        assert listeners == ["127.0.0.1"]
        with valkey_client.Valkey.from_url(f"{address}/0") as client:
            assert client.set("a", "b")
            assert client.flushdb()
            for order in ("SHUTDOWN", "SAVE", "CONFIG SET dir /tmp", "REPLICAOF 192.0.2.1 6379"):
                with pytest.raises(valkey_client.exceptions.NoPermissionError):
                    client.execute_command(*order.split())
        assert Counters(app, running.env).read(contract(redis=1)).redis == 2
    assert census.names() == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to step down")
def test_a_user_without_a_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container that was started with `--user`: initdb would end half-way."""
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    told = [line for line in obstacles(1, DEMO.addresses) if "54321" in line]
    assert len(told) == 1
    assert obstacles(1, {"redis": "LOADTEST_REDIS"}) == []
    monkeypatch.setenv("LOADTEST_DATABASE", "postgresql://me@127.0.0.1/app")
    assert obstacles(1, DEMO.addresses) == []


def test_root_steps_down_for_postgres(services: Services) -> None:
    assert {process.username() for process in services.processes["postgres"].tree()} == {"nobody"}


def test_seeding_again_changes_nothing(services: Services, project: Project) -> None:
    project.manage("seed", env=services.env)
    assert rows(services) == 30


def test_a_database_that_was_filled_in_part_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that was filled is left: a seed script may not be for running twice on it."""
    app = App(scripts=(("seed.py",),), sqlite=True)
    seeded: list[str] = []

    def prepare(project: Project, env: Mapping[str, str]) -> str:
        seeded.append(env["LOADTEST_SQLITE"])
        if len(seeded) == 1:
            raise CommandError("half-way", "")
        return ""

    monkeypatch.setattr(Project, "prepare", prepare)
    running = Services(Project(tmp_path, sys.executable, app), tmp_path, Shape())
    try:
        with pytest.raises(CommandError):
            running.start()
        running.start()
        running.start()
    finally:
        running.stop()
    assert len(seeded) == len({*seeded}) == 2


def test_a_database_of_others_is_filled_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another service had to be started again as well."""
    address = "postgresql://me@127.0.0.1/app"
    monkeypatch.setenv("LOADTEST_DATABASE", address)
    app = App(addresses={"postgres": "LOADTEST_DATABASE"}, scripts=(("seed.py",),))
    seeded: list[str] = []
    monkeypatch.setattr(
        Project, "prepare", lambda self, env: seeded.append(env["LOADTEST_DATABASE"])
    )
    monkeypatch.setattr(external_services, "named", lambda *of: [])
    running = Services(Project(tmp_path, sys.executable, app), tmp_path, Shape())
    for _ in range(2):
        running.start()
    running.stop()
    assert seeded == [address]


def test_each_server_gets_a_fresh_copy_of_the_database(services: Services) -> None:
    names = ("uwsgi", "granian-wsgi")
    uwsgi, granian = (services.env_for(name)["LOADTEST_DATABASE"] for name in names)
    assert len({uwsgi, granian, services.env["LOADTEST_DATABASE"]}) == 3
    with psycopg.connect(uwsgi, autocommit=True) as connection:
        connection.execute("DELETE FROM myapp_row")
        assert (rows_at(uwsgi), rows_at(granian), rows(services)) == (0, 30, 30)
        # The next launch of a server has a new one, though the last still holds a session.
        assert rows_at(services.env_for("uwsgi")["LOADTEST_DATABASE"]) == 30


def test_each_server_gets_the_files_of_the_database(tmp_path: Path) -> None:
    """What another has made under a name would give its own another one."""
    (tmp_path / "media").mkdir()
    (tmp_path / "media" / "bread.jpg").symlink_to("not-there")
    running = Services(Project(tmp_path, sys.executable, App()), tmp_path, Shape())
    running.env[FILES] = str(tmp_path)
    names = ("uwsgi", "granian-wsgi")
    first, second = (Path(running.env_for(name)[SERVER_MEDIA]) for name in names)
    (first / "bread.small.jpg").touch()
    assert {path.name for path in second.iterdir()} == {"bread.jpg"}
    again = Path(running.env_for("uwsgi")[SERVER_MEDIA])
    assert {path.name for path in again.iterdir()} == {"bread.jpg"}


def test_libpq_s_own_variables_lead_nowhere_else(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they add would make databases at PGHOSTADDR, and drop those of the same name."""
    for name, value in (("PGHOSTADDR", "192.0.2.1"), ("PGPORT", "1"), ("PGSERVICE", "theirs")):
        monkeypatch.setenv(name, value)
    address = services.env_for("libpq")["LOADTEST_DATABASE"]
    assert "PGHOSTADDR" not in os.environ
    assert rows_at(address) == 30


def test_only_its_own_scans_are_counted_for_a_server(services: Services) -> None:
    counters = {name: Counters(DEMO, services.env_for(name)) for name in ("uwsgi", "gunicorn-sync")}
    before = {name: each.scans() or 0 for name, each in counters.items()}
    for _ in range(3):
        rows_at(counters["uwsgi"].env["LOADTEST_DATABASE"])
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
    assert own.env["LOADTEST_DATABASE"] != old["LOADTEST_DATABASE"]
    assert own.env["LOADTEST_REDIS"] == old["LOADTEST_REDIS"]
    assert rows(own) == 30
    assert own.repair() is None

    assert len(census.leftovers()) == 3  # one folder each, and files; the dead one's is gone
    own.stop()
    assert census.names() == []
    assert census.leftovers() == []


def test_addresses_that_are_given_are_used(
    services: Services, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {name: services.env[name] for name in DEMO.addresses.values()}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with start_services(agreeing(project, services.env), tmp_path, Shape()) as others:
        assert others.processes == {}
        told = {**others.env, **others.env_for("uvicorn")}
        assert {name: told[name] for name in given} == given, "nothing is created in others'"
        assert others.repair() is None
    assert rows(services) == 30  # and they were not stopped


def test_a_database_that_takes_nothing(
    services: Services, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {name: services.env[name] for name in DEMO.addresses.values()}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    readonly = "options=-c%20default_transaction_read_only%3Don"
    empty = services.env["LOADTEST_DATABASE"].replace("/seeded?", "/template1?")
    monkeypatch.setenv("LOADTEST_DATABASE", f"{empty}&{readonly}")
    with (
        pytest.raises(UserError) as caught,
        start_services(agreeing(project, os.environ), tmp_path, Shape()),
    ):
        pass
    (line,) = caught.value.lines
    named = "LOADTEST_DATABASE and LOADTEST_REDIS"
    assert line.startswith(f"the services named by {named} cannot be used: ")
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


ENGINE = """
import os, signal, sys
from loadtest.cli.main import main
from loadtest.system import process
start, step = process.start, sys.argv.pop(1)
def killed(name, *rest, **more):
    if name == step:
        os.kill(os.getpid(), signal.SIGKILL)
    return start(name, *rest, **more)
process.start = killed
main()
"""


@contextlib.contextmanager
def typed(step: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """Give a command in a process of its own, which kills itself just before it starts `step`."""
    argv = [sys.executable, "-c", ENGINE, step, *words]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL) as command:
        try:
            yield command
        finally:
            command.kill()


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("initdb", ["services"]),
        ("PostgreSQL", ["services"]),
        ("Valkey", ["services"]),
        ("the upstream", ["services"]),
        ("uvicorn", ["serve", "uvicorn"]),
        ("nginx", ["clients", "--serve"]),
    ],
)
def test_killed_between_two_steps_nothing_is_left(
    step: str, words: list[str], census: Census
) -> None:
    with typed(step, *words) as command:
        assert command.wait(120) == -signal.SIGKILL
    census.empty()
    assert census.leftovers() == []


def test_interrupted_between_two_steps_nothing_is_left(
    project: Project, tmp_path: Path, census: Census, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = process.start

    def interrupted(name: str, *rest: object, **more: object) -> process.Process:
        if name == "PostgreSQL":
            raise KeyboardInterrupt
        return start(name, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(process, "start", interrupted)
    with pytest.raises(KeyboardInterrupt), start_services(project, tmp_path, Shape()):
        pass
    assert census.names() == []
    assert census.leftovers() == []


def segments(maker: int) -> list[str]:
    """Return the System V segments that a process has made, whether it is still there or not."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return [words[1] for words in map(str.split, lines) if int(words[4]) == maker]


linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux what is shared")


def initialising(census: Census) -> psutil.Process | None:
    """Return the PostgreSQL that initdb has at work, once it fills the new database."""
    for each, words in census.commands():
        if {"--boot", "--single"} & set(words[1:2]):
            return each
    return None


@linux
@pytest.mark.parametrize("what", ["INT", "KILL", "the warden"])
def test_initdb_interrupted_leaves_nothing_in_memory(what: str, census: Census) -> None:
    makers: set[int] = set()

    def at_work() -> bool:
        each = initialising(census)
        makers.update([each.pid] if each and segments(each.pid) else [])
        return bool(makers)

    with typed("nothing", "services") as command:
        until(at_work, "initdb at work")
        if what == "the warden":
            wardens = [
                each
                for each, words in census.commands()
                if all(word in " ".join(words) for word in ("initdb", "warden.py"))
            ]
            assert len(wardens) == 2
            wardens[-1].kill()
        else:
            command.send_signal(signal.Signals[f"SIG{what}"])
        command.wait(120)
    census.empty()
    assert census.leftovers() == []
    assert [segments(maker) for maker in makers] == [[]]


@linux
def test_killed_itself_it_leaves_nothing_in_memory(own: Services, census: Census) -> None:
    postgres = own.processes["postgres"].tree()[0]
    assert segments(postgres.pid)
    assert "/dev/shm/PostgreSQL" not in Path(f"/proc/{postgres.pid}/maps").read_text()
    postgres.kill()
    until(own.processes["postgres"].ended, "the end of PostgreSQL")
    own.stop()
    assert census.leftovers() == []
    assert not segments(postgres.pid)


def home_of(services: Services) -> Path:
    return Path(str(conninfo_to_dict(services.env["LOADTEST_DATABASE"])["host"]))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to step down")
def test_programs_that_are_closed_to_others_are_copied(
    project: Project, tmp_path: Path, census: Census, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a clone below root's home, made with a umask that closes all to others."""
    install = postgres_binaries().parent
    closed = tmp_path / "closed" / install.parent.name
    shutil.copytree(install, closed / install.name, ignore=shutil.ignore_patterns("include"))
    libraries = f"{install.parent.name}.libs"
    shutil.copytree(install.parent.with_name(libraries), closed.with_name(libraries))
    for path in closed.parent.rglob("*"):
        path.chmod(path.stat().st_mode & 0o700)
    closed.parent.chmod(0o700)
    monkeypatch.setattr(
        "loadtest.bench.servers.services.postgres_binaries", lambda: closed / install.name / "bin"
    )
    with start_services(project, tmp_path, Shape()) as running:
        assert rows(running) == 30
        home = home_of(running)
        assert Path(running.processes["postgres"].tree()[0].exe()).is_relative_to(home)
        assert_private(home)
    assert census.leftovers() == []


def assert_private(home: Path) -> None:
    """Make sure that nobody else can reach the socket, whose database trusts whoever does."""
    assert (home / ".s.PGSQL.5432").is_socket()
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert home.owner() == (postgres_user() or home.owner())


def test_the_sockets_are_private(services: Services) -> None:
    assert_private(home_of(services))
    valkeys = Path(services.env["LOADTEST_REDIS"].removeprefix("unix://")).parent
    assert stat.S_IMODE(valkeys.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        ("a b&c#d%e;f'g{h}?\"$`\\,", 0o755),
        ("long" * 20, 0o755),
        ("private", 0o700),
    ],
)
def test_any_folder_for_temporary_files_will_do(
    name: str,
    mode: int,
    project: Project,
    tmp_path: Path,
    census: Census,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    folder, other = census.folder / name, census.folder / "other"
    for each in (folder, other):
        each.mkdir()
        each.chmod(0o755)
    folder.chmod(mode)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(limits, "PLACES", (str(other),))
    with start_services(project, tmp_path, Shape()) as running:
        assert rows(running) == 30
        counters = Counters(project.app, running.env_for("uvicorn"))
        assert counters.sessions() is not None
        with valkey_client.Valkey.from_url(running.env["LOADTEST_REDIS"]) as client:
            assert client.ping()
        with ceiling.serving({"body": b"x" * 9}, tmp_path / "nginx.log") as (_, port):
            assert listening.get(listening.HOST, port, "/body", 60).body == b"x" * 9
    for each in (folder, other):
        assert list(each.iterdir()) == []


def test_places_without_end_are_told_in_part(tmp_path: Path) -> None:
    """That there were too many to be read looked like none."""
    running = Services(PROJECT, tmp_path, Shape())
    running.env[FILES] = str(tmp_path)
    lines = "".join(f"10.0.0.1:{number}\n" for number in range(1_000))
    (tmp_path / "refused").write_text(lines * 700)
    places = running.refused()
    assert (places[0], len(places)) == ("10.0.0.1:0", 1_000)
    assert record._first(places)[-2:] == ["10.0.0.1:19", "980 more"]
    assert record._first(places[:20]) == places[:20]
