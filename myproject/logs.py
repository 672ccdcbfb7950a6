"""A bound on what a failing server writes: the first errors say what is wrong."""

import logging


class FirstFew(logging.Filter):
    """Let `limit` records of this process through, and drop the rest.

    A server that fails under load fails thousands of times a second, each time with a traceback.
    """

    def __init__(self, limit: int) -> None:
        """Start with nothing let through."""
        super().__init__()
        self.left = limit

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether `record` is one of the first few."""
        # Two threads may both take the last place: one record too many is no harm.
        self.left -= 1
        return self.left >= 0
