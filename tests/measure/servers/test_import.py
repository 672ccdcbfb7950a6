"""A wrk report of others as a run: everything in it is in the run, or listed with its line."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from wrk_reports import CREATED_AT, REPORT, block, imported, loads, under

from loadtest.judge.servers.metrics import Figures, figures, latencies
from loadtest.judge.servers.summary import summarise
from loadtest.measure.servers.imported import report
from loadtest.measure.servers.imported.hidden import Hidden
from loadtest.measure.servers.imported.lines import LONGEST
from loadtest.measure.servers.imported.names import slug
from loadtest.measure.servers.imported.report import Imported
from loadtest.records.measured import Histogram
from loadtest.records.run_folder import SERVERS, read
from loadtest.records.values import MOST_ROUNDS
from loadtest.report.formats import formats_in, write_each
from loadtest.report.servers import formats
from loadtest.report.servers.report import Report

# The real report ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real() -> Imported:
    return report.read([REPORT], CREATED_AT)


def test_every_block_is_in_the_run(real: Imported) -> None:
    assert len(real.outcomes) == len(real.run.plan.cells) == len(real.raw) == 103
    assert real.left_out == 0
    assert real.run.plan.rounds == 1
    assert {outcome.status for outcome in real.outcomes} == {"measured"}
    assert [str(note) for note in real.notes] == [
        "line 833: server granian-uvloop: nothing says WSGI or ASGI: the interface is unknown",
        "line 1164: server daphne: nothing says WSGI or ASGI: the interface is unknown",
    ]


def test_the_counts_are_those_of_the_report(real: Imported) -> None:
    known = loads(real).values()
    assert sum(not load.errors and load.answers > 0 for load in known) == 18
    assert sum(load.timeouts > 0 for load in known) == 77
    assert sum(load.timeouts == load.answers > 0 for load in known) == 16
    assert sum(load.answers == 0 for load in known) == 6
    assert sum(load.text_latency is None for load in known) == 22
    assert sum(load.answers for load in known) == sum(
        int(count) for count in re.findall(r"(\d+) requests in", REPORT.read_text())
    )
    assert {load.timeout_s for load in known} == {None}
    assert {load.generator for load in known} == {"wrk"}


def test_the_goodput_is_the_printed_rate(real: Imported) -> None:
    rates = [float(rate) for rate in re.findall(r"Requests/sec: +([\d.]+)", REPORT.read_text())]
    for outcome, rate in zip(real.outcomes, rates, strict=True):
        assert outcome.loaded is not None
        answered = outcome.loaded.answers / (outcome.loaded.duration_us / 1e6)
        assert answered == pytest.approx(rate, abs=0.006)


def test_servers_and_endpoints_are_named_as_our_own(real: Imported) -> None:
    plan = real.run.plan
    assert [(server.name, server.interface, server.summary) for server in plan.servers] == [
        ("gunicorn-gevent", "wsgi", "WSGI Gunicorn Gevent"),
        ("gunicorn-uvicorn", "asgi", "ASGI Gunicorn Uvicorn"),
        ("hypercorn-uvloop", "asgi", "ASGI Hypercorn Uvloop"),
        ("granian-uvloop", None, "Granian uvloop"),
        ("daphne", None, "Daphne"),
    ]
    endpoints = {cell.endpoint.id: cell.endpoint for cell in plan.cells}
    assert len(endpoints) == 23
    assert sum(endpoint.style == "async" for endpoint in endpoints.values()) == 12
    assert endpoints["gateway_3s-async"].path == "/myapp/async/gateway_3s"
    assert endpoints["json-sync"].title == "JSON performance"
    assert {
        name: endpoint.contract.delay_s for name, endpoint in endpoints.items() if "gateway" in name
    } == {f"gateway_{n}s-{style}": n for n in (1, 3, 10) for style in ("sync", "async")}
    assert {
        endpoint.contract.delay_s for name, endpoint in endpoints.items() if "gateway" not in name
    } == {0}
    assert {endpoint.contract.body_bytes for endpoint in endpoints.values()} == {None}


def test_the_load_is_that_of_the_text(real: Imported) -> None:
    loads = {(c.endpoint.name, c.load.connections, c.load.duration_s) for c in real.run.plan.cells}
    assert ("json", 2_000, 10.0) in loads
    assert ("gateway_3s", 2_000, 15.0) in loads
    assert ("gateway_10s", 2_000, 22.0) in loads
    assert ("aiohttp", 700, 10.0) in loads
    assert len(loads) == len({cell.endpoint.name for cell in real.run.plan.cells})


def test_the_facts_suffice_to_judge(real: Imported) -> None:
    """What concerns need: nothing but timeouts, faster than possible, at the connections' limit."""
    by_cell = loads(real)
    cells = {cell.id: cell for cell in real.run.plan.cells}
    misrouted = {name: load for name, load in by_cell.items() if name.endswith(".gateway_3s-async")}
    assert len(misrouted) == 4
    for name, row in misrouted.items():
        connections, delay_s = cells[name].load.connections, cells[name].endpoint.contract.delay_s
        # Daphne was too slow to answer more than is possible; a latency below 3 s gives it away.
        assert row.text_latency is not None
        assert row.text_latency.max_us is not None
        assert row.text_latency.max_us < delay_s * 1e6
        above = row.goodput > connections / delay_s
        assert above or name.startswith("daphne.")
    limited = [name for name, load in by_cell.items() if abs(load.goodput - 181.4) < 0.2]
    assert sorted(limited) == [
        "granian-uvloop.gateway_10s-async",
        "granian-uvloop.gateway_10s-sync",
        "gunicorn-gevent.gateway_10s-sync",
        "gunicorn-uvicorn.gateway_10s-sync",
    ]
    for name in limited:
        # Two whole waves fit into 22 s: no server could have answered more.
        assert by_cell[name].answers == 2 * cells[name].load.connections
    bad = by_cell["daphne.brotli-async"]
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
    for outcome in real.outcomes:
        assert (outcome.histogram, outcome.usage, outcome.verified, outcome.started_at) == (
            None,
            {},
            None,
            None,
        )


