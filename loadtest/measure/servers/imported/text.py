"""Reads the text that wrk prints, strictly: a line it does not know is an error, never skipped.

Source of all claims about wrk: its `src/wrk.c`, `src/stats.c` and `src/units.c`, 4.1.0 and 4.2.0.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from loadtest.records.measured import Loaded, TextLatency
from loadtest.records.planned import Record
from loadtest.records.values import MOST_CONNECTIONS

_TIME_US = {"us": 1, "ms": 10**3, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6}

_BYTES = {"B": 1, **{f"{unit}B": 1024 ** (n + 1) for n, unit in enumerate("KMGTP")}}

_METRIC = {"": 1, **{unit: 1000 ** (n + 1) for n, unit in enumerate("kMGTP")}}

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

_ORDER = {kind: number for number, kind in enumerate(_LINES)}

_ERRORS = ("connect_errors", "read_errors", "write_errors", "status_errors", "timeouts")

_NEEDED = {
    "start": "`Running ... test @`",
    "threads": "threads and connections",
    "latency": "the latency",
    "requests": "the requests",
}


class TextError(ValueError):
    """A block is not wrk's text: at which of its lines, from 0, and why."""

    def __init__(self, at: int, why: str) -> None:
        """Take the line's place in the block and the reason as one line."""
        super().__init__(why)
        self.at = at
        self.why = why


class Amount(NamedTuple):
    """A number as printed: it was rounded from something in this range."""

    low: float
    value: float
    high: float


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
        text = self.match[group]
        match = re.fullmatch(r"(\d{1,12}(?:\.(\d{1,6}))?)([A-Za-z]*)", text, re.ASCII)
        if match is None or match[3] not in units:
            raise TextError(self.at, f"{text!r} is no number with a unit that wrk prints")
        value, unit = float(match[1]), units[match[3]]
        if value * unit > 2**53:
            raise TextError(self.at, f"{text!r} is more than wrk can count")
        half = 0.5 * 10 ** -len(match[2] or "")
        return Amount(max(0.0, value - half) * unit, value * unit, (value + half) * unit)

    def us(self, group: str) -> int:
        """Return a time as printed, in microseconds."""
        return round(self.amount(group, _TIME_US).value)


class WrkText(Record, frozen=True, kw_only=True):
    """One run of wrk as its text tells it."""

    url: str
    declared_s: float
    """wrk's `-d`; above 51 s it is printed in whole minutes, above 51 min in whole hours."""
    threads: int
    connections: int
    requests_per_s: float | None
    loaded: Loaded
    """With the middle of what the printed duration and the printed rate leave open, and the bytes
    to three or four digits; no latency where wrk had no sample: it prints `0.00us` then."""


def parse(lines: Sequence[str]) -> WrkText:
    """Return what a block says, from its `Running ... test @` line to its last; raises TextError.

    Lines that wrk prints only where there is something to say may be missing, and those that
    say nothing of their own (`Thread Stats`, `Req/Sec`, `Requests/sec`, `Transfer/sec`).
    """
    by_kind = _by_kind(lines)
    for kind, words in _NEEDED.items():
        if kind not in by_kind:
            raise TextError(0, f"the line with {words} is missing")
    counts: dict[str, Any] = dict.fromkeys(_ERRORS, 0)
    for each in by_kind.values():
        groups = each.match.groupdict()
        counts |= {group: int(text) for group, text in groups.items() if group in _ERRORS}
    start, threads, total = (by_kind[kind] for kind in ("start", "threads", "requests"))
    requests, connections = int(total.match["requests"]), int(threads.match["connections"])
    if not connections:
        raise TextError(threads.at, "no connections")
    if connections > MOST_CONNECTIONS:
        raise TextError(threads.at, "more connections than there are ports")
    declared_s = start.amount("declared", _TIME_US).value / 1e6
    if declared_s < 1:
        raise TextError(start.at, "a load of under a second, which wrk does not make")
    duration_us = total.amount("duration", _TIME_US)
    received = total.amount("bytes", _BYTES)
    if duration_us.value <= 0:
        raise TextError(total.at, "a duration of 0")
    per_s = None
    duration = round(duration_us.value)
    if line := by_kind.get("per_s"):
        per_s = line.amount("per_s", _METRIC)
        if not _agree(Amount(requests, requests, requests), per_s, duration_us):
            raise TextError(line.at, "this rate is not that of the requests and the duration")
        if per_s.value > 0:
            shortest = max(duration_us.low, 1e6 * requests / per_s.high)
            longest = min(duration_us.high, 1e6 * requests / per_s.low)
            duration = round((shortest + longest) / 2)
    line = by_kind.get("transfer")
    if line and not _agree(received, line.amount("transfer", _BYTES), duration_us):
        raise TextError(line.at, "this rate is not that of the bytes and the duration")
    if line := by_kind.get("rate"):
        for group in ("mean", "stdev", "max"):
            line.amount(group, _METRIC)
    latency = _latency(by_kind)
    if (latency is None) != (requests - counts["timeouts"] <= 0):
        raise TextError(
            by_kind["latency"].at,
            f"{requests} requests with {counts['timeouts']} timeouts have"
            f" {'no latency' if latency is None else 'a latency'}: a line is missing or changed",
        )
    return WrkText(
        url=start.match["url"],
        declared_s=declared_s,
        threads=int(threads.match["threads"]),
        connections=connections,
        requests_per_s=per_s.value if per_s is not None else None,
        loaded=Loaded(
            generator="wrk",
            duration_us=duration,
            answers=requests,
            received_bytes=round(received.value),
            text_latency=latency,
            **counts,
        ),
    )


def is_wrk(line: str) -> bool:
    """Return whether wrk may have printed a line."""
    return any(pattern.fullmatch(line) for pattern in _PATTERNS.values())


def is_last(line: str) -> bool:
    """Return whether a line is the last that wrk prints."""
    return _PATTERNS["transfer"].fullmatch(line) is not None


def _by_kind(lines: Sequence[str]) -> dict[str, Line]:
    """Return the line of each kind; raises TextError for one that wrk does not print there."""
    by_kind: dict[str, Line] = {}
    for at, line in enumerate(lines):
        if not line.strip():
            continue
        matches = ((kind, pattern.fullmatch(line)) for kind, pattern in _PATTERNS.items())
        kind, match = next(((kind, match) for kind, match in matches if match), ("", None))
        if match is None:
            raise TextError(at, f"not a line of wrk's: {line.strip()[:60]!r}")
        if any(_ORDER[kind] <= _ORDER[before] for before in by_kind):
            raise TextError(at, f"out of wrk's order, or a second time: {line.strip()[:60]!r}")
        by_kind[kind] = Line(at, match)
    return by_kind


def _latency(by_kind: Mapping[str, Line]) -> TextLatency | None:
    line = by_kind["latency"]
    mean, stdev, most = (line.us(group) for group in ("mean", "stdev", "max"))
    percentiles = {kind: by_kind[kind].us("value") for kind in by_kind if kind.isdigit()}
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
