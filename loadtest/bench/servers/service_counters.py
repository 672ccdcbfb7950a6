"""Reads what the services counted: the work that right answers cannot do without."""

from __future__ import annotations

import http.client
import time
from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec
import psycopg
import valkey

from loadtest.records.planned import Contract, Record

TIMEOUT_S = 5

END_WITHIN_S = 1.0

NOT_WORK = ("hello", "client", "auth", "select", "info", "ping", "command", "config")
"""Redis commands of connecting and of counting."""

SCANS = """
SELECT coalesce(sum(seq_scan + coalesce(idx_scan, 0)), 0)::bigint FROM pg_stat_user_tables
"""

CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
AND datname = current_database()
"""


class Counts(Record, frozen=True, kw_only=True):
    """What each service has counted since it was started; None where it was not asked or heard."""

    postgres: int | None = None
    redis: int | None = None
    upstream: int | None = None


def read(env: Mapping[str, str], contract: Contract) -> Counts:
    """Return the counts of the services that an endpoint needs.

    A session of PostgreSQL reports its scans after up to 10 s, or when it ends: for exact counts
    the server under test has to be gone.
    """
    return Counts(
        postgres=_postgres(env["DATABASE_URL"], SCANS) if contract.postgres else None,
        redis=_redis(env["REDIS_URL"]) if contract.redis else None,
        upstream=_upstream(env["UPSTREAM_URL"]) if contract.upstream else None,
    )


def database_connections(env: Mapping[str, str]) -> int | None:
    """Return how many sessions others than this one have in PostgreSQL."""
    return _postgres(env["DATABASE_URL"], CONNECTIONS)


def await_sessions_end(env: Mapping[str, str]) -> None:
    """Wait a moment for the sessions of a server that was stopped: each reports as it ends.

    In a database that others use too they do not all end, and it is not waited for long.
    """
    deadline = time.monotonic() + END_WITHIN_S
    while database_connections(env) and time.monotonic() < deadline:
        time.sleep(0.01)


def _postgres(url: str, query: str) -> int | None:
    try:
        with psycopg.connect(url, connect_timeout=TIMEOUT_S) as connection:
            row = connection.execute(query.encode()).fetchone()
    except psycopg.Error:
        return None
    return int(row[0]) if row else None


def _redis(url: str) -> int | None:
    try:
        with valkey.Valkey.from_url(url, socket_timeout=TIMEOUT_S) as client:
            stats = client.info("commandstats")
    except valkey.ValkeyError:
        return None
    assert isinstance(stats, dict)
    return sum(
        int(counted["calls"])
        for name, counted in stats.items()
        if not name.removeprefix("cmdstat_").startswith(NOT_WORK)
    )


def _upstream(url: str) -> int | None:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/count", headers={"Connection": "close"})
        return int(msgspec.json.decode(connection.getresponse().read())["requests"])
    except (OSError, http.client.HTTPException, msgspec.MsgspecError, LookupError, TypeError):
        return None
    finally:
        connection.close()
