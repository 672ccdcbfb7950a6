"""A wrk report of others as a run: everything in it is in the run, or listed with its line."""

from __future__ import annotations

import random
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_wrk_text import printed

from loadtest import cli, importer, report, results
from loadtest.errors import UserError
from loadtest.figures import Figures, figures
from loadtest.importer import Imported
from loadtest.model import Histogram, Loaded
from loadtest.prepare import Bearings, check_resumable
from loadtest.summary import summarise
from loadtest.wrk_report import find

REPORT = Path(__file__).parent / "data" / "wrk-reports" / "django_workers.md"
"""The report this project grows out of: five servers, 23 endpoints, one run of wrk each."""
LINES = REPORT.read_text().split("\n")
CREATED_AT = "2026-01-02T03:04:05+00:00"


def imported(text: str, file: str = "a report.md") -> Imported:
    return importer.convert(text.encode(), file, CREATED_AT)


@pytest.fixture(scope="module")
def real() -> Imported:
    return importer.read(REPORT, CREATED_AT)


def loads(of: Imported) -> dict[str, Loaded]:
    return {one.cell: one.loaded for one in of.outcomes if one.loaded}


# The real report ---------------------------------------------------------------------------------


def test_every_block_is_in_the_run(real: Imported) -> None:
    assert len(real.outcomes) == len(real.run.plan.cells) == len(real.raw) == 103
    assert real.left_out == 0
    assert real.run.plan.rounds == 1
    assert {one.status for one in real.outcomes} == {"measured"}
    assert [str(note) for note in real.notes] == [
        "line 833: the heading doesn't say WSGI or ASGI: the interface is unknown",
        "line 1164: the heading doesn't say WSGI or ASGI: the interface is unknown",
    ]


def test_the_counts_are_those_of_the_report(real: Imported) -> None:
    found = loads(real).values()
    assert sum(not one.errors and one.answers > 0 for one in found) == 18
    assert sum(one.timeouts > 0 for one in found) == 77
    assert sum(one.timeouts == one.answers > 0 for one in found) == 16
    assert sum(one.answers == 0 for one in found) == 6
    assert sum(one.text_latency is None for one in found) == 22
    assert sum(one.answers for one in found) == sum(
        int(count) for count in re.findall(r"(\d+) requests in", REPORT.read_text())
    )
    assert {one.timeout_s for one in found} == {2.0}
    assert {one.generator for one in found} == {"wrk"}


def test_the_goodput_is_the_printed_rate(real: Imported) -> None:
    rates = [float(rate) for rate in re.findall(r"Requests/sec: +([\d.]+)", REPORT.read_text())]
    for outcome, rate in zip(real.outcomes, rates, strict=True):
        assert outcome.loaded is not None
        answered = outcome.loaded.answers / (outcome.loaded.duration_us / 1e6)
        assert answered == pytest.approx(rate, abs=0.006)


def test_servers_and_endpoints_are_named_as_our_own(real: Imported) -> None:
    plan = real.run.plan
    assert [(one.name, one.interface, one.summary) for one in plan.servers] == [
        ("gunicorn-gevent", "wsgi", "WSGI Gunicorn Gevent"),
        ("gunicorn-uvicorn", "asgi", "ASGI Gunicorn Uvicorn"),
        ("hypercorn-uvloop", "asgi", "ASGI Hypercorn Uvloop"),
        ("granian-uvloop", None, "Granian uvloop"),
        ("daphne", None, "Daphne"),
    ]
    endpoints = {cell.endpoint.id: cell.endpoint for cell in plan.cells}
    assert len(endpoints) == 23
    assert sum(one.style == "async" for one in endpoints.values()) == 12
    assert endpoints["gateway_3s-async"].path == "/myapp/async/gateway_3s"
    assert endpoints["json-sync"].title == "JSON performance"
    assert {name: one.contract.delay_s for name, one in endpoints.items() if "gateway" in name} == {
        f"gateway_{n}s-{style}": n for n in (1, 3, 10) for style in ("sync", "async")
    }
    assert {one.contract.delay_s for name, one in endpoints.items() if "gateway" not in name} == {0}
    assert {one.contract.body_bytes for one in endpoints.values()} == {None}


def test_the_load_is_that_of_the_text(real: Imported) -> None:
    found = {(c.endpoint.name, c.load.connections, c.load.duration_s) for c in real.run.plan.cells}
    assert ("json", 2_000, 10.0) in found
    assert ("gateway_3s", 2_000, 15.0) in found
    assert ("gateway_10s", 2_000, 22.0) in found
    assert ("aiohttp", 700, 10.0) in found
    assert len(found) == len({cell.endpoint.name for cell in real.run.plan.cells})


