"""wrk's text, read strictly: a line it does not know is an error, never skipped.

Source of all claims about wrk: its `src/wrk.c`, `src/stats.c` and `src/units.c`, 4.1.0 and 4.2.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from loadtest.measure.servers.imported.commands import Command
from loadtest.measure.servers.imported.text import (
    BYTES,
    METRIC,
    TIME_US,
    Amount,
    Text,
    TextError,
    Typed,
    amount,
    check_connections,
    check_duration,
    missing,
)
from loadtest.records.measured import Loaded, TextLatency
from loadtest.records.text import message

NAME = "wrk"

CONNECTIONS, THREADS, DURATION_S = 10, 2, 10.0
"""Where a command does not say."""

_SPREAD = r"(?P<mean>\S+)\s+(?P<stdev>\S+)\s+(?P<max>\S+)\s+(?P<within>-?nan|\d+\.\d\d)%"
_COUNT = r"\d{1,15}"

_LINES = {
    "start": r"Running (?P<declared>\S+) test @ (?P<url>\S+)",
    "threads": rf"(?P<threads>{_COUNT}) threads and (?P<connections>{_COUNT}) connections",
    "head": r"Thread Stats\s+Avg\s+Stdev\s+Max\s+\+/- Stdev",
    "latency": rf"Latency\s+{_SPREAD}",
    "rate": rf"Req/Sec\s+{_SPREAD}",
    "distribution": r"Latency Distribution",
    **{percentile: rf"{percentile}%\s+(?P<value>\S+)" for percentile in ("50", "75", "90", "99")},
    "requests": rf"(?P<requests>{_COUNT}) requests in (?P<duration>\S+), (?P<bytes>\S+) read",
    "errors": rf"Socket errors: connect (?P<connect_errors>{_COUNT}),"
    rf" read (?P<read_errors>{_COUNT}), write (?P<write_errors>{_COUNT}),"
    rf" timeout (?P<timeouts>{_COUNT})",
    "status": rf"Non-2xx or 3xx responses: (?P<status_errors>{_COUNT})",
    "per_s": r"Requests/sec:\s+(?P<per_s>\d{1,12}\.\d\d)",
    "transfer": r"Transfer/sec:\s+(?P<transfer>\S+)",
}
"""In wrk's order; each stands once at most."""

_PATTERNS = {kind: re.compile(rf"\s*{pattern}\s*", re.ASCII) for kind, pattern in _LINES.items()}

START = _PATTERNS["start"]
"""The first line of wrk's text."""

FAILURE = re.compile(r"unable to (?:connect to|resolve) (?P<host>\S+):(?P<port>\w+) .+", re.ASCII)
"""All that it prints where it cannot begin."""

_ORDER = {kind: number for number, kind in enumerate(_LINES)}
_ERRORS = ("connect_errors", "read_errors", "write_errors", "status_errors", "timeouts")
_NEEDED = {"latency": "the latency", "requests": "the requests"}


def _agree(total: Amount, per_s: Amount, duration_us: Amount) -> bool:
    """Say whether a total may be what comes of a rate in a duration."""
    least, most = per_s.low * duration_us.low / 1e6, per_s.high * duration_us.high / 1e6
    # A millionth, for what binary fractions lose.
    return least <= total.high * (1 + 1e-6) and total.low <= most * (1 + 1e-6)


class Line(NamedTuple):
    """A line of wrk's, and its place in the block."""

    at: int
    match: re.Match[str]

    def amount(self, group: str, units: dict[str, int]) -> Amount:
        """Return the range that a number with its unit was rounded from; raises TextError."""
        return amount(self.at, self.match[group], units)

    def us(self, group: str) -> int:
        """Return a time as printed, in microseconds."""
        return round(self.amount(group, TIME_US).value)


def end(lines: Sequence[str], start: int, stop: int, command: Command | None = None) -> int | None:
    """Return where wrk's text that begins at a line ends, `stop` at the latest; None: it is none's.

    It ends after its last line, before another begins, or, where the last is missing, before a
    paragraph of anything else.
    """
    if FAILURE.fullmatch(lines[start]):
        return start + 1
    if not is_wrk(lines[start]):
        return None
    counted = False
    for at in range(start, stop):
        if at > start and START.fullmatch(lines[at]):
            return at
        if _PATTERNS["transfer"].fullmatch(lines[at]):
            return at + 1
        counted = counted or _PATTERNS["requests"].fullmatch(lines[at]) is not None
        # Of several blank lines the first tells.
        if counted and not lines[at].strip() and lines[at - 1].strip():
            following = next((lines[n] for n in range(at, stop) if lines[n].strip()), "")
            if not is_wrk(following):
                return at
    return stop


