"""One line of a ranking: what a server showed at an endpoint, and what that is worth."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from loadtest.concerns import Raised, Verdict
from loadtest.curve import Curve
from loadtest.figures import Figures
from loadtest.findings import Finding
from loadtest.model import Interface, Record, Stage, Status
from loadtest.statistics import Rates


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
    def shown(self) -> Figures | None:
        """The figures that may stand beside others: none of an invalid cell."""
        return self.figures if self.verdict != "invalid" else None


def by_round(rows: Iterable[Row], figure: Callable[[Round], float | None]) -> dict[str, Rates]:
    """Return a figure by round of each cell whose number may be compared; None: it has none."""
    rows = tuple(rows)
    last = max((one.number for row in rows for one in row.rounds), default=0)
    found: dict[str, Rates] = {}
    for row in rows:
        known = {one.number: figure(one) for one in row.rounds if row.shown}
        rates = [known.get(number) or None for number in range(1, last + 1)]
        if any(rates):
            found[row.cell] = rates
    return found
