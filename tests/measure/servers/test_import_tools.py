"""Texts of load generators other than wrk: read where they hold what a row needs, or named."""

from __future__ import annotations

import pytest
from wrk_reports import CREATED_AT, block, imported, under

from loadtest.judge.servers.metrics import figures, latencies
from loadtest.measure.servers.imported import report
from loadtest.measure.servers.imported.blocks import TOOLS, UNREAD
from loadtest.measure.servers.imported.report import Imported
from loadtest.measure.servers.imported.text import Typed
from loadtest.records.measured import Loaded

AB = """\
$ ab -k -c 100 -n 10000 http://127.0.0.1:8000/sync/json
This is ApacheBench, Version 2.3 <$Revision: 1879490 $>
Copyright 1996 Adam Twiss, Zeus Technology Ltd, http://www.zeustech.net/
Licensed to The Apache Software Foundation, http://www.apache.org/

Benchmarking 127.0.0.1 (be patient)
Completed 1000 requests
Completed 10000 requests
Finished 10000 requests


Server Software:        uvicorn
Server Hostname:        127.0.0.1
Server Port:            8000

Document Path:          /sync/json
Document Length:        27 bytes

Concurrency Level:      100
Time taken for tests:   2.500 seconds
Complete requests:      10000
Failed requests:        12
   (Connect: 0, Receive: 3, Length: 9, Exceptions: 0)
Non-2xx responses:      5
Keep-Alive requests:    10000
Total transferred:      1530000 bytes
HTML transferred:       270000 bytes
Requests per second:    4000.00 [#/sec] (mean)
Time per request:       25.000 [ms] (mean)
Time per request:       0.250 [ms] (mean, across all concurrent requests)
Transfer rate:          597.66 [Kbytes/sec] received

Connection Times (ms)
              min  mean[+/-sd] median   max
Connect:        0    0   0.3      0       4
Processing:     2   25   4.1     24      62
Waiting:        1   24   4.1     24      61
Total:          2   25   4.2     24      63

Percentage of the requests served within a certain time (ms)
  50%     24
  66%     25
  75%     26
  80%     27
  90%     30
  95%     33
  98%     38
  99%     44
 100%     63 (longest request)
"""

HEY = """\
$ hey -z 10s -c 64 http://localhost:8000/async/json

Summary:
  Total:\t10.0042 secs
  Slowest:\t0.1283 secs
  Fastest:\t0.0005 secs
  Average:\t0.0126 secs
  Requests/sec:\t5000.3000

  Total data:\t1350000 bytes
  Size/request:\t27 bytes

Response time histogram:
  0.001 [1]\t|
  0.013 [48000]\t|■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
  0.128 [2014]\t|■■


Latency distribution:
  10% in 0.0081 secs
  25% in 0.0100 secs
  50% in 0.0120 secs
  75% in 0.0145 secs
  90% in 0.0172 secs
  95% in 0.0201 secs
  99% in 0.0310 secs

Details (average, fastest, slowest):
  DNS+dialup:\t0.0000 secs, 0.0005 secs, 0.1283 secs
  DNS-lookup:\t0.0000 secs, 0.0000 secs, 0.0010 secs
  req write:\t0.0000 secs, 0.0000 secs, 0.0021 secs
  resp wait:\t0.0125 secs, 0.0004 secs, 0.1279 secs
  resp read:\t0.0000 secs, 0.0000 secs, 0.0017 secs

Status code distribution:
  [200]\t50000 responses
  [502]\t14 responses

Error distribution:
  [10]\tGet "http://localhost:8000/async/json": EOF
"""

OHA = """\
$ oha --no-tui -z 10s -c 64 http://localhost:8000/async/json
Summary:
  Success rate:\t100.00%
  Total:\t10.0013 sec
  Slowest:\t0.0903 sec
  Fastest:\t0.0004 sec
  Average:\t0.0063 sec
  Requests/sec:\t10003.0996

  Total data:\t2.57 MiB
  Size/request:\t27 B
  Size/sec:\t263.10 KiB

Response time histogram:
  0.000 sec [1]     |
  0.009 sec [98000] |■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
  0.090 sec [1980]  |

Response time distribution:
  10.00% in 0.0041 sec
  50.00% in 0.0060 sec
  90.00% in 0.0084 sec
  99.00% in 0.0152 sec
  99.90% in 0.0400 sec


Details (average, fastest, slowest):
  DNS+dialup:\t0.0021 sec, 0.0010 sec, 0.0033 sec
  DNS-lookup:\t0.0001 sec, 0.0000 sec, 0.0004 sec

Status code distribution:
  [200] 99981 responses

Error distribution:
  [64] aborted due to deadline
"""

