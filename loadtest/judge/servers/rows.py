"""A server at an endpoint, and all servers there: figures, verdict, place."""

from __future__ import annotations

from typing import Literal

from loadtest.judge import rows
from loadtest.judge.rows import Versus
from loadtest.judge.servers.metrics import Figures
from loadtest.judge.servers.within import Search, Step
from loadtest.records.planned import Endpoint, Interface, Load, Stage, at
from loadtest.stats.latency import Curve

By = Literal["cost", "goodput"]

SHORT = ("rate-not-held", "starved-connections")
"""The concerns of a cell whose server did not answer as fast as requests were to come."""

LATE = "generator-late"
"""That of a cell of which the load generator sent too late what the server might have answered."""


class Round(rows.Round, frozen=True, kw_only=True):
    """What became of a cell in one round."""

    stage: Stage | None
    goodput: float | None
    """Ok responses a second (2xx); None unless measured."""
    server_cpu_us: float | None
    """Of the server's processes, for an answer."""
    raw: str | None
    """The generator's own output, as a path inside the run's folder."""


class Row(rows.Row, frozen=True, kw_only=True):
    """One server at one endpoint, ranked and compared with the reference server.

    Figures where it was measured, the reason where it was not.
    """

    cell: str
    server: str
    interface: Interface | None
    versus_cpu: Versus | None
    """As `versus`, which is of goodput, but of `server_cpu_us`, where lower is better; None where
    nobody measured it."""
    figures: Figures | None
    """Of an invalid cell too: see `reportable`."""
    curve: Curve | None = None
    """Its latencies, likewise; None without a histogram."""
    stage: Stage | None
    rounds: tuple[Round, ...]
    search: Search | None = None
    """Of a search: its figures are those at the highest rate that kept the goal."""
    steps: tuple[Step, ...] = ()
    """Of a load with steps, the lowest rate first."""
    notes: tuple[str, ...]
    """What to know before comparing it: the endpoint's note, the server's limits."""

    @property
    def name(self) -> str:
        """The cell's id."""
        return self.cell

    @property
    def reportable(self) -> Figures | None:
        """The figures that may stand beside others: none of an invalid cell."""
        return self.figures if self.verdict != "invalid" else None

    @property
    def why_short(self) -> str:
        """How it did not keep the rate: its number is none at that rate; empty if it did."""
        return "; ".join(raised.facts for raised in self.concerns if raised.concern in SHORT)


class Ranking(rows.Ranking, frozen=True, kw_only=True):
    """All servers at one endpoint under one load, the best first, then those without a number."""

    endpoint: Endpoint
    load: Load
    by: By
    """What ranks them: what a request costs, in CPU time of the server; or, where it waits or that
    time is not known, goodput: requests held at once make it."""
    noise_floor: float | None
    """The difference in goodput, as a share, that two identical servers show at this workload
    in as many rounds as the cell with most has; two that share fewer are judged by a larger one.
    None where the run has no duplicate.
    """
    cpu_noise_floor: float | None
    """Likewise, of the server's CPU time for an answer."""
    p99_noise_floor: float | None = None
    """Likewise, of p99 at a rate; None of a closed loop, whose p99 is that of a full queue."""
    noise_borrowed: bool
    """The run has no duplicate at this workload: the floors are the largest of the others',
    and its own noise, which nobody measured, may be larger still."""
    rows: tuple[Row, ...]

    @property
    def at(self) -> str:
        """The endpoint with its style, and the rate of a load at one."""
        return at(self.endpoint, self.load)

    @property
    def floor(self) -> float | None:
        """The noise floor of what ranks them."""
        return self.cpu_noise_floor if self.by == "cost" else self.noise_floor


State = Literal["valid", "suspect", "invalid", "failed", "skipped", "absent"]
"""Absent: the server was not to be measured there."""


def state(row: Row | None) -> State:
    """Return what the number of a row is worth, or why it has none.

    What left nothing but errors, or wrong answers, is invalid as its verdict has it, whether or not
    a load came to its end; what has neither a figure nor such a verdict has failed.
    """
    if row is None:
        return "absent"
    if row.figures is None and row.verdict != "invalid":
        return "skipped" if row.status == "skipped" else "failed"
    return row.verdict or "valid"
