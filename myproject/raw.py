"""The control: the answer of `json` from bare callables, to see a server without Django."""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

PATH = "/raw"
BODY = b'[{"name": "name", "value": 1}]'
_WSGI_HEADERS = [("Content-Type", "application/json"), ("Content-Length", str(len(BODY)))]
_ASGI_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(name.lower().encode(), value.encode()) for name, value in _WSGI_HEADERS],
}
_ASGI_BODY = {"type": "http.response.body", "body": BODY}


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer any request with the 30 bytes."""
    # Copies here and below: servers and middleware may change what they are given.
    start_response("200 OK", _WSGI_HEADERS.copy())
    return [BODY]


async def asgi(
    scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Awaitable[None]]
) -> None:
    """Answer any request with the 30 bytes."""
    await send(_ASGI_START.copy())
    await send(_ASGI_BODY.copy())
