"""requests: a `Session`."""

from __future__ import annotations

import requests
from requests.adapters import DEFAULT_POOLSIZE, HTTPAdapter

TITLE = "requests"
REQUIRES = ("requests", "urllib3")
KIND = "sync"
HTTP = ("1.1",)
LOCK = "clients"
timeout_s = 0.0


def opened(pool: int, timeout: float, ca: str | None, http: str) -> requests.Session:
    """Return a session; its pool keeps no more than 10 connections unless told to."""
    global timeout_s  # a session has none of its own: it is given with each call
    timeout_s = timeout
    session = requests.Session()
    if ca is not None:
        session.verify = ca
    if pool > DEFAULT_POOLSIZE:
        adapter = HTTPAdapter(pool_maxsize=pool)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
    return session


def get(session: requests.Session, url: str) -> tuple[int, bytes]:
    """Return the status and the whole body of an answer."""
    response = session.get(url, timeout=timeout_s, allow_redirects=False)
    return response.status_code, response.content


def closed(session: requests.Session) -> None:
    """Close the session."""
    session.close()
