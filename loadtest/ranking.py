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
    """The difference in goodput, as a share, that two identical servers show at this kind of work
    in as many rounds as the cell with most has; two that share fewer are judged by a larger one.
    None where the run has no second arm.
    """
    cpu_noise_floor: float | None
    """Likewise, of the server's CPU time for an answer."""
    noise_borrowed: bool
    """The run has no second arm at this kind of work: the floors are the largest of the others',
    and its own noise, which nobody measured, may be larger still."""
    rows: tuple[Row, ...]
