"""httpx with asyncio: an `AsyncClient`."""

from __future__ import annotations

import ssl

import httpx

TITLE = "httpx (async)"
REQUIRES = ("httpx", "httpcore", "h2")
KIND = "async"
HTTP = ("1.1", "2")
LOCK = "clients"

KEPT = 20
"""Idle connections that a client keeps unless told otherwise."""


async def opened(pool: int, timeout: float, ca: str | None, http: str) -> httpx.AsyncClient:
    """Return a client; over plain HTTP it loads certificates all the same, as it does by itself."""
    limits = httpx.Limits(max_connections=max(pool, 100), max_keepalive_connections=max(pool, KEPT))
    if ca is None:
        return httpx.AsyncClient(timeout=timeout, limits=limits)
    context = ssl.create_default_context(cafile=ca)
    return httpx.AsyncClient(timeout=timeout, limits=limits, verify=context, http2=http == "2")


async def get(session: httpx.AsyncClient, url: str) -> tuple[int, bytes]:
    """Return the status and the whole body of an answer."""
    response = await session.get(url)
    return response.status_code, response.content


async def closed(session: httpx.AsyncClient) -> None:
    """Close the client."""
    await session.aclose()