def test_it_is_written_and_read_back(real: Imported, tmp_path: Path) -> None:
    folder = report.write(real, tmp_path)
    stored = read(folder, SERVERS)
    assert stored.run == real.run
    assert stored.outcomes == real.outcomes
    assert stored.notes == ()
    for outcome in stored.outcomes:
        assert outcome.raw is not None
        text = (stored.folder / outcome.raw).read_text()
        assert text in REPORT.read_text()
        assert text.startswith("Running ")


def test_every_format_shows_it(real: Imported, tmp_path: Path) -> None:
    folder = report.write(real, tmp_path)
    stored = read(folder, SERVERS)
    summary = summarise(stored.run, stored.outcomes, stored.histogram, stored.segments)
    shown_report = Report(summary, stored.run)
    for path in write_each(formats_in(formats), shown_report, folder):
        # The page's scripts, at its end, are not ours to read.
        text = path.read_text().partition("<script")[0]
        assert "gunicorn-gevent" in text
        assert "None" not in text
    page = (folder / "report.md").read_text()
    assert "django_workers.md" in page
    assert "Line 833: server granian-uvloop: nothing says WSGI or ASGI" in page
    assert "2 workers" not in page


# Reports of another make -------------------------------------------------------------------------


def test_a_second_block_is_another_round() -> None:
    converted = imported(under(block(), block(requests=60_000, bytes=12_000_000)))
    assert [(outcome.cell, outcome.round) for outcome in converted.outcomes] == [
        ("one.json-sync", 0),
        ("one.json-sync", 1),
    ]
    assert converted.run.plan.rounds == 2
    assert [note.text for note in converted.notes] == [
        "server one: the heading of line 1; type --server if not",
        "one.json-sync once more: taken as another round",
    ]


def test_another_load_is_another_cell() -> None:
    converted = imported(
        under(block(), block(connections=64), block(connections=64, declared_s=20))
        + under(block(connections=64), server="ASGI Two")
    )
    assert [cell.id for cell in converted.run.plan.cells] == [
        "one.json-sync",
        "one.json-c64-sync",
        "one.json-c64-20s-sync",
        "two.json-c64-sync",
    ]


def test_servers_that_differ_by_interface_keep_it_in_their_name() -> None:
    converted = imported(
        under(block(), server="WSGI: Granian") + under(block(), server="Granian (ASGI)")
    )
    assert [(server.name, server.interface) for server in converted.run.plan.servers] == [
        ("granian-wsgi", "wsgi"),
        ("granian-asgi", "asgi"),
    ]


