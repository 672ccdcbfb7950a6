"""The app with some CPU time added to each request: a difference of known size.

`BENCHMARK_BUSY_US` says how many microseconds; 0 adds nothing, but for this layer.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from time import thread_time_ns
from typing import Any

from myproject.asgi import application as django_asgi
from myproject.wsgi import application as django_wsgi

BUSY_NS = round(float(os.environ.get("BENCHMARK_BUSY_US", "0")) * 1000)


def work() -> None:
    """Use up CPU time of this thread; what it waits for is not counted."""
    if BUSY_NS:
        end = thread_time_ns() + BUSY_NS
        while thread_time_ns() < end:
            pass


def wsgi(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer one request."""
    work()
    return django_wsgi(environ, start_response)


async def asgi(
    scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]
) -> None:
    """Answer one request, or a server's lifespan messages."""
    if scope["type"] == "http":
        work()
    await django_asgi(scope, receive, send)
