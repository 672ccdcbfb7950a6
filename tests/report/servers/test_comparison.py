"""Two runs side by side: what is called a change, what is refused, and the page for it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import endpoint, plan, run, server
from command_line import Type
from fakes import FakeBench
from gold import check
from markdown_it import MarkdownIt
from msgspec.structs import replace
from two_runs import JSON, QUERY, SERVERS, STEADY, stored, times, with_machine

from loadtest.judge.servers.compare import Change, Comparisons, compare
from loadtest.judge.servers.summary import summarise_stored
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
    assert len(comparison.of_cells) == 2 * 2 * 3
    assert [cost.server for cost in comparison.costs] == ["alpha", "beta"]
    assert not answers(comparison)
    assert not comparison.regressed
    assert comparison.conclusive
    assert page_of(comparison).title == "No server costs more"
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


def test_of_thousands_of_figures_none_is_resampled(
    base: ServersRun, changed: ServersRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That takes some milliseconds for each, and a run may have thousands."""
    monkeypatch.setattr("loadtest.judge.servers.compare.MOST_RESAMPLED", 1)
    comparison = compare(base, changed)
    assert {each.comparison.method for each in comparison.of_cells} <= {"t", None}
    assert change(comparison, "alpha.json-sync", "goodput").answer == "worse"