def test_the_facts_suffice_to_judge(real: Imported) -> None:
    """What concerns need: nothing but timeouts, faster than possible, at the connections' limit."""
    found = loads(real)
    cells = {cell.id: cell for cell in real.run.plan.cells}
    misrouted = {name: one for name, one in found.items() if name.endswith(".gateway_3s-async")}
    assert len(misrouted) == 4
    for name, one in misrouted.items():
        connections, delay_s = cells[name].load.connections, cells[name].endpoint.contract.delay_s
        # Daphne was too slow to answer more than is possible; a latency below 3 s gives it away.
        assert one.text_latency is not None
        assert one.text_latency.max_us is not None
        assert one.text_latency.max_us < delay_s * 1e6
        above = one.goodput > connections / delay_s
        assert above or name.startswith("daphne.")
    limited = [name for name, one in found.items() if abs(one.goodput - 181.4) < 0.2]
    assert sorted(limited) == [
        "granian-uvloop.gateway_10s-async",
        "granian-uvloop.gateway_10s-sync",
        "gunicorn-gevent.gateway_10s-sync",
        "gunicorn-uvicorn.gateway_10s-sync",
    ]
    for name in limited:
        # Two whole waves fit into 22 s: no server could have answered more.
        assert found[name].answers == 2 * cells[name].load.connections
    bad = found["daphne.brotli-async"]
    assert bad.timeouts <= bad.answers


def test_unknown_is_unknown(real: Imported) -> None:
    run = real.run
    assert run.machine.cpu is None
    assert run.machine.versions == {}
    assert run.plan.seed is None
    assert not run.plan.shape.known
    assert run.argv == {}
    assert run.source is not None
    assert len(run.source.sha256) == 64
    for one in real.outcomes:
        assert (one.histogram, one.usage, one.verified, one.started_at) == (None, {}, None, None)


def test_it_is_written_and_read_back(real: Imported, tmp_path: Path) -> None:
    folder = importer.write(real, tmp_path)
    stored = results.read(folder)
    assert stored.run == real.run
    assert stored.outcomes == real.outcomes
    assert stored.notes == ()
    for one in stored.outcomes:
        assert one.raw is not None
        text = stored.raw(one.raw)
        assert text in REPORT.read_text()
        assert text.startswith("Running ")


def test_every_format_shows_it(real: Imported, tmp_path: Path) -> None:
    folder = importer.write(real, tmp_path)
    stored = results.read(folder)
    summary = summarise(stored.run, stored.outcomes, stored.histogram, stored.segments)
    made = report.Report(summary, stored.run, stored.raw)
    for path in report.write_all(made, folder):
        text = path.read_text()
        assert "gunicorn-gevent" in text
        assert "None" not in text
    page = (folder / "report.md").read_text()
    assert "django_workers.md" in page
    assert "Line 833: the heading doesn't say WSGI or ASGI" in page
    assert "2 workers" not in page


# Damaged copies ----------------------------------------------------------------------------------

RUNNING = {line for line in LINES if line.startswith("Running ")}


def starts(lines: list[str]) -> list[int]:
    """Return the numbers of the lines, from 1, at which a block starts unharmed."""
    return [at for at, line in enumerate(lines, 1) if line in RUNNING]


def check_accounted(lines: list[str]) -> None:
    """Every block is imported, or a line of it is listed; nothing is both or made up."""
    text = "\n".join(lines)
    made, found = imported(text), find(text)
    begin = starts(lines)
    read = {block.line for block in found.blocks}
    noted = {note.line for note in made.notes if "not imported" in note.text}
    for start, end in pairwise([*begin, len(lines) + 1]):
        assert start in read or any(start <= line < end for line in noted), start
    assert len(found.blocks) == len(made.outcomes) + made.left_out - found.unread
    assert len(made.outcomes) + made.left_out >= len(begin)
    assert all(1 <= note.line <= len(lines) for note in made.notes)
    assert len(made.raw) == len(made.outcomes)
    if made.outcomes:
        # It is a run that the format takes, and no two cells share a name.
        ids = [cell.id for cell in made.run.plan.cells]
        assert len(set(ids)) == len(ids)
        msgspec.json.decode(msgspec.json.encode(made.run), type=type(made.run))


def garbled(line: str, chance: random.Random) -> str:
    """Return a line with some of its characters changed, lost or doubled."""
    characters = list(line) or [" "]
    for _ in range(chance.randint(1, 5)):
        at = chance.randrange(len(characters))
        characters[at] = chance.choice(["", chr(chance.randrange(32, 0x3000)), "9", "#", "`" * 3])
    return "".join(characters)


