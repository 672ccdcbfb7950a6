"""Reads the text that wrk prints, strictly: a line it does not know is an error, never skipped.

Source of all claims about wrk: its `src/wrk.c`, `src/stats.c` and `src/units.c`, 4.1.0 and 4.2.0.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from loadtest.records.measured import TextLatency
from loadtest.records.planned import Record

_TIME_US = {"us": 1, "ms": 10**3, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6}

_BYTES = {"B": 1, **{f"{unit}B": 1024 ** (n + 1) for n, unit in enumerate("KMGTP")}}

_METRIC = {"": 1, **{unit: 1000 ** (n + 1) for n, unit in enumerate("kMGTP")}}

_SPREAD = r"(?P<mean>\S+)\s+(?P<stdev>\S+)\s+(?P<max>\S+)\s+(?P<within>-?nan|\d+\.\d\d)%"

_LINES = {
    "start": r"Running (?P<declared>\S+) test @ (?P<url>\S+)",
    "threads": r"(?P<threads>\d{1,15}) threads and (?P<connections>\d{1,15}) connections",
    "head": r"Thread Stats\s+Avg\s+Stdev\s+Max\s+\+/- Stdev",
    "latency": rf"Latency\s+{_SPREAD}",
    "rate": rf"Req/Sec\s+{_SPREAD}",
    "distribution": r"Latency Distribution",
    "percentile": r"(?P<p>50|75|90|99)%\s+(?P<value>\S+)",
    "requests": r"(?P<requests>\d{1,15}) requests in (?P<duration>\S+), (?P<bytes>\S+) read",
    "errors": r"Socket errors: connect (?P<connect>\d{1,15}), read (?P<read>\d{1,15}),"
    r" write (?P<write>\d{1,15}), timeout (?P<timeout>\d{1,15})",
    "status": r"Non-2xx or 3xx responses: (?P<status>\d{1,15})",
    "per_s": r"Requests/sec:\s+(?P<per_s>\d{1,12}\.\d\d)",
    "transfer": r"Transfer/sec:\s+(?P<transfer>\S+)",
}
"""In wrk's order; each stands once at most, but for `percentile`."""

_PATTERNS = {kind: re.compile(rf"\s*{pattern}\s*", re.ASCII) for kind, pattern in _LINES.items()}

START = _PATTERNS["start"]
"""The first line of wrk's text."""

_ORDER = {kind: number for number, kind in enumerate(_LINES)}

_NEEDED = ("threads", "latency", "requests")


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

    def times(self, factor: float) -> Amount:
        """Return the range in another unit."""
        return Amount(self.low * factor, self.value * factor, self.high * factor)

    def over(self, other: Amount) -> Amount:
        """Return the range of this one divided by another, which is above 0."""
        return Amount(
            self.low / other.high,
            self.value / other.value,
            self.high / other.low if other.low > 0 else float("inf"),
        )

    def both(self, other: Amount) -> Amount | None:
        """Return the range that lies in this one and another; None where there is none."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        # A millionth, for what binary fractions lose.
        return Amount(low, (low + high) / 2, high) if low <= high * (1 + 1e-6) else None


class WrkText(Record, frozen=True, kw_only=True):
    """One run of wrk as its text tells it."""

    url: str
    declared_s: float
    """wrk's `-d`; above 51 s it is printed in whole minutes, above 51 min in whole hours."""
    threads: int
    connections: int
    requests: int
    """Answers of any status."""
    duration_us: int
    """The middle of what the printed duration and the printed rate leave open."""
    received_bytes: int
    """To three or four digits, as printed."""
    connect_errors: int
    read_errors: int
    write_errors: int
    status_errors: int
    timeouts: int
    requests_per_s: float | None
    latency: TextLatency | None
    """None where wrk had no sample: it prints `0.00us` then."""


