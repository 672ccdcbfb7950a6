"""Texts as people publish them: each imports as a careful reader would read it, or is refused.

`tests/data/field` was rebuilt from public texts: layout and numbers are theirs, names are not.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from paths import DATA
from wrk_reports import CREATED_AT

from loadtest.judge.servers.summary import summarise
from loadtest.measure.servers.imported import report
from loadtest.measure.servers.imported.report import Imported
from loadtest.records import run_folder

FIELD = DATA / "field"

Rows = list[tuple[str, int, str | None]]
"""Cells, each with its rounds and its verdict; None: it failed."""

READ: dict[str, Rows] = {
    # Which server, by the command above; 4,759 of 5,000 connections never opened.
    "01-uvicore-wiki.md": [
        ("gunicorn-uvicorn.hello-unknown", 1, "invalid"),
        ("gunicorn-uvicorn.root-unknown", 1, "valid"),
        ("gunicorn.v1-users-unknown", 1, "valid"),
    ],
    "02-weiztech-python-web-benchmark.md": [
        ("fastapi.root-unknown", 1, "suspect"),
        ("sanic.root-unknown", 1, "suspect"),
        ("django.root-unknown", 1, "suspect"),
        ("flask.root-unknown", 1, "invalid"),
    ],
    "03-sco3-setext.md": [
        ("uvicorn.root-unknown", 1, "valid"),
        ("fastwsgi.root-unknown", 1, "valid"),
    ],
    "04-webapi-djangoapi.md": [("django.root-unknown", 1, "suspect")],
    "05-notes-gunicorn-wrk2.md": [("gunicorn-gevent.root-unknown@2000", 1, "suspect")],
    "06-wrk2-spectrum.txt": [("06-wrk2-spectrum.root-get-unknown@2000", 1, "suspect")],
    "08-flask-readme-indented.md": [
        ("gunicorn.fib-10-unknown", 1, "valid"),
        ("gunicorn.file-unknown", 1, "valid"),
    ],
    "09-gevent-tornado-docstring.py.txt": [
        ("gevent-tornado.root-unknown", 1, "suspect"),
        ("gevent-tornado.root-c12-unknown", 1, "valid"),
    ],
    # One URL under one heading, and responses of 1,118 and of 163 bytes: no rounds of each other.
    "10-python-orms.md": [
        ("10-python-orms.asyncpg-1-118-bytes-unknown", 1, "suspect"),
        ("10-python-orms.asyncpg-163-bytes-unknown", 1, "suspect"),
        ("10-python-orms.peewee-no-pool-unknown", 1, "invalid"),
        ("10-python-orms.peewee-unknown", 1, "invalid"),
    ],
    "11-fastapi-libsql.md": [
        ("fastapi.users-1-unknown", 1, "valid"),
        ("fastapi.users-2-unknown", 1, "valid"),
        ("fastapi.users-unknown", 1, "invalid"),
    ],
    "12-japronto-pipelining.md": [
        ("japronto.root-pipeline-unknown", 1, "suspect"),
        ("japronto.root-unknown", 1, "valid"),
    ],
    "13-fastwsgi-blank-lines.md": [
        ("fastwsgi.root-from-commit-66b601e-unknown", 1, "valid"),
        ("fastwsgi.root-to-latest-commit-882fe79-unknown", 1, "valid"),
    ],
    "14-uvwsgi-issue-nofence.md": [("gunicorn.root-unknown", 1, "valid")],
    "15-guv-issue.md": [("gunicorn-guv.root-unknown", 1, "suspect")],
    "16-wrk-json-script.md": [("16-wrk-json-script.root-json-unknown", 1, "suspect")],
    "17-wrk-setup-script.md": [("17-wrk-setup-script.1gb-data-setup-unknown", 1, "invalid")],
    "20-collapsed-whitespace.txt": [
        ("20-collapsed-whitespace.root-unknown", 1, "invalid"),
        ("20-collapsed-whitespace.root-c10-unknown", 1, "invalid"),
    ],
    "c01-connect-errors.md": [("uvicorn.hello-async", 1, "invalid")],
    "c01b-connect-few.md": [("uvicorn.hello-async", 1, "invalid")],
    "c02-commented.md": [("uvicorn.json-async", 1, "valid")],
    "c03-refused-alone.md": [("uvicorn.json-async", 1, None)],
    "c06-pipeline-script.md": [
        ("japronto.hello-pipeline-async", 1, "suspect"),
        ("uvicorn.hello-async", 1, "valid"),
    ],
    "c16-style-level2.md": [
        ("uvicorn.json-async", 1, "valid"),
        ("uvicorn.json-sync", 1, "valid"),
    ],
    "c17-style-above-endpoint.md": [
        ("uvicorn.json-sync", 1, "valid"),
        ("uvicorn.json-async", 1, "valid"),
    ],
    "c18-rows-same-conn-other-workers.md": [
        ("uvicorn.json-2-workers-async", 1, "valid"),
        ("uvicorn.json-4-workers-async", 1, "valid"),
        ("uvicorn.json-8-workers-async", 1, "valid"),
    ],
    "c19-truncated.md": [("granian.json-async", 1, "valid")],
    "c20-notransfer-prose.md": [
        ("uvicorn.json-async", 1, "valid"),
        ("uvicorn.json-this-was-on-my-laptop-async", 1, "valid"),
    ],
    "c21-wrk-version-extra.md": [("uvicorn.json-async", 1, "valid")],
    "t01-two-h3-one-url.md": [
        ("uvicorn.json-without-uvloop-async", 1, "valid"),
        ("uvicorn.json-with-uvloop-async", 1, "valid"),
    ],
    "t02-levels-shifted.md": [
        ("gunicorn.json-sync", 1, "valid"),
        ("uvicorn.json-sync", 1, "valid"),
    ],
    "t03-raw-output.md": [("django.json-async", 1, "valid")],
    "t04-h4-frameworks.md": [
        ("fastapi.root-async", 1, "valid"),
        ("sanic.root-async", 1, "valid"),
    ],
    "t05-two-machines.md": [
        ("uvicorn.json-laptop-async", 1, "valid"),
        ("uvicorn.json-server-async", 1, "valid"),
    ],
    "t06-decorated.md": [
        ("uvicorn.json-async", 1, "valid"),
        ("granian.json-async", 1, "valid"),
        ("gunicorn-gevent.json-sync", 1, "valid"),
        ("line-40.json-sync", 1, "valid"),
        ("line-53.x-sync", 1, "valid"),
    ],
    "t10-style-words.md": [
        ("uvicorn.json-async", 3, "valid"),
        ("uvicorn.json-sync", 1, "valid"),
    ],
    "t11-style-in-path.md": [
        ("bolt.sync-10k-json-sync", 1, "valid"),
        ("bolt.users-async_full10-async", 1, "valid"),
        ("bolt.json-mode-async-async", 1, "valid"),
        ("bolt.json-async", 1, "valid"),
    ],
    "t15-pre.md": [("uvicorn.json-async", 1, "valid")],
    "t17-nbsp.md": [("uvicorn.json-async", 1, "valid")],
    "t17b-nbsp-inside.md": [("uvicorn.json-async", 1, "valid")],
    "t18-utf16.md": [("uvicorn.json-async", 1, "valid")],
    "t19-latin1.md": [("uvicorn.json-async", 1, "valid")],
    "t20-cr.md": [("uvicorn.json-async", 1, "valid")],
    "t21-ansi.md": [("uvicorn.json-async", 1, "valid")],
    "t22-timeout-prompts.md": [(f"uvicorn.p{n}-async", 1, "valid") for n in range(9)],
    "t23-connerr.md": [("uvicorn.json-async", 1, "suspect")],
    "t24-same-endpoint-two-hosts.md": [
        ("uvicorn.json-behind-nginx-async", 1, "valid"),
        ("uvicorn.json-direct-async", 1, "valid"),
    ],
    "t25-threads-differ.md": [
        ("uvicorn.json-2-threads-async", 1, "valid"),
        ("uvicorn.json-8-threads-async", 1, "valid"),
    ],
    "t26-tilde-details.md": [("uvicorn.json-async", 1, "valid")],
    "t27-list-bullet.md": [("uvicorn.json-async", 1, "valid")],
    "t28-heading-closed.md": [("uvicorn.json-async", 1, "valid")],
    "t30-mixed-wrk-wrk2-ab.md": [("uvicorn.json-async", 1, "valid")],
    "t31-no-such-style-but-interface.md": [("gunicorn-sync-worker.hello-unknown", 1, "valid")],
    "t32-wrk2-short.md": [("uvicorn.json-async@2000", 1, "valid")],
    "t33-wrk2-calibration-cut.md": [("uvicorn.json-async@2000", 1, "valid")],
    # Found later, in other public texts.
    "n01-go-proto.md": [
        ("n01-go-proto.proto-unknown", 1, "valid"),
        ("n01-go-proto.json-unknown", 1, "valid"),
        ("n01-go-proto.protojson-unknown", 1, "valid"),
    ],
    "n02-go-three-times.md": [
        ("n02-go-three-times.tests-123123-unknown", 2, "valid"),
    ],
    "n04-crystal-json.md": [
        ("n04-crystal-json.root-unknown", 1, "invalid"),
    ],
    "n05-annotated.md": [
        ("n05-annotated.swagger-index-html-unknown", 1, "valid"),
    ],
    "n06-keepalive-list.md": [
        ("n06-keepalive-list.root-single-threaded-keep-alive-unknown", 1, "valid"),
        ("n06-keepalive-list.root-single-threaded-connection-close-unknown", 1, "valid"),
    ],
    "n10-old-bombardier.md": [
        ("n10-old-bombardier.payment-bombardier-unknown", 1, "valid"),
    ],
    "n11-windows-wrapped.md": [
        ("gateway.home-plaintext-bombardier-unknown", 1, "valid"),
        ("gateway.home-json-bombardier-unknown", 1, "valid"),
    ],
    "n12-collapsed-bombardier.md": [
        ("express.plaintext-bombardier-unknown", 1, "valid"),
        ("express.json-bombardier-unknown", 1, "valid"),
    ],
    "n15-commented-fork.sh.txt": [
        ("n15-commented-fork.api-index-ts01-query-bombardier-unknown", 1, "valid"),
    ],
    "n16-php-ab-k.md": [
        ("workerman.root-ab-k-unknown", 1, "valid"),
    ],
    "n19-tomcat-tabs.md": [
        ("n19-tomcat-tabs.test-json-ab-unknown", 1, "valid"),
    ],
    "n20-lua-ab.md": [
        ("luvit.root-ab-unknown", 1, "valid"),
    ],
    "n22-balancer-ab.md": [
        ("apache.app-php-ab-unknown", 1, "invalid"),
    ],
    "n24-hey-binary.md": [
        ("n24-hey-binary.1k-hey-unknown", 1, "valid"),
    ],
    "n30-oha-prompt.txt": [
        ("uvicorn.search-search_term-cat-oha-unknown", 1, "valid"),
    ],
    "n35-issue-using.md": [
        ("gunicorn.root-hey-unknown", 1, "valid"),
    ],
    "n39-django-ab.txt": [
        ("gunicorn.root-ab-unknown", 1, "valid"),
    ],
    "n40-ab-timed.md": [
        ("gunicorn.root-ab-unknown", 1, "valid"),
    ],
}
"""What each comes to without an option."""

LISTED: dict[str, list[tuple[int, str]]] = {
    "07-networking-course-no-running.md": [
        (3, "type --endpoint NAME --connections N"),
        (13, "type --endpoint NAME --connections N"),
    ],
    # wrk's clock ran over.
    "18-wrk-runtime-overflow.md": [(14, "'307445734491.24m' is more than wrk can count")],
    "19-wrk2-nonsense.md": [(3, "a rate of 1e+07 requests/s")],
    "c19-truncated.md": [(8, "the line with the latency is missing")],
    "n25-grpc-ghz.md": [(6, "ghz's text, and only that of ")],
    "t27-list-bullet.md": [(16, "the line with the latency is missing")],
    "t29-two-servers-one-h2.md": [
        (4, "line 1 names uvicorn and granian"),
        (14, "line 1 names uvicorn and granian"),
    ],
    "t30-mixed-wrk-wrk2-ab.md": [
        (15, "type --rate N"),
        (27, "the line with `Time taken for tests:` is missing"),
    ],
}
"""The blocks that are left out, by their line, and what the note about each says."""


def read(name: str) -> Imported:
    return report.convert((FIELD / name).read_bytes(), name, CREATED_AT)


def test_every_text_is_expected_to_be_something() -> None:
    assert {path.name for path in FIELD.iterdir()} == {*READ, *LISTED}


@pytest.mark.parametrize("name", [*READ])
def test_it_is_read_as_a_careful_reader_would(name: str) -> None:
    imported = read(name)
    summary = summarise(imported.run, imported.outcomes, imported.histograms.__getitem__)
    rows = {row.cell: row for ranking in summary.rankings for row in ranking.rows}
    cells = [cell.id for cell in imported.run.plan.cells]
    assert [(cell, len(rows[cell].rounds), rows[cell].verdict) for cell in cells] == READ[name]


@pytest.mark.parametrize("name", sorted({*READ, *LISTED}))
def test_what_is_left_out_is_listed_by_line(name: str) -> None:
    imported = read(name)
    listed = [(note.line, note.text) for note in imported.notes if note.weight == 2]
    wanted = LISTED.get(name, [])
    assert imported.left_out == len(wanted)
    assert [line for line, _ in listed] == [line for line, _ in wanted]
    for (_, text), (_, words) in zip(listed, wanted, strict=True):
        assert words in text
    assert bool(imported.outcomes) == (name in READ)


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("02-weiztech-python-web-benchmark.md", "server flask: the heading of line 56"),
        ("03-sco3-setext.md", "nothing says sync or async"),
        ("04-webapi-djangoapi.md", "server django: a framework, and nothing names its server"),
        ("08-flask-readme-indented.md", "server gunicorn: the command of line 9"),
        ("13-fastwsgi-blank-lines.md", "nothing but the file's name says so; type --server"),
        ("t05-two-machines.md", "told from others of /async/json by 'Laptop'"),
        ("t10-style-words.md", "uvicorn.json-async once more: taken as another round"),
        ("t24-same-endpoint-two-hosts.md", "told from others of /async/json by 'behind nginx'"),
    ],
)
def test_a_guess_is_printed_as_one(name: str, note: str) -> None:
    assert any(note in each.text for each in read(name).notes)


@pytest.mark.parametrize(
    ("name", "timeouts"),
    [
        ("t22-timeout-prompts.md", {30.0}),
        ("02-weiztech-python-web-benchmark.md", {3.0}),
        ("04-webapi-djangoapi.md", {2.0}),
        ("17-wrk-setup-script.md", {300.0}),
        ("c02-commented.md", {None}),
    ],
)
def test_the_timeout_is_that_of_the_command_or_unknown(
    name: str, timeouts: set[float | None]
) -> None:
    loads = [outcome.loaded for outcome in read(name).outcomes]
    assert {load.timeout_s for load in loads if load} == timeouts


def test_wrk2s_text_is_a_load_at_a_rate_with_its_histogram() -> None:
    imported = read("06-wrk2-spectrum.txt")
    (cell,), (outcome,) = imported.run.plan.cells, imported.outcomes
    assert (cell.load.rate, cell.load.connections, cell.load.duration_s) == (2000, 64, 60)
    assert (cell.load.tool, cell.load.script) == ("wrk2", "./wrk/get.lua")
    assert outcome.loaded
    assert outcome.loaded.generator == "wrk2"
    histogram = imported.histograms[str(outcome.histogram)]
    assert sum(histogram.counts) == 99_357
    (ranking,) = summarise(
        imported.run, imported.outcomes, imported.histograms.__getitem__
    ).rankings
    figures = ranking.rows[0].figures
    assert figures
    # Nothing of it was filled in by wrk, so nothing is taken out; its lines are some of a spectrum.
    assert (figures.p50_us, figures.p90_us, figures.p99_us) == (1_370, 2_419, 3_020)
    assert figures.samples == 99_357
    assert figures.backfilled_p99_us == figures.p99_us


@pytest.mark.parametrize(
    "name", ["06-wrk2-spectrum.txt", "17-wrk-setup-script.md", "n22-balancer-ab.md"]
)
def test_it_is_read_back_whole(name: str, tmp_path: Path) -> None:
    imported = read(name)
    stored = run_folder.read(report.write(imported, tmp_path), run_folder.SERVERS)
    assert (stored.run, stored.outcomes) == (imported.run, imported.outcomes)
    assert stored.notes == ()
    for histogram, samples in imported.histograms.items():
        assert stored.histogram(histogram) == samples


def test_a_rate_that_was_not_answered_was_not_held_and_has_no_latencies() -> None:
    imported = read("05-notes-gunicorn-wrk2.md")
    (ranking,) = summarise(
        imported.run, imported.outcomes, imported.histograms.__getitem__
    ).rankings
    (row,) = ranking.rows
    assert {raised.concern for raised in row.concerns} == {"errors", "rate-not-held"}
    assert row.figures
    assert row.figures.p50_us is None
    assert row.figures.late_share == pytest.approx(1 - 1627.4 / 2000, abs=1e-3)


def test_a_pipelined_load_is_judged_and_compared_with_no_other() -> None:
    imported = read("c06-pipeline-script.md")
    summary = summarise(imported.run, imported.outcomes, imported.histograms.__getitem__)
    assert [len(ranking.rows) for ranking in summary.rankings] == [1, 1]
    (row,) = summary.rankings[0].rows
    assert [raised.concern for raised in row.concerns] == ["scripted"]
    assert "several requests at once" in row.concerns[0].facts
