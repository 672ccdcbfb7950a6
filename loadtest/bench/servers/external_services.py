"""The services that the environment names: whether they answer, and which version they are."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Mapping
from functools import partial
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


def named(env: Mapping[str, str], app: App) -> list[Address]:
    """Ask each service that `env` names for its version; takes seconds where one is silent."""
    asked: dict[Service, tuple[str, Callable[[str], str | None]]] = {
        "postgres": ("PostgreSQL", _postgres),
        "redis": ("Valkey", _redis),
        "upstream": ("the upstream", partial(_upstream, app.counter_path)),
    }
    return [
        _ask(variable, *asked[service], env[variable])
        for service, variable in app.addresses.items()
        if variable in env
    ]


def _ask(variable: str, service: str, ask: Callable[[str], str | None], url: str) -> Address:
    version, problem = None, None
    try:
        version = ask(url)
    except (psycopg.Error, valkey.ValkeyError, http.client.HTTPException, OSError) as error:
        problem = _problem(variable, service, str(error) or type(error).__name__)
    except ValueError as error:  # of what is no URL
        problem = _problem(variable, service, str(error))
    return Address(variable=variable, service=service, version=version, problem=problem)


def _problem(variable: str, service: str, error: str) -> str:
    why = " ".join(error.strip().splitlines()[0].split()).rstrip(".")
    return (
        f"{variable}: {service} cannot be used: {why};"
        " correct the address, or unset it for a private one"
    )


def _postgres(url: str) -> str | None:
    with psycopg.connect(url, connect_timeout=WITHIN_S) as connection:
        return connection.info.parameter_status("server_version")


def _redis(url: str) -> str | None:
    with valkey.Valkey.from_url(
        url, socket_connect_timeout=WITHIN_S, socket_timeout=WITHIN_S
    ) as client:
        separated = client.info("server")
    assert isinstance(separated, dict)
    return separated.get("valkey_version") or separated.get("redis_version")


def _upstream(path: str, url: str) -> str | None:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise ValueError(f"{url!r} is no http:// address")
    answer = listening.get(parts.netloc, None, path, WITHIN_S)
    if answer.status != 200:
        raise ValueError(f"GET {path} is answered by {answer.status}, so it is not this project's")
    return answer.server
