"""One pool of Redis connections for the process, behind Django's cache."""

import threading
from typing import Any, ClassVar

from redis import BlockingConnectionPool


class SharedPool(BlockingConnectionPool):
    """A pool that every cache object of the process shares, and whose callers wait their turn.

    Django makes a cache object for each thread or task, and each would make a pool of its own:
    under ASGI that is a new connection to Redis for each request.
    """

    _pools: ClassVar[dict[str, "SharedPool"]] = {}
    _making = threading.Lock()

    @classmethod
    def from_url(cls, url: str, **options: Any) -> "SharedPool":
        """Return the pool for this address, made at the first call with the options of that one.

        Django's options come from the settings, so they are the same in every call; not all of them
        can be compared.
        """
        with cls._making:
            if url not in cls._pools:
                cls._pools[url] = super().from_url(url, **options)
            return cls._pools[url]
