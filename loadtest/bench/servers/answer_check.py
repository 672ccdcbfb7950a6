"""Asks an endpoint and compares whole answers with its contract."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import threading
import time

import brotli

from loadtest.records.errors import CellError
from loadtest.records.measured import During
from loadtest.records.planned import Contract, Endpoint, Record, Stage
from loadtest.system.listening import LongBodyError, body_of

PATIENCE_S = 10.0
"""How much longer than its declared delay an answer may take."""

MOST_BEYOND_BYTES = 65_536
"""Of a body, beyond what the contract says: an error page has room, and one without end is none."""

WATCH_EVERY_S = 0.25
"""Beside a load: often enough to meet what a load breaks, at well below 1 % of any rate."""


class Checked(Record, frozen=True, kw_only=True):
    """How many whole answers were right, and the size of one as it came."""

    answers: int
    wire_bytes: int | None


class _ContractError(Exception):
    """An answer is not what the contract says."""


def verify(
    host: str, port: int, endpoint: Endpoint, *, concurrency: int, seconds: float, stage: Stage
) -> Checked:
    """Ask once from each of `concurrency` connections, then for `seconds` from as many new ones.

    Where the endpoint waits, the time of the first answers is a part of the seconds. Returns how
    many whole answers were compared; raises CellError at `stage` for the first that is not what the
    contract says.

    Before a load this is the warm-up as well. A worker that has not answered yet takes a hundred
    times as long, and one worker may take all connections of a server that has just started: only
    when it is at work do the others get any.
    """
    began = time.monotonic()
    asked = _ask_all(host, port, endpoint, concurrency, 0.0, stage)
    left_s = seconds
    if endpoint.contract.delay_s:
        left_s -= time.monotonic() - began
    if left_s > 0:
        second = _ask_all(host, port, endpoint, concurrency, left_s, stage)
        asked = Checked(answers=asked.answers + second.answers, wire_bytes=second.wire_bytes)
    return asked


def _ask_all(
    host: str, port: int, endpoint: Endpoint, concurrency: int, seconds: float, stage: Stage
) -> Checked:
    """Ask from new connections until `seconds` have passed, at least once each."""
    deadline = time.monotonic() + seconds
    checked = [0] * concurrency
    sizes: list[int] = []
    broken: list[str] = []

    def ask(index: int) -> None:
        connection = http.client.HTTPConnection(
            host, port, timeout=endpoint.contract.delay_s + PATIENCE_S
        )
        try:
            while not broken and (not checked[index] or time.monotonic() < deadline):
                sizes.append(check(connection, endpoint.path, endpoint.contract))
                checked[index] += 1
        except _ContractError as error:
            broken.append(str(error))
        except (OSError, http.client.HTTPException) as error:
            broken.append(f"no answer: {_said(error)}")
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
    return Checked(answers=sum(checked), wire_bytes=sizes[-1])


class Watch:
    """A second, slow client: compares whole answers with the contract while something else loads.

    What it cannot get, because the server has a queue, is no fault; what it gets has to be right.
    """

    def __init__(self, host: str, port: int, endpoint: Endpoint, patience_s: float) -> None:
        """Start asking; an answer may take `patience_s`."""
        self._connection = http.client.HTTPConnection(host, port, timeout=patience_s)
        self._endpoint = endpoint
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
                check(self._connection, self._endpoint.path, self._endpoint.contract)
                self._checked += 1
                lost = 0
            except _ContractError as error:
                self._broken = str(error)
            except (OSError, http.client.HTTPException) as error:
                self._connection.close()
                lost += 1
                # A server may close a kept connection at any time; a new one has to work.
                if lost > 1:
                    self._broken = f"no answer: {_said(error)}"
            if self._broken:
                if self._done.is_set():  # our own stop broke it off
                    self._broken = None
                return


def check(connection: http.client.HTTPConnection, path: str, contract: Contract) -> int:
    """Compare one whole answer with the contract and return its size in bytes as it came.

    Raises with the first difference.
    """
    sent = time.monotonic()
    connection.request("GET", path)
    response = connection.getresponse()
    most = (contract.body_bytes or 0) + MOST_BEYOND_BYTES
    try:
        body = body_of(response, most)
    except LongBodyError as error:
        raise _ContractError(f"{error} instead of {contract.body_bytes}") from None
    took_s = time.monotonic() - sent
    # As sent but for the framing of chunks, if there are any.
    head = sum(len(name) + len(value) + len(": \r\n") for name, value in response.getheaders())
    size = len(f"HTTP/1.1 {response.status} {response.reason}\r\n\r\n") + head + len(body)
    if response.status != contract.status:
        raise _ContractError(
            f"status {response.status} instead of {contract.status}: {_excerpt(body)}"
        )
    media_type = response.headers.get_content_type()
    if media_type != contract.content_type:
        raise _ContractError(f"content type {media_type} instead of {contract.content_type}")
    encoding = response.headers.get("Content-Encoding")
    if encoding != contract.content_encoding:
        raise _ContractError(f"content encoding {encoding} instead of {contract.content_encoding}")
    if encoding == "br":
        try:
            # At once it could be any number of bytes.
            brotli_body = brotli.Decompressor()
            body = brotli_body.process(body, output_buffer_limit=most)
        except brotli.error:
            raise _ContractError(
                "the body is not Brotli, whatever its Content-Encoding says"
            ) from None
        if not brotli_body.is_finished():
            raise _ContractError(f"a body of Brotli that does not end within {most} bytes")
    if len(body) != contract.body_bytes:
        raise _ContractError(
            f"body of {len(body)} bytes instead of {contract.body_bytes}: {_excerpt(body)}"
        )
    if hashlib.sha256(body).hexdigest() != contract.body_sha256:
        raise _ContractError(f"another body of the same length: {_excerpt(body)}")
    if took_s < contract.delay_s:
        raise _ContractError(
            f"answered after {took_s:.2f} s, declared to wait {contract.delay_s:g} s"
        )
    return size


def _said(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _excerpt(body: bytes) -> str:
    text = " ".join(body[:200].decode("utf-8", "replace").split())
    return text[:80] + ("…" if len(text) > 80 else "") if text else "empty body"
