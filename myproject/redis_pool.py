"""One pool of Redis connections for the process, behind Django's cache."""

import functools
from typing import Any

from redis import BlockingConnectionPool


class SharedPool(BlockingConnectionPool):
    """A pool that every cache object of the process shares, and whose callers wait their turn.

    Django makes a cache object for each thread or task, and each would make a pool of its own:
    under ASGI that is a new connection to Redis for each request.
    """

    @classmethod
    @functools.cache
    def from_url(cls, url: str, **options: Any) -> "SharedPool":
        """Return the pool for this address and these options, made at the first call.

        Two first calls at the same moment may each get one; the second is garbage after its use.
        """
        return super().from_url(url, **options)
