"""What a person sees of loads at a rate: tables, files, charts, and in a terminal of 80 columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import msgspec
import pytest
from at_rates import LONG, at_rates
from builders import run
from gold import check
from rich.console import Console
from searched import Machine

from loadtest.judge.servers.summary import summarise
from loadtest.judge.servers.within import Search
from loadtest.records.planned import Load
from loadtest.report.charts.chart import Lines, svg
from loadtest.report.formats import formats_in
from loadtest.report.servers import charts, formats, terminal
from loadtest.report.servers.cost import figure
from loadtest.report.servers.heatmap import GOODPUT, lines
from loadtest.report.servers.page import first, page
from loadtest.report.servers.rate_tables import limited_by, narrow, tables
from loadtest.report.servers.report import Report
from loadtest.report.servers.sentences.phrases import under

STEPS = (0.1, 0.25, 0.4, 0.6, 0.8)


def report(machine: Machine) -> Report:
    of = run(machine.plan)
    return Report(summarise(of, machine.search(), machine.histogram), of)


def written(report: Report) -> dict[str, str]:
    files = {
        name: text for each in formats_in(formats).values() for name, text in each(report).items()
    }
    console = Console(file=io.StringIO(), width=80, color_system=None)
    terminal.show(report, console)
    assert isinstance(console.file, io.StringIO)
    return files | {"terminal": console.file.getvalue()}


def test_no_latency_stands_anywhere_where_a_rate_was_not_held() -> None:
    """It would be that of the requests that were lucky: in no table, chart or file."""
    report = at_rates(400)
    (at,) = report.summary.decision.at_rates
    assert [(place.server, place.short, place.late) for place in at.places] == [
        ("alpha", (), ()),
        ("gamma", (), ("json-sync@400",)),
        (LONG, (), ()),
        ("beta", ("json-sync@400",), ()),
    ]
    files = written(report)
    assert {"report.md", "index.html", "summary.csv", "summary.json"} <= files.keys()
    for name, text in files.items():
        assert "6.00 ms" in text or "6000" in text or name.endswith(".svg")
        assert not re.search(r"123457|123\.4|123 ms|0\.123", text), name


def test_each_rate_has_a_table_and_each_figure_that_was_asked_for() -> None:
    shown = list(tables(at_rates(None, 50, 400).summary.decision))
    assert [(each.load, each.title) for each in shown] == [
        ("50", "At 50 requests/s"),
        ("400", "At 400 requests/s"),
    ]
    low = shown[0].table
    assert [column.title for column in low.columns] == [
        *("server", "cores", "CPU per request", "sent", "answered", "errors"),
        *("p50", "p90", "p99", "wrk's CPU", "rate kept", "in doubt"),
    ]
    alpha, gamma, *_ = low.texts()
    assert alpha[1].startswith("0.05")
    assert alpha[2:] == [
        *("1.00 ms", "50.0", "50.0", "0 %"),
        *("6.00 ms", "6.00 ms", "6.00 ms", "50.0 us", "yes", "0 of 1"),
    ]
    assert gamma[0] == "gamma"
    last = shown[1].table.texts()[-1]
    assert (last[0], last[-2]) == ("beta", "no")
    (late,) = (row for row in shown[1].table.texts() if row[0] == "gamma")
    assert (late[6], late[-2]) == ("-", "generator late")


@pytest.mark.parametrize(
    "make",
    [
        lambda: at_rates(None, 50, 400),
        lambda: report(Machine({LONG: 1_234.0, "alpha": 800.0, "beta": 0.5})),
        lambda: report(Machine({LONG: 1_234.0, "alpha": 800.0}, steps=STEPS)),
    ],
    ids=["rates", "search", "steps"],
)
def test_80_columns_have_room_for_each_table(make: Callable[[], Report]) -> None:
    given = make()
    shown = [narrow(each).table for each in tables(given.summary.decision)]
    assert shown
    for table in shown:
        titles = [column.title for column in table.columns]
        # p99.9 is there where there is room.
        kept = [at for at, title in enumerate(titles) if title != "p99.9"]
        widths = [max(len(texts[at]) for texts in [titles, *table.texts()]) for at in kept]
        assert sum(widths) + len(widths) - 1 <= 80
    text = written(given)["terminal"]
    assert max(map(len, text.splitlines())) <= 80
    assert f"{LONG} " in text


def test_a_run_at_rates_alone_has_no_other_table_of_costs() -> None:
    text = written(at_rates(50))["terminal"]
    assert "x cheapest" not in text
    assert "At 50 requests/s:" in text
    assert "x cheapest" in written(at_rates(None, 50))["terminal"]


def test_markdown_has_the_tables_of_the_page() -> None:
    text = written(at_rates(None, 50, 400))["report.md"]
    assert "**At 50 requests/s**\n\n| server | cores | CPU per request |" in text
    assert "| `beta` |" in text.partition("**At 400 requests/s**")[2].partition("\n\n## ")[0]


def test_a_reader_chooses_the_load() -> None:
    given = figure(at_rates(None, 50, 400).summary.decision, {"cpu"})
    assert given
    assert given.loads == [
        ("closed", "as fast as each can be driven"),
        ("50", "50 requests/s"),
        ("400", "400 requests/s"),
    ]
    keys = [choice.key for _, group in given.groups for choice in group]
    costs = given.data()["costs"]
    assert set(costs) == {f"{key}{load}" for key in keys for load in ("", "@50", "@400")}
    # Who did not keep the rate has no cost at it.
    assert len(costs["all-sync@50"]["places"]) == 4
    assert len(costs["all-sync@400"]["places"]) == 3


def test_what_is_compared_in_the_matrix_has_the_same_rate() -> None:
    """All that 50/s can be is far from the best of 400/s."""
    summary = at_rates(None, 50, 400).summary
    for line in lines(summary.rankings, [LONG, "alpha"], GOODPUT):
        assert line["alpha"].shade == 5


def test_a_search_is_a_ranking_with_ties_and_says_tries() -> None:
    machine = Machine({"alpha": 800.0, "beta": 795.0, "gamma": 90.0})
    files = written(report(machine))
    assert re.search(r"(?m)^ *1= +alpha ", files["terminal"])
    assert re.search(r"(?m)^ *1= +beta ", files["terminal"])
    assert re.search(r"(?m)^ *3 +gamma ", files["terminal"])
    assert " tries" in files["terminal"]
    for name in ("terminal", "report.md", "index.html"):
        assert not re.search(r"\d rounds?\b", files[name]), name
    by_server = {row["server"]: row for row in csv.DictReader(io.StringIO(files["summary.csv"]))}
    assert float(by_server["gamma"]["search_low"]) <= 90 < float(by_server["gamma"]["search_high"])
    assert by_server["gamma"]["limited_by"] == "server"


def test_a_search_without_an_end_is_unfinished_whatever_ended_it() -> None:
    search = Search(low=100.0, high=None, why=None, tries=3, unfinished=True)
    assert limited_by(search) == "unfinished"
    assert limited_by(msgspec.structs.replace(search, unfinished=False)) == "-"


@pytest.mark.parametrize(
    ("machine", "end"),
    [
        (Machine({"alpha": 800.0}), r"alpha: [\d,]+ to [\d,]+ requests/s"),
        # What the generator could not send is no upper end of the server's.
        (Machine({"alpha": 9_000.0}, late_from=3_000.0), r"alpha: [\d,]+ or more requests/s"),
    ],
)
def test_who_is_ahead_in_a_search(machine: Machine, end: str) -> None:
    (ranking,) = report(machine).summary.rankings
    assert re.fullmatch(end, first(ranking))


def test_a_search_on_a_busy_machine_names_nobody() -> None:
    quiet, busy = (
        report(Machine({"alpha": 800.0, "beta": 90.0}, others=share)).paragraphs[0].lead
        for share in (0.0, 0.2)
    )
    assert quiet == "`json-sync`, with 99 % of responses within 300 ms: `alpha` takes the most."
    assert busy.endswith("300 ms: the machine was busy, so no server is named.")


def test_a_curve_has_the_goal_and_marks_where_a_server_stops() -> None:
    (ranking,) = report(Machine({"alpha": 800.0, "beta": 200.0})).summary.rankings
    chart = charts.against_rate(ranking)
    assert chart
    latency, cores = chart.panels
    assert isinstance(latency, Lines)
    assert (latency.reference, latency.label) == (300_000, "99 % within 300 ms")
    assert latency.scale.low < 200 < 800 < latency.scale.high
    assert [line.name for line in latency.lines] == ["alpha", "beta"]
    for panel in (latency, cores):
        assert isinstance(panel, Lines)
        for line in panel.lines:
            assert [mark.shape for mark in line.marks].count("diamond") == 1
    # Beyond the goal the latency is known, and its mark is hollow.
    assert [mark.hollow for mark in latency.lines[0].marks][-1]
    check("charts/rates-json-sync.svg", svg(chart))


def test_a_line_ends_where_the_rate_was_no_longer_held() -> None:
    (ranking,) = report(Machine({"alpha": 800.0}, steps=STEPS)).summary.rankings
    chart = charts.against_rate(ranking)
    assert chart
    for panel in chart.panels:
        assert isinstance(panel, Lines)
        assert panel.reference is None
        assert [mark.x for mark in panel.lines[0].marks] == [160.0, 400.0, 640.0]
    # What the generator was late for says nothing of the server, and one point is no course.
    late = Machine({"alpha": 800.0}, steps=STEPS, late_from=500.0)
    (ranking,) = report(late).summary.rankings
    chart = charts.against_rate(ranking)
    assert chart
    for panel in chart.panels:
        assert isinstance(panel, Lines)
        assert [mark.x for mark in panel.lines[0].marks] == [160.0, 400.0]
    (ranking,) = report(Machine({"alpha": 800.0}, steps=STEPS, late_from=200.0)).summary.rankings
    assert charts.against_rate(ranking) is None


def test_steps_go_from_the_lowest_to_the_highest() -> None:
    load = Load(connections=8, duration_s=2, warmup_s=0.1, steps=(0.8, 0.1, 0.5))
    assert under(load).endswith("then 10 % to 80 % of the rate that this shows")


def test_the_longest_load_is_the_longest_try() -> None:
    """A search said that none lasted longer than the closed loop before it."""
    text = written(report(Machine({"alpha": 100.0})))["report.md"]
    assert "No load lasted longer than 20 s" in text
    assert "each for 2 s or more" in text


def test_after_steps_no_command_is_named_that_is_refused() -> None:
    """`loadtest run rates --rounds 2` was to break a tie."""
    given = report(Machine({"alpha": 800.0, "beta": 790.0}, steps=STEPS))
    assert given.paragraphs
    assert not any("--rounds" in each.text for each in given.paragraphs)


def test_the_generators_own_time_is_said_beside_the_servers() -> None:
    given = at_rates(50)
    (paragraph,) = (each for each in given.paragraphs if each.lead == "At 50 requests/s.")
    assert paragraph.text.endswith(
        "The load generator took another 50.0 us of CPU time per request."
    )
    assert "wrk's CPU" in written(given)["report.md"]


def test_a_row_says_why_it_has_no_latencies() -> None:
    text = written(at_rates(400))["report.md"]
    assert "No latencies for `beta`: 12.5 % of the requests were not sent within 10.0 ms" in text
    assert "No latencies for `gamma`: 12.5 % of the requests were not sent within 10.0 ms" in text


def test_the_page_of_every_such_run_can_be_made() -> None:
    for given in (at_rates(50), at_rates(None, 400), report(Machine({"alpha": 0.5}))):
        assert page(given).sections
        assert msgspec.json.encode(given.summary)
