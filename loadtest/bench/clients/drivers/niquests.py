"""niquests: a `Session`; a fork of requests that speaks HTTP/2, here without HTTP/3.

Its own urllib3-future takes the place of `urllib3` for the whole environment, so it never shares
one with the other clients.
"""

from __future__ import annotations

import niquests
from niquests.adapters import DEFAULT_POOLSIZE, HTTPAdapter

TITLE = "niquests"
REQUIRES = ("niquests", "urllib3-future")
KIND = "sync"
HTTP = ("1.1", "2")
LOCK = "niquests"
timeout_s = 0.0


def opened(pool: int, timeout: float, ca: str | None, http: str) -> niquests.Session:
    """Return a session; left alone it would choose HTTP/2 over TLS by itself."""
    global timeout_s  # a session has none of its own: it is given with each call
    timeout_s = timeout
    session = niquests.Session(disable_http2=http != "2", disable_http3=True)
    if ca is not None:
        session.verify = ca
    if pool > DEFAULT_POOLSIZE:
        adapter = HTTPAdapter(pool_maxsize=pool, disable_http2=http != "2", disable_http3=True)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
    return session


def get(session: niquests.Session, url: str) -> tuple[int, bytes]:
    """Return the status and the whole body of an answer."""
    response = session.get(url, timeout=timeout_s, allow_redirects=False)
    return response.status_code, response.content


def closed(session: niquests.Session) -> None:
    """Close the session."""
    session.close()
