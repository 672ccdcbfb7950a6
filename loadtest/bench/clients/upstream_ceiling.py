"""What the upstream gives a fast client at most: the ceiling of every HTTP client."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import msgspec

from loadtest.bench.clients.http2_probe import two
from loadtest.bench.clients.upstream import Upstream
from loadtest.bench.load.generator import Generator
from loadtest.records.clients import Answer, Ceiling
from loadtest.records.errors import CellError
from loadtest.records.planned import Load
from loadtest.system import process

DURATION_S = 1.0
"""wrk's least; the figure is only to be well above what a client reaches."""

NEAR = 0.8


def ceilings(upstream: Upstream, wanted: Collection[tuple[Answer, int]]) -> Iterator[Ceiling]:
    """Yield what each answer gives to so many calls at once; raises CellError where it gives none.

    By wrk, and over HTTP/2, which wrk does not speak, by a loop over one bare socket.
    """
    for answer, at_once in sorted(wanted, key=repr):
        if answer.http == "2":
            rate = two(upstream.url(answer), upstream.ca, at_once, DURATION_S)
        else:
            rate = _wrk(upstream.url(answer), answer.delay_s, at_once)
        upstream.forget()
        measured = Ceiling(
            answer=answer,
            connections=at_once,
            requests_s=rate,
            tool="sockets" if answer.http == "2" else "wrk",
        )
        yield _plain(measured)


def _plain(ceiling: Ceiling) -> Ceiling:
    """Return the limit that the delay sets, where a fast client comes near to it."""
    if not ceiling.answer.delay_s:
        return ceiling
    most = ceiling.connections / ceiling.answer.delay_s
    if ceiling.requests_s < NEAR * most:
        return ceiling
    return msgspec.structs.replace(ceiling, requests_s=most, tool="arithmetic")


def _wrk(url: str, delay_s: float, connections: int) -> float:
    with process.folder("loadtest-ceiling-") as folder:
        (folder.path / "raw").mkdir()
        load = Load(connections=connections, duration_s=DURATION_S, warmup_s=0.0)
        loaded = Generator(load, url, delay_s, folder.path, "ceiling", None).finish().loaded
    # Where the upstream closes each connection, wrk counts some ends as read errors.
    if loaded.goodput == 0 or loaded.status_errors:
        raise CellError("load", f"wrk got {loaded.status_errors} errors from {url}")
    return loaded.goodput