@settings(max_examples=40)
@given(st.randoms(use_true_random=False))
def test_in_a_damaged_copy_no_block_is_dropped(chance: random.Random) -> None:
    lines = list(LINES)
    for _ in range(chance.randint(1, 60)):
        at = chance.randrange(len(lines))
        if chance.random() < 0.5:
            del lines[at]
        else:
            lines[at] = garbled(lines[at], chance)
    check_accounted(lines)


@settings(max_examples=20)
@given(st.integers(0, len(LINES)), st.integers(0, 40), st.integers(0, len(LINES)))
def test_a_copy_with_a_hole_and_a_torn_end(hole: int, width: int, end: int) -> None:
    check_accounted((LINES[:hole] + LINES[hole + width :])[:end])


@given(st.binary(max_size=300))
def test_what_is_no_report_has_no_run(data: bytes) -> None:
    assert importer.convert(data, "x.md", CREATED_AT).outcomes == ()


@pytest.mark.parametrize(
    ("line", "change", "noted"),
    [
        (8, "Runnning 10s test @ http://localhost:8000/myapp/sync/json", 9),
        (10, "  Thread Stat   Avg      Stdev     Max   +/- Stdev", 10),
        (12, "    Req/Sec     1.62k   732.02", 12),
        (13, "  313307 requests in 10.09 parsecs, 91.73MB read", 13),
        (14, "  Socket errors: connect 0, read 30, write 0, timeout many", 14),
        (15, "Requests/sec:  41060.30", 15),
    ],
)
def test_a_damaged_line_is_listed_by_its_number(line: int, change: str, noted: int) -> None:
    lines = list(LINES)
    lines[line - 1] = change
    made = imported("\n".join(lines))
    assert (len(made.outcomes), made.left_out) == (102, 1)
    assert noted in [note.line for note in made.notes]


# Reports of another make -------------------------------------------------------------------------

RUN = {
    "url": "http://localhost:8000/myapp/sync/json",
    "declared_s": 10,
    "threads": 2,
    "connections": 100,
    "requests": 50_000,
    "duration_us": 10_000_000,
    "bytes": 10_000_000,
    "connect": 0,
    "read": 0,
    "write": 0,
    "status": 0,
    "timeout": 0,
    "mean": 19_000,
    "stdev": 1_000,
    "max": 30_000,
    "percentiles": [],
}


def block(above: str = "", **changes: Any) -> str:
    return f"```\n{above}" + "\n".join(printed(RUN | changes)) + "\n```\n"


def under(*blocks: str, server: str = "WSGI One") -> str:
    return f"## {server}\n\n### JSON\n#### Sync\n\n" + "\n".join(blocks)


def test_a_second_block_is_another_round() -> None:
    made = imported(under(block(), block(requests=60_000)))
    assert [(one.cell, one.round) for one in made.outcomes] == [
        ("one.json-sync", 0),
        ("one.json-sync", 1),
    ]
    assert made.run.plan.rounds == 2
    assert [note.text for note in made.notes] == ["one.json-sync once more: taken as another round"]


def test_another_load_is_another_cell() -> None:
    made = imported(
        under(block(), block(connections=64), block(connections=64, declared_s=20))
        + under(block(connections=64), server="ASGI Two")
    )
    assert [cell.id for cell in made.run.plan.cells] == [
        "one.json-sync",
        "one.json-c64-sync",
        "one.json-c64-20s-sync",
        "two.json-c64-sync",
    ]


def test_servers_that_differ_by_interface_keep_it_in_their_name() -> None:
    made = imported(
        under(block(), server="WSGI: Granian") + under(block(), server="Granian (ASGI)")
    )
    assert [(one.name, one.interface) for one in made.run.plan.servers] == [
        ("granian-wsgi", "wsgi"),
        ("granian-asgi", "asgi"),
    ]


def test_the_command_above_a_block_says_which_timeout_was_set() -> None:
    long = block("$ wrk -t2 -c100 --timeout 8s --latency URL\n", percentiles=[1, 2, 3, 4])
    made = imported(under(long, block("$ wrk -t2 -c100 URL\n"), block("$ wrk --timeout x -t2\n")))
    assert [one.loaded.timeout_s for one in made.outcomes if one.loaded] == [8.0, 2.0, None]


def test_a_latency_above_the_timeout_shows_that_it_was_another() -> None:
    made = imported(under(block(max=3_000_000)))
    assert [one.loaded.timeout_s for one in made.outcomes if one.loaded] == [None]


def shown(made: Imported) -> Figures:
    plan = made.run.plan
    none: dict[str, Histogram] = {}
    return figures(plan, plan.cells[0], plan.servers[0], made.outcomes, none.__getitem__)


