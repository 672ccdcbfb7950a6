"""Every format against its golden file, which `UPDATE_GOLD=1 pytest` writes anew."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import Any

import decisions
import msgspec
import pytest
from gold import check
from markdown_it import MarkdownIt
from rich.console import Console
from sample_run import histograms, sample

from loadtest.judge.servers.summary import Summary, summarise
from loadtest.report import units
from loadtest.report.formats import formats_in, write_each
from loadtest.report.markdown import markup
from loadtest.report.servers import formats, terminal
from loadtest.report.servers.formats import markdown
from loadtest.report.servers.report import Report


@pytest.fixture
def report() -> Report:
    run, outcomes, segments = sample()
    return Report(summarise(run, outcomes, histograms, segments), run)


def files(report: Report) -> dict[str, str]:
    return {
        name: text
        for render in formats_in(formats).values()
        for name, text in render(report).items()
    }


def test_formats_are_the_folder() -> None:
    assert {"markdown", "csv", "json"} <= set(formats_in(formats))


@pytest.mark.parametrize("file", ["report.md", "summary.csv", "summary.json"])
def test_gold(report: Report, file: str) -> None:
    check(file, files(report)[file])


def test_terminal_fits_100_columns(report: Report) -> None:
    console = Console(file=io.StringIO(), width=100, color_system=None)
    terminal.show(report, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 100
    check("terminal.txt", text)


def test_of_thousands_of_endpoints_a_terminal_shows_the_first(
    report: Report, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "MOST_ENDPOINTS", 1)
    decision = msgspec.structs.replace(report.summary.decision, cost=None)
    given = Report(msgspec.structs.replace(report.summary, decision=decision), report.run)
    console = Console(file=io.StringIO(), width=100, color_system=None)
    terminal.show(given, console)
    assert isinstance(console.file, io.StringIO)
    first, rest = console.file.getvalue().split("The reports have 3 more endpoints.")
    assert "json-sync" in first
    assert "By responses a second" in rest


def test_what_measures_more_is_the_rest_of_the_run_or_a_longer_one() -> None:
    run, outcomes, segments = sample()

    def more(kept: int, **changes: Any) -> str:
        of = msgspec.structs.replace(run, plan=msgspec.structs.replace(run.plan, **changes))
        summary = summarise(of, outcomes[:kept], histograms, segments)
        summary = msgspec.structs.replace(summary, decision=decisions.quiet())
        return Report(summary, of, "2025-01-01-quick").paragraphs[-1].text

    assert "break the tie: `loadtest run quick --rounds 6`" in more(len(outcomes))
    assert "`loadtest run quick --budget 15m`" in more(len(outcomes), budget_s=300)
    assert "`loadtest run --resume 2025-01-01-quick`" in more(len(outcomes) - 8)


@pytest.mark.parametrize("busy", [False, True])
def test_a_budget_that_had_no_second_round_is_not_typed_again(busy: bool) -> None:
    """`Type loadtest run quick --budget 60s` measured one round once more."""
    run, outcomes, segments = sample()
    of = msgspec.structs.replace(
        run,
        command="loadtest run quick --budget 20s --seed 7",
        plan=msgspec.structs.replace(run.plan, budget_s=20.0),
    )
    first = [outcome for outcome in outcomes if outcome.round == 0]
    summary = summarise(of, first, histograms, segments)
    sure = decisions.sureness(rounds=1, busy=400 if busy else 0)
    decision = decisions.noisy(chosen="nothing", gap=None, likely=(), sure=sure)
    given = Report(msgspec.structs.replace(summary, decision=decision), of, spent_s=70.0)
    assert "Type `loadtest run quick --budget 4m`." in given.paragraphs[-1].text


def test_80_columns_have_room_for_a_row_of_each_server(report: Report) -> None:
    costs = {"hypercorn-asyncio": 3.01, **decisions.QUIET}
    decision = decisions.quiet(cost=decisions.cost(costs, ["granian-wsgi"]))
    given = Report(msgspec.structs.replace(report.summary, decision=decision), report.run)
    console = Console(file=io.StringIO(), width=80, color_system=None)
    terminal.show(given, console)
    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line for line in lines if line.endswith(" of 3")]
    assert [row.split()[0] for row in rows] == sorted(costs, key=lambda server: costs[server])
    assert (
        rows[1].split(maxsplit=1)[1] == "0.590 1.24x (1.13 to 1.36)      2,540    8 120 MB   0 of 3"
    )


@pytest.mark.parametrize("width", [60, 72, 80, 100])
def test_no_word_is_broken_in_a_narrow_terminal(report: Report, width: int) -> None:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    terminal.show(report, console)
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= width
    for word in ("gthread ", "requests/s", "connection-limited: "):
        assert word in text


def test_json_reads_back(report: Report) -> None:
    text = files(report)["summary.json"]
    assert msgspec.json.decode(text, type=Summary) == report.summary


def test_every_format_names_the_concerns_and_hides_what_is_invalid(report: Report) -> None:
    rows = {
        (row["server"], row["endpoint"], row["style"]): row
        for row in csv.DictReader(io.StringIO(files(report)["summary.csv"]))
    }
    invalid = rows["gthread", "gateway_1s", "sync"]
    assert (invalid["verdict"], invalid["concerns"]) == ("invalid", "errors")
    assert {invalid[key] for key in ("rank", "goodput", "p50_us", "goodput_round_1")} == {""}
    page = markdown.files(report)["report.md"]
    assert re.search(r"\n\| - \| `gthread` (\| - )+\| invalid: errors \|\n", page)
    assert "### `errors`: 2 invalid" in page
    doubts = {each.explained.concern: each for each in report.caveats.doubts}
    assert set(doubts) == {"errors", "connection-limited", "lost-rounds"}
    for each in doubts.values():
        assert markup.ticked(each.explained.means) in page
        assert markup.ticked(each.explained.advice) in page
        for case in each.cases:
            assert markup.escape(case.raised.facts) in page


def test_what_could_not_be_checked_is_counted(report: Report) -> None:
    counted = {each.concern: (each.rows, each.of) for each in report.caveats.blanks}
    assert counted["noisy-host"] == (10, 10)
    assert counted["unstable"] == (1, 10)  # measured in one round
    assert "errors" not in counted


def test_csv_has_a_line_for_each_cell_and_nothing_for_the_unknown(report: Report) -> None:
    rows = list(csv.DictReader(io.StringIO(files(report)["summary.csv"])))
    assert len(rows) == len(report.run.plan.cells)
    failed = next(row for row in rows if row["status"] == "failed")
    assert (failed["goodput"], failed["p99_us"], failed["goodput_round_1"]) == ("", "", "")


def test_write_each_leaves_no_half_written_file(report: Report, tmp_path: Path) -> None:
    files = write_each(formats_in(formats), report, tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(files)
    files[0].unlink()
    files[0].mkdir()
    with pytest.raises(IsADirectoryError):
        write_each(formats_in(formats), report, tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted(files)


def test_a_report_is_not_written_through_a_link(report: Report, tmp_path: Path) -> None:
    """What a folder of others may have laid where a report is written is left as it is."""
    folder, theirs = tmp_path / "run", tmp_path / "theirs"
    folder.mkdir()
    theirs.write_text("kept")
    for name in (".index.html.part", ".report.md.part", "kind-gone.svg"):
        (folder / name).symlink_to(theirs)
    assert write_each(formats_in(formats), report, folder)
    assert theirs.read_text() == "kept"
    (folder / "index.html").unlink()
    (folder / "index.html").symlink_to(theirs)
    with pytest.raises(OSError, match="it is a link"):
        write_each(formats_in(formats), report, folder)
    assert theirs.read_text() == "kept"


def test_a_chart_of_what_is_gone_is_deleted_and_no_file_of_others(
    report: Report, tmp_path: Path
) -> None:
    ours = next(text for name, text in files(report).items() if name.endswith(".svg"))
    (tmp_path / "kind-gone.svg").write_text(ours)
    kept = {
        "changed.svg": ours.replace("<svg", '<svg id="mine"', 1),
        "theirs.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
        "notes.txt": ours,
    }
    for name, text in kept.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "bytes.svg").write_bytes(b"\xff\xfe")
    written = write_each(formats_in(formats), report, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *kept,
        "bytes.svg",
        *(path.name for path in written),
    }


def test_text_from_outside_cannot_break_the_page(report: Report) -> None:
    page = MarkdownIt("commonmark").enable("table").render(markdown.files(report)["report.md"])
    assert "<b>" not in page
    # The fence that stands in a log does not end the block around it.
    assert "Traceback\n```\nOSError: [Errno 98]\n````\n| x |\n</code>" in page
    tables = page.split("<table>")[1:]
    for table in tables:
        head, *body = table.split("</table>")[0].split("<tr>")[1:]
        assert {row.count("<td") for row in body} <= {head.count("<th")}
    assert page.count("<details>") == page.count("</details>")


def test_report_md_shows_charts_that_lie_beside_it(report: Report) -> None:
    files = markdown.files(report)
    shown = set(re.findall(r"!\[[^\]]+\]\(([^)]+)\)", files["report.md"]))
    assert shown == files.keys() - {"report.md"}
    assert {"kind-cpu.svg", "kind-waiting.svg"} <= shown
    assert all(text.startswith("<svg") for name, text in files.items() if name in shown)


def test_report_md_answers_first(report: Report) -> None:
    lines = markdown.files(report)["report.md"].splitlines()
    sections = [line for line in lines if line.startswith("## ")]
    assert lines[2].startswith("**Run it on `gthread` or `daphne`")
    assert sections[:5] == [
        "## Caveats",
        "## Matrix",
        "## Endpoints",
        "## Servers",
        "## Method and machine",
    ]


def test_links_within_report_md_lead_somewhere(report: Report) -> None:
    page = markdown.files(report)["report.md"]
    known = set(re.findall(r'<a id="([^"]+)"></a>', page))
    headings = (re.sub(r"[`]|^#+ ", "", line) for line in page.splitlines() if line[:1] == "#")
    known |= {re.sub(r"[^\w -]", "", text).lower().replace(" ", "-") for text in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", page)) <= known


def test_what_the_generator_printed_lies_in_files_beside_the_page(report: Report) -> None:
    page = markdown.files(report)["report.md"]
    assert "Running " not in page
    raw = [each.raw for _, row in report.rows for each in row.rounds if each.raw]
    assert raw
    assert all(f"]({path})" in page for path in raw)


@pytest.mark.parametrize(
    ("text", "span"), [("a", "`a`"), ("a`b", "``a`b``"), ("`a", "`` `a ``"), ("a\nb", "`a b`")]
)
def test_code(text: str, span: str) -> None:
    assert markup.code(text) == span


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12_345.6, "12,300"),
        (6.234, "6.23"),
        (792.4, "792"),
        (999.6, "1,000"),
        (0.5, "0.500"),
        (0, "0"),
    ],
)
def test_significant(value: float, text: str) -> None:
    assert units.significant(value) == text


@pytest.mark.parametrize(
    ("us", "text"),
    [(None, "-"), (850, "850 us"), (1_234, "1.23 ms"), (999_900, "1.00 s"), (12_300_000, "12.3 s")],
)
def test_latency(us: int | None, text: str) -> None:
    assert units.latency(us) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "-"), (61_400_000, "61 MB"), (1_940_000_000, "1.94 GB"), (900, "1 kB")],
)
def test_size(count: int | None, text: str) -> None:
    assert units.size(count) == text


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "0 %"),
        (0.0038, "0.38 %"),
        (0.00001, "<0.01 %"),
        (0.12, "12 %"),
        (0.9999, ">99 %"),
        (1, "100 %"),
    ],
)
def test_share(fraction: float, text: str) -> None:
    assert units.share(fraction) == text
