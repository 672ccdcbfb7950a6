"""The noise of a load at a rate: of cost and of p99, each rate by itself, from the two arms."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from builders import endpoint, loaded, outcome, plan, run, server, usage
from facts import sent

from loadtest.judge.servers.summary import Summary, summarise
from loadtest.records.measured import Histogram, Outcome
from loadtest.records.planned import Cell, Load, Plan
from loadtest.report.servers.noise_tables import twins

SERVERS = [server("alpha"), server("beta"), server("alpha-again", duplicate_of="alpha")]
DIFFER = {("alpha-again", 50.0): 1.10, ("alpha-again", 400.0): 1.01}
"""What the second copy takes more of, CPU time and time, by rate."""


@dataclass(frozen=True)
class Stored:
    """A run at several rates, three rounds of each."""

    rates: tuple[float | None, ...]
    late: int = 0
    """Requests of the second copy, in the first round."""

    @property
    def plan(self) -> Plan:
        cells = tuple(
            Cell(
                server=each.name,
                endpoint=endpoint("json"),
                load=Load(connections=50, duration_s=2, warmup_s=0.1, rate=rate),
            )
            for rate in self.rates
            for each in SERVERS
        )
        return plan(SERVERS, cells=cells, rounds=3, reference="alpha")

    def measured(self, cell: Cell, number: int) -> Outcome:
        more = DIFFER.get((cell.server, cell.load.rate or 0.0), 1.0)
        late = self.late if (cell.server, number) == ("alpha-again", 0) else 0
        return outcome(
            cell.id,
            number,
            load_s=2.0,
            loaded=loaded(400, 2.0, sent=sent(late, late) if cell.load.rate else None),
            histogram=f"{more} {number}",
            usage={"server": usage(0.4 * more)},
        )

    def histogram(self, name: str) -> Histogram:
        more = float(name.split()[0])
        return Histogram(values_us=(1_000, int(10_000 * more)), counts=(380, 20))

    def summary(self) -> Summary:
        of = self.plan
        outcomes = [self.measured(cell, number) for number in range(3) for cell in of.cells]
        return summarise(run(of), outcomes, self.histogram)


def test_each_rate_has_a_floor_of_its_own() -> None:
    """It was one for all: that of few requests hid what many show, and many made few look sure."""
    low, high = Stored((50.0, 400.0)).summary().rankings
    assert (low.load.rate, high.load.rate) == (50.0, 400.0)
    assert low.cpu_noise_floor == pytest.approx(0.19, abs=0.01)
    assert high.cpu_noise_floor == pytest.approx(0.018, abs=0.002)
    assert low.p99_noise_floor == pytest.approx(0.19, abs=0.01)
    assert high.p99_noise_floor == pytest.approx(0.018, abs=0.002)
    assert low.noise_floor == high.noise_floor == 0.0
    assert not low.noise_borrowed


def test_both_arms_show_the_p99_of_each_round() -> None:
    summary = Stored((50.0,)).summary()
    (of,) = summary.twins
    assert (of.first.p99_us, of.second.p99_us) == ((10_000,) * 3, (11_000,) * 3)
    table = twins(summary)
    titles = [column.title for column in table.columns]
    texts = dict(zip(titles, table.texts()[0], strict=True))
    assert texts["p99 differs by"] == "+10.0 % / +10.0 % / +10.0 %"
    assert texts["p99 noise floor"] == "19 %"


def test_a_round_that_was_not_held_has_no_p99() -> None:
    summary = Stored((50.0,), late=8).summary()
    (of,) = summary.twins
    assert of.second.p99_us == (None, 11_000, 11_000)
    assert summary.rankings[0].p99_noise_floor is None, "two pairs of rounds make no floor"


def test_a_closed_loop_shows_none() -> None:
    summary = Stored((None,)).summary()
    (of,) = summary.twins
    assert of.first.p99_us == ()
    assert summary.rankings[0].p99_noise_floor is None
    assert not any("p99" in column.title for column in twins(summary).columns)
