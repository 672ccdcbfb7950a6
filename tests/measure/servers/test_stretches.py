"""How a run goes on after its rounds: which cells, and for how long."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from builders import endpoint, plan, run, server
from duplicate_arms import measured

from loadtest.measure.servers import session
from loadtest.records.measured import Outcome
from loadtest.records.planned import Cell, Plan
from loadtest.records.run_folder import Writer, create

PLAN = plan(
    [server("alpha"), server("beta"), server("alpha-again", duplicate_of="alpha")],
    [endpoint("json")],
    rounds=2,
    precision=0.03,
    reference="alpha",
)
WILD = {"alpha": (1000, 1010), "beta": (700, 1400), "alpha-again": (1005, 1000)}


def outcomes(errors: float = 0.0) -> list[Outcome]:
    """Return two rounds in which beta is wild; `errors` is their share among its answers."""
    found = []
    for name, rates in WILD.items():
        for number, rate in enumerate(rates):
            one = measured(f"{name}.json-sync", number, rate, 500)
            if name == "beta" and one.loaded:
                wrong = int(errors * one.loaded.answers)
                one = msgspec.structs.replace(
                    one, loaded=msgspec.structs.replace(one.loaded, status_errors=wrong)
                )
            found.append(one)
    return found


def rounds(folder: Path, of: Plan, had: list[Outcome], spent_s: float = 0.0, most: int = 4) -> int:
    """Return how many rounds are begun after those of the plan, every cell being measured."""
    where = create(folder, run(of))
    writer = Writer(where)
    for one in had:
        writer.append(one)
    known = list(had)

    def is_done(cell: Cell, round_: int) -> bool:
        return True

    begun = -1
    for todo in session._stretches(where, of, is_done, known, spent_s):
        begun += 1
        if begun == most:
            break
        for batch in todo:
            for cell in batch.cells:
                second = measured(cell.id, batch.round, 1000 + 300 * (batch.round % 2), 500)
                writer.append(second)
                known.append(second)
    writer.close()
    return begun


def test_an_open_cell_gets_more_rounds(tmp_path: Path) -> None:
    assert rounds(tmp_path, PLAN, outcomes()) == 4
    no_more = msgspec.structs.replace(PLAN, precision=None)
    assert rounds(tmp_path, no_more, outcomes()) == 0


def test_an_invalid_cell_gets_none(tmp_path: Path) -> None:
    assert rounds(tmp_path, PLAN, outcomes(errors=0.5)) == 0


@pytest.mark.parametrize(("spent_s", "expected"), [(0.0, 4), (54.0, 4), (55.0, 0)])
def test_the_budget_is_that_of_the_whole_run(tmp_path: Path, spent_s: float, expected: int) -> None:
    """What its earlier stretches took is spent; a round that would not end in time is not begun."""
    limited = msgspec.structs.replace(PLAN, budget_s=60.0)
    assert rounds(tmp_path, limited, outcomes(), spent_s) == expected
