"""The services that the environment names: whether they answer, and whether they may be used."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any
from urllib.parse import unquote

import psycopg
import valkey

from loadtest.bench.servers import consent
from loadtest.bench.servers.consent import Place
from loadtest.bench.servers.database import connect
from loadtest.bench.servers.service_counters import ODD
from loadtest.plan.servers.project import App, Service
from loadtest.records.errors import UserError, lone
from loadtest.records.planned import Record
from loadtest.records.text import message
from loadtest.system import listening

WITHIN_S = 3
"""For each of them to answer: on one's own network an address that takes longer is a wrong one."""

LEFT_WITHIN_S = 3.0
"""For sessions that are just ending, as those of the commands that came before."""

LARGEST_BYTES = 1_000_000_000
"""Of a database that is written: what is larger was filled by its users, and not for tests."""

MOST_VERSION = 100
"""Characters."""

SIZE = "SELECT pg_database_size(current_database())"

REPLICATES = """
SELECT pg_is_in_recovery() OR EXISTS (SELECT FROM pg_stat_replication)
OR EXISTS (SELECT FROM pg_replication_slots)
"""

SESSIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND usesysid IS NOT NULL
"""
"""Of others; without rights one is told no more of them than this needs."""


class Address(Record, frozen=True, kw_only=True):
    """A service that the environment names, as it was found."""

    variable: str
    service: str
    version: str | None
    """None where it can't be reached, or doesn't say."""
    problem: str | None
    """In one line, with what to do about it; None: it can be used."""


NAMES: Mapping[Service, str] = {
    "postgres": "PostgreSQL",
    "redis": "Valkey",
    "upstream": "the upstream",
}
"""What people call each."""


def named(env: Mapping[str, str], app: App, allowed: Mapping[Service, str] | None) -> list[Address]:
    """Look at each service that `env` names; takes seconds where one is silent.

    `allowed` has the places that were typed in full to be written and loaded, which others must not
    use; None: they are only asked for their version.
    """
    counter = app.upstream.counter if app.upstream else ""
    addresses = [
        _looked_at(service, variable, env[variable], counter, allowed)
        for service, variable in app.addresses.items()
        if variable in env
    ]
    idle = [service for service in allowed or () if app.addresses.get(service, "") not in env]
    return addresses + [
        Address(
            variable=app.addresses.get(service, NAMES[service]),
            service=NAMES[service],
            version=None,
            problem=lone(consent.OPTIONS[service], app.addresses.get(service, "a database")),
        )
        for service in idle
    ]


def _looked_at(
    service: Service,
    variable: str,
    url: str,
    counter_path: str,
    allowed: Mapping[Service, str] | None,
) -> Address:
    version, problem = None, None
    try:
        at = consent.place(service, url)
        if allowed is not None:
            _refuse_elsewhere(at)
            problem = consent.refusal(service, variable, at, allowed)
        if problem is None:
            version = _asked(service, url, at, counter_path, allowed is not None)
    except (psycopg.Error, valkey.ValkeyError, http.client.HTTPException, OSError) as error:
        why = without(url, str(error)).strip() or type(error).__name__
        problem = _problem(variable, NAMES[service], why)
    except UserError as refused:
        problem = f"{variable}: {refused}, or unset it for a private one"
    except ValueError:
        problem = consent.malformed(service, variable)
    except ODD:
        problem = _problem(variable, NAMES[service], "what it answers is no answer")
    # Somebody else's says what it likes.
    version = version and message(str(version), MOST_VERSION)
    return Address(variable=variable, service=NAMES[service], version=version, problem=problem)


def without(url: str, text: str) -> str:
    """Return what was said of an address, without the passwords in it."""
    parts = consent.ADDRESS.fullmatch(url)
    if parts is None:
        return text
    pairs = (parts["query"] or "").split("&")
    # What the query says of the place is no secret.
    values = {pair.partition("=")[2] for pair in pairs if "password" in pair.partition("=")[0]}
    secrets = {parts["password"] or "", *values}
    for secret in sorted(secrets | set(map(unquote, secrets)), key=len, reverse=True):
        text = text.replace(secret, "...") if secret else text
    return text


def _refuse_elsewhere(at: Place) -> None:
    if not consent.is_here(at):
        raise UserError(
            f"{at.host} is not this machine, and nothing elsewhere is written or loaded;"
            " name a service of this machine"
        )


@cache
def _asked(service: Service, url: str, at: Place, counter_path: str, written: bool) -> str | None:
    """Return a service's version; raises UserError where it is `written` and others rely on it.

    One that is well is asked once in a process, no more: later the sessions are the run's own.
    """
    if service == "postgres":
        return _postgres(url, at, written)
    if service == "redis":
        return _redis(url, at, written)
    answer = listening.get(at.host, at.port, counter_path, WITHIN_S)
    if answer.status != 200:
        raise UserError(
            f"GET {counter_path} is answered by {answer.status}, so it is not this project's;"
            " correct the address"
        )
    return answer.server


def _postgres(url: str, at: Place, written: bool) -> str | None:
    # In a transaction all looks at sessions are the first one again.
    with connect(url, connect_timeout=WITHIN_S, autocommit=True) as connection:

        def number(query: str) -> int:
            row: Any = connection.execute(query.encode()).fetchone()
            return int(row[0])

        if written:
            _refuse_shared(at, bool(number(REPLICATES)), lambda: number(SESSIONS))
            if (size := number(SIZE)) > LARGEST_BYTES:
                raise UserError(
                    f"{at.typed} has {size / 1e6:,.0f} MB and none of more than"
                    f" {LARGEST_BYTES / 1e6:,.0f} MB is written; name a smaller one"
                )
        return connection.info.parameter_status("server_version")


def _redis(url: str, at: Place, written: bool) -> str | None:
    with valkey.Valkey.from_url(
        url, socket_connect_timeout=WITHIN_S, socket_timeout=WITHIN_S
    ) as client:
        facts: Any = client.info()

        def others() -> int:
            own = str(client.client_id())
            clients: Any = client.client_list()
            return sum(each["db"] == at.name and each["id"] != own for each in clients)

        if written:
            replicates = facts.get("role") != "master" or bool(facts.get("connected_slaves"))
            _refuse_shared(at, replicates, others)
    version: str | None = facts.get("valkey_version") or facts.get("redis_version")
    return version


def _refuse_shared(at: Place, replicates: bool, others: Callable[[], int]) -> None:
    """Raise UserError where a database is not its owner's alone; waits a moment for who leaves."""
    if replicates:
        raise UserError(f"{at.typed} is a replica or has some, so others rely on it; name another")
    deadline = time.monotonic() + LEFT_WITHIN_S
    while (count := others()) and time.monotonic() < deadline:
        time.sleep(0.05)
    if count:
        raise UserError(f"others use {at.typed} too (sessions: {count}); end them, name another")


def _problem(variable: str, service: str, error: str) -> str:
    why = " ".join(error.strip().splitlines()[0].split()).rstrip(".")
    return (
        f"{variable}: {service} cannot be used: {why};"
        " correct the address, or unset it for a private one"
    )
