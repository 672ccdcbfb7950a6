"""Several runs over time: lines, steps, what cannot be compared, and both forms of it."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import msgspec
import pytest
from axe_playwright_python.sync_playwright import Axe
from browser import visit
from command_line import Type
from playwright.sync_api import Browser, expect
from two_runs import stored, times, with_machine

from loadtest.cli.history import write_history
from loadtest.judge.servers import summary
from loadtest.judge.servers.compare import compare
from loadtest.judge.servers.conditions import differences
from loadtest.judge.servers.history import Between, History, Line, Made, history
from loadtest.records.errors import UserError
from loadtest.records.run_folder import ServersRun
from loadtest.report.charts.chart import svg
from loadtest.report.generated_marker import signed
from loadtest.report.servers.history import below, by_endpoint, changed, chart, files, headline


def over(*runs: ServersRun) -> History:
    """Return the history of runs, oldest first."""

    def between(base: ServersRun, new: ServersRun) -> Between:
        keys = differences(base.run, new.run)
        try:
            return Between(differences=keys, compared=compare(base, new), refused=None)
        except UserError as error:
            return Between(differences=keys, compared=None, refused=str(error))

    comparisons = [
        Made(name=run.folder.name, run=run.run, summary=summary.summarise_stored(run))
        for run in runs
    ]
    return history(comparisons, [between(*pair) for pair in itertools.pairwise(runs)])


def of(whole: History, server: str, endpoint: str) -> Line:
    return next(line for line in whole.lines if (line.server, line.endpoint) == (server, endpoint))


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
    assert [point.answer for point in line.points] == [None, "worse", None]
    assert line.points[0].goodput == pytest.approx(1000, rel=0.05)
    assert line.points[1].goodput == pytest.approx(800, rel=0.05)
    assert of(three, "beta", "json_query-sync").points[1].answer in ("same", "cannot tell")


def test_a_step_names_what_differs_and_why_it_is_not_compared(three: History) -> None:
    first, second = three.steps
    assert "Django" in {difference.key for difference in first.differences}
    assert first.refused is None
    assert first.counts["worse"] >= 1
    assert second.refused
    assert "cpu" in second.refused
    assert second.counts == {}


def test_a_cell_that_lost_its_number_says_why(tmp_path: Path) -> None:
    history = over(stored(tmp_path / "a"), stored(tmp_path / "bb", {"beta.json-sync": [None] * 5}))
    (step,) = history.steps
    assert [(cell.cell, cell.run, cell.why) for cell in step.lost] == [
        ("beta.json-sync", "new", "failed")
    ]
    point = of(history, "beta", "json-sync").points[1]
    assert (point.state, point.goodput) == ("failed", None)
    assert "it exited" in (point.reason or "")
    (lost, *_) = changed(history)["bb"]
    assert (lost.line.server, lost.answer) == ("beta", "lost")
    assert "1 cell has lost the number." in headline(history)
    text = files(history)["history.md"]
    assert "| failed |" in text
    assert "it exited" in text
    # An endpoint may be called so, and a goal stands behind that of a search.
    renamed = re.sub(r'"json-sync(?=[" ])', '"my json-sync', msgspec.json.encode(history).decode())
    (lost, *_) = changed(msgspec.json.decode(renamed, type=History))["bb"]
    assert lost.line.endpoint == "my json-sync"


def test_the_headline_names_versions_and_what_got_worse(three: History) -> None:
    two = msgspec.structs.replace(
        three, runs=three.runs[:2], versions=three.versions[:2], steps=three.steps[:1]
    )
    sentences = headline(two)
    assert "against the one before:" in sentences
    assert "New versions: Django 5.2 → 6.0<b>." in sentences
    assert "Worse: alpha at json-sync (requests/s)" in sentences
    assert headline(three).startswith("The last run cannot be compared with the one before: ")


def test_cpu_time_has_its_line_too(tmp_path: Path) -> None:
    cheap = {f"{name}.json-sync": times(0.6) for name in ("alpha", "alpha-again")}
    history = over(stored(tmp_path / "a"), stored(tmp_path / "bb", cpu=cheap))
    assert of(history, "alpha", "json-sync").points[1].cpu_answer == "better"
    (better, *_) = changed(history)["bb"]
    assert (better.line.server, better.figure, better.answer) == ("alpha", "cpu", "better")
    cost = of(history, "alpha", "all").points[1]
    assert (cost.cpu_answer, cost.server_cpu_us) == ("better", pytest.approx(620, abs=5))
    assert "alpha costs 0.77x (0.77 to 0.78) what it did." in headline(history)
    text = files(history)["history.md"]
    assert re.search(r"\| `alpha` \| wsgi \| \d+ us \| \d+ us better \|", text)


def test_a_chart_holds_the_numbers_and_no_mark_for_what_is_lost(tmp_path: Path) -> None:
    history = over(stored(tmp_path / "a"), stored(tmp_path / "bb", {"beta.json-sync": [None] * 5}))
    lines = by_endpoint(history)["json-sync"]
    drawn = chart(history, "json-sync", lines, "goodput", below(history))
    assert drawn
    assert [mark.x for mark in drawn.panels[0].marks if mark.name == "beta"] == [0]
    # Its name is led to from there.
    assert ">beta</text>" in svg(drawn)
    assert "no mark" in drawn.description
    assert chart(history, "json-sync", [], "goodput", below(history)) is None


def test_what_stands_below_a_run_names_the_versions_that_moved(three: History) -> None:
    assert below(three) == [
        "2026-01-02 | 03:04 | Django 5.2",
        "2026-01-02 | 03:04 | Django 6.0<b>",
        "2026-01-02 | 03:04 | Django 5.2",
    ]


def test_a_server_that_is_not_in_every_run_has_gaps(tmp_path: Path) -> None:
    whole, part = stored(tmp_path / "a"), stored(tmp_path / "bb")
    cells = tuple(cell for cell in part.run.plan.cells if cell.server != "beta")
    fewer = msgspec.structs.replace(part.run.plan, cells=cells)
    part = msgspec.structs.replace(part, run=msgspec.structs.replace(part.run, plan=fewer))
    history = over(part, whole, part)
    assert [point.goodput is None for point in of(history, "beta", "json-sync").points] == [
        True,
        False,
        True,
    ]


def test_markdown_has_each_line_once(three: History) -> None:
    text = files(three)["history.md"]
    assert "| `alpha` |" in text
    assert " worse |" in text
    assert text.count("## json-sync") == 1
    assert text.count("](timeline-goodput-json-sync.svg)") == 1
    assert "6.0<b>" not in text.replace(r"6.0\<b\>", "")


def test_the_page_opens_without_a_fault(browser: Browser, three: History, tmp_path: Path) -> None:
    path = tmp_path / "history.html"
    path.write_text(files(three)["history.html"])
    with visit(browser, path, "#endpoint-json-sync", width=390, policy=False) as seen:
        expect(seen.page.locator("#lines .badge.invalid").first).to_have_text("worse")
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= 390
        violations = Axe().run(seen.page).response["violations"]
        assert [
            violation["id"]
            for violation in violations
            if violation["impact"] in ("serious", "critical")
        ] == []
    with visit(browser, path, "#endpoint-json-sync") as seen:
        for key, name in (("goodput", "requests/s"), ("cpu", "CPU per request")):
            seen.page.get_by_role("radio", name=name).check()
            plot = seen.page.locator(f"[data-chart=timeline-{key}-json-sync]")
            expect(plot).to_be_visible()
            assert plot.locator(".panels use").count() >= 6
        expect(seen.page.locator("[data-chart=timeline-goodput-json-sync]")).not_to_be_visible()
        seen.page.evaluate("location.hash = '#endpoint-json_query-sync'")
        expect(seen.page.locator("#endpoint-json_query-sync table:visible")).to_have_count(1)
        assert seen.complaints == []
        assert seen.requests == []


def test_its_files_are_together_below_the_runs(three: History, tmp_path: Path) -> None:
    (tmp_path / "history").mkdir()
    gone = tmp_path / "history" / "timeline-goodput-gone-sync.svg"
    gone.write_text(signed("<svg></svg>"))
    written = write_history(three, tmp_path)
    names = {path.name for path in written}
    assert {"history.md", "history.html", "timeline-goodput-json-sync.svg"} <= names
    assert {path.parent for path in written} == {tmp_path / "history"}
    assert set((tmp_path / "history").iterdir()) == set(written)


def test_one_run_is_no_history(type_: Type, tmp_path: Path) -> None:
    done = type_("report", "--history", tmp_path)
    assert done.status == 2
    assert "needs at least two runs of servers, there are none" in done.err
