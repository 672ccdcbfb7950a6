"""A server that the user names: whether it may be asked, and what is then true of the rows."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import http.client
import ipaddress
import re
import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Sequence
from urllib.parse import SplitResult, quote, unquote_plus, urlsplit

from msgspec.structs import replace

from loadtest.plan.clients import PERMISSION
from loadtest.plan.clients.presets import Preset, Table
from loadtest.records.errors import UserError
from loadtest.records.planned import Record
from loadtest.system.listening import LongBodyError, answer_of, body_of

LOOKS = 3
"""So often it is asked beforehand, to see whether its answer stays the same."""

TIMEOUT_S = 10.0

ANSWER_WITHIN_S = 60.0
"""A longer one is a stream, which may have no end."""

MOST_BODY_BYTES = 100_000_000
"""As of our own upstream's, `records.clients.Answer`."""

LEFT_OUT = "?..."
"""In place of a URL's query, which may have a token in it."""

SHORTEST_SECRET = 4
"""Characters: a shorter value is in too many texts to be found by."""

Resolve = Callable[[str], Sequence[str]]


def shown(url: str) -> str:
    """Return a URL as it may stand in messages and results."""
    bare, *behind = re.split(r"[?#]", url, maxsplit=1)
    return bare + LEFT_OUT if behind else bare


def without(url: str, text: str) -> str:
    """Return a text without what `shown` leaves out, as clients repeat URLs in their errors."""
    _, *behind = re.split(r"[?#]", url, maxsplit=1)
    values = {*behind}
    for pair in re.split(r"[&;#]", "".join(behind)):
        value = unquote_plus(pair.partition("=")[2] or pair)
        values |= {value, quote(value, safe=""), pair.partition("=")[2]}
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= SHORTEST_SECRET:
            text = text.replace(value, "...")
    return text


def again(asked: str, typed: str | None) -> str:
    """Return the URL that a run goes on with, in full; raises UserError where nobody knows it."""
    if typed is not None and shown(typed) != asked:
        raise UserError(f"this run asks {asked}, and no other URL; leave out --url")
    if typed is None and asked.endswith(LEFT_OUT):
        raise UserError(f"of {asked} the end is not kept; type it in full with --url")
    if typed is None:
        raise UserError(f"this run asks {asked}; to go on with it, type --url {asked}")
    return typed


def addresses(host: str) -> Sequence[str]:
    """Return the addresses that a name stands for, none if it stands for nothing."""
    with contextlib.suppress(OSError, UnicodeError):
        return sorted({str(info[4][0]) for info in socket.getaddrinfo(host, None)})
    return ()


def check(url: str, allowed: bool, resolve: Resolve = addresses) -> SplitResult:
    """Return the URL's parts; raises UserError for what is no URL, or a host of somebody else's.

    Without permission each address of the host has to be on this machine or a private network.
    """
    # What is no URL is not shown: nobody knows which part of it is a password.
    no_url = UserError("--url: not a URL such as http://127.0.0.1:8000/path")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise no_url from None
    if parts.scheme not in ("http", "https") or not host:
        raise no_url
    if not re.fullmatch(r"[!-~]+", url):
        raise UserError("--url: write what is not ASCII percent-encoded, as in %20 for a blank")
    if parts.username is not None or parts.password is not None:
        raise UserError("--url stands in the reports; leave out the name and password before the @")
    url = shown(url)
    at = resolve(host)
    if not at:
        raise UserError(f"--url {url}: no address found for {host}; check the name")
    strangers = [address for address in at if not _near(address)]
    if strangers and not allowed:
        named = f"{host} is" if host == strangers[0] else f"{host} is {strangers[0]},"
        raise UserError(
            f"--url {url}: {named} neither this machine nor on a private network;"
            f" if it is yours to load, add {PERMISSION}"
        )
    return parts


def _near(address: str) -> bool:
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in network for network in NEAR)


