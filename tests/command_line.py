"""The command line in this process: what is typed, and what comes back."""

from __future__ import annotations

from collections.abc import Callable

import msgspec


class Done(msgspec.Struct):
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        assert "Traceback" not in self.err
        return self.err.splitlines()


Type = Callable[..., Done]
