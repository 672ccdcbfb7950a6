"""All servers at one endpoint under one load."""

from __future__ import annotations

from loadtest.model import Endpoint, Load, Record
from loadtest.row import Row


class Ranking(Record, frozen=True, kw_only=True):
    """All servers at one endpoint under one load: by goodput, then those without a number.

    These are the invalid, then the failed, then the skipped. A second arm of a server is not
    among them: it is there to show the noise.
    """

    endpoint: Endpoint
    load: Load
    noise_floor: float | None
    """The difference in goodput, as a share, that two identical servers show at this kind of work;
    where the run has no second arm of the kind, the largest it has. None where it has none at all.
    """
    cpu_noise_floor: float | None
    """Likewise, of the server's CPU time for an answer."""
    rows: tuple[Row, ...]