def test_the_command_above_a_block_says_which_timeout_was_set() -> None:
    long = block("$ wrk -t2 -c100 --timeout 8s --latency URL\n", percentiles=[1, 2, 3, 4])
    converted = imported(
        under(long, block("$ wrk -t2 -c100 URL\n"), block("$ wrk -t2 --timeout x\n"))
    )
    assert [outcome.loaded.timeout_s for outcome in converted.outcomes if outcome.loaded] == [
        8.0,
        2.0,
        None,
    ]


def test_a_latency_above_the_timeout_shows_that_it_was_another() -> None:
    converted = imported(under(block("$ wrk -t2 -c100 URL\n", max=3_000_000)))
    assert [outcome.loaded.timeout_s for outcome in converted.outcomes if outcome.loaded] == [None]


def shown(imported: Imported) -> Figures:
    plan = imported.run.plan
    none: dict[str, Histogram] = {}
    cell = plan.cells[0]
    known = latencies(cell, imported.outcomes, none.__getitem__)
    return figures(plan, cell, plan.servers[0], imported.outcomes, known)


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
    assert len(report.convert(b"\xef\xbb\xbf" + text.encode(), "x.md", CREATED_AT).outcomes) == 1
    indented = "\n".join(f"    {line}" if "```" not in line else "" for line in block().split("\n"))
    assert len(imported(under(indented)).outcomes) == 1


def test_a_comment_in_other_code_is_no_heading() -> None:
    converted = imported(under("```bash\n## not a server\nmake serve\n```\n", block()))
    assert [outcome.cell for outcome in converted.outcomes] == ["one.json-sync"]
    assert [(note.line, note.text) for note in converted.notes] == [
        (7, "2 lines that are not of a tool's text, not read: '## not a server'"),
        (12, "server one: the heading of line 1; type --server if not"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "why"),
    [
        ("## S\n" + block(url="http://[/sync/json"), 3, "its URL cannot be read"),
        ("## Flask or Bottle\n" + block(), 3, "line 1 names flask and bottle"),
    ],
)
def test_a_block_that_has_no_place_is_listed(text: str, line: int, why: str) -> None:
    converted = imported(text)
    assert (converted.outcomes, converted.left_out) == ((), 1)
    assert any(note.line == line and note.text.startswith(why) for note in converted.notes)


@pytest.mark.parametrize(
    ("heading", "guessed"),
    [
        ("WSGI One", True),
        ("ASGI results of the new machine", True),
        ("WSGI Gunicorn", False),
        ("Granian", False),
    ],
)
def test_a_server_that_no_heading_names_is_a_guess(heading: str, guessed: bool) -> None:
    notes = [note.text for note in imported(under(block(), server=heading)).notes]
    assert any("the heading of line 1; type --server if not" in note for note in notes) == guessed


@pytest.mark.parametrize(
    "words",
    [
        "wrk -t2 -c100 -H 'Authorization: Bearer {}' URL",
        'wrk -t2 -c100 -H "Cookie: sessionid={}; theme=dark" URL',
        r"wrk -t2 -c100 -H Cookie:\ sessionid={} URL",
        "wrk -t2 -c100 --header=X-Api-Key:{} URL",
        "curl -u admin:{} http://localhost:8000/",
        "curl -H 'authorization: Token {}' http://localhost:8000/",
        "Authorization: Basic {}",
        "curl --cookie 'sid={}' http://localhost:8000/",
        "API_TOKEN={} make serve",
        'with {{"password": "{}"}} as the body',
        "wrk -t2 -c100 http://me:{}@localhost:8000/myapp/sync/json",
    ],
)
def test_no_secret_of_a_report_is_in_its_run(words: str) -> None:
    """It was in the name of a row, which is in every table and file."""
    secrets = ("s3cr3t-of-mine", "an0ther-0ne")
    text = "\n".join(f"{words.format(each)}\n\n{block()}" for each in (*secrets, secrets[0]))
    converted = imported(under(text))
    kept = (converted.run, converted.outcomes, converted.raw, converted.notes)
    assert not any(each.encode() in msgspec.json.encode(kept) for each in secrets)
    # Who asks as somebody else is answered something else.
    rounds = Counter(outcome.cell for outcome in converted.outcomes)
    assert sorted(rounds.values()) == ([3] if "http://me:" in words else [1, 2])