def test_without_latencies_none_are_looked_for(
    base: ServersRun, changed: ServersRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are summed up for each round of each cell, and a run may have a hundred thousand."""
    without = [
        replace(each, outcomes=tuple(replace(of, histogram=None) for of in each.outcomes))
        for each in (base, changed)
    ]
    monkeypatch.setattr("loadtest.judge.servers.compare.latencies", pytest.fail)
    assert {each.figure for each in compare(*without).changes} == {
        "cost",
        "goodput",
        "server_cpu_us",
    }


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
    assert [(cell.cell, cell.run, cell.why) for cell in comparison.lost] == [
        ("beta.json-sync", "new", "failed")
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
    assert (lost.cell, lost.why) == ("beta.json-sync", "failed")
    assert "50" in lost.reason
    assert "beta.json-sync" not in {change.cell for change in comparison.changes}


def test_a_cell_that_was_not_planned_is_no_regression(base: ServersRun, tmp_path: Path) -> None:
    comparison = compare(base, stored(tmp_path / "branch", of=plan(SERVERS[:1], [JSON, QUERY])))
    assert {(cell.cell, cell.why) for cell in comparison.lost} == {
        ("beta.json-sync", "unplanned"),
        ("beta.json_query-sync", "unplanned"),
    }
    assert not comparison.regressed
    # One line for all of them.
    page = render(comparison)
    assert "1 server is not in NEW's plan." in page
    assert "beta" not in page


def test_no_difference_below_the_noise_of_either_run(base: ServersRun, tmp_path: Path) -> None:
    noisy = {
        f"alpha-again.{endpoint.id}": [1.2, 0.8, 1.25, 0.85, 1.3] for endpoint in (JSON, QUERY)
    }
    loud = stored(tmp_path / "branch", noisy | {"alpha.json-sync": times(0.9)})
    comparison = compare(base, loud)
    slower = change(comparison, "alpha.json-sync", "goodput")
    assert slower.answer != "worse"
    assert slower.noise is not None
    assert slower.margin == slower.noise > 0.15
    assert change(comparison, "alpha.json-sync", "server_cpu_us").margin == 0.05


def test_one_round_tells_nothing_and_no_margin_is_made_up(tmp_path: Path) -> None:
    """It said "no regression was found", with a margin of 27,992,439,784,744,908 %."""
    only = plan([SERVERS[0], SERVERS[2]], [JSON])
    rates = {"alpha.json-sync": [1.0], "alpha-again.json-sync": [0.3]}
    base = stored(tmp_path / "main", rates, of=only)
    comparison = compare(base, stored(tmp_path / "branch", {"alpha.json-sync": [0.5]}, of=only))
    assert {each.answer for each in comparison.changes} == {"cannot tell"}
    assert {(each.noise, each.margin) for each in comparison.changes} == {(None, 0.05)}
    assert not comparison.regressed
    assert not comparison.conclusive
    page = render(comparison)
    assert page.startswith("### These runs cannot tell\n")
    assert "no regression" not in page.lower()
    assert "| 0.50x | not known |" in page


def test_what_differs_by_more_than_ten_times_is_no_number(tmp_path: Path) -> None:
    wild = {"alpha-again.json-sync": [0.01, 90, 0.01, 80, 0.01]}
    runs = [stored(tmp_path / name, wild) for name in ("main", "branch")]
    assert "| more than 10x |" in render(compare(*runs))


def test_most_servers_must_have_been_shown_to_cost_no_more(
    base: ServersRun, tmp_path: Path
) -> None:
    """One of two cannot be told: that is not most of them."""
    wild = (0.6, 1.5, 0.9, 1.4, 0.8)
    unsteady = stored(tmp_path / "branch", cpu={f"beta.{of.id}": wild for of in (JSON, QUERY)})
    comparison = compare(base, unsteady)
    assert [cost.answer for cost in comparison.costs] == ["same", "cannot tell"]
    assert (comparison.regressed, comparison.conclusive) == (False, False)


def test_a_server_that_costs_more_is_the_headline(base: ServersRun, tmp_path: Path) -> None:
    """Each endpoint by 8 %, too little for its own noise; all of them together are not."""
    dearer = {f"beta.{of.id}": times(1.12) for of in (JSON, QUERY)}
    comparison = compare(base, stored(tmp_path / "branch", cpu=dearer))
    _, beta = comparison.costs
    assert (beta.answer, beta.endpoints) == ("worse", 2)
    assert (beta.base, beta.new) == pytest.approx((0.8, 0.896))
    page = page_of(comparison)
    assert page.title == "beta costs 1.12x (1.11 to 1.13) what it did"
    assert "| worse | `beta` | 1.12x (1.11 to 1.13) | 0.95x to 1.05x |" in render(comparison)


def test_the_title_counts_what_got_worse(base: ServersRun, tmp_path: Path) -> None:
    """It said "It got worse somewhere"."""

    def title(name: str, cpu: dict[str, list[float]], **rates: list[Any]) -> str:
        factors = {f"{server}.json-sync": each for server, each in rates.items()}
        return page_of(compare(base, stored(tmp_path / name, factors, cpu))).title

    single, both = ["beta.json-sync"], [f"beta.{of.id}" for of in (JSON, QUERY)]
    assert title("n1", {}, alpha=times(0.8)) == "1 of 2 endpoints got slower"
    assert title("n2", {}, beta=[None] * 5) == "1 cell failed"
    dearer = title("n3", dict.fromkeys(single, times(1.2)))
    assert dearer == "beta costs 1.10x (1.08 to 1.11) what it did"
    cheaper = title("n4", dict.fromkeys(both, times(0.8)))
    assert cheaper == "beta costs 0.80x (0.79 to 0.81) what it did"
    everyone = {f"{of.name}.{at.id}": times(0.8) for of in SERVERS for at in (JSON, QUERY)}
    assert title("n5", everyone) == "2 of 2 servers cost less"


def test_numbers_are_those_of_the_reports(base: ServersRun, changed: ServersRun) -> None:
    """A p99 was the median of the rounds' here and of all rounds together there."""
    comparison = compare(base, changed)
    for of_run, side in ((base, "base"), (changed, "new")):
        rows = {row.cell: row for of in summarise_stored(of_run).rankings for row in of.rows}
        for each in comparison.of_cells:
            reported = rows[each.cell or ""].reportable
            assert getattr(each, side) == getattr(reported, each.figure)
            assert each.comparison.ratio == pytest.approx(each.new / each.base)


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
    assert "Both folders hold the same run, measured once" in render(comparison)
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
    check("compare.md", text)


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
    assert "All cells together: CPU per request 1.00x, requests/s 0.96x, p99 1.04x." in page
    assert "Those that bypass the app (control): CPU per request 1.00x, requests/s 0.96x" in page


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


def test_the_command(type_: Type, folders: tuple[Path, Path]) -> None:
    base, new = folders
    done = type_("compare", base, new)
    assert (done.status, done.err) == (1, "")
    assert done.out.startswith("### 1 cell failed, beta costs 1.67x what it did and 2 of ")
    assert "| worse | `beta.json-sync` | requests/s | 0.60x |" in done.out
    assert "| `alpha.json-sync` | wrk ended with status 1: unable to connect |" in done.out
    link = base.with_name("link")
    link.symlink_to(base)
    done = type_("compare", base, link)
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith(
        f"loadtest: BASE and NEW are the same folder, {base}; name another run"
    )
    copy = shutil.copytree(base, base.with_name("copy"))
    done = type_("compare", base, copy, "--json", "--threshold", "3%")
    assert done.status == 0
    comparisons = msgspec.convert(json.loads(done.out), Comparisons)
    assert comparisons.threshold == 0.03
    for rounds in ("outcomes.jsonl",):
        lines = (copy / rounds).read_text().splitlines(keepends=True)
        (copy / rounds).write_text("".join(line for line in lines if '"round":0' in line))
    done = type_("compare", base, copy)
    assert done.status == 3
    assert done.out.startswith("### These runs cannot tell\n")
    done = type_("compare", base, new, "--threshold", "much")
    assert (done.status, done.out) == (2, "")
    assert "'much' is no share between 0 and 1; write it as in 3%" in done.err