NEAR = tuple(
    ipaddress.ip_network(network)
    for network in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    + ("::1/128", "fc00::/7", "fe80::/10")
)
"""`is_private` takes in what is set aside for documentation, tests and nobody as well."""


def ask(url: str, parts: SplitResult, ca: str | None) -> tuple[Expected, str | None]:
    """Ask a few times and return what answers have to be, with a note where they differ.

    Raises UserError where it cannot be reached or does not answer 2xx.
    """
    answers = [_ask(url, parts, ca) for _ in range(LOOKS)]
    status = answers[0][0]
    if 300 <= status < 400:
        raise UserError(f"--url {shown(url)}: it redirects (status {status}); name where to")
    if not 200 <= status < 300:
        raise UserError(f"--url {shown(url)}: it answers status {status}; name what answers 200")
    lengths, bodies = {len(body) for _, body in answers}, {body for _, body in answers}
    note = None
    if len(bodies) > 1:
        kept = "its length" if len(lengths) == 1 else "its status alone"
        note = f"the body is another one each time, so of each answer {kept} is checked"
    return Expected(
        url=url,
        status=status,
        body_bytes=lengths.pop() if len(lengths) == 1 else None,
        sha256=hashlib.sha256(bodies.pop()).hexdigest() if len(bodies) == 1 else None,
        ca=ca,
    ), note


def _ask(url: str, parts: SplitResult, ca: str | None) -> tuple[int, bytes]:
    connect: Callable[..., http.client.HTTPConnection] = http.client.HTTPConnection
    if parts.scheme == "https":
        try:
            context = ssl.create_default_context(cafile=ca)
        except OSError as error:  # of SSL too
            why = error.strerror or str(error)
            raise UserError(f"--ca {ca}: {why}; name a PEM file of certificates") from None
        connect = functools.partial(http.client.HTTPSConnection, context=context)
    connection = connect(parts.hostname, parts.port, timeout=TIMEOUT_S)
    with contextlib.closing(connection):
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", path)
            response = answer_of(connection, ANSWER_WITHIN_S)
            return response.status, body_of(response, MOST_BODY_BYTES)
        except LongBodyError as error:
            raise UserError(f"--url {shown(url)}: {error}; name one that is shorter") from None
        except (OSError, http.client.HTTPException) as error:
            why = without(url, str(error)) or type(error).__name__
            raise UserError(f"--url {shown(url)}: no answer: {why}; is it running?") from None


def elsewhere(
    asked: Preset, expected: Expected, *, all_tables: bool, say: Callable[[str], None]
) -> Preset:
    """Return the rows as they are at a server that answers so.

    Of a preset's tables only those are left whose titles are then true, unless `all_tables`.
    """
    tls = urlsplit(expected.url).scheme == "https"
    tables = asked.group if all_tables else true_of(asked.group, tls, say)
    length = (expected.body_bytes,)
    there = {"body_bytes": length, "delay_ms": (0.0,), "keep_alive": (True,), "tls": (tls,)}
    group = tuple(
        replace(table, rows=tuple(replace(block, **there) for block in table.rows))
        for table in tables
    )
    return replace(asked, group=group)


def true_of(tables: Iterable[Table], tls: bool, say: Callable[[str], None]) -> Iterator[Table]:
    """Yield a preset's tables whose titles are true of a server that answers in its own way."""
    tls_of = {table: {over for block in table.rows for over in block.tls} for table in tables}
    over_tls = tls and {True} in tls_of.values()
    for table, asked in tls_of.items():
        late = any(delay for block in table.rows for delay in block.delay_ms)
        if late or (True in asked) != over_tls:
            say(f"left out, as your server answers in its own way: {table.title}")
        else:
            yield table


class Expected(Record, frozen=True, kw_only=True):
    """Where a row asks, and what each answer has to be."""

    url: str
    status: int = 200
    body_bytes: int | None
    """None: of any length; and of any content without a digest."""
    sha256: str | None
    ca: str | None = None
    """A file with the authority to verify the server by; None over plain HTTP."""
