"""Asks an endpoint and compares whole answers with its contract."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import itertools
import socket
import threading
import time
import zlib
from collections.abc import Iterator, Sequence

import brotli

from loadtest.plan.servers import answers
from loadtest.plan.servers.requests import Prepared
from loadtest.records.errors import CellError
from loadtest.records.measured import During
from loadtest.records.planned import Contract, Endpoint, Record, Stage
from loadtest.records.text import message
from loadtest.system.listening import LongBodyError, answer_of, body_of

PATIENCE_S = 10.0
"""How much longer than its declared delay an answer may take."""

FIRST_PATIENCE_S = 120.0
"""Likewise, for the first answers of somebody's project: of one visit they take seconds, and of
several at once, which compile templates or make images, longer than anything after them. No body
takes longer than that to come."""

MOST_BEYOND_BYTES = 65_536
"""Of a body, beyond what the contract says: an error page has room, and one without end is none."""

MOST_BYTES = 64 * 2**20
"""Of any body."""

GZIP = 31
"""As zlib calls it."""

WATCH_EVERY_S = 0.25
"""Beside a load: often enough to meet what a load breaks, at well below 1 % of any rate."""


class Checked(Record, frozen=True, kw_only=True):
    """How many whole answers were right, and the size of one as it came."""

    answers: int
    wire_bytes: int | None
    wire_spread_bytes: int = 0
    """By how much they differ in it."""


class _ContractError(Exception):
    """An answer is not what the contract says."""


def verify(
    host: str,
    port: int,
    endpoint: Endpoint,
    *,
    concurrency: int,
    seconds: float,
    stage: Stage,
    requests: Sequence[Prepared] = (),
) -> Checked:
    """Ask once from each of `concurrency` connections, then for `seconds` from as many new ones.

    Where the endpoint waits, the time of the first answers is a part of the seconds. The
    `requests`, by default a GET of its path, are sent in turn, before a load each at least once.
    Returns how many whole answers were compared; raises CellError at `stage` for the first that is
    not what the contract says.

    Before a load this is the warm-up as well. A worker that has not answered yet takes a hundred
    times as long, and one worker may take all connections of a server that has just started: only
    when it is at work do the others get any.
    """
    began = time.monotonic()
    requests = requests or (Prepared(endpoint.path),)
    turns = itertools.count()
    fewest = len(requests) if stage == "verify" else 1
    sizes = _ask_all(host, port, endpoint, concurrency, 0.0, stage, requests, turns, fewest)
    left_s = seconds
    if endpoint.contract.delay_s:
        left_s -= time.monotonic() - began
    if left_s > 0:
        sizes += _ask_all(host, port, endpoint, concurrency, left_s, stage, requests, turns, 0)
    return Checked(
        answers=len(sizes), wire_bytes=sizes[-1], wire_spread_bytes=max(sizes) - min(sizes)
    )


def _ask_all(
    host: str,
    port: int,
    endpoint: Endpoint,
    concurrency: int,
    seconds: float,
    stage: Stage,
    requests: Sequence[Prepared],
    turns: Iterator[int],
    fewest: int,
) -> list[int]:
    """Ask from new connections until `seconds` have passed and the `fewest` answers have come.

    Each asks at least once; `turns` are those of the requests. Returns the sizes of the answers.
    """
    deadline = time.monotonic() + seconds
    is_first = stage == "verify" and endpoint.contract.body is not None
    patience_s = FIRST_PATIENCE_S if is_first else PATIENCE_S
    checked = [0] * concurrency
    sizes: list[int] = []
    broken: list[str] = []

    def goes_on(index: int) -> bool:
        return not checked[index] or len(sizes) < fewest or time.monotonic() < deadline

    def ask(index: int) -> None:
        connection = http.client.HTTPConnection(
            host, port, timeout=endpoint.contract.delay_s + patience_s
        )
        try:
            while not broken and goes_on(index):
                at = next(turns) % len(requests)
                sizes.append(check(connection, requests[at], endpoint.contract, at))
                checked[index] += 1
        except _ContractError as error:
            broken.append(str(error))
        except (OSError, http.client.HTTPException) as error:
            broken.append(f"no answer: {_message(error)}")
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(concurrency)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if broken:
        at_once = f" ({concurrency} requests at once)" if concurrency > 1 else ""
        raise CellError(stage, f"{endpoint.path}: {broken[0]}{at_once}")
    return sizes


class Watch:
    """A second, slow client: compares whole answers with the contract while something else loads.

    What it cannot get, because the server has a queue, is no fault; what it gets has to be right.
    """

    def __init__(
        self,
        host: str,
        port: int,
        endpoint: Endpoint,
        patience_s: float,
        requests: Sequence[Prepared] = (),
    ) -> None:
        """Start asking, with one request after the other; an answer may take `patience_s`."""
        self._connection = http.client.HTTPConnection(host, port, timeout=patience_s)
        self._contract = endpoint.contract
        self._requests = requests or (Prepared(endpoint.path),)
        self._done = threading.Event()
        self._checked = 0
        self._broken: str | None = None
        self._thread = threading.Thread(target=self._ask, daemon=True)
        self._thread.start()

    def stop(self) -> During:
        """Stop asking, in the middle of an answer if need be; return what was seen."""
        self._done.set()
        # The thread may be waiting for an answer that is far back in the server's queue.
        if (open_socket := self._connection.sock) is not None:
            with contextlib.suppress(OSError):
                open_socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._connection.close()
        return During(checked=self._checked, broken=self._broken)

    def _ask(self) -> None:
        lost = 0
        while not self._done.wait(WATCH_EVERY_S):
            try:
                at = self._checked % len(self._requests)
                check(self._connection, self._requests[at], self._contract, at)
                self._checked += 1
                lost = 0
            except _ContractError as error:
                self._broken = message(str(error))  # a header may be longer than an outcome's line
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                lost += 1
                # A server may close a kept connection at any time; a new one has to work.
                if lost > 1:
                    self._broken = f"no answer: {_message(error)}"
            if self._broken:
                if self._done.is_set():  # our own stop broke it off
                    self._broken = None
                return


class Response(Record, frozen=True, kw_only=True):
    """A whole answer."""

    status: int
    content_type: str
    content_encoding: str | None
    body: bytes
    """As it came."""
    size: int
    """Of all of it in bytes, as sent but for the framing of chunks, if there are any."""
    location: str | None = None
    """Where it redirects to."""
    cookies: tuple[str, ...] = ()
    """The names of those that it sets."""

    def decoded(self, most_bytes: int) -> bytes:
        """Return the body without its content encoding; raises ValueError where it has none.

        At once it could be any number of bytes.
        """
        name = {"br": "Brotli", "gzip": "gzip"}.get(self.content_encoding or "")
        if name is None:
            return self.body
        try:
            if name == "Brotli":
                brotli_body = brotli.Decompressor()
                body = bytes(brotli_body.process(self.body, output_buffer_limit=most_bytes))
                ended = brotli_body.is_finished()
            else:
                gzip_body = zlib.decompressobj(GZIP)
                body = gzip_body.decompress(self.body, most_bytes)
                ended = gzip_body.eof
        except (brotli.error, zlib.error):
            raise ValueError(
                f"the body is not {name}, whatever its Content-Encoding says"
            ) from None
        if not ended:
            raise ValueError(f"a body of {name} that does not end within {most_bytes} bytes")
        return body


def get(
    connection: http.client.HTTPConnection, request: Prepared, most_bytes: int = MOST_BYTES
) -> Response:
    """Send a request and return the whole answer; raises OSError or HTTPException."""
    connection.request(
        request.method, request.path, body=request.body or None, headers=dict(request.headers)
    )
    response = answer_of(connection, FIRST_PATIENCE_S)
    body = body_of(response, most_bytes)
    head = sum(len(name) + len(value) + len(": \r\n") for name, value in response.getheaders())
    return Response(
        status=response.status,
        content_type=response.headers.get_content_type(),
        content_encoding=response.headers.get("Content-Encoding"),
        body=body,
        size=len(f"HTTP/1.1 {response.status} {response.reason}\r\n\r\n") + head + len(body),
        location=response.headers.get("Location"),
        cookies=tuple(
            sorted({text.partition("=")[0] for text in response.headers.get_all("Set-Cookie", ())})
        ),
    )


def _most_bytes(contract: Contract) -> int:
    known = contract.body.most_bytes if contract.body else contract.body_bytes
    return min(MOST_BYTES, (known or 0) + MOST_BEYOND_BYTES)


def check(
    connection: http.client.HTTPConnection, request: Prepared, contract: Contract, at: int = 0
) -> int:
    """Compare one whole answer with the contract and return its size in bytes as it came.

    The request is the one `at` that number of the endpoint's. Raises with the first difference.
    """
    sent = time.monotonic()
    try:
        response = get(connection, request, _most_bytes(contract))
    except LongBodyError as error:
        raise _ContractError(f"{error} instead of {contract.body_bytes}") from None
    took_s = time.monotonic() - sent
    if difference := broken(response, contract, at):
        raise _ContractError(difference)
    if took_s < contract.delay_s:
        raise _ContractError(
            f"answered after {took_s:.2f} s, declared to wait {contract.delay_s:g} s"
        )
    return response.size


def broken(response: Response, contract: Contract, at: int = 0) -> str | None:
    """Return the first difference of an answer from a contract in words, None without one.

    It answers the request `at` that number of the endpoint's.
    """
    if response.status != contract.status:
        wrong = f"status {response.status} instead of {contract.status}"
        # What is recorded is of somebody's own site: results quote nothing of its pages.
        return wrong if contract.body else f"{wrong}: {_excerpt(response.body)}"
    if response.content_type != contract.content_type:
        return f"content type {response.content_type} instead of {contract.content_type}"
    if response.content_encoding != contract.content_encoding:
        return (
            f"content encoding {response.content_encoding} instead of {contract.content_encoding}"
        )
    try:
        body = response.decoded(_most_bytes(contract))
    except ValueError as error:
        return str(error)
    if contract.body is not None:
        return answers.misplaced(contract.body, response.location, response.cookies) or (
            answers.problem(contract.body, body, at)
        )
    if len(body) != contract.body_bytes:
        return f"body of {len(body)} bytes instead of {contract.body_bytes}: {_excerpt(body)}"
    if hashlib.sha256(body).hexdigest() != contract.body_sha256:
        return f"another body of the same length: {_excerpt(body)}"
    return None


def _message(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _excerpt(body: bytes) -> str:
    text = " ".join(body[:200].decode("utf-8", "replace").split())
    return text[:80] + ("…" if len(text) > 80 else "") if text else "empty body"
