"""HTTP clients for the outbound endpoints: how each is made, and the one that a process keeps."""

import threading
from collections.abc import Callable
from functools import partial
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Generic, TypeVar

import aiohttp
import httpx
import requests
from requests.adapters import HTTPAdapter

Client = TypeVar("Client")

# How many connections a kept client may hold. The libraries' defaults (10 in requests, 100 in the
# others) would measure that number as soon as more requests are in flight; this is more than the
# threads or tasks of any server here, so that a request never waits for, or throws away, one.
CONNECTIONS = 1024
# Under load an answer may be late; that is to be measured, and only a dead upstream is an error.
TIMEOUT_S = 60.0


class Kept(Generic[Client]):
    """One client for the process, made by the first request that asks for it.

    Not at import: a server may import the app and then fork, and sockets, locks and event loops do
    not survive that.
    """

    def __init__(self, make: Callable[[], Client]) -> None:
        """Remember how to make the client."""
        self._make = make
        self._client: Client | None = None
        self._lock = threading.Lock()

    def __call__(self) -> Client:
        """Return the client."""
        if self._client is None:
            with self._lock:
                if self._client is None:
                    self._client = self._make()
        return self._client


def new_requests() -> requests.Session:
    """Make a session that ignores the environment's proxies and .netrc."""
    session = requests.Session()
    session.trust_env = False
    return session


def new_httpx(**options: Any) -> httpx.Client:
    """Make a client that ignores the environment's proxies."""
    return httpx.Client(trust_env=False, timeout=TIMEOUT_S, **options)


def new_async_httpx(**options: Any) -> httpx.AsyncClient:
    """Make a client for the running event loop that ignores the environment's proxies."""
    return httpx.AsyncClient(trust_env=False, timeout=TIMEOUT_S, **options)


def new_aiohttp(**options: Any) -> aiohttp.ClientSession:
    """Make a session for the running event loop that ignores the environment's proxies."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    return aiohttp.ClientSession(trust_env=False, timeout=timeout, **options)


def _shared_requests() -> requests.Session:
    session = new_requests()
    session.mount("http://", HTTPAdapter(pool_connections=1, pool_maxsize=CONNECTIONS))
    # What threads share in a session is its connection pool, which is safe, and its cookies, which
    # would carry one request's state into another's: it accepts none.
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return session


def _shared_aiohttp() -> aiohttp.ClientSession:
    return new_aiohttp(
        connector=aiohttp.TCPConnector(limit=CONNECTIONS), cookie_jar=aiohttp.DummyCookieJar()
    )


_LIMITS = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)

kept_requests = Kept(_shared_requests)
kept_httpx = Kept(partial(new_httpx, limits=_LIMITS))
kept_async_httpx = Kept(partial(new_async_httpx, limits=_LIMITS))
kept_aiohttp = Kept(_shared_aiohttp)