def parse(lines: Sequence[str]) -> WrkText:
    """Return what a block says, from its `Running ... test @` line to its last; raises TextError.

    Lines that wrk prints only where there is something to say may be missing, and those that
    say nothing of their own (`Thread Stats`, `Req/Sec`, `Requests/sec`, `Transfer/sec`).
    """
    matches, at, percentiles = _match(lines)
    for kind in _NEEDED:
        if kind not in matches:
            raise TextError(0, f"{_WANTED[kind]} is missing")

    def integer(kind: str, group: str) -> int:
        return int(matches[kind][group]) if kind in matches else 0

    requests, connections = integer("requests", "requests"), integer("threads", "connections")
    if not connections:
        raise TextError(at["threads"], "no connections")
    timeouts = integer("errors", "timeout")
    duration_us = amount(matches["requests"]["duration"], _TIME_US, at["requests"])
    received = amount(matches["requests"]["bytes"], _BYTES, at["requests"])
    if duration_us.value <= 0:
        raise TextError(at["requests"], "a duration of 0")
    per_s = amount(matches["per_s"]["per_s"], _METRIC, at["per_s"]) if "per_s" in matches else None
    duration_s = duration_us.times(1e-6)
    if per_s is not None:
        counted = Amount(requests, requests, requests)
        if counted.over(duration_s).both(per_s) is None:
            raise TextError(at["per_s"], "this rate is not that of the requests and the duration")
        if per_s.value > 0:
            duration_us = counted.over(per_s).times(1e6).both(duration_us) or duration_us
    if "transfer" in matches:
        transfer = amount(matches["transfer"]["transfer"], _BYTES, at["transfer"])
        if received.over(duration_s).both(transfer) is None:
            raise TextError(at["transfer"], "this rate is not that of the bytes and the duration")
    if "rate" in matches:
        for group in ("mean", "stdev", "max"):
            amount(matches["rate"][group], _METRIC, at["rate"])
    latency = _latency(matches["latency"], at["latency"], percentiles)
    if (latency is None) != (requests - timeouts <= 0):
        raise TextError(
            at["latency"],
            f"{requests} requests with {timeouts} timeouts have"
            f" {'no latency' if latency is None else 'a latency'}: a line is missing or changed",
        )
    return WrkText(
        url=matches["start"]["url"],
        declared_s=amount(matches["start"]["declared"], _TIME_US, 0).value / 1e6,
        threads=integer("threads", "threads"),
        connections=connections,
        requests=requests,
        duration_us=round(duration_us.value),
        received_bytes=round(received.value),
        connect_errors=integer("errors", "connect"),
        read_errors=integer("errors", "read"),
        write_errors=integer("errors", "write"),
        status_errors=integer("status", "status"),
        timeouts=timeouts,
        requests_per_s=per_s.value if per_s is not None else None,
        latency=latency,
    )


_WANTED = {
    "threads": "the line with threads and connections",
    "latency": "the line with the latency",
    "requests": "the line with the requests",
}


def amount(text: str, units: dict[str, int], at: int = 0) -> Amount:
    """Return the range that a number with its unit was rounded from; raises TextError."""
    match = re.fullmatch(r"(\d{1,12})(?:\.(\d{1,6}))?([A-Za-z]*)", text, re.ASCII)
    if match is None or match[3] not in units:
        raise TextError(at, f"{text!r} is no number with a unit that wrk prints")
    whole, digits, unit = match[1], match[2] or "", match[3]
    value = float(f"{whole}.{digits or 0}")
    half = 0.5 * 10 ** -len(digits)
    if value * units[unit] > 2**53:
        raise TextError(at, f"{text!r} is more than wrk can count")
    return Amount(max(0.0, value - half), value, value + half).times(units[unit])


def is_wrk(line: str) -> bool:
    """Return whether wrk may have printed a line."""
    return any(pattern.fullmatch(line) for pattern in _PATTERNS.values())


def is_last(line: str) -> bool:
    """Return whether a line is the last that wrk prints."""
    return _PATTERNS["transfer"].fullmatch(line) is not None


def _match(
    lines: Sequence[str],
) -> tuple[dict[str, re.Match[str]], dict[str, int], dict[str, tuple[int, str]]]:
    """Return the line of each kind, where it stands, and the percentiles with their places."""
    matches: dict[str, re.Match[str]] = {}
    at: dict[str, int] = {}
    percentiles: dict[str, tuple[int, str]] = {}
    last = -1
    for number, line in enumerate(lines):
        if not line.strip():
            continue
        kind, match = next(
            ((kind, m) for kind, pattern in _PATTERNS.items() if (m := pattern.fullmatch(line))),
            (None, None),
        )
        if kind is None or match is None:
            raise TextError(number, f"not a line of wrk's: {line.strip()[:60]!r}")
        if kind == "percentile" and match["p"] not in percentiles:
            percentiles[match["p"]] = (number, match["value"])
        elif kind in matches:
            raise TextError(number, f"a second time: {line.strip()[:60]!r}")
        if _ORDER[kind] < last:
            raise TextError(number, f"out of wrk's order: {line.strip()[:60]!r}")
        if not matches and kind != "start":
            raise TextError(number, "no `Running ... test @` line before it")
        matches[kind], at[kind], last = match, number, _ORDER[kind]
    if not matches:
        raise TextError(0, "empty")
    return matches, at, percentiles


def _latency(
    match: re.Match[str], at: int, percentiles: dict[str, tuple[int, str]]
) -> TextLatency | None:
    mean, stdev, most = (_us(match[group], at) for group in ("mean", "stdev", "max"))
    by_name = {p: _us(text, number) for p, (number, text) in percentiles.items()}
    values = list(by_name.values())
    if values != sorted(values) or (values and values[-1] > most * 1.01 + 1):
        raise TextError(at, "the percentiles do not ascend to the maximum")
    # `-nan%` is 0 / 0: no sample, whatever the sign the platform gives it.
    if match["within"].endswith("nan"):
        if mean or stdev or most or any(values):
            raise TextError(at, "a latency of no sample")
        return None
    if mean > most * 1.01 + 1:
        raise TextError(at, "the mean is above the maximum")
    return TextLatency(mean_us=mean, stdev_us=stdev, max_us=most, percentiles_us=by_name)


def _us(text: str, at: int) -> int:
    return round(amount(text, _TIME_US, at).value)