BOMBARDIER = """\
Bombarding http://localhost:8000/sync/json for 10s using 125 connection(s)
[==========================================================================] 10s
Done!
Statistics        Avg      Stdev        Max
  Reqs/sec      5003.11     612.10    6800.52
  Latency       24.98ms     3.11ms   210.33ms
  Latency Distribution
     50%    24.10ms
     75%    26.00ms
     90%    28.40ms
     95%    30.20ms
     99%    41.70ms
  HTTP codes:
    1xx - 0, 2xx - 50010, 3xx - 0, 4xx - 0, 5xx - 15
    others - 4
  Errors:
    dial tcp 127.0.0.1:8000: connect: connection refused - 4
  Throughput:     1.10MB/s
"""


def loaded(of: Imported) -> Loaded:
    (outcome,) = of.outcomes
    assert outcome.loaded
    return outcome.loaded


def fenced(text: str) -> str:
    return f"```\n{text}```\n"


@pytest.mark.parametrize(
    ("text", "cell", "counts", "percentiles"),
    [
        (AB, "one.json-ab-k-sync", (10_000, 5, 3, 2_500_000), (24_000, 30_000, 44_000)),
        (HEY, "one.json-hey-async", (50_014, 14, 10, 10_004_200), (12_000, 17_200, 31_000)),
        (OHA, "one.json-oha-async", (99_981, 0, 0, 10_001_300), (6_000, 8_400, 15_200)),
        (
            BOMBARDIER,
            "one.json-bombardier-sync",
            (50_025, 15, 4, 10_000_000),
            (24_100, 28_400, 41_700),
        ),
    ],
    ids=["ab", "hey", "oha", "bombardier"],
)
def test_its_counts_and_percentiles_are_those_of_the_text(
    text: str, cell: str, counts: tuple[int, ...], percentiles: tuple[int, ...]
) -> None:
    of = imported(f"## WSGI One\n\n{fenced(text)}")
    assert [each.id for each in of.run.plan.cells] == [cell]
    assert of.left_out == 0
    load = loaded(of)
    assert counts == (load.answers, load.status_errors, load.read_errors, load.duration_us)
    plan = of.run.plan
    known = latencies(plan.cells[0], of.outcomes, of.histograms.__getitem__)
    shown = figures(plan, plan.cells[0], plan.servers[0], of.outcomes, known)
    # None of them fills anything in, so their percentiles are as measured.
    assert (shown.p50_us, shown.p90_us, shown.p99_us) == percentiles


def test_loads_of_two_tools_are_in_no_table_together() -> None:
    of = imported(under(block(url="http://localhost/sync/json")) + f"## WSGI Two\n\n{fenced(AB)}")
    assert [cell.endpoint.name for cell in of.run.plan.cells] == ["json", "json-ab-k"]


def test_two_loads_of_so_many_requests_are_rounds_though_they_took_unlike_long() -> None:
    again = AB.replace("2.500 seconds", "2.600 seconds")
    of = imported(f"## WSGI One\n\n{fenced(AB)}\n{fenced(again)}")
    assert [(outcome.cell, outcome.round) for outcome in of.outcomes] == [
        ("one.json-ab-k-sync", 0),
        ("one.json-ab-k-sync", 1),
    ]


