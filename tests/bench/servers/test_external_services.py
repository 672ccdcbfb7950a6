"""Services that the environment names: reachable or not, ours or not, in seconds and in a line."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg
import pytest
import valkey
from command_line import Type
from demo import DEMO
from odd_redis import REPLIES, saying
from paths import ROOT

from loadtest.bench.servers import consent, external_services
from loadtest.bench.servers.services import Services
from loadtest.bench.servers.services import services as start_services
from loadtest.measure.servers.preflight import named_services
from loadtest.plan.servers.project import Project, Service
from loadtest.records.errors import UserError
from loadtest.records.planned import Shape
from loadtest.system import listening

URLS = {
    "LOADTEST_DATABASE": "postgresql://postgres:secret@127.0.0.1:{port}/postgres",
    "LOADTEST_REDIS": "redis://127.0.0.1:{port}/0",
    "LOADTEST_UPSTREAM": "http://127.0.0.1:{port}",
}


@pytest.fixture
def silent() -> Iterator[int]:
    """Give the port of something that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def agreed(env: Mapping[str, str]) -> dict[Service, str]:
    """Return what has to be typed for all that an environment names."""
    return {
        service: consent.place(service, env[DEMO.addresses[service]]).typed
        for service in consent.OPTIONS
        if DEMO.addresses[service] in env
    }


def problem(env: Mapping[str, str], allowed: Mapping[Service, str] | None = None) -> str:
    """Return the line about the only service that an environment names, to which it is agreed."""
    allowed = agreed(env) if allowed is None else allowed
    (address,) = external_services.named(env, DEMO, allowed)
    assert address.problem is not None
    assert "\n" not in address.problem
    return address.problem


def test_what_is_there_says_its_version(services: Services) -> None:
    named = external_services.named(services.env, DEMO, agreed(services.env))
    addresses = {address.variable: address for address in named}
    assert [named.problem for named in addresses.values()] == [None, None, None]
    assert (addresses["LOADTEST_DATABASE"].version or "").partition(".")[0].isdigit()
    assert (addresses["LOADTEST_REDIS"].version or "").partition(".")[0].isdigit()


def test_nothing_is_asked_where_nothing_is_named() -> None:
    assert external_services.named({"PATH": "/bin"}, DEMO, {}) == []


@pytest.mark.parametrize("variable", URLS)
def test_nobody_is_there(variable: str) -> None:
    line = problem({variable: URLS[variable].format(port=9)})
    assert line.startswith(f"{variable}: ")
    assert "refused" in line
    assert "unset it for a private one" in line
    assert "secret" not in line


@pytest.mark.slow
def test_a_silent_one_costs_seconds(silent: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external_services, "WITHIN_S", 1)  # which libpq takes as 2
    # It would wait for ever otherwise.
    urls = {name: url.format(port=silent) for name, url in URLS.items()}
    addresses = external_services.named(urls, DEMO, agreed(urls))
    assert all(address.problem for address in addresses)


