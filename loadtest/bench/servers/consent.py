"""Which services of others may be written: a variable that names one is no consent, typing it is.

It runs in the image of the servers too, which has psycopg and none of the engine's other clients.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
import socket
from collections.abc import Mapping
from urllib.parse import parse_qs, unquote, urlsplit

from loadtest.plan.servers.project import App, Service
from loadtest.records.planned import Record

OPTIONS: Mapping[Service, str] = {"postgres": "--allow-database", "redis": "--allow-redis"}
"""What is typed for each service that a run writes; the upstream is only asked."""

EXAMPLES: Mapping[Service, str] = {
    "postgres": "postgresql://USER:PASSWORD@HOST:5432/NAME",
    "redis": "redis://HOST:6379/0",
    "upstream": "http://HOST:9000",
}

ADDRESS = re.compile(
    r"[a-z][a-z+]*://"
    r"([^@:/?#\[\]\s]*(:(?P<password>[^@/?#\[\]\s]*))?@)?"
    r"(([^@:/?#\[\]\s]*|\[[\da-fA-F:.%]*\])(:\d{1,5})?)"
    r"(/[^@?#\s]*)?(\?(?P<query>[^@#\s]*))?"
)
"""What all who read an address part in the same way: a password with another character in it, as
an @, would partly be taken for the host, and stand in a message."""

PORTS: Mapping[Service, int] = {"postgres": 5432, "redis": 6379, "upstream": 80}


class Place(Record, frozen=True, kw_only=True):
    """Where an address leads; without its user and password, so it can be printed."""

    host: str
    """A name, an IP address, or the path of a Unix socket."""
    port: int
    name: str
    """Of the database; empty for the upstream."""
    typed: str
    """In full, as `HOST/NAME`; with the port where that is not the usual one."""


def place(service: Service, url: str) -> Place:
    """Return where an address leads.

    Raises ValueError where that is not one host and one database, or not clear from the address
    alone; its text may hold what stands in the address.
    """
    if not ADDRESS.fullmatch(url):
        raise ValueError("not parted by all in the same way")
    host, port, name = _database(url) if service == "postgres" else _location(service, url)
    # With a letter beyond ASCII, or a %, one who connects may come to another host than who looks.
    plain = re.fullmatch(r"[\w.:-]+", host, re.ASCII) or (
        host.startswith("/") and host.isprintable()
    )
    if not plain or not name.isprintable() or re.search(r"[/=@\s]", name):
        raise ValueError("no host or database can be called that")
    if service != "upstream" and not name:
        raise ValueError("no database in it")
    at = f"[{host}]" if ":" in host else host
    at += f":{port}" if port != PORTS[service] else ""
    return Place(host=host, port=port, name=name, typed=f"{at}/{name}" if name else at)


def _database(url: str) -> tuple[str, int, str]:
    import psycopg  # by which the app's settings read it too
    from psycopg.conninfo import conninfo_to_dict

    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error as error:
        raise ValueError(str(error)) from None
    if "service" in parts:
        raise ValueError("a file says where it leads")
    host = parts.get("hostaddr") or parts.get("host") or ""
    return str(host), int(parts.get("port") or PORTS["postgres"]), str(parts.get("dbname") or "")


def _location(service: Service, url: str) -> tuple[str, int, str]:
    parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
    schemes = ("http",) if service == "upstream" else ("redis", "rediss", "unix")
    if parts.scheme not in schemes or query.keys() & {"host", "port", "path"}:
        raise ValueError("not an address of this service")
    port = parts.port or PORTS[service]
    if service == "upstream":
        return "" if "@" in parts.netloc else parts.hostname or "", port, ""
    socket_path = unquote(parts.path) if parts.scheme == "unix" else ""
    number = query.get("db", ["" if socket_path else parts.path.strip("/")])[0]
    return socket_path or parts.hostname or "", port, str(int(number or 0))


def is_here(at: Place) -> bool:
    """Say whether a place is on this machine; raises OSError for a name that is unknown."""
    if at.host.startswith("/"):
        return True
    addresses = {entry[4][0] for entry in socket.getaddrinfo(at.host, at.port)}
    return all(ipaddress.ip_address(str(ip).partition("%")[0]).is_loopback for ip in addresses)


def refusal(
    service: Service, variable: str, at: Place, allowed: Mapping[Service, str]
) -> str | None:
    """Return in one line that nobody agreed to the writing of a place; None where somebody did."""
    if service not in OPTIONS or allowed.get(service) == at.typed:
        return None
    return (
        f"{variable}: {at.typed} was not made by loadtest, and would be written;"
        f" type {OPTIONS[service]} {shlex.quote(at.typed)} to agree,"
        " or unset the variable for a private one"
    )


def refusals(env: Mapping[str, str], app: App, allowed: Mapping[Service, str]) -> list[str]:
    """Return a line for each service that `env` names and nobody agreed to, without asking it."""
    lines: list[str] = []
    for service, variable in app.addresses.items():
        if service not in OPTIONS or variable not in env:
            continue
        try:
            refused = refusal(service, variable, place(service, env[variable]), allowed)
        except ValueError:
            refused = malformed(service, variable)
        lines += [refused] if refused else []
    return lines


def malformed(service: Service, variable: str) -> str:
    """Return the line for an address that leads nowhere, without a word of it: secrets stand there.

    It says how one is written.
    """
    return (
        f"{variable}: not an address such as {EXAMPLES[service]}, with one host"
        f"{' and one database' if service in OPTIONS else ''}, and all but letters and digits of a"
        " password percent-encoded; correct the address, or unset it for a private one"
    )
