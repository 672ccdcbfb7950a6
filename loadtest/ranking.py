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
    rows: tuple[Row, ...]