@pytest.mark.parametrize(
    "env",
    [
        {"LOADTEST_DATABASE": "no address"},
        {"LOADTEST_DATABASE": "postgresql://h:x/y"},
        {"LOADTEST_REDIS": "nowhere"},
        {"LOADTEST_REDIS": "redis://h:x"},
        {"LOADTEST_UPSTREAM": "ftp://127.0.0.1"},
        {"LOADTEST_UPSTREAM": "http://127.0.0.1:x"},
        # Torn ones, of which a part is a password.
        {"LOADTEST_DATABASE": "hunter2"},
        {"LOADTEST_DATABASE": "postgresql://user:pa@hunter2@127.0.0.1/app"},
        {"LOADTEST_REDIS": "redis://user:pa#hunter2@127.0.0.1"},
        {"LOADTEST_REDIS": "redis://:hunter2@127.0.0.1:6379x/0"},
        {"LOADTEST_UPSTREAM": "https://user:hunter2@127.0.0.1"},
        {"LOADTEST_DATABASE": "postgresql://user:pass/hunter2@127.0.0.1/app"},
        {"LOADTEST_DATABASE": "postgresql://user:5/hunter2@127.0.0.1"},
        {"LOADTEST_DATABASE": "postgresql://127.0.0.1/app?password=hunter2&nonsense=hunter2"},
        {"LOADTEST_DATABASE": "postgresql://user@127.0.0.1:hunter2/app"},
        {"LOADTEST_REDIS": "redis://:pass:hunter2@127.0.0.1:6379:hunter2/0"},
        {"LOADTEST_REDIS": "rodis://:hunter2@127.0.0.1:9/0"},
        {"LOADTEST_UPSTREAM": "http://user:hunter2@127.0.0.1:9"},
        # Not clear from the address alone, or not one.
        {"LOADTEST_DATABASE": "host=127.0.0.1 dbname=app"},
        {"LOADTEST_DATABASE": "postgresql:///app"},
        {"LOADTEST_DATABASE": "postgresql://127.0.0.1"},
        {"LOADTEST_DATABASE": "postgresql://127.0.0.1,db.example/app"},
        {"LOADTEST_DATABASE": "postgresql://127.0.0.1/app?service=production"},
        {"LOADTEST_DATABASE": "postgresql://127.0.0.1/app%0a"},
        {"LOADTEST_DATABASE": ""},
        {"LOADTEST_REDIS": "redis:///0?host=db.example"},
        {"LOADTEST_REDIS": "redis://127.0.0.1/app"},
        {"LOADTEST_REDIS": "unix:///?db=0&path=/run/theirs"},
        # One host to who looks it up, another to who connects.
        {"LOADTEST_DATABASE": "postgresql://\uff11\uff12\uff17.0.0.1/app"},
        {"LOADTEST_REDIS": "redis://\u24dbocalhost/0"},
        {"LOADTEST_REDIS": "redis://[::1%65]/0"},
        {"LOADTEST_DATABASE": "postgresql://127.0.0.1:5432,127.0.0.1:5433/app"},
    ],
    ids=str,
)
def test_what_is_no_address(env: dict[str, str]) -> None:
    line = problem(env, {})
    assert line.startswith(f"{next(iter(env))}: not an address such as ")
    assert "hunter2" not in line
    assert consent.refusals(env, DEMO, {}) == ([] if "LOADTEST_UPSTREAM" in env else [line])


def test_what_is_said_of_an_address_is_without_its_password() -> None:
    url = "postgresql://me:a%40b@127.0.0.1/x?sslpassword=two"
    shown = external_services.without(url, "wrong: a%40b, a@b, two at 127.0.0.1")
    assert shown == "wrong: ..., ..., ... at 127.0.0.1"


# What was not made for the run -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "url", "typed"),
    [
        ("postgres", "postgresql://me:secret@localhost/app", "localhost/app"),
        ("postgres", "postgresql://127.0.0.1:5432/app", "127.0.0.1/app"),
        ("postgres", "postgresql://127.0.0.1:5433/app", "127.0.0.1:5433/app"),
        ("postgres", "postgresql://[::1]:5433/app", "[::1]:5433/app"),
        ("postgres", "postgresql://postgres@/seeded?host=/tmp/a", "/tmp/a/seeded"),
        # The address counts that is connected to.
        ("postgres", "postgresql://localhost/app?hostaddr=10.0.0.5", "10.0.0.5/app"),
        ("postgres", "postgresql://localhost/app?host=db.example", "db.example/app"),
        ("redis", "redis://:secret@localhost", "localhost/0"),
        ("redis", "rediss://localhost:6380/2", "localhost:6380/2"),
        ("redis", "redis://localhost/2?db=3", "localhost/3"),
        ("redis", "unix:///tmp/a/valkey.sock", "/tmp/a/valkey.sock/0"),
        ("redis", "unix://me:secret@/tmp/a%20b?db=2", "/tmp/a b/2"),
        ("upstream", "http://127.0.0.1:8081", "127.0.0.1:8081"),
    ],
)
def test_where_an_address_leads(service: Service, url: str, typed: str) -> None:
    assert consent.place(service, url).typed == typed