def test_percentiles_of_the_text_are_shown_where_they_are_as_measured() -> None:
    """100 connections, 50,000 answers in 10 s: 20 ms each, nothing is filled in up to 40 ms."""
    quick = shown(imported(under(block(percentiles=[18_000, 19_000, 20_000, 30_000]))))
    assert (quick.p50_us, quick.p90_us, quick.p99_us) == (18_000, 20_000, 30_000)
    stalled = [18_000, 19_000, 20_000, 300_000]
    filled = shown(imported(under(block(percentiles=stalled, max=400_000))))
    assert (filled.p50_us, filled.p99_us, filled.backfilled_p99_us) == (None, None, 300_000)
    # The slowest answers have no sample: any percentile of the others is too low.
    cut = shown(imported(under(block(percentiles=stalled, max=400_000, timeout=100))))
    assert cut.backfilled_p99_us is None
    assert cut.samples == 49_900


def test_windows_line_ends_byte_order_mark_and_indented_text() -> None:
    text = under(block()).replace("\n", "\r\n")
    assert len(importer.convert(b"\xef\xbb\xbf" + text.encode(), "x.md", CREATED_AT).outcomes) == 1
    indented = "\n".join(f"    {line}" if "```" not in line else "" for line in block().split("\n"))
    assert len(imported(under(indented)).outcomes) == 1


def test_a_comment_in_other_code_is_no_heading() -> None:
    made = imported(under("```bash\n## not a server\nmake serve\n```\n", block()))
    assert [one.cell for one in made.outcomes] == ["one.json-sync"]
    assert [(note.line, note.text) for note in made.notes] == [
        (7, "2 lines that are not wrk's, not read: '## not a server'")
    ]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        (block(), 2, "no `## server` heading above it"),
        ("## S\n" + block(url="http://h/json"), 3, "neither its URL nor a heading says"),
        ("## S\n" + block(url="http://[/sync/json"), 3, "its URL cannot be read"),
    ],
)
def test_a_block_that_has_no_place_is_listed(text: str, line: int, why: str) -> None:
    made = imported(text)
    assert (made.outcomes, made.left_out) == ((), 1)
    assert any(note.line == line and note.text.startswith(why) for note in made.notes)


def test_the_url_tells_what_was_loaded_whatever_the_heading_says() -> None:
    made = imported(under(block(url="http://localhost/myapp/async/json")))
    assert [one.cell for one in made.outcomes] == ["one.json-async"]
    assert "its heading says sync, its URL async: taken as async" in made.notes[0].text


# What is typed -----------------------------------------------------------------------------------


def type_(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str | Path
) -> tuple[int, str, str]:
    monkeypatch.setattr("signal.signal", lambda *arguments: None)
    monkeypatch.setattr("sys.argv", ["loadtest", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    out, err = capfd.readouterr()
    assert "Traceback" not in err
    return int(ended.value.code or 0), out, err


def test_import_writes_a_run_and_its_reports(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, out, err = type_(monkeypatch, capfd, "import", REPORT, "--out", tmp_path)
    assert status == 0
    assert "103 of 103 blocks of wrk's text imported" in out
    assert f"{REPORT}, line 833: " in err
    (folder,) = tmp_path.iterdir()
    assert (folder / "report.md").exists()
    # It is a run like any other.
    assert type_(monkeypatch, capfd, "report", folder)[0] in (0, 1)


def test_import_says_with_its_status_that_something_is_missing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "bad.md").write_text("\n".join(LINES).replace("10.09s", "10.09", 1))
    status, out, err = type_(
        monkeypatch, capfd, "import", tmp_path / "bad.md", "--out", tmp_path / "results"
    )
    assert status == 1
    assert "102 of 103 blocks" in out
    assert "line 13: '10.09' is no number with a unit that wrk prints (the block of line 8)" in err


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("none.md", None, "cannot be read: No such file"),
        ("empty.md", "", "no report of wrk's"),
        ("prose.md", "# Hello\n\nNothing to see.\n", "no report of wrk's"),
        ("homeless.md", block(), "nothing in it can be imported"),
    ],
)
def test_what_cannot_be_imported_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    name: str,
    text: str | None,
    said: str,
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    status, _, err = type_(monkeypatch, capfd, "import", tmp_path / name, "--out", tmp_path / "r")
    assert status == 2
    assert said in err.splitlines()[0]
    assert not (tmp_path / "r").exists()


def test_a_folder_is_no_report(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        importer.read(tmp_path, CREATED_AT)


def test_an_imported_run_cannot_be_resumed(real: Imported) -> None:
    nothing: Any = Bearings(project=None, servers=(), endpoints=(), versions={})  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"read from django_workers\.md"):
        check_resumable(real.run, nothing, Path())
