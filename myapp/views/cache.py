"""A real get and a real set of 1 kB in Redis, through Django's cache."""

import json

from django.core.cache import cache
from django.http import HttpRequest, JsonResponse

from myapp.contract import OK, Contract, Endpoint, expected, ok

SEEDED = "seeded"  # the key that `manage.py seed` fills and cache_hit reads
WRITTEN = "written"
HIT = expected("cache_hit.json")
VALUE: str = json.loads(HIT)["value"]  # 1,024 characters

CACHE_HIT = Endpoint(
    name="cache_hit",
    title="Redis hit (real; the original's was a sleep)",
    kind="cache",
    summary="Gets a value of 1 kB from Redis and answers it.",
    contract=Contract(body=HIT, redis=1),
)
CACHE_SET = Endpoint(
    name="cache_set",
    title="Redis set (real; the original's was a sleep)",
    kind="cache",
    summary="Sets a value of 1 kB in Redis.",
    contract=ok(redis=1),
)


def _hit(value: str | None) -> JsonResponse:
    if value is None:  # a miss is a fast answer: it must never be measured as a hit
        raise LookupError(f"{SEEDED!r} is not in the cache; type: python manage.py seed")
    return JsonResponse({"value": value})


@CACHE_HIT.view()
def cache_hit_sync(request: HttpRequest) -> JsonResponse:
    """Answer the seeded value, or fail."""
    return _hit(cache.get(SEEDED))


@CACHE_HIT.view()
async def cache_hit_async(request: HttpRequest) -> JsonResponse:
    """Answer the seeded value, or fail."""
    return _hit(await cache.aget(SEEDED))


@CACHE_SET.view()
def cache_set_sync(request: HttpRequest) -> JsonResponse:
    """Write the value under a key of its own."""
    cache.set(WRITTEN, VALUE)
    return JsonResponse(OK)


@CACHE_SET.view()
async def cache_set_async(request: HttpRequest) -> JsonResponse:
    """Write the value under a key of its own."""
    await cache.aset(WRITTEN, VALUE)
    return JsonResponse(OK)
