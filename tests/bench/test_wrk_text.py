"""wrk's text: what it prints comes back, and what it doesn't print is refused."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from paths import DATA
from wrk_reports import printed

from loadtest.bench.load import wrk
from loadtest.measure.servers.imported.text import TextError
from loadtest.measure.servers.imported.tools.wrk import START, parse

RECORDED = DATA / "wrk-4.1.0"


@st.composite
def runs(draw: st.DrawFn) -> dict[str, Any]:
    requests = draw(st.integers(0, 10**8))
    most = draw(st.integers(1, 120_000_000))
    few = st.integers(0, 5_000)
    return {
        "url": "http://localhost:8000/myapp/sync/json",
        "declared_s": draw(st.integers(1, 50)),
        "threads": draw(st.integers(1, 64)),
        "connections": draw(st.integers(1, 20_000)),
        "requests": requests,
        "duration_us": draw(st.integers(100_000, 7_200_000_000)),
        "bytes": draw(st.integers(0, 10**13)),
        "connect": draw(few),
        "read": draw(few),
        "write": draw(few),
        "status": draw(st.integers(0, requests)),
        "timeout": draw(st.one_of(st.just(0), st.integers(0, requests), st.just(requests))),
        "mean": draw(st.integers(1, most)),
        "stdev": draw(st.integers(0, most)),
        "max": most,
        "percentiles": draw(
            st.one_of(st.just([]), st.lists(st.integers(1, most), min_size=4, max_size=4))
        ),
    }


def as_wrk(run: dict[str, Any]) -> dict[str, Any]:
    return run | {"percentiles": sorted(run["percentiles"])}


def close(number: int | None, value: float) -> bool:
    """Whether a figure is `value` as printed: two digits after the point, at least 0.85 before."""
    return number is not None and math.isclose(number, value, rel_tol=0.0061, abs_tol=1)


@given(runs())
def test_what_wrk_prints_comes_back(run: dict[str, Any]) -> None:
    run = as_wrk(run)
    text = parse(printed(run))
    assert (text.url, text.declared_s) == (run["url"], run["declared_s"])
    assert (text.threads, text.connections) == (run["threads"], run["connections"])
    assert text.loaded.answers == run["requests"]
    assert (
        text.loaded.connect_errors,
        text.loaded.read_errors,
        text.loaded.write_errors,
        text.loaded.timeouts,
    ) == (
        run["connect"],
        run["read"],
        run["write"],
        run["timeout"],
    )
    assert text.loaded.status_errors == run["status"]
    assert close(text.loaded.received_bytes, run["bytes"])
    assert close(text.loaded.duration_us, run["duration_us"])
    rate = run["requests"] / run["duration_us"] * 1e6
    # The duration is the one that gives the printed rate, which has the more digits.
    if rate >= 1:
        assert (
            abs(text.loaded.answers / text.loaded.duration_us * 1e6 - rate) <= 0.011 + rate * 1e-5
        )
    if run["requests"] == run["timeout"]:
        assert text.loaded.text_latency is None
        return
    assert text.loaded.text_latency is not None
    assert close(text.loaded.text_latency.mean_us, run["mean"])
    assert close(text.loaded.text_latency.stdev_us, run["stdev"])
    assert close(text.loaded.text_latency.max_us, run["max"])
    names = ("50", "75", "90", "99") if run["percentiles"] else ()
    assert tuple(text.loaded.text_latency.percentiles_us) == names
    for parsed_us, value in zip(
        text.loaded.text_latency.percentiles_us.values(), run["percentiles"], strict=True
    ):
        assert close(parsed_us, value)


@given(runs(), st.randoms(use_true_random=False))
def test_a_changed_line_is_refused_with_its_place_or_read(
    run: dict[str, Any], chance: random.Random
) -> None:
    lines = printed(as_wrk(run))
    at = chance.randrange(len(lines))
    line = list(lines[at])
    for _ in range(chance.randint(1, 6)):
        line[chance.randrange(len(line))] = chr(chance.randrange(32, 0x500))
    lines[at] = "".join(line)
    refused: TextError | None = None
    try:
        parse(lines)
    except TextError as error:
        refused = error
    if refused:
        assert 0 <= refused.at < len(lines)
        assert refused.why
        assert "\n" not in refused.why


@given(runs(), st.data())
def test_a_lost_line_is_missed_or_says_nothing_of_its_own(
    run: dict[str, Any], data: st.DataObject
) -> None:
    run = as_wrk(run) | {"connect": 1}
    lines = printed(run)
    at = data.draw(st.integers(0, len(lines) - 1))
    was = lines.pop(at)
    lost = was.split()[0]
    # Nothing else in the text tells of errors that were not timeouts.
    assume(lost not in ("Socket", "Non-2xx"))
    spare = ("Thread", "Req/Sec", "Requests/sec:", "Transfer/sec:", "50%", "75%", "90%", "99%")
    if lost in spare or was == "  Latency Distribution":
        parse(lines)
    else:
        with pytest.raises(TextError):
            parse(lines)


@pytest.mark.parametrize("name", ["healthy", "silent", "errors"])
def test_the_text_agrees_with_what_wrk_told_its_script(name: str) -> None:
    stdout = (RECORDED / f"{name}.stdout.txt").read_text()
    loaded, _ = wrk.parse(stdout, (RECORDED / f"{name}.stderr.txt").read_text())
    lines = stdout.splitlines()
    start = next(at for at, line in enumerate(lines) if START.fullmatch(line))
    text = parse(lines[start:])
    assert text.loaded.answers == loaded.answers
    assert text.loaded.status_errors == loaded.status_errors
    assert text.loaded.timeouts == loaded.timeouts
    assert (text.loaded.connect_errors, text.loaded.read_errors) == (
        loaded.connect_errors,
        loaded.read_errors,
    )
    assert close(text.loaded.duration_us, loaded.duration_us)
    assert close(text.loaded.received_bytes, loaded.received_bytes)


GOOD = """\
Running 10s test @ http://localhost:8000/
  2 threads and 10 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.02s    66.82ms   1.35s    95.50%
    Req/Sec   110.73    117.04   680.00     87.47%
  1000 requests in 10.00s, 1.00MB read