@pytest.mark.parametrize(
    ("text", "typed", "why"),
    [
        (HEY.partition("\n")[2], Typed(), "type --connections N --endpoint NAME"),
        (HEY.replace("  [200]\t50000 responses\n", ""), Typed(), "not that of the statuses"),
        (AB.replace("Complete requests:      10000\n", ""), Typed(), "`Complete requests:`"),
        (AB.replace("2.500 seconds", "soon"), Typed(), "'soon' is no number"),
        (BOMBARDIER.replace("others - 4", "others"), Typed(), "the line with others"),
        (OHA.replace("10.0013 sec", "0.0013 sec"), Typed(), "too short to be one"),
    ],
)
def test_what_lacks_a_line_is_not_imported(text: str, typed: Typed, why: str) -> None:
    of = report.convert(f"## WSGI One\n\n{fenced(text)}".encode(), "x.md", CREATED_AT, typed)
    assert (len(of.outcomes), of.left_out) == (0, 1)
    assert any(why in note.text for note in of.notes)


STATUSES = "".join(f"  [{100 + number}]\t999999999999 responses\n" for number in range(10_000))


@pytest.mark.parametrize(
    "text",
    [
        HEY.replace("  [200]\t50000 responses\n  [502]\t14 responses\n", STATUSES)
        .replace("10.0042 secs", "10000000 secs")
        .replace("5000.3000", "1000000000"),
        HEY.replace(
            "  10% in", "".join(f"  {n / 10}% in 0.01 secs\n" for n in range(200)) + "  10% in"
        ),
    ],
    ids=["answers", "percentiles"],
)
def test_what_would_not_be_read_back_is_not_imported(text: str) -> None:
    """It was said to be imported, and its report did not have it."""
    of = imported(f"## WSGI One\n\n{fenced(text)}")
    assert (len(of.outcomes), of.left_out, of.raw) == (0, 1, {})
    assert any(note.text.startswith("numbers that nobody can have") for note in of.notes)
    # Nor is it a round of what is.
    of = imported(f"## WSGI One\n\n{fenced(text)}\n{fenced(HEY)}")
    assert [each.round for each in of.outcomes] == [0]
    assert not any("another round" in note.text for note in of.notes)


def test_what_no_command_shows_can_be_typed() -> None:
    text = f"## WSGI One\n\n{fenced(HEY.partition(chr(10))[2])}"
    typed = Typed(connections=64, endpoint="json", style="sync", delay_s=0.5)
    of = report.convert(text.encode(), "x.md", CREATED_AT, typed)
    (cell,) = of.run.plan.cells
    assert (cell.id, cell.load.connections) == ("one.json-hey-sync", 64)
    assert cell.endpoint.contract.delay_s == 0.5
    assert of.run.command.endswith(
        "x.md --style sync --endpoint json --delay 0.5s --connections 64"
    )


UNREAD_TEXTS = {
    "autocannon": "Running 10s test @ http://localhost:3000\n10 connections\n",
    "ghz": "Summary:\n  Count:\t200\n  Total:\t89.54 ms\n",
    "h2load": "starting benchmark...\nfinished in 1.19s, 8400.33 req/s, 6.75MB/s\n",
    "k6": "     http_req_duration..............: avg=12ms min=1ms\n",
    "locust": "Type     Name    # reqs      # fails |    Avg\n",
    "rewrk": "Benchmarking 60 connections @ http://127.0.0.1:5050 for 5 second(s)\n",
    "siege": "Transactions:\t\t  1000 hits\n",
    "vegeta": "Requests      [total, rate, throughput]         500, 50.10, 50.05\n",
}


@pytest.mark.parametrize("tool", [*UNREAD])
def test_a_tool_that_is_not_read_is_named_in_one_note(tool: str) -> None:
    of = imported(under(block(), fenced(UNREAD_TEXTS[tool])))
    assert (len(of.outcomes), of.left_out) == (1, 1)
    (note,) = (note for note in of.notes if note.weight == 2)
    assert note.text.startswith(f"{tool}'s text, and only that of ")
    assert all(each.NAME in note.text for each in TOOLS)


@pytest.mark.parametrize("at", range(len(AB.splitlines()) - 12))
def test_an_ab_text_without_a_line_is_read_or_listed(at: int) -> None:
    lines = AB.splitlines(keepends=True)
    del lines[at]
    of = imported(f"## WSGI One\n\n{fenced(''.join(lines))}")
    assert len(of.outcomes) + of.left_out >= 1
