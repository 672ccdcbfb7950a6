"""Reads what the services counted: the work that right answers cannot do without."""

from __future__ import annotations

import http.client
import struct
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psycopg
import valkey

from loadtest.bench.servers.database import connect
from loadtest.plan.servers.project import COUNTS, App, Service
from loadtest.records.planned import Contract, Record
from loadtest.system import listening

TIMEOUT_S = 5
END_WITHIN_S = 1.0

ODD = (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError)
"""What comes of an answer that is none: somebody else's service may say anything."""

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

    redis: int | None = None
    upstream: int | None = None
    exceptions: int | None = None
    """That views left to Django; these and what follows are of the project's own processes."""
    statements: int | None = None
    changes: int | None = None


COUNTED = ("exceptions", "statements", "changes")
"""As `inside/loadtest_counts.py` writes them."""

NUMBERS = struct.Struct(f"<{len(COUNTED)}Q")


@dataclass(frozen=True)
class Counters:
    """The services of an app, at the addresses by which this machine reaches them."""

    app: App
    env: Mapping[str, str]
    """By the app's variables; without those that are not reached."""
    exact_scans: bool = True
    """Whether PostgreSQL will tell of all scans at some time."""

    def read(self, contract: Contract) -> Counts:
        """Return the counts of the services that an endpoint needs, but for PostgreSQL's.

        With them go those of the server's own processes.
        """
        return Counts(
            redis=self._ask("redis", _redis) if contract.redis else None,
            upstream=self._ask("upstream", self._upstream) if contract.upstream else None,
            **self._inside(),
        )

    def _inside(self) -> dict[str, int]:
        """Return what the server's processes have counted, nothing where they do not count."""
        folder = self.env.get(COUNTS)
        if folder is None:
            return {}
        files = [path.read_bytes() for path in Path(folder).iterdir()]
        whole = [NUMBERS.unpack(data) for data in files if len(data) == NUMBERS.size]
        return {name: sum(each[at] for each in whole) for at, name in enumerate(COUNTED)}

    def sessions(self) -> int | None:
        """Return how many sessions others than this one have in PostgreSQL."""
        return self._ask("postgres", partial(_postgres, CONNECTIONS))

    def scans(self) -> int | None:
        """Return how many scans PostgreSQL was told of.

        A session reports its scans after up to 10 s, or when it ends.
        """
        return self._ask("postgres", partial(_postgres, SCANS)) if self.exact_scans else None

    def await_sessions_end(self) -> None:
        """Wait a moment for the sessions of a server that was stopped: each reports as it ends.

        In a database that others use too they do not all end, and it is not waited for long.
        """
        deadline = time.monotonic() + END_WITHIN_S
        while self.sessions() and time.monotonic() < deadline:
            time.sleep(0.01)

    def _ask(self, service: Service, ask: Callable[[str], int | None]) -> int | None:
        address = self.env.get(self.app.addresses.get(service, ""))
        return None if address is None else ask(address)

    def _upstream(self, url: str) -> int | None:
        upstream = self.app.upstream
        assert upstream is not None
        try:
            body = listening.get(urlsplit(url).netloc, None, upstream.counter, TIMEOUT_S).body
            return int(msgspec.json.decode(body)[upstream.key])
        except (OSError, http.client.HTTPException, *ODD):
            return None


def _postgres(query: str, url: str) -> int | None:
    try:
        with connect(url, connect_timeout=TIMEOUT_S) as connection:
            row = connection.execute(query.encode()).fetchone()
            return int(row[0]) if row else None
    except (psycopg.Error, *ODD):
        return None


def _redis(url: str) -> int | None:
    try:
        with valkey.Valkey.from_url(url, socket_timeout=TIMEOUT_S) as client:
            stats: Any = client.info("commandstats")
            return sum(
                int(counted["calls"])
                for name, counted in stats.items()
                if not name.removeprefix("cmdstat_").startswith(NOT_WORK)
            )
    except (valkey.ValkeyError, *ODD):
        return None
