"""Every format of a clients' run against its golden file, which `UPDATE_GOLD=1 pytest` writes."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from client_facts import cold, group, plan, row, sample, stored
from gold import check
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from loadtest.judge.clients.summary import Summary
from loadtest.report.clients import formats as reports
from loadtest.report.clients import terminal
from loadtest.report.clients.formats import hyperfine, rst
from loadtest.report.clients.formats.json import Answered
from loadtest.report.clients.report import Report, make
from loadtest.report.formats import formats_in, write_each
from loadtest.report.markdown import markup
from loadtest.report.table import Table, name, prose


@pytest.fixture(scope="module")
def report() -> Report:
    return make(sample())


@pytest.fixture(scope="module")
def texts(report: Report) -> dict[str, str]:
    """Give every file by its name; drawing takes a moment, so once."""
    return {
        name: text for files in formats_in(reports).values() for name, text in files(report).items()
    }


def test_formats_are_the_folder() -> None:
    assert {"csv", "hyperfine", "json", "markdown", "rst"} <= set(formats_in(reports))


@pytest.mark.parametrize("file", ["report.md", "report.rst", "summary.csv", "hyperfine.json"])
def test_gold(texts: dict[str, str], file: str) -> None:
    check(f"clients-{file}", texts[file])


def test_terminal_fits_100_columns(report: Report) -> None:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    terminal.show(report, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 100
    check("clients-terminal.txt", text)


def test_json_reads_back(report: Report, texts: dict[str, str]) -> None:
    decoded = msgspec.json.decode(texts["summary.json"], type=Answered)
    assert decoded.advice[0].question == "Which client?"
    fields = msgspec.structs.asdict(decoded)
    del fields["advice"]
    assert Summary(**fields) == report.summary


def test_write_each_writes_every_file(
    report: Report, texts: dict[str, str], tmp_path: Path
) -> None:
    files = write_each(formats_in(reports), report, tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(files)
    assert {file.name for file in files} == set(texts)


def test_the_page_shows_every_chart_that_stands_beside_it(texts: dict[str, str]) -> None:
    shown = re.findall(r"^!\[.+\]\((.+)\)$", texts["report.md"], re.MULTILINE)
    assert len(shown) == 4
    assert set(shown) == {file for file in texts if file.endswith(".svg")}


def test_csv_has_a_line_for_each_row_and_measure_and_nothing_for_the_unknown(
    report: Report, texts: dict[str, str]
) -> None:
    rows = list(csv.DictReader(io.StringIO(texts["summary.csv"])))
    assert len(rows) == sum(len(ranking.rows) for ranking in report.summary.rankings)
    by_row = {(row["row"], row["measure"]): row for row in rows}
    liar = by_row["liar|<b>`x`", "warm"]
    assert liar["verdict"] == "invalid"
    assert {liar[key] for key in ("rank", "call_us", "goodput", "time_s_round_1")} == {""}
    assert by_row["broken", "warm"]["reason"] == "1,000 of 1,000 calls went wrong: ConnectError"
    cold, warm = by_row["aiohttp", "cold"], by_row["aiohttp", "warm"]
    assert (cold["call_us"], warm["mean_s"]) == ("", "")  # never mixed
    assert float(cold["mean_s"]) == pytest.approx(0.45, rel=0.01)
    assert float(warm["call_us"]) == pytest.approx(150, rel=0.01)


def test_an_invalid_number_stands_in_no_table(texts: dict[str, str]) -> None:
    """Its rate is in the facts of the concern alone."""
    tables = texts["report.md"].split("## Tables")[1]
    assert "40.0 us" not in tables
    assert "25,000" not in tables
    assert "25,000/s is 83.3 %" in texts["report.md"]
    assert "liar" not in texts["hyperfine.json"]


def test_every_concern_that_was_raised_is_explained_where_it_is_read(
    report: Report, texts: dict[str, str]
) -> None:
    page = texts["report.md"]
    raised = {
        concern.concern
        for ranking in report.summary.rankings
        for row in ranking.rows
        for concern in row.concerns
    }
    assert raised == {"errors", "not-reused", "upstream-limited", "unstable", "lost-rounds"}
    for explained in report.summary.concerns:
        assert (f"### `{explained.concern}`" in page) == (explained.concern in raised)
        assert (explained.advice in page) == (explained.concern in raised)


# Text from outside -------------------------------------------------------------------------------


def test_text_from_outside_cannot_break_the_page(texts: dict[str, str]) -> None:
    page = MarkdownIt("commonmark").enable("table").render(texts["report.md"])
    assert "<b>" not in page
    for table in page.split("<table>")[1:]:
        head, *body = table.split("</table>")[0].split("<tr>")[1:]
        assert {row.count("<td") for row in body} <= {head.count("<th")}


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1))
def test_words_keep_what_is_typed(text: str) -> None:
    """What stands in backticks comes out as code, and the rest as it is."""
    words = text.replace("`", "'")
    shown = MarkdownIt("commonmark").render(markup.ticked(f"so `{words}` it is <b>*not*</b>"))
    assert shown.startswith("<p>so ")
    assert shown.rstrip().endswith(" it is &lt;b&gt;*not*&lt;/b&gt;</p>")


def parsed(text: str) -> list[list[str]]:
    """Read a simple table by its rule, as docutils does."""
    lines = text.splitlines()
    spans = [match.span() for match in re.finditer("=+", lines[0])]
    ends = [begin for begin, _ in spans[1:]] + [None]
    body = [line for line in lines if not set(line) <= {"=", " "}]
    return [
        [line[begin:end].strip() for (begin, _), end in zip(spans, ends, strict=True)]
        for line in body
    ]


CELL = st.text(st.sampled_from("ab c`*|_\\<>±1"), min_size=1).filter(str.strip)


@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=4))
def test_a_simple_table_reads_back_cell_by_cell(rows: list[tuple[str, str]]) -> None:
    columns = (name("a", "A", lambda row: row[0]), prose("b", "B", lambda row: row[1]))
    table = rst.table(Table(columns, rows))
    expected = [[rst.literal(first), rst.escape(second)] for first, second in rows]
    assert parsed(table) == [["A", "B"], *expected]
    # No line of the body is taken for a rule, and none is cut by one.
    assert len(table.splitlines()) == len(rows) + 4


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a -r 1000", "``a -r 1000``"), ("a``b", r"a\`\`b"), ("a`", r"a\`"), ("a*b_", r"``a*b_``")],
)
def test_literal(text: str, shown: str) -> None:
    assert rst.literal(text) == shown


# hyperfine's own form ----------------------------------------------------------------------------

V1 = {
    "command": str,
    "mean": float,
    "stddev": float,
    "median": float,
    "user": float,
    "system": float,
    "min": float,
    "max": float,
    "times": list,
    "memory_usage_byte": list,
    "exit_codes": list,
    "parameters": dict,
}
"""What hyperfine 1.x writes and its scripts read."""
V2 = ("time_wall_clock", "time_user", "time_system", "memory_peak_resident")
"""The metrics that the scripts of hyperfine 2.0 choose from."""


def results(report: Report) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = json.loads(hyperfine.render(report))["results"]
    return listed


def test_hyperfine_has_every_cold_row_that_may_be_shown(report: Report) -> None:
    assert [result["command"] for result in results(report)] == [
        "aiohttp",
        "httpx async",
        "httpx async, each call",
        "requests in threads",
        "urllib3 in threads",
    ]


def test_hyperfine_version_1(report: Report) -> None:
    for result in results(report):
        assert {key: type(result[key]) for key in V1} == V1
        assert result["mean"] == pytest.approx(sum(result["times"]) / len(result["times"]))
        assert result["min"] <= result["median"] <= result["max"]
        assert (
            len(result["times"])
            == len(result["exit_codes"])
            == len(result["memory_usage_byte"])
            == 5
        )
        assert set(map(type, result["parameters"].values())) == {str}


def test_hyperfine_version_2(report: Report) -> None:
    for result in results(report):
        for metric in V2:
            values = [each[metric]["value"] for each in result["measurements"]]
            separated = result["summary"][metric]
            assert separated["count"] == len(values) == 5
            assert separated["mean"] == pytest.approx(sum(values) / 5)
            assert {each[metric]["unit"] for each in result["measurements"]} == {separated["unit"]}
        wall = [each["time_wall_clock"]["value"] for each in result["measurements"]]
        assert wall == result["times"]


def test_hyperfine_has_no_deviation_of_one_run() -> None:
    of = row()
    once = stored(plan([of], [group(measures=("cold",))], rounds=1), [cold(of)])
    result = results(make(once))[0]
    assert result["stddev"] is None
    assert result["summary"]["time_wall_clock"]["stddev"] is None


def test_hyperfine_tells_rows_of_one_name_apart() -> None:
    """Two tables of a preset may call their rows alike: once over plain HTTP, once over TLS."""
    rows = [row("requests, kept", id=f"{name}: requests, kept", group=name) for name in "ab"]
    groups = [group(name, measures=("cold",)) for name in "ab"]
    both = stored(plan(rows, groups, rounds=1), map(cold, rows))
    names = [result["command"] for result in results(make(both))]
    assert names == ["a: requests, kept", "b: requests, kept"]