@pytest.mark.parametrize("before", [0, 700, 980, 990, 5_000])
@pytest.mark.parametrize(
    "words", ["API_TOKEN={} ", 'password = "{} s3cr3t" ', "http://me:{}@host "]
)
def test_nor_is_one_in_a_line_that_is_longer_than_any_command(words: str, before: int) -> None:
    line = "x " * (before // 2) + words.format("s3cr3t" * 30) + "y " * 1_000
    (shown,) = Hidden().lines([line])
    assert "s3cr3t" not in shown
    assert len(shown) > LONGEST


def test_the_url_tells_what_was_loaded_whatever_the_heading_says() -> None:
    converted = imported(under(block(url="http://localhost/myapp/async/json")))
    assert [outcome.cell for outcome in converted.outcomes] == ["one.json-async"]
    assert any(
        "its heading says sync, its URL async: taken as async" in note.text
        for note in converted.notes
    )


def test_a_name_fits_a_file_system_in_any_script() -> None:
    for heading in ("x" * 300, "é" * 300, "漢" * 300):
        assert 40 < len(slug(heading).encode()) <= 60


# What tells blocks apart --------------------------------------------------------------------------


def cells(text: str) -> list[tuple[str, int]]:
    outcomes = imported(text).outcomes
    return [(outcome.cell, outcome.round) for outcome in outcomes]


@pytest.mark.parametrize(
    "headings",
    [("### Run 1", "### Run 2"), ("#### round 1", "#### round 2"), ("First run:", "Second run:")],
)
def test_headings_that_count_runs_are_rounds(headings: tuple[str, str]) -> None:
    first, second = headings
    text = f"## WSGI One\n\n{first}\n\n{block()}\n{second}\n\n{block()}"
    assert cells(text) == [("one.json-sync", 0), ("one.json-sync", 1)]


def test_responses_of_another_size_are_no_rounds() -> None:
    text = under(block(), block(bytes=20_000_000), block())
    assert cells(text) == [
        ("one.json-200-bytes-sync", 0),
        ("one.json-400-bytes-sync", 0),
        ("one.json-200-bytes-sync", 1),
    ]


def test_what_tells_the_blocks_of_one_server_apart_holds_for_the_others() -> None:
    text = under("Cold:\n", block(), "Warm:\n", block())
    text += under("Warm:\n", block(), server="WSGI Two")
    assert cells(text) == [
        ("one.json-cold-sync", 0),
        ("one.json-warm-sync", 0),
        ("two.json-warm-sync", 0),
    ]


def test_a_server_is_what_its_command_names_where_no_heading_does() -> None:
    text = "# Notes\n\n```\n$ gunicorn -k gevent -w 2 app:app\n```\n\n" + block()
    assert cells(text) == [("gunicorn-gevent.json-sync", 0)]


@pytest.mark.parametrize(
    ("heading", "style"),
    [
        ("Async views", "async"),
        ("Asynchronous:", "async"),
        ("**Sync**", "sync"),
        ("gunicorn sync worker", "unknown"),
        ("Sync and async", "unknown"),
        ("no async", "unknown"),
        ("asyncpg", "unknown"),
    ],
)
def test_the_style_that_a_heading_says(heading: str, style: str) -> None:
    text = f"## Granian\n\n### {heading}\n\n{block(url='http://h/json')}"
    (cell,) = imported(text).run.plan.cells
    assert cell.endpoint.style == style


def test_notes_have_a_limit_and_those_of_what_is_missing_are_kept() -> None:
    prose = "\n\n".join(f"Paragraph {n}." for n in range(1_000))
    converted = imported(f"{prose}\n\n{block()}\n\n{prose}\n\nRunning 10s test @ http://h/\n")
    assert len(converted.notes) == report.MOST_NOTES + 1
    assert converted.notes[-1].text.endswith("more notes, from here on, are not listed")
    assert sum(note.weight == 2 for note in converted.notes) == 1
    assert converted.run.source
    assert len(converted.run.source.notes) == len(converted.notes)


def test_more_rounds_than_a_run_has_are_listed() -> None:
    converted = imported(under(*[block()] * (MOST_ROUNDS + 2)))
    assert (len(converted.outcomes), converted.left_out) == (MOST_ROUNDS, 2)
    assert converted.run.plan.rounds == MOST_ROUNDS
