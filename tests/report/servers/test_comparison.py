"""Two runs side by side: what is called a change, what is refused, and the page for it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import msgspec
import pytest
from builders import endpoint, plan, run, server
from fakes import FakeBench
from markdown_it import MarkdownIt
from paths import GOLD
from two_runs import JSON, QUERY, SERVERS, STEADY, stored, times, with_machine

from loadtest.cli import main
from loadtest.judge.servers.compare import Change, Comparisons, compare
from loadtest.measure.servers import measuring
from loadtest.plan.servers import schedule
from loadtest.records.errors import UserError
from loadtest.records.run_folder import ServersRun, Writer, create
from loadtest.report.markdown.page import document
from loadtest.report.servers.comparison import page as page_of


def render(compared: Comparisons) -> str:
    return document(page_of(compared), level=3)


def change(comparisons: Comparisons, cell: str, figure: str) -> Change:
    return next(
        change for change in comparisons.changes if (change.cell, change.figure) == (cell, figure)
    )


def answers(comparisons: Comparisons) -> set[tuple[str, str, str]]:
    return {
        (change.cell, change.figure, change.answer)
        for change in comparisons.changes
        if change.answer != "same"
    }


@pytest.fixture
def base(tmp_path: Path) -> ServersRun:
    return stored(tmp_path / "main")


@pytest.fixture
def changed(tmp_path: Path) -> ServersRun:
    """Give a run in which one cell lost a fifth, one costs less, one is wild, one has failed."""
    return stored(
        tmp_path / "branch",
        {
            "alpha.json-sync": times(0.8),
            "alpha-again.json-sync": [0.8 * each for each in STEADY],
            "beta.json-sync": [1.5, 0.7, 1.1, 0.6, 1.3],
            "beta.json_query-sync": [None] * 5,
        },
        cpu={f"{name}.json_query-sync": times(0.85) for name in ("alpha", "alpha-again")},
    )


def test_nothing_changed(base: ServersRun, tmp_path: Path) -> None:
    comparison = compare(base, stored(tmp_path / "branch"))
    # A duplicate is there for the noise, not to be compared.
    assert len(comparison.changes) == 2 * 2 * 3
    assert not answers(comparison)
    assert not comparison.regressed
    assert comparison.differences == ()
    assert comparison.lost == ()


def test_better_worse_and_cannot_tell(base: ServersRun, changed: ServersRun) -> None:
    comparison = compare(base, changed)
    assert answers(comparison) == {
        ("alpha.json-sync", "goodput", "worse"),
        ("alpha.json-sync", "p99_us", "worse"),
        ("alpha.json_query-sync", "server_cpu_us", "better"),
        ("beta.json-sync", "goodput", "cannot tell"),
        ("beta.json-sync", "p99_us", "cannot tell"),
    }
    slower = change(comparison, "alpha.json-sync", "goodput")
    assert slower.comparison.ratio == pytest.approx(0.8)
    assert slower.comparison.method == "bootstrap"
    assert (slower.base, slower.new) == (1000, 800)
    assert comparison.regressed


def test_back_again_is_the_other_way_round(base: ServersRun, changed: ServersRun) -> None:
    opposite = {"better": "worse", "worse": "better", "cannot tell": "cannot tell"}
    there, back = compare(base, changed), compare(changed, base)
    assert {(cell, figure, opposite[answer]) for cell, figure, answer in answers(there)} == answers(
        back
    )


def test_a_change_within_the_threshold_is_none(base: ServersRun, changed: ServersRun) -> None:
    comparison = compare(base, changed, threshold=0.3)
    assert change(comparison, "alpha.json-sync", "goodput").answer == "same"


def test_a_cell_that_fails_now_is_a_regression(base: ServersRun, tmp_path: Path) -> None:
    broken = stored(tmp_path / "branch", {"beta.json-sync": [None] * 5})
    comparison = compare(base, broken)
    assert [(cell.cell, cell.run, cell.failed) for cell in comparison.lost] == [
        ("beta.json-sync", "new", True)
    ]
    assert comparison.regressed
    assert not compare(broken, base).regressed


def test_a_number_that_came_out_invalid_is_lost(base: ServersRun, tmp_path: Path) -> None:
    """Half of the answers being errors, its rate and latency are those of something else."""
    good = stored(tmp_path / "branch")
    outcomes = tuple(
        msgspec.structs.replace(
            outcome,
            loaded=msgspec.structs.replace(
                outcome.loaded, status_errors=outcome.loaded.answers // 2
            ),
        )
        if outcome.cell == "beta.json-sync" and outcome.loaded
        else outcome
        for outcome in good.outcomes
    )
    comparison = compare(base, msgspec.structs.replace(good, outcomes=outcomes))
    (lost,) = comparison.lost
    assert (lost.cell, lost.failed) == ("beta.json-sync", True)
    assert "50" in lost.reason
    assert "beta.json-sync" not in {change.cell for change in comparison.changes}


def test_a_cell_that_was_not_planned_is_no_regression(base: ServersRun, tmp_path: Path) -> None:
    comparison = compare(base, stored(tmp_path / "branch", of=plan(SERVERS[:1], [JSON, QUERY])))
    assert {(cell.cell, cell.failed) for cell in comparison.lost} == {
        ("beta.json-sync", False),
        ("beta.json_query-sync", False),
    }
    assert not comparison.regressed


def test_no_difference_below_the_noise_of_either_run(base: ServersRun, tmp_path: Path) -> None:
    noisy = {
        f"alpha-again.{endpoint.id}": [1.2, 0.8, 1.25, 0.85, 1.3] for endpoint in (JSON, QUERY)
    }
    loud = stored(tmp_path / "branch", noisy | {"alpha.json-sync": times(0.9)})
    comparison = compare(base, loud)
    assert comparison.margins["goodput"] > 0.15
    assert comparison.margins["server_cpu_us"] == 0.05
    assert change(comparison, "alpha.json-sync", "goodput").answer != "worse"


def test_one_round_tells_nothing(tmp_path: Path) -> None:
    rates = {"alpha.json-sync": [1.0]}
    only = plan(SERVERS[:1], [JSON])
    base = stored(tmp_path / "main", rates, of=only)
    comparison = compare(base, stored(tmp_path / "branch", {"alpha.json-sync": [0.5]}, of=only))
    assert {each.answer for each in comparison.changes} == {"cannot tell"}


def test_drift_of_the_processors_is_no_change_of_cpu_time(base: ServersRun, tmp_path: Path) -> None:
    """A tenth from round to round, which hides 8 % unless it is taken out."""
    drift = (1.0, 1.1, 0.9, 1.05, 0.95)
    dearer = {"alpha.json-sync": times(1.08)}
    before = stored(tmp_path / "b1", slower=drift)
    after = stored(tmp_path / "b2", slower=drift[::-1], cpu=dearer)
    comparison = compare(before, after)
    (change_of_cpu,) = (answer for answer in answers(comparison) if answer[1] == "server_cpu_us")
    assert change_of_cpu == ("alpha.json-sync", "server_cpu_us", "worse")
    separated = change(comparison, "alpha.json-sync", "server_cpu_us")
    assert separated.drift_corrected
    assert separated.comparison.ratio == pytest.approx(1.08, abs=0.005)
    assert separated.base == pytest.approx(800, rel=0.01)
    page = render(comparison)
    assert "CPU per request, drift-corrected" in page
    assert "the speed of processors drifts" in page
    # In a container, an answer comes to the generator by another way.
    contained = msgspec.structs.replace(after.run, launcher="compose")
    elsewhere = compare(before, msgspec.structs.replace(after, run=contained))
    assert not any(change.drift_corrected for change in elsewhere.changes)
    # Where nobody measured the generator, nothing is evened.
    plain = compare(base, stored(tmp_path / "b3", slower=drift, cpu=dearer))
    assert not any(change.drift_corrected for change in plain.changes)
    assert "drift-corrected" not in render(plain)


def test_rounds_are_shared_within_one_run_only(base: ServersRun, changed: ServersRun) -> None:
    assert not compare(base, changed).same_rounds
    second = msgspec.structs.replace(changed, run=base.run)
    comparison = compare(base, second)
    assert comparison.same_rounds
    assert {change.comparison.method for change in comparison.changes} == {"t"}


def test_no_cell_in_common(base: ServersRun, tmp_path: Path) -> None:
    other = stored(tmp_path / "branch", of=plan([server("gamma")], [JSON]))
    with pytest.raises(UserError, match="has no cell that has a number in"):
        compare(base, other)


def test_a_refusal_names_the_keys_and_the_way_out(base: ServersRun, changed: ServersRun) -> None:
    other = msgspec.structs.replace(
        changed, run=with_machine(changed.run, cpu="another", python="CPython 3.13")
    )
    with pytest.raises(UserError) as refused:
        compare(base, other)
    assert refused.value.lines == (
        "the two runs were not made under the same conditions; --force compares them",
        "cpu: a CPU in BASE, another in NEW",
    )
    comparison = compare(base, other, force=True)
    assert [difference.key for difference in comparison.differences] == ["cpu", "python"]
    forbidding = "Not made under the same conditions, which may be all there is to see here:"
    assert f"{forbidding} cpu" in render(comparison)


# What is printed ---------------------------------------------------------------------------------


def test_gold(base: ServersRun, changed: ServersRun) -> None:
    new = msgspec.structs.replace(
        changed, run=with_machine(changed.run, versions={"Django": "6.0"})
    )
    text = render(compare(base, new))
    if os.environ.get("UPDATE_GOLD"):
        (GOLD / "compare.md").write_text(text)
    assert text == (GOLD / "compare.md").read_text()


def test_the_page_is_whole(base: ServersRun, changed: ServersRun) -> None:
    page = MarkdownIt("commonmark").enable("table").render(render(compare(base, changed)))
    assert "<b>" not in page
    assert page.count("<details>") == page.count("</details>") > 0
    for table in page.split("<table>")[1:]:
        head, *body = table.split("</table>")[0].split("<tr>")[1:]
        assert {row.count("<td") for row in body} == {head.count("<th")}


def test_a_shift_that_all_share_is_told_with_that_of_the_controls(tmp_path: Path) -> None:
    of = plan(SERVERS[:2], [JSON, QUERY, endpoint("raw", "control")], rounds=5)
    slower = {cell.id: times(0.96) for cell in of.cells}
    comparison = compare(
        stored(tmp_path / "main", of=of), stored(tmp_path / "branch", slower, of=of)
    )
    page = render(comparison)
    assert "All cells together: requests/s 0.96x, p99 1.04x, CPU per request 1.00x." in page
    assert "Those that bypass the app (control): requests/s 0.96x, p99 1.04x" in page


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """Give two runs as the engine writes them; in the second beta is slower and alpha dies."""
    monkeypatch.setattr("fakes.HEAD_BYTES", 0)
    paths = []
    for number, (rate, dies) in enumerate([(1000, ""), (600, "alpha.json-sync.r*")]):
        of = plan(SERVERS[:2], [JSON, QUERY], rounds=3)
        folder = create(tmp_path, run(of, created_at=f"2026-01-0{number + 1}T00:00:00Z"))
        writer = Writer(folder)
        bench = FakeBench(folder, rates={"beta": rate}, faults={dies: "load"})
        todo = schedule.batches(of)
        measuring.run(of, todo, bench, writer.append, lambda cell, at, turn: None)
        writer.close()
        paths.append(folder)
    return paths[0], paths[1]


def typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: object
) -> tuple[object, str, str]:
    monkeypatch.setattr("signal.signal", lambda *arguments: None)
    monkeypatch.setattr(sys, "argv", ["loadtest", "compare", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        main.main()
    printed = capsys.readouterr()
    return ended.value.code, printed.out, printed.err


def test_the_command(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    folders: tuple[Path, Path],
) -> None:
    base, new = folders
    status, out, err = typed(monkeypatch, capsys, base, new)
    assert (status, err) == (1, "")
    assert ": a regression beyond 5 %." in out
    assert "| worse | `beta.json-sync` | requests/s | 1,000 | 600 |" in out
    assert (
        "| `alpha.json-sync` | new | failed | wrk ended with status 1: unable to connect |" in out
    )
    copy = shutil.copytree(base, base.with_name("copy"))
    status, out, _ = typed(monkeypatch, capsys, base, copy, "--json", "--threshold", "3%")
    assert status == 0
    comparisons = msgspec.convert(json.loads(out), Comparisons)
    assert comparisons.threshold == 0.03
    status, out, err = typed(monkeypatch, capsys, base, new, "--threshold", "much")
    assert (status, out) == (2, "")
    assert "'much' is no share between 0 and 1; write it as in 3%" in err
