"""Fetch the list of posts from the upstream, with a client that is kept or made for each call."""

from typing import Any

import aiohttp
import httpx
import requests
from django.conf import settings
from django.http import HttpRequest, JsonResponse

from myapp import clients
from myapp.contract import Contract, Endpoint, expected

BLOCKS = {"isolated": True, "note": "anti-pattern: a blocking call stops the event loop"}
ONE_LOOP = {
    "unsupported": {
        "wsgi": "a kept async client lives on one event loop, and under WSGI Django runs each "
        "request in a loop of its own"
    }
}

# Measured: 14 ms for a client, 0.14 ms without the context, 0.02 ms for a requests session.
NEW_TLS = {"note": "nearly all of the cost is the TLS context that each new HTTPX client makes"}


def _endpoint(name: str, title: str, client: str) -> Endpoint:
    return Endpoint(
        name=name,
        title=title,
        kind="outbound",
        summary=f"Fetches 27.5 kB of JSON from the upstream with {client}, and answers it.",
        contract=Contract(body=expected("posts.json"), upstream=1),
    )


REQUESTS = _endpoint("requests", "Requests", "one requests session for the process")
HTTPX = _endpoint("httpx", "HTTPX", "one HTTPX client for the process")
AIOHTTP = _endpoint("aiohttp", "AIOHTTP", "one AIOHTTP session for the process")
REQUESTS_FRESH = _endpoint(
    "requests_fresh", "Requests, a new session for each call", "a new requests session"
)
HTTPX_FRESH = _endpoint("httpx_fresh", "HTTPX, a new client for each call", "a new HTTPX client")
AIOHTTP_FRESH = _endpoint(
    "aiohttp_fresh", "AIOHTTP, a new session for each call", "a new AIOHTTP session"
)


def _url() -> str:
    return f"{settings.UPSTREAM_URL}/posts"


def _answer(posts: Any) -> JsonResponse:
    return JsonResponse(posts, safe=False)


def _by_requests(session: requests.Session) -> Any:
    response = session.get(_url(), timeout=clients.TIMEOUT_S)
    response.raise_for_status()
    return response.json()


def _by_httpx(client: httpx.Client) -> Any:
    return client.get(_url()).raise_for_status().json()


async def _by_async_httpx(client: httpx.AsyncClient) -> Any:
    return (await client.get(_url())).raise_for_status().json()


async def _by_aiohttp(session: aiohttp.ClientSession) -> Any:
    async with session.get(_url(), raise_for_status=True) as response:
        return await response.json()


@REQUESTS.view()
def requests_sync(request: HttpRequest) -> JsonResponse:
    """Use the session of the process."""
    return _answer(_by_requests(clients.kept_requests()))


@REQUESTS.view(**BLOCKS)
async def requests_async(request: HttpRequest) -> JsonResponse:
    """Use the session of the process, and block the event loop while it waits."""
    return _answer(_by_requests(clients.kept_requests()))


@HTTPX.view()
def httpx_sync(request: HttpRequest) -> JsonResponse:
    """Use the client of the process."""
    return _answer(_by_httpx(clients.kept_httpx()))


@HTTPX.view(**ONE_LOOP)
async def httpx_async(request: HttpRequest) -> JsonResponse:
    """Use the async client of the process."""
    return _answer(await _by_async_httpx(clients.kept_async_httpx()))


@AIOHTTP.view(**ONE_LOOP)
async def aiohttp_async(request: HttpRequest) -> JsonResponse:
    """Use the session of the process."""
    return _answer(await _by_aiohttp(clients.kept_aiohttp()))


@REQUESTS_FRESH.view()
def requests_fresh_sync(request: HttpRequest) -> JsonResponse:
    """Use a session once."""
    with clients.new_requests() as session:
        return _answer(_by_requests(session))


@REQUESTS_FRESH.view(**BLOCKS)
async def requests_fresh_async(request: HttpRequest) -> JsonResponse:
    """Use a session once, and block the event loop while it waits."""
    with clients.new_requests() as session:
        return _answer(_by_requests(session))


@HTTPX_FRESH.view(**NEW_TLS)
def httpx_fresh_sync(request: HttpRequest) -> JsonResponse:
    """Use a client once."""
    with clients.new_httpx() as client:
        return _answer(_by_httpx(client))


@HTTPX_FRESH.view(**NEW_TLS)
async def httpx_fresh_async(request: HttpRequest) -> JsonResponse:
    """Use an async client once."""
    async with clients.new_async_httpx() as client:
        return _answer(await _by_async_httpx(client))


@AIOHTTP_FRESH.view()
async def aiohttp_fresh_async(request: HttpRequest) -> JsonResponse:
    """Use a session once."""
    async with clients.new_aiohttp() as session:
        return _answer(await _by_aiohttp(session))
