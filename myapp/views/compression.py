"""Brotli on each request: work for the processor, done in C."""

import brotli
from django.http import HttpRequest, HttpResponse

from myapp.contract import Contract, Endpoint, expected

POSTS = expected("posts.json")


def compressed(name: str, title: str, quality: int) -> None:
    """Declare an endpoint that compresses the list of posts anew for each request."""
    endpoint = Endpoint(
        name=name,
        title=title,
        kind="compression",
        summary=f"Compresses 27.5 kB of JSON with Brotli at quality {quality} for each request.",
        contract=Contract(body=POSTS, content_encoding="br"),
    )

    def answer() -> HttpResponse:
        # Whatever the client accepts: the compression is the workload.
        return HttpResponse(
            brotli.compress(POSTS, quality=quality),
            content_type="application/json",
            headers={"Content-Encoding": "br"},
        )

    @endpoint.view()
    def sync_view(request: HttpRequest) -> HttpResponse:
        return answer()

    @endpoint.view(note="the compression runs on the event loop")
    async def async_view(request: HttpRequest) -> HttpResponse:
        return answer()


compressed("brotli", "Brotli", quality=11)
compressed("brotli_q4", "Brotli at quality 4", quality=4)