def parse(lines: Sequence[str], command: Command | None = None, typed: Typed | None = None) -> Text:
    """Return what a block says, from its `Running ... test @` line to its last; raises TextError.

    Lines that wrk prints only where there is something to say may be missing, those that say
    nothing of their own (`Thread Stats`, `Req/Sec`, `Requests/sec`, `Transfer/sec`), and those that
    repeat the command, where there is one.

    The duration is the middle of what the printed one and the printed rate leave open, the bytes
    are good to three or four digits; there is no latency where wrk had no sample.
    """
    if failure := FAILURE.fullmatch(lines[0]):
        return failed(failure, command)
    return read(by_kind(lines), command, typed or Typed())


def read(
    kinds: Mapping[str, Line], command: Command | None, typed: Typed, *, timed: bool = True
) -> Text:
    """Return what wrk's lines say; `timed`: a late answer has no latency sample, as in wrk 4."""
    load = _load(kinds, command, typed)
    counts: dict[str, Any] = dict.fromkeys(_ERRORS, 0)
    for each in kinds.values():
        groups = each.match.groupdict()
        counts |= {group: int(text) for group, text in groups.items() if group in _ERRORS}
    total = kinds["requests"]
    requests = int(total.match["requests"])
    if counts["status_errors"] > requests:
        raise TextError(total.at, "more errors than requests")
    duration_us = total.amount("duration", TIME_US)
    received = total.amount("bytes", BYTES)
    check_duration(total.at, duration_us.value)
    duration = round(duration_us.value)
    if line := kinds.get("per_s"):
        per_s = line.amount("per_s", METRIC)
        if not _agree(Amount(requests, requests, requests), per_s, duration_us):
            raise TextError(line.at, "this rate is not that of the requests and the duration")
        if per_s.value > 0:
            shortest = max(duration_us.low, 1e6 * requests / per_s.high)
            longest = min(duration_us.high, 1e6 * requests / per_s.low)
            duration = round((shortest + longest) / 2)
    line = kinds.get("transfer")
    if line and not _agree(received, line.amount("transfer", BYTES), duration_us):
        raise TextError(line.at, "this rate is not that of the bytes and the duration")
    if line := kinds.get("rate"):
        for group in ("mean", "stdev", "max"):
            if not line.match[group].endswith("nan"):
                line.amount(group, METRIC)
    latency = _latency(kinds)
    if timed and (latency is None) != (requests - counts["timeouts"] <= 0):
        raise TextError(
            kinds["latency"].at,
            f"{requests} requests with {counts['timeouts']} timeouts have"
            f" {'no latency' if latency is None else 'a latency'}: a line is missing or changed",
        )
    command = load.pop("command")
    timeout_s = command.timeout_s if command else None
    # A latency above the limit shows that another was set.
    if timed and timeout_s and latency and (latency.max_us or 0) > timeout_s * 1.01e6:
        timeout_s = None
    return Text(
        **load,
        script=command.script if command else None,
        options=command.options if command else (),
        loaded=Loaded(
            generator=NAME,
            duration_us=duration,
            answers=requests,
            received_bytes=round(received.value),
            timeout_s=timeout_s,
            text_latency=latency,
            **counts,
        ),
    )


def _load(kinds: Mapping[str, Line], command: Command | None, typed: Typed) -> dict[str, Any]:
    """Return the fields of `Text` about the load, and the command, where it is this block's."""
    start, threads = kinds.get("start"), kinds.get("threads")
    notes: tuple[str, ...] = ()
    declared_s = _declared_s(start) if start else None
    connections = (
        check_connections(threads.at, int(threads.match["connections"])) if threads else None
    )
    of_threads = int(threads.match["threads"]) if threads else None
    if command and not _fits(command, connections, of_threads, declared_s):
        notes = (f"the command of line {command.line} is of another load: not taken for this one",)
        command = None
    if command and command.duration_s and (declared_s is None or declared_s >= 60):
        declared_s = command.duration_s  # wrk prints whole minutes
    url = start.match["url"] if start else command.url if command else None
    connections = connections or (command.connections or CONNECTIONS if command else None)
    lacking = []
    if url is None and not typed.endpoint:
        lacking.append(("line `Running ... test @ URL`", "--endpoint NAME"))
    if connections is None and typed.connections is None:
        lacking.append(("number of connections", "--connections N"))
    if lacking:
        lines, options = zip(*lacking, strict=True)
        raise missing(" and no ".join(lines), " ".join(options))
    return {
        "url": url or "",
        "declared_s": declared_s or (command and DURATION_S) or _lasted_s(kinds["requests"]),
        "threads": of_threads or (command.threads if command else None),
        "connections": check_connections(0, connections or typed.connections or 0),
        "notes": notes,
        "command": command,
    }


