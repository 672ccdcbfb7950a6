"""ab's text (ApacheBench 2.3). Source: `support/ab.c` of the Apache HTTP server."""

from __future__ import annotations

import re
from collections.abc import Sequence

from loadtest.measure.servers.imported.commands import Command
from loadtest.measure.servers.imported.text import (
    Fields,
    Text,
    TextError,
    Typed,
    check_connections,
    check_duration,
    last_of,
    missing,
)
from loadtest.records.measured import Loaded, TextLatency

NAME = "ab"

_STARTS = re.compile(
    r"This is ApacheBench, .*|Benchmarking \S+ \(be patient\).*|Server Software:.*"
    r"|(?:Server Hostname|Document Path|Concurrency Level):.*"
    r"|Percentage of the requests served within a certain time \(ms\)"
)

_OWN = re.compile(
    rf"{_STARTS.pattern}|Copyright 1996 .*|Licensed to .*|(?:Completed|Finished) \d+ requests"
    r"|(?:Server Port|SSL/TLS Protocol|TLS Server Name|Server Temp Key|Document Length"
    r"|Time taken for tests|Complete requests|Failed requests|Keep-Alive requests|Write errors"
    r"|Non-2xx responses|Total transferred|Total body sent|HTML transferred|Requests per second"
    r"|Time per request|Transfer rate):.*|\(Connect: .*\)|[\d.]+ kb/s (?:sent|total)"
    r"|Connection Times \(ms\)|min\s+(?:avg|mean).*|(?:Connect|Processing|Waiting|Total):\s+-?\d.*"
    r"|\d+%\s+\d+.*|\.*done|(?:WARNING|ERROR): .*|These results can .*|values\."
)

_N = r"(\d{1,12})"
_FAILED = re.compile(rf"\(Connect: {_N}, Receive: {_N}, Length: {_N}, Exceptions: {_N}\)", re.ASCII)
_TOTAL = re.compile(rf"Total:\s+{_N}\s+{_N}\s+(\d{{1,12}}(?:\.\d+)?)\s+{_N}\s+{_N}", re.ASCII)
_PERCENTILE = re.compile(rf"{_N}%\s+{_N}(?:\s.*)?", re.ASCII)


def end(lines: Sequence[str], start: int, stop: int, command: Command | None = None) -> int | None:
    """Return where its text ends; None where it is not ab's."""
    starts = _STARTS.fullmatch(lines[start].strip())
    return last_of(lines, start, stop, _OWN) if starts else None


def parse(lines: Sequence[str], command: Command | None = None, typed: Typed | None = None) -> Text:
    """Return what a block says; raises TextError where a line that it needs is missing."""
    of = Fields(
        lines,
        *("Server Software", "Server Hostname", "Server Port", "SSL/TLS Protocol", "Document Path"),
        *("Concurrency Level", "Time taken for tests", "Complete requests", "Failed requests"),
        *("Write errors", "Non-2xx responses", "Total transferred", "Keep-Alive requests"),
    )
    duration_us = of.number("Time taken for tests") * 1e6
    check_duration(of.at("Time taken for tests"), duration_us)
    answers, connections = int(of.number("Complete requests")), int(of.number("Concurrency Level"))
    failed = int(of.number("Failed requests"))
    kinds = next((m for line in lines if (m := _FAILED.fullmatch(line.strip()))), None)
    connect, receive, length, exceptions = map(int, kinds.groups()) if kinds else (0, failed, 0, 0)
    status = int(of.number("Non-2xx responses")) if "Non-2xx responses" in of else 0
    if status > answers:
        raise TextError(0, "more errors than answers")
    kept = "Keep-Alive requests" in of or (command is not None and "-k" in command.tool_options)
    fits = command is not None and command.connections in (None, connections)
    return Text(
        url=_url(of, command if fits else None, typed),
        software=of.text("Server Software") if "Server Software" in of else "",
        declared_s=command.duration_s if command and fits else None,
        requests=answers,
        connections=check_connections(of.at("Concurrency Level"), connections),
        tool="ab -k" if kept else "ab",
        options=command.options if command and fits else (),
        notes=(
            (f"{length:,} responses had another length than the first: taken as right",)
            if length
            else ()
        ),
        loaded=Loaded(
            generator=NAME,
            duration_us=round(duration_us),
            answers=answers,
            received_bytes=int(of.number("Total transferred")),
            connect_errors=connect,
            read_errors=receive + exceptions,
            write_errors=int(of.number("Write errors")) if "Write errors" in of else 0,
            status_errors=status,
            timeouts=0,
            text_latency=_latency(lines),
        ),
    )


def _url(of: Fields, command: Command | None, typed: Typed | None) -> str:
    """Return what was loaded: as the text has it, or where its head was cut off, the command."""
    if all(name in of for name in ("Server Hostname", "Server Port", "Document Path")):
        scheme = "https" if "SSL/TLS Protocol" in of else "http"
        host = f"{of.text('Server Hostname')}:{of.text('Server Port')}"
        return f"{scheme}://{host}{of.text('Document Path')}"
    if command and command.url:
        return command.url
    if typed is None or not typed.endpoint:
        raise missing("line `Document Path:`", "--endpoint NAME")
    return ""


def _latency(lines: Sequence[str]) -> TextLatency | None:
    total = next((m for line in lines if (m := _TOTAL.fullmatch(line.strip()))), None)
    percentiles = [m for line in lines if (m := _PERCENTILE.fullmatch(line.strip()))]
    if total is None and not percentiles:
        return None
    _, mean, deviation, _, most = total.groups() if total else (None,) * 5
    return TextLatency(
        mean_us=int(mean) * 1_000 if mean else None,
        stdev_us=round(float(deviation) * 1_000) if deviation else None,
        max_us=int(most) * 1_000 if most else None,
        percentiles_us={m[1]: int(m[2]) * 1_000 for m in percentiles if m[1] != "100"},
    )
