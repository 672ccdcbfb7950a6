"""urllib3: a `PoolManager`, which is what it has for a session."""

from __future__ import annotations

import urllib3

TITLE = "urllib3"
REQUIRES = ("urllib3",)
KIND = "sync"
HTTP = ("1.1",)
LOCK = "clients"


def opened(pool: int, timeout: float, ca: str | None, http: str) -> urllib3.PoolManager:
    """Return a pool that keeps a connection for each call at once; its default keeps one.

    Without retries, so that a failed call is seen.
    """
    if ca is None:
        return urllib3.PoolManager(maxsize=pool, timeout=timeout, retries=False)
    return urllib3.PoolManager(
        maxsize=pool, timeout=timeout, retries=False, cert_reqs="CERT_REQUIRED", ca_certs=ca
    )


def get(session: urllib3.PoolManager, url: str) -> tuple[int, bytes]:
    """Return the status and the whole body of an answer."""
    response = session.request("GET", url)
    return response.status, response.data


def closed(session: urllib3.PoolManager) -> None:
    """Close the pool's connections."""
    session.clear()