@pytest.mark.parametrize(
    ("env", "allowed", "line"),
    [
        (
            {"LOADTEST_DATABASE": "postgresql://me:secret@127.0.0.1/app"},
            {},
            "LOADTEST_DATABASE: 127.0.0.1/app was not made by loadtest, and would be written; type"
            " --allow-database 127.0.0.1/app to agree, or unset the variable for a private one",
        ),
        (
            # Another name of the same is not typed in full, and might be another tomorrow.
            {"LOADTEST_DATABASE": "postgresql://127.0.0.1:5433/app"},
            {"postgres": "127.0.0.1/app"},
            "LOADTEST_DATABASE: 127.0.0.1:5433/app was not made by loadtest, and would be written;"
            " type --allow-database 127.0.0.1:5433/app to agree, or unset the variable for a"
            " private one",
        ),
        (
            {"LOADTEST_REDIS": "unix:///tmp/a%20b/valkey.sock"},
            {"postgres": "127.0.0.1/app"},
            "LOADTEST_REDIS: /tmp/a b/valkey.sock/0 was not made by loadtest, and would be written;"
            " type --allow-redis '/tmp/a b/valkey.sock/0' to agree, or unset the variable for a"
            " private one",
        ),
    ],
)
def test_a_variable_is_no_consent(
    env: dict[str, str], allowed: dict[Service, str], line: str
) -> None:
    # Nobody is there: it was not even asked.
    assert external_services.named(env, DEMO, allowed)[0].problem == line
    assert consent.refusals(env, DEMO, allowed) == [line]


@pytest.mark.parametrize(
    "env",
    [
        {"LOADTEST_DATABASE": "postgresql://192.0.2.1/app"},
        {"LOADTEST_DATABASE": "postgresql://localhost/app?hostaddr=192.0.2.1"},
        {"LOADTEST_REDIS": "redis://192.0.2.1/0"},
        {"LOADTEST_UPSTREAM": "http://192.0.2.1:8081"},
    ],
    ids=str,
)
def test_what_is_elsewhere_is_refused_even_then(env: dict[str, str]) -> None:
    assert problem(env) == (
        f"{next(iter(env))}: 192.0.2.1 is not this machine, and nothing elsewhere is written or"
        " loaded; name a service of this machine, or unset it for a private one"
    )


def test_a_name_is_here_if_all_its_addresses_are(monkeypatch: pytest.MonkeyPatch) -> None:
    at = consent.place("postgres", "postgresql://db.example/app")
    known = {"127.0.0.1": True, "::1": True, "127.0.0.2": True, "192.0.2.1": False}
    for address, here in known.items():
        resolved = [(0, 0, 0, "", (each, 0)) for each in ("127.0.0.1", address)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, resolved=resolved: resolved)
        assert consent.is_here(at) == here, address


def test_consent_without_a_variable_says_nothing() -> None:
    line = problem({}, {"postgres": "127.0.0.1/app"})
    assert line == "--allow-database goes with LOADTEST_DATABASE; add that, or leave it out"


@pytest.fixture
def theirs(services: Services) -> Iterator[dict[str, str]]:
    """Give a database of others, with a table of their own, and a Redis with a key."""
    external_services._asked.cache_clear()  # another test may have found them well
    ours = services.env["LOADTEST_DATABASE"]
    redis = services.env["LOADTEST_REDIS"] + "?db=5"
    with psycopg.connect(ours, autocommit=True) as connection:
        connection.execute("CREATE DATABASE theirs")
    url = ours.replace("/seeded?", "/theirs?")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE orders AS SELECT 1 AS id")
    with valkey.Valkey.from_url(redis) as client:
        client.set("theirs", "1")
    try:
        yield {"LOADTEST_DATABASE": url, "LOADTEST_REDIS": redis}
    finally:
        with psycopg.connect(ours, autocommit=True) as connection:
            connection.execute("DROP DATABASE theirs WITH (FORCE)")
        with valkey.Valkey.from_url(redis) as client:
            client.flushdb()