def _declared_s(start: Line) -> float:
    declared_s = start.amount("declared", TIME_US).value / 1e6
    if declared_s < 1:
        raise TextError(start.at, "a load of under a second, which wrk does not make")
    return declared_s


def _lasted_s(total: Line) -> float:
    return max(1.0, round(total.amount("duration", TIME_US).value / 1e6))


def _fits(
    command: Command, connections: int | None, threads: int | None, declared_s: float | None
) -> bool:
    """Say whether a block can be of a command: of what both tell nothing differs."""
    # As wrk prints it: from 51 s on in whole minutes.
    lasts = (declared_s, command.duration_s)
    return (
        connections in (None, command.connections or connections)
        and threads in (None, command.threads or threads)
        and (None in lasts or 0.6 < (lasts[0] or 1) / (lasts[1] or 1) < 1.7)
    )


def failed(failure: re.Match[str], command: Command | None) -> Text:
    """Return a run that never began; raises TextError where nothing tells which it was."""
    if command is None or not command.url:
        raise TextError(0, f"no command above says what was to be loaded: {failure[0][:60]!r}")
    return Text(
        url=command.url,
        declared_s=command.duration_s or DURATION_S,
        connections=check_connections(0, command.connections or CONNECTIONS),
        threads=command.threads,
        script=command.script,
        loaded=None,
        failure=message(failure[0].strip(), 200),
    )


_ANY = re.compile(
    "|".join(re.sub(r"[?]P<[^>]*>", "?:", pattern) for pattern in _LINES.values()), re.ASCII
)


def is_wrk(line: str) -> bool:
    """Return whether wrk may have printed a line."""
    return _ANY.fullmatch(line.strip()) is not None


def by_kind(lines: Sequence[str]) -> dict[str, Line]:
    """Return the line of each kind; raises TextError for one that wrk does not print there.

    Likewise where one is missing that nothing else can say.
    """
    kinds: dict[str, Line] = {}
    for at, line in enumerate(lines):
        if not line.strip():
            continue
        matches = ((kind, pattern.fullmatch(line)) for kind, pattern in _PATTERNS.items())
        kind, match = next(((kind, match) for kind, match in matches if match), ("", None))
        if match is None:
            raise TextError(at, f"not a line of wrk's: {line.strip()[:60]!r}")
        if any(_ORDER[kind] <= _ORDER[before] for before in kinds):
            raise TextError(at, f"out of wrk's order, or a second time: {line.strip()[:60]!r}")
        kinds[kind] = Line(at, match)
    for kind, words in _NEEDED.items():
        if kind not in kinds:
            raise TextError(0, f"the line with {words} is missing")
    return kinds


def _latency(kinds: Mapping[str, Line]) -> TextLatency | None:
    line = kinds["latency"]
    if line.match["mean"].endswith("nan"):
        return None  # as wrk2 prints it
    mean, stdev, most = (line.us(group) for group in ("mean", "stdev", "max"))
    percentiles = {kind: kinds[kind].us("value") for kind in kinds if kind.isdigit()}
    values = list(percentiles.values())
    if values != sorted(values) or (values and values[-1] > most * 1.01 + 1):
        raise TextError(line.at, "the percentiles do not ascend to the maximum")
    # `-nan%` is 0 / 0: no sample, whatever the sign the platform gives it.
    if line.match["within"].endswith("nan"):
        if mean or stdev or most or any(values):
            raise TextError(line.at, "a latency of no sample")
        return None
    if mean > most * 1.01 + 1:
        raise TextError(line.at, "the mean is above the maximum")
    return TextLatency(mean_us=mean, stdev_us=stdev, max_us=most, percentiles_us=percentiles)
