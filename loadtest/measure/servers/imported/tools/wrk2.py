"""wrk2's text: wrk's lines, of requests sent at a set rate; latencies count from when each was due.

Source: its `src/wrk.c` and `src/hdr_histogram.c`. Its latencies leave out its first ten seconds, in
which it calibrates; its timeouts are of connections that were waiting when it looked, and have
samples like any answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence

import msgspec

from loadtest.measure.servers.imported.commands import Command
from loadtest.measure.servers.imported.text import TIME_US, Text, TextError, Typed, amount
from loadtest.measure.servers.imported.tools import wrk
from loadtest.records.measured import Histogram
from loadtest.records.values import MOST_RATE

NAME = "wrk2"
_NUMBER = r"\d{1,12}\.\d+"
_PERCENTILE = re.compile(rf"\s*({_NUMBER})%\s+(\S+)\s*", re.ASCII)

_BIN = re.compile(rf"\s*({_NUMBER})\s+({_NUMBER})\s+(\d{{1,15}})\s+(?:inf|{_NUMBER})\s*", re.ASCII)
"""Of the spectrum: milliseconds, percentile, samples up to there."""

_HEAD_99 = re.compile(r"(\s*Thread Stats\s+Avg\s+Stdev\s+)99%(\s+\+/- Stdev\s*)")
"""Of its newer versions."""

_UNCORRECTED = re.compile(r"\s*Latency Distribution \(HdrHistogram - Uncorrected.*")

_OTHERS = re.compile(
    r"\s*(?:Thread calibration: .*|Initialised \d+ threads in \d+ ms\..*"
    r"|Latency Distribution \(HdrHistogram.*|Detailed Percentile spectrum:"
    r"|Value\s+Percentile\s+TotalCount\s.*|\[(?:Mean|Max|Buckets)\s+=.*)\s*"
)


def end(lines: Sequence[str], start: int, stop: int, command: Command | None = None) -> int | None:
    """Return where its text ends; None where it is not wrk2's: see `wrk.end`."""
    own = _is_own(lines[start])
    ends = stop if own else wrk.end(lines, start, stop)
    if ends is None or (ends == start + 1 and not wrk.FAILURE.fullmatch(lines[start])):
        return None
    if own:
        ends = next((at for at in range(start, stop) if wrk.START.fullmatch(lines[at])), stop)
    of_wrk2 = command is not None and command.tool == NAME
    return ends if of_wrk2 or any(map(_is_own, lines[start:ends])) else None


def parse(lines: Sequence[str], command: Command | None = None, typed: Typed | None = None) -> Text:
    """Return what a block says; raises TextError, also where nothing says at which rate."""
    typed = typed or Typed()
    rate = command.rate if command and command.rate is not None else typed.rate
    if rate is None:
        raise TextError(0, "wrk2 was given a rate that the text does not show; type --rate N")
    if not 0 < rate <= MOST_RATE:
        raise TextError(0, f"a rate of {rate:g} requests/s, where {MOST_RATE:,} are the most")
    if failure := wrk.FAILURE.fullmatch(lines[0]):
        return msgspec.structs.replace(wrk.failed(failure, command), tool=NAME, rate=rate)
    heads = [_HEAD_99.fullmatch(line) for line in lines]
    kept = [of.expand(r"\1Max\2") if of else line for of, line in zip(heads, lines, strict=True)]
    text = wrk.read(
        wrk.by_kind(["" if _is_own(line) else line for line in kept]), command, typed, timed=False
    )
    assert text.loaded
    latency = text.loaded.text_latency
    if latency and any(heads):
        latency = msgspec.structs.replace(latency, max_us=None)
    percentiles_us, histogram = _latencies(lines)
    if latency and percentiles_us:
        latency = msgspec.structs.replace(latency, percentiles_us=percentiles_us)
    return msgspec.structs.replace(
        text,
        tool=NAME,
        rate=rate,
        histogram=histogram,
        loaded=msgspec.structs.replace(
            text.loaded,
            generator=NAME,
            timeout_s=None,
            # The histogram says all of it, where there is one.
            text_latency=None if histogram else latency,
        ),
    )


def _latencies(lines: Sequence[str]) -> tuple[dict[str, int], Histogram | None]:
    """Return the percentiles, by name, and the histogram of its spectrum.

    The spectrum has the samples up to each of its latencies: each sample counts as the highest that
    it can be. Where some of its lines were left out, the percentiles beside it stand in.
    """
    percentiles: dict[str, int] = {}
    shares: list[tuple[int, float]] = []
    bins: list[tuple[int, int]] = []
    for at, line in enumerate(lines):
        if _UNCORRECTED.fullmatch(line):
            break  # from when they were sent: what a stall made late is left out
        if percentile := _PERCENTILE.fullmatch(line):
            us = round(amount(at, percentile[2], TIME_US).value)
            percentiles[f"{float(percentile[1]):g}"] = us
            shares.append((us, float(percentile[1]) / 100))
        elif row := _BIN.fullmatch(line):
            bins.append((round(float(row[1]) * 1e3), int(row[3])))
    total = max((samples for _, samples in bins), default=0)
    percentiles.pop("100", None)
    if not total:
        return percentiles, None
    bins += [(us, min(math.ceil(share * total), total - 1)) for us, share in shares if share < 1]
    return percentiles, _histogram(bins)


def _histogram(bins: list[tuple[int, int]]) -> Histogram | None:
    """Return the samples by latency, from how many there are up to each."""

    def each() -> Iterator[tuple[int, int]]:
        below = 0
        for us, samples in sorted(bins):
            if samples > below:
                yield us, samples - below
                below = samples

    counts: dict[int, int] = {}
    for us, samples in each():
        counts[us] = counts.get(us, 0) + samples
    if max(counts) > 10**11 or max(counts.values()) > 10**12 or sum(counts.values()) > 2**53:
        return None
    return Histogram(values_us=tuple(counts), counts=tuple(counts.values()))


def _is_own(line: str) -> bool:
    """Return whether wrk2 may have printed a line that wrk does not."""
    return bool(
        _OTHERS.fullmatch(line)
        or _PERCENTILE.fullmatch(line)
        or _BIN.fullmatch(line)
        or _HEAD_99.fullmatch(line)
    )
