"""Several runs over time: lines, steps, what cannot be compared, and both forms of it."""

from __future__ import annotations

import itertools
from pathlib import Path

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import visit
from command_line import Type
from playwright.sync_api import Browser, expect
from two_runs import stored, times, with_machine

from loadtest import history_report, judged
from loadtest.compare import compare
from loadtest.environment import differences
from loadtest.errors import UserError
from loadtest.history import Between, History, Line, Made, history
from loadtest.results import Stored


def over(*runs: Stored) -> History:
    """Return the history of runs, oldest first."""

    def between(base: Stored, new: Stored) -> Between:
        found = differences(base.run, new.run)
        try:
            return Between(differences=found, compared=compare(base, new), refused=None)
        except UserError as error:
            return Between(differences=found, compared=None, refused=str(error))

    made = [Made(name=one.folder.name, run=one.run, summary=judged.summary(one)) for one in runs]
    return history(made, [between(*pair) for pair in itertools.pairwise(runs)])


def of(made: History, server: str, endpoint: str) -> Line:
    return next(one for one in made.lines if (one.server, one.endpoint) == (server, endpoint))


@pytest.fixture
def three(tmp_path: Path) -> History:
    """Give a run, one with another Django on which alpha lost a fifth, and one on a new machine."""
    first = stored(tmp_path / "a")
    second = stored(tmp_path / "bb", {"alpha.json-sync": times(0.8)})
    second = msgspec.structs.replace(
        second, run=with_machine(second.run, versions={"Django": "6.0<b>"})
    )
    third = stored(tmp_path / "ccc", {"alpha.json-sync": times(0.8)})
    third = msgspec.structs.replace(third, run=with_machine(third.run, cpu="Other"))
    return over(first, second, third)


def test_a_line_says_where_a_server_got_worse(three: History) -> None:
    line = of(three, "alpha", "json-sync")
    assert [one.answer for one in line.points] == [None, "worse", None]
    assert line.points[0].goodput == pytest.approx(1000, rel=0.05)
    assert line.points[1].goodput == pytest.approx(800, rel=0.05)
    assert of(three, "beta", "json_query-sync").points[1].answer in ("same", "cannot tell")


def test_a_step_names_what_differs_and_why_it_is_not_compared(three: History) -> None:
    first, second = three.steps
    assert "Django" in {one.key for one in first.differences}
    assert first.refused is None
    assert first.counts["worse"] >= 1
    assert second.refused
    assert "cpu" in second.refused
    assert second.counts == {}


def test_a_server_that_is_not_in_every_run_has_gaps(tmp_path: Path) -> None:
    whole, part = stored(tmp_path / "a"), stored(tmp_path / "bb")
    cells = tuple(one for one in part.run.plan.cells if one.server != "beta")
    fewer = msgspec.structs.replace(part.run.plan, cells=cells)
    part = msgspec.structs.replace(part, run=msgspec.structs.replace(part.run, plan=fewer))
    made = over(part, whole, part)
    assert [one.goodput is None for one in of(made, "beta", "json-sync").points] == [
        True,
        False,
        True,
    ]


def test_markdown_has_each_line_once(three: History) -> None:
    text = history_report.markdown(three)
    assert "| `alpha` |" in text
    assert " worse |" in text
    assert text.count("## json-sync") == 1
    assert "6.0<b>" not in text.replace(r"6.0\<b\>", "")


def test_the_page_opens_without_a_fault(browser: Browser, three: History, tmp_path: Path) -> None:
    path = tmp_path / "history.html"
    path.write_text(history_report.html(three))
    with visit(browser, path, width=390, policy=False) as seen:
        expect(seen.page.locator("#lines .badge.invalid").first).to_have_text("worse")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390
        found = Axe().run(seen.page).response["violations"]
        assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    with visit(browser, path) as seen:
        assert seen.complaints == []
        assert seen.requests == []


def test_one_run_is_no_history(type_: Type, tmp_path: Path) -> None:
    done = type_("report", "--history", tmp_path)
    assert done.status == 2
    assert "a history takes two runs, there are 0" in done.err
