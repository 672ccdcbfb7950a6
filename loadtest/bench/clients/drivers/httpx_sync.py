"""httpx without asyncio: a `Client`."""

from __future__ import annotations

import ssl

import httpx

TITLE = "httpx (sync)"
REQUIRES = ("httpx", "httpcore", "h2")
KIND = "sync"
HTTP = ("1.1", "2")
LOCK = "clients"

KEPT = 20
"""Idle connections that a client keeps unless told otherwise."""


def opened(pool: int, timeout: float, ca: str | None, http: str) -> httpx.Client:
    """Return a client; over plain HTTP it loads certificates all the same, as it does by itself."""
    limits = httpx.Limits(max_connections=max(pool, 100), max_keepalive_connections=max(pool, KEPT))
    if ca is None:
        return httpx.Client(timeout=timeout, limits=limits)
    context = ssl.create_default_context(cafile=ca)
    return httpx.Client(timeout=timeout, limits=limits, verify=context, http2=http == "2")


def get(session: httpx.Client, url: str) -> tuple[int, bytes]:
    """Return the status and the whole body of an answer."""
    response = session.get(url)
    return response.status_code, response.content


def closed(session: httpx.Client) -> None:
    """Close the client."""
    session.close()
