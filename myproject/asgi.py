"""The ASGI entry point: the raw control, and Django for everything else."""

import os
from collections.abc import Callable
from typing import Any

from django.core.asgi import get_asgi_application

from myproject import raw

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myproject.settings")
_django = get_asgi_application()


# A coroutine function, not a function that returns Django's coroutine: uvicorn, daphne and
# hypercorn tell ASGI 3 from ASGI 2 by asking which of the two it is.
async def application(
    scope: dict[str, Any], receive: Callable[..., Any], send: Callable[..., Any]
) -> None:
    """Answer one request, or a server's lifespan messages."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["path"] == raw.PATH:
        await raw.asgi(scope, receive, send)
    else:
        await _django(scope, receive, send)


async def _lifespan(receive: Callable[..., Any], send: Callable[..., Any]) -> None:
    # Django knows no lifespan and would raise. There is nothing to start or stop, so say so: a
    # server that asks all the same then starts without a warning.
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
