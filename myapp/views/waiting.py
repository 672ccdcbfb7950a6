"""Gateways: a request that mostly waits, as behind a slow service."""

import asyncio
import time

from django.http import HttpRequest, JsonResponse

from myapp.contract import OK, Endpoint, ok


def gateway(seconds: int) -> None:
    """Declare the endpoint `gateway_<seconds>s` with a view pair of its own."""
    endpoint = Endpoint(
        name=f"gateway_{seconds}s",
        title=f"Simulate a request {seconds}s inside the server, then return a JSON",
        kind="waiting",
        summary=f"Waits {seconds} s inside the server, then answers a small JSON.",
        contract=ok(delay_s=float(seconds)),
    )

    @endpoint.view(isolated=True)
    def sync_view(request: HttpRequest) -> JsonResponse:
        time.sleep(seconds)
        return JsonResponse(OK)

    @endpoint.view(isolated=True)
    async def async_view(request: HttpRequest) -> JsonResponse:
        await asyncio.sleep(seconds)
        return JsonResponse(OK)


for _seconds in (1, 3, 10):
    gateway(_seconds)
