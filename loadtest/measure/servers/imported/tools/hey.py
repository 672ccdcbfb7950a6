"""hey's text. Source: `requester/print.go` of its repository."""

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

NAME = "hey"

CONNECTIONS = 50
"""Where a command does not say."""

OWN = re.compile(
    r"(?:Summary|Response time histogram|Response time distribution|Latency distribution"
    r"|Details \(average.*\)|Status code distribution|Error distribution):"
    r"|(?:Success rate|Total|Slowest|Fastest|Average|Requests/sec|Total data|Size/request|Size/sec"
    r"|DNS\+dialup|DNS-lookup|req write|resp wait|resp read):.*"
    r"|[\d.]+ (?:\w+ )?\[\d+\].*|[\d.]+%+ in .*|\[\d+\]\s.*"
)
"""Of hey and of oha, which prints the like."""

_TIMES_US = {"secs": 10**6, "sec": 10**6, "s": 10**6, "ms": 10**3, "us": 1, "µs": 1}
_BYTES = {"": 1, "bytes": 1, "B": 1, **{f"{u}iB": 1024 ** (n + 1) for n, u in enumerate("KMGT")}}
_PERCENTILE = re.compile(r"(\d{1,3}(?:\.\d{1,6})?)%+ in (\d{1,9}(?:\.\d{1,9})?) ?(\w+)", re.ASCII)
_COUNTED = re.compile(r"\[(\d{1,12})\]\s+(.*)", re.ASCII)


def end(lines: Sequence[str], start: int, stop: int, command: Command | None = None) -> int | None:
    """Return where its text ends; None where it is not hey's."""
    if lines[start].strip() != "Summary:":
        return None
    return last_of(lines, start, stop, OWN)


def parse(lines: Sequence[str], command: Command | None = None, typed: Typed | None = None) -> Text:
    """Return what a block says; raises TextError where a line that it needs is missing."""
    return summary(NAME, lines, command, typed or Typed())


def summary(name: str, lines: Sequence[str], command: Command | None, typed: Typed) -> Text:
    """Return what hey's text says, or what oha's does; raises TextError likewise.

    What was loaded, and on how many connections, is in the command alone.
    """
    of = Fields(lines, "Total", "Slowest", "Average", "Requests/sec", "Total data", "Size/request")
    duration_us = of.number("Total", _TIMES_US)
    check_duration(of.at("Total"), duration_us)
    statuses, errors = _distributions(lines)
    if not statuses and not errors:
        raise TextError(0, "the lines under `Status code distribution:` are missing")
    answers, broken = sum(statuses.values()), sum(errors.values())
    if abs(of.number("Requests/sec") * duration_us / 1e6 - answers - broken) > 2 + 0.01 * answers:
        raise TextError(of.at("Requests/sec"), "this rate is not that of the statuses below")
    connections = command.connections or CONNECTIONS if command else typed.connections
    url = command.url if command else None
    if connections is None:
        raise missing("number of connections", "--connections N --endpoint NAME")
    if url is None and not typed.endpoint:
        raise missing("URL", "--endpoint NAME")
    options = command.tool_options if command else ()
    received = of.number("Total data", _BYTES) if "Total data" in of else 0.0
    return Text(
        url=url or "",
        declared_s=command.duration_s if command else None,
        requests=answers + broken,
        connections=check_connections(0, connections),
        tool=" ".join((name, *options)),
        options=command.options if command else (),
        loaded=Loaded(
            generator=name,
            duration_us=round(duration_us),
            answers=answers,
            received_bytes=round(received),
            connect_errors=0,
            read_errors=broken,
            write_errors=0,
            status_errors=sum(n for status, n in statuses.items() if status >= 400),
            timeouts=0,
            text_latency=_latency(lines, of) if answers else None,
        ),
    )


def _distributions(lines: Sequence[str]) -> tuple[dict[int, int], dict[str, int]]:
    """Return how many answers there were of each status, and errors of each kind."""
    statuses: dict[int, int] = {}
    errors: dict[str, int] = {}
    under = ""
    for line in map(str.strip, lines):
        if line.endswith(":") and not line.startswith("["):
            under = line
        elif counted := _COUNTED.fullmatch(line):
            if under == "Status code distribution:":
                responses = re.match(r"(\d{1,12}) responses", counted[2], re.ASCII)
                statuses[int(counted[1])] = int(responses[1]) if responses else 0
            # What was under way at the end is no error.
            elif under == "Error distribution:" and "aborted due to deadline" not in counted[2]:
                errors[counted[2]] = int(counted[1])
    return statuses, errors


def _latency(lines: Sequence[str], of: Fields) -> TextLatency:
    percentiles = [m for line in lines if (m := _PERCENTILE.fullmatch(line.strip()))]
    return TextLatency(
        mean_us=round(of.number("Average", _TIMES_US)),
        max_us=round(of.number("Slowest", _TIMES_US)),
        percentiles_us={
            f"{float(m[1]):g}": round(float(m[2]) * _TIMES_US.get(m[3], 1)) for m in percentiles
        },
    )