Requests/sec:    100.00
Transfer/sec:    102.40KB"""


@pytest.mark.parametrize(
    ("old", "new", "at", "why"),
    [
        ("1000 requests", "1001 requests", 6, "rate"),
        ("1.00MB", "1.10MB", 7, "rate"),
        ("10.00s,", "10.00x,", 5, "'10.00x' is no number"),
        ("1.02s", "1.52s", 3, "above the maximum"),
        ("10 connections", "0 connections", 1, "no connections"),
        ("10 connections", "99999 connections", 1, "more connections than there are ports"),
        ("10s test", "0s test", 0, "a load of under a second"),
        ("  Thread", "  Tread", 2, "not a line of wrk's"),
        ("     1.02s    66.82ms   1.35s    95.50%", "  0.00us 0.00us 0.00us -nan%", 3, "missing"),
        ("1.00MB", "999999999999.00PB", 5, "more than wrk can count"),
    ],
)
def test_what_contradicts_itself_is_refused(old: str, new: str, at: int, why: str) -> None:
    parse(GOOD.split("\n"))
    with pytest.raises(TextError, match=why) as caught:
        parse(GOOD.replace(old, new, 1).split("\n"))
    assert caught.value.at == at


@pytest.mark.parametrize(
    ("values_us", "counts"),
    [("[1,2]", "[1,-1]"), ("[-1,2]", "[1,1]"), ("[1,2]", "[1]"), ("[2,1]", "[1,1]")],
)
def test_a_histogram_that_cannot_be_is_no_result(values_us: str, counts: str) -> None:
    fields = ("connect_errors", "read_errors", "write_errors", "status_errors", "timeouts")
    line = '{"duration_us":1000000,"answers":10,"received_bytes":1000,'
    line += "".join(f'"{name}":0,' for name in fields)
    assert wrk.parse("", f'{line}"values_us":[1,2],"counts":[5,5]}}')
    with pytest.raises(wrk.NoResultError, match="wrk's result cannot be read: "):
        wrk.parse("", f'{line}"values_us":{values_us},"counts":{counts}}}')
