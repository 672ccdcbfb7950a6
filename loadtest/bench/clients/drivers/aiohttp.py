"""aiohttp: a `ClientSession`."""

from __future__ import annotations

import ssl
from functools import cache

import aiohttp

TITLE = "aiohttp"
REQUIRES = ("aiohttp",)
KIND = "async"
HTTP = ("1.1",)
LOCK = "clients"

AT_ONCE = 100
"""Connections that a session opens at most unless told otherwise."""


async def opened(pool: int, timeout: float, ca: str | None, http: str) -> aiohttp.ClientSession:
    """Return a session, which belongs to the running event loop."""
    limit = aiohttp.ClientTimeout(total=timeout)
    if ca is None and pool <= AT_ONCE:
        return aiohttp.ClientSession(timeout=limit)
    context = _context(ca) if ca is not None else True
    connector = aiohttp.TCPConnector(limit=max(pool, AT_ONCE), ssl=context)
    return aiohttp.ClientSession(timeout=limit, connector=connector)


@cache
def _context(ca: str) -> ssl.SSLContext:
    """Return one for all sessions, as aiohttp has by itself: it makes that at its import."""
    return ssl.create_default_context(cafile=ca)


async def get(session: aiohttp.ClientSession, url: str) -> tuple[int, bytes]:
    """Return the status and the whole body of an answer."""
    async with session.get(url, allow_redirects=False) as response:
        return response.status, await response.read()


async def closed(session: aiohttp.ClientSession) -> None:
    """Close the session."""
    await session.close()