def holds(env: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the tables of a database, and the keys of a Redis."""
    tables = "SELECT relname FROM pg_stat_user_tables ORDER BY relname"
    with psycopg.connect(env["LOADTEST_DATABASE"]) as connection:
        names = [str(name) for (name,) in connection.execute(tables)]
    with valkey.Valkey.from_url(env["LOADTEST_REDIS"]) as client:
        keys = client.keys()
    assert isinstance(keys, list)
    return names, sorted(key.decode() for key in keys)


@pytest.mark.parametrize(
    "command", [("run", "quick"), ("serve", "gunicorn-sync"), ("services",)], ids=" ".join
)
def test_no_command_writes_what_others_made(
    command: tuple[str, ...],
    theirs: dict[str, str],
    type_: Type,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
    out = ("--out", tmp_path / "results") if command[0] == "run" else ()
    done = type_(*command, *out)
    assert (done.status, done.out) == (2, "")
    *network, database, redis = done.lines
    assert all("LOADTEST_DATABASE, LOADTEST_REDIS" in line for line in network)
    places = agreed(theirs)
    assert f"type --allow-database {places['postgres']} to agree" in database
    assert f"type --allow-redis {places['redis']} to agree" in redis
    assert holds(theirs) == (["orders"], ["theirs"])
    assert not list(tmp_path.iterdir())


@pytest.mark.real
def test_no_command_writes_it_as_a_process(theirs: dict[str, str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loadtest", "run", "quick", "--out", tmp_path / "results"],
        cwd=ROOT,
        env=os.environ | theirs,
        capture_output=True,
        text=True,
        check=False,
    )
    network, *refused = done.stderr.splitlines()
    assert network.endswith("only Python's own sockets are held to the services")
    assert (done.returncode, done.stdout, len(refused)) == (2, "", 2), done.stderr
    assert holds(theirs) == (["orders"], ["theirs"])


def test_who_agrees_has_it_filled(
    theirs: dict[str, str], project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOADTEST_UPSTREAM", raising=False)
    for name, value in theirs.items():
        monkeypatch.setenv(name, value)
    typed = dataclasses.replace(project, allowed=agreed(theirs))
    with start_services(typed, tmp_path, Shape()) as running:
        assert set(running.processes) == {"upstream"}
        tables, keys = holds(theirs)
        assert {"myapp_row", "orders"} <= set(tables)
        assert len(keys) == 2
        # Its own servers' sessions are no others', were they there as something is repaired.
        with psycopg.connect(theirs["LOADTEST_DATABASE"]):
            running.processes["upstream"].tree()[0].kill()
            running.processes["upstream"].wait(60)
            died = running.repair()
            assert died is not None
            assert died.reason == "the upstream was ended by SIGKILL"


def test_what_others_use_is_refused_even_then(
    theirs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_services, "LEFT_WITHIN_S", 0.1)
    database, redis = ({name: url} for name, url in theirs.items())
    with (
        psycopg.connect(theirs["LOADTEST_DATABASE"]),
        valkey.Valkey.from_url(theirs["LOADTEST_REDIS"]) as by,
    ):
        by.ping()
        for env, typed in zip((database, redis), agreed(theirs).values(), strict=True):
            # Those of before may still be leaving.
            assert re.sub(r"\d+(?=\);)", "N", problem(env)) == (
                f"{next(iter(env))}: others use {typed} too (sessions: N); end them, name another,"
                " or unset it for a private one"
            )


def test_what_is_large_is_refused_even_then(
    theirs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody fills a database for tests with so much."""
    env = {"LOADTEST_DATABASE": theirs["LOADTEST_DATABASE"]}
    assert external_services.LARGEST_BYTES == 1_000_000_000
    monkeypatch.setattr(external_services, "LARGEST_BYTES", 5_000_000)
    line = re.sub(r"has \d+ MB", "has N MB", problem(env))
    assert line == (
        f"LOADTEST_DATABASE: {agreed(theirs)['postgres']} has N MB and none of more than 5 MB is"
        " written; name a smaller one, or unset it for a private one"
    )


def test_who_is_just_leaving_is_no_other(
    theirs: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_services, "LEFT_WITHIN_S", 60)
    sessions = [psycopg.connect(theirs["LOADTEST_DATABASE"]) for _ in range(3)]
    for session in sessions:
        session.close()  # of which the server hears in its own time
    env = {"LOADTEST_DATABASE": theirs["LOADTEST_DATABASE"]}
    (address,) = external_services.named(env, DEMO, {"postgres": agreed(theirs)["postgres"]})
    assert address.problem is None


def test_what_has_a_replica_is_refused_even_then(theirs: dict[str, str]) -> None:
    env = {"LOADTEST_DATABASE": theirs["LOADTEST_DATABASE"]}
    with psycopg.connect(env["LOADTEST_DATABASE"], autocommit=True) as connection:
        connection.execute("SELECT pg_create_physical_replication_slot('theirs')")
        try:
            assert "theirs is a replica or has some, so others rely on it; name" in problem(env)
        finally:
            connection.execute("SELECT pg_drop_replication_slot('theirs')")


@pytest.fixture
def standby(services: Services) -> Iterator[str]:
    """Give the address of a PostgreSQL that follows another."""
    postgres = Path(services.processes["postgres"].tree()[0].exe())
    home = Path(tempfile.mkdtemp(prefix="lt-", dir="/tmp"))
    user = services.processes["postgres"].tree()[0].username()
    who = pwd.getpwnam(user)
    os.chown(home, who.pw_uid, who.pw_gid)

    def run(*argv: str) -> subprocess.Popen[bytes]:
        other = {"user": who.pw_uid, "group": who.pw_gid} if os.geteuid() == 0 else {}
        return subprocess.Popen(
            argv, cwd=home, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **other
        )

    data, initdb = home / "data", postgres.with_name("initdb")
    argv = (str(initdb), "-D", str(data), "-U", "postgres", "-A", "trust", "--no-sync")
    assert run(*argv).wait(60) == 0
    (data / "standby.signal").touch()
    running = run(str(postgres), "-D", str(data), "-k", str(home), "-c", "listen_addresses=")
    url = f"postgresql://postgres@/postgres?host={home}"
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url):
                break
            time.sleep(0.05)
        yield url
    finally:
        running.send_signal(signal.SIGQUIT)  # its immediate shutdown
        running.wait(60)
        shutil.rmtree(home, ignore_errors=True)


