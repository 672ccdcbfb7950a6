"""bombardier's text. Source: `template/` and `fmt.go` of its repository."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loadtest.measure.servers.imported.commands import Command
from loadtest.measure.servers.imported.text import (
    TIME_US,
    Text,
    TextError,
    Typed,
    amount,
    check_connections,
    check_duration,
    last_of,
)
from loadtest.records.measured import Loaded, TextLatency

NAME = "bombardier"

_START = re.compile(
    r"Bombarding (?P<url>\S+) (?:for (?P<duration>\S+)|with (?P<requests>\d{1,12}) request\(s\))"
    r" using (?P<connections>\d{1,12}) connections?(?:\(s\))?"
)

_OWN = re.compile(
    r"Done!|Statistics\s+Avg\s+Stdev\s+Max|(?:Reqs/sec|Latency)\s+\S.*|Latency Distribution"
    r"|\d+%\s+\S+|HTTP codes:|1xx - .*|others - .*|Errors:|.+ - \d+|Throughput:.*"
    r"|\d+ / \d+ .*|\[=*>?-*\] .*|\d+(?:m?s|\.\d+s) ?/.*|\[=.*"
)

_ROW = r"\s+(\S+)\s+(\S+)\s+(\S+)"
_CODES = re.compile(", ".join(rf"{of}xx - (\d{{1,12}})" for of in range(1, 6)), re.ASCII)
_PERCENTILE = re.compile(r"(\d+)%\s+(\S+)")
_DURATION = re.compile(r"(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,9}(?:\.\d+)?)s)?", re.ASCII)


def end(lines: Sequence[str], start: int, stop: int, command: Command | None = None) -> int | None:
    """Return where its text ends; None where it is not bombardier's."""
    starts = _start(lines, start)
    return last_of(lines, start + starts[0] - 1, stop, _OWN) if starts else None


def _start(lines: Sequence[str], start: int) -> tuple[int, re.Match[str]] | None:
    """Return the line with the load, and how many a narrow terminal made of it."""
    for many in (1, 2):
        line = " ".join(each.strip() for each in lines[start : start + many])
        if match := _START.fullmatch(line):
            return many, match
    return None


def parse(lines: Sequence[str], command: Command | None = None, typed: Typed | None = None) -> Text:
    """Return what a block says; raises TextError where a line that it needs is missing.

    How long a load of so many requests took is as near as its average rate is to that of all.
    """
    stripped = [line.strip() for line in lines]
    starts = _start(stripped, 0)
    assert starts
    start = starts[1]
    codes = _first(stripped, _CODES, "HTTP codes")
    rates = _first(stripped, re.compile(rf"Reqs/sec{_ROW}"), "Reqs/sec")
    others = _first(stripped, re.compile(r"others - (\d{1,12})"), "others")
    informational, right, moved, client, server = map(int, codes[1].groups())
    answers = informational + right + moved + client + server
    mean_rate = amount(rates[0], rates[1][1], {"": 1}).value
    declared_s = _seconds(start["duration"]) if start["duration"] else None
    duration_s = declared_s or (answers + int(others[1][1])) / (mean_rate or 1.0)
    check_duration(0, duration_s * 1e6)
    limited = command is not None and command.connections in (None, int(start["connections"]))
    options = command.tool_options if command and limited else ()
    return Text(
        url=start["url"] if "://" in start["url"] else f"http://{start['url']}",
        declared_s=declared_s,
        requests=int(start["requests"] or 0),
        connections=check_connections(0, int(start["connections"])),
        tool=" ".join((NAME, *options)),
        options=command.options if command and limited else (),
        loaded=Loaded(
            generator=NAME,
            duration_us=round(duration_s * 1e6),
            answers=answers,
            received_bytes=0,
            connect_errors=0,
            read_errors=int(others[1][1]),
            write_errors=0,
            status_errors=client + server,
            timeouts=0,
            text_latency=_latency(stripped),
        ),
    )


def _first(lines: Sequence[str], pattern: re.Pattern[str], what: str) -> tuple[int, re.Match[str]]:
    for at, line in enumerate(lines):
        if match := pattern.fullmatch(line):
            return at, match
    raise TextError(0, f"the line with {what} is missing")


def _seconds(text: str) -> float:
    match = _DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise TextError(0, f"{text[:60]!r} is no duration")
    hours, minutes, seconds = (float(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + seconds


def _latency(lines: Sequence[str]) -> TextLatency | None:
    at, row = _first(lines, re.compile(rf"Latency{_ROW}"), "Latency")
    mean, stdev, most = (round(amount(at, row[n], TIME_US).value) for n in (1, 2, 3))
    percentiles = {
        match[1]: round(amount(at, match[2], TIME_US).value)
        for at, line in enumerate(lines)
        if (match := _PERCENTILE.fullmatch(line))
    }
    return TextLatency(mean_us=mean, stdev_us=stdev, max_us=most, percentiles_us=percentiles)
