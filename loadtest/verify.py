"""Asks an endpoint and compares whole answers with its contract."""

from __future__ import annotations

import hashlib
import http.client
import threading
import time

import brotli

from loadtest.errors import CellError
from loadtest.model import Contract, Endpoint, Stage

PATIENCE_S = 10.0
"""How much longer than its declared delay an answer may take."""


class _ContractError(Exception):
    """An answer is not what the contract says."""


def verify(
    host: str, port: int, endpoint: Endpoint, *, concurrency: int, seconds: float, stage: Stage
) -> int:
    """Ask from `concurrency` connections at once until `seconds` have passed, at least once each.

    Returns how many whole answers were compared; raises CellError at `stage` for the first that
    is not what the contract says. Before a load this is the warm-up as well.
    """
    deadline = time.monotonic() + seconds
    checked = [0] * concurrency
    broken: list[str] = []

    def ask(index: int) -> None:
        connection = http.client.HTTPConnection(
            host, port, timeout=endpoint.contract.delay_s + PATIENCE_S
        )
        try:
            while not broken and (not checked[index] or time.monotonic() < deadline):
                check(connection, endpoint.path, endpoint.contract)
                checked[index] += 1
        except _ContractError as error:
            broken.append(str(error))
        except (OSError, http.client.HTTPException) as error:
            said = " ".join(str(error).split())
            broken.append(f"no answer: {said or type(error).__name__}")
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
    return sum(checked)


def check(connection: http.client.HTTPConnection, path: str, contract: Contract) -> None:
    """Compare one whole answer with the contract; raises with the first difference."""
    sent = time.monotonic()
    connection.request("GET", path)
    response = connection.getresponse()
    body = response.read()
    took_s = time.monotonic() - sent
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
            body = brotli.decompress(body)
        except brotli.error:
            raise _ContractError(
                "the body is not Brotli, whatever its Content-Encoding says"
            ) from None
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


def _excerpt(body: bytes) -> str:
    text = " ".join(body[:200].decode("utf-8", "replace").split())
    return text[:80] + ("…" if len(text) > 80 else "") if text else "empty body"