def test_a_replica_is_refused_even_then(standby: str) -> None:
    line = problem({"LOADTEST_DATABASE": standby})
    assert "/postgres is a replica or has some, so others rely on it; name another" in line


def test_what_is_only_asked_needs_no_consent(theirs: dict[str, str]) -> None:
    """As where a server is up already: nothing is written then."""
    assert [each.problem for each in external_services.named(theirs, DEMO, None)] == [None, None]


def test_options_of_consent_go_with_services_of_this_machine(type_: Type) -> None:
    done = type_("run", "quick", "--launcher", "running", "--allow-redis", "127.0.0.1/0")
    assert done.status == 2
    assert done.lines == [
        "loadtest: --allow-redis goes with --launcher local; add that, or leave it out"
    ]


def test_the_doctor_and_the_services_say_it(
    services: Services, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in services.env.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LOADTEST_REDIS", "redis://127.0.0.1:9/0")
    good, bad, also = named_services(DEMO, agreed(os.environ))
    assert good.state.startswith("PostgreSQL ")
    assert (good.advice, also.advice) == (None, None)
    assert bad.fatal
    assert bad.advice is not None
    project = dataclasses.replace(project, allowed=agreed(os.environ))
    with pytest.raises(UserError) as caught, start_services(project, tmp_path, Shape()):
        pass
    assert caught.value.lines == (bad.advice,)
    assert not list(tmp_path.iterdir())  # nothing was started


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: str(reply)[:24])
def test_whatever_is_answered_is_a_version_or_a_line(
    reply: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_services, "WITHIN_S", 0.5)
    external_services._asked.cache_clear()
    with saying(reply) as port:
        env = {"LOADTEST_REDIS": URLS["LOADTEST_REDIS"].format(port=port)}
        assert problem(env).startswith("LOADTEST_REDIS: ")


def test_a_version_of_others_is_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """It stands in a table, and with a run."""
    answer = listening.Response(status=200, server="\x1b[2J" + "x" * 60_000, body=b"")
    monkeypatch.setattr(listening, "get", lambda *_: answer)
    external_services._asked.cache_clear()
    env = {"LOADTEST_UPSTREAM": URLS["LOADTEST_UPSTREAM"].format(port=9)}
    (address,) = external_services.named(env, DEMO, None)
    assert address.version is not None
    assert len(address.version) <= 100
    assert address.version.isprintable()
