"""A server at an endpoint, and all servers there: figures, verdict, place."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Literal

from loadtest.judge.concern import Raised, Verdict
from loadtest.judge.servers.metrics import Figures
from loadtest.records.planned import Endpoint, Interface, Load, Record, Stage, Status
from loadtest.stats.latency import Curve
from loadtest.stats.ratios import Rates
from loadtest.stats.significance import Finding


class Round(Record, frozen=True, kw_only=True):
    """What became of a cell in one round."""

    number: int
    """From 1, as people count."""
    status: Status
    stage: Stage | None
    reason: str | None
    detail: str | None
    goodput: float | None
    """2xx answers a second; None unless measured."""
    server_cpu_us: float | None
    """Of the server's processes, for an answer."""
    raw: str | None
    """The generator's own output, as a path inside the run's folder."""


class Versus(Record, frozen=True, kw_only=True):
    """How a figure of a server compares with the reference server's, round by round."""

    ratio: float
    """Its figure / the reference's, the median over rounds."""
    low: float | None
    """Lower end of its 95 % interval; None with fewer than 2 rounds in common."""
    high: float | None
    """Upper end, likewise."""
    finding: Finding
    """Taken with all servers at the endpoint, and against the noise floor there."""


class Row(Record, frozen=True, kw_only=True):
    """One server at one endpoint: figures where it was measured, the reason where it was not."""

    cell: str
    server: str
    interface: Interface | None
    status: Status
    rank: int | None
    """By goodput, from 1; None without a number, and for one that is invalid."""
    tied: bool
    """Shares its rank: this run cannot tell it from the leader of its group."""
    versus: Versus | None
    """Of goodput, where higher is better; None without a number or a reference, and for the
    reference itself."""
    versus_cpu: Versus | None
    """Of `server_cpu_us`, where lower is better; None likewise, and where nobody measured it."""
    verdict: Verdict | None
    """What the number is worth; None where there is nothing to judge."""
    concerns: tuple[Raised, ...]
    """Doubts about the number, the worst first."""
    unchecked: tuple[str, ...]
    """Concerns that nobody could look for, as what they need was not recorded."""
    figures: Figures | None
    """Of an invalid cell too: see `shown`."""
    curve: Curve | None = None
    """Its latencies, likewise; None without a histogram."""
    stage: Stage | None
    reason: str | None
    """Of the first round that failed, or else was skipped."""
    rounds_measured: int
    rounds_failed: int
    rounds: tuple[Round, ...]
    notes: tuple[str, ...]
    """What to know before comparing it: the endpoint's note, the server's limits."""

    @property
    def reportable(self) -> Figures | None:
        """The figures that may stand beside others: none of an invalid cell."""
        return self.figures if self.verdict != "invalid" else None


def by_round(rows: Iterable[Row], figure: Callable[[Round], float | None]) -> dict[str, Rates]:
    """Return a figure by round of each cell whose number may be compared; None: it has none."""
    rows = tuple(rows)
    last = max((one.number for row in rows for one in row.rounds), default=0)
    found: dict[str, Rates] = {}
    for row in rows:
        known = {one.number: figure(one) for one in row.rounds if row.reportable}
        rates = [known.get(number) or None for number in range(1, last + 1)]
        if any(rates):
            found[row.cell] = rates
    return found


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
