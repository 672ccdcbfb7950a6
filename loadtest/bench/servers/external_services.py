"""The services that the environment names: whether they answer, and which version they are."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from functools import cache
from urllib.parse import urlsplit

import psycopg
import valkey

from loadtest.plan.servers.project import App, Service
from loadtest.records.planned import Record
from loadtest.system import listening

WITHIN_S = 3
"""For each of them to answer: on one's own network an address that takes longer is a wrong one."""


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


def named(env: Mapping[str, str], app: App) -> list[Address]:
    """Ask each service that `env` names for its version; takes seconds where one is silent."""
    return [
        _asked(service, variable, env[variable], app.counter_path)
        for service, variable in app.addresses.items()
        if variable in env
    ]


def _asked(service: Service, variable: str, url: str, counter_path: str) -> Address:
    version, problem = None, None
    try:
        version = _version(service, url, counter_path)
    except (psycopg.Error, valkey.ValkeyError, http.client.HTTPException, OSError) as error:
        problem = _problem(variable, NAMES[service], str(error) or type(error).__name__)
    except ValueError as error:  # of what is no URL
        problem = _problem(variable, NAMES[service], str(error))
    return Address(variable=variable, service=NAMES[service], version=version, problem=problem)


@cache
def _version(service: Service, url: str, counter_path: str) -> str | None:
    """Return a service's version; one that has told it is asked once in a process, no more."""
    if service == "postgres":
        with psycopg.connect(url, connect_timeout=WITHIN_S) as connection:
            return connection.info.parameter_status("server_version")
    if service == "redis":
        with valkey.Valkey.from_url(
            url, socket_connect_timeout=WITHIN_S, socket_timeout=WITHIN_S
        ) as client:
            facts = client.info("server")
        assert isinstance(facts, dict)
        return facts.get("valkey_version") or facts.get("redis_version")
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{url!r} is no http:// address")
    answer = listening.get(parts.netloc, None, counter_path, WITHIN_S)
    if answer.status != 200:
        raise ValueError(
            f"GET {counter_path} is answered by {answer.status}, so it is not this project's"
        )
    return answer.server


def _problem(variable: str, service: str, error: str) -> str:
    why = " ".join(error.strip().splitlines()[0].split()).rstrip(".")
    return (
        f"{variable}: {service} cannot be used: {why};"
        " correct the address, or unset it for a private one"
    )
