"""wrk 4: how to start it and how to read what it counted.

The numbers come from `wrk.lua`, which prints them as JSON on stderr; stdout stays wrk's own text
and nothing is scraped from it. Source of all claims about wrk: its `src/wrk.c` and `src/stats.c`,
4.1.0 and 4.2.0.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from loadtest.records.measured import Histogram, Loaded
from loadtest.records.planned import Load

TOOL = "wrk"

INSTALL = "apt-get install wrk (Debian, Ubuntu) or brew install wrk (macOS)"

VERSION_ARGV = ("wrk", "-v")
"""Prints the version on stdout and exits with status 1, as does any call without a URL."""

SCRIPT = Path(__file__).with_suffix(".lua")

MARGIN_S = 5

FINE_KEPT = 500
"""Milliseconds by which requests were late that are told apart, and groups of those beyond: of a
load that a server does not keep up with, or of one by many agents, there are more than fit into a
line of the outcomes."""

REQUESTS = "LOADTEST_REQUESTS"
"""The variable that names `wrk.lua` the file of what it is handed."""


GO = "LOADTEST_GO"
"""The variable that names `wrk.lua` the descriptor on which it says that it is ready and is told,
in microseconds of Unix time, when to begin."""


class Share(NamedTuple):
    """What one of several generators sends of a schedule: each `of`th slot from `number` on."""

    number: int = 0
    of: int = 1


class NoResultError(ValueError):
    """wrk ended without its line of numbers; the message says what it printed instead."""


class _Line(Loaded, frozen=True, kw_only=True):
    """What `wrk.lua` prints."""

    generator: str = TOOL
    values_us: tuple[int, ...]
    counts: tuple[int, ...]


def argv(
    load: Load, url: str, delay_s: float, seed: int = 0, share: Share | None = None
) -> list[str]:
    """Return the command line for `load` on an endpoint that takes `delay_s` to answer.

    `seed` is of the arrivals of a load at a rate, where they are random. With a `share` the rate is
    that of all who share the schedule.

    wrk takes whole seconds only (`-d 1.5s` prints its usage and exits 1), so a fraction is rounded
    up. It looks at its clock every 100 ms, so the duration it reports is up to 0.1 s longer.
    """
    duration_s = max(1, math.ceil(load.duration_s))
    # `--timeout` doesn't end a request, it drops the sample of a slower answer: it must be more
    # than any answer can take. wrk reserves (but doesn't touch) 8 bytes for each microsecond of it.
    timeout_s = duration_s + math.ceil(delay_s) + MARGIN_S
    rate = [] if load.rate is None else [f"{load.rate:g}", load.arrivals, str(seed)]
    return [
        TOOL,
        # One thread: faster and steadier than two wherever the server shares the machine.
        "-t1",
        f"-c{load.connections}",
        f"-d{duration_s}s",
        f"--timeout={timeout_s}s",
        "--latency",
        f"--script={SCRIPT}",
        url,
        *(["--", *rate, *map(str, share or ())] if rate else []),
    ]


def handed(requests: Sequence[bytes]) -> bytes:
    """Return whole requests as `wrk.lua` reads them: the length of each in a line before it."""
    return b"".join(b"%d\n%b" % (len(request), request) for request in requests)


def parse(stdout: str, stderr: str) -> tuple[Loaded, Histogram]:
    """Return wrk's counts and its latencies, these as wrk leaves them: back-filled.

    Raise `NoResultError` where wrk did not get to its end. No answer at all is a result: check
    `answers`.
    """
    lines = [line for line in stderr.splitlines() if line.startswith('{"duration_us":')]
    if not lines:
        raise NoResultError(f"wrk printed no result: {_last_line(stderr) or _last_line(stdout)}")
    try:
        fields = msgspec.structs.asdict(msgspec.json.decode(lines[-1], type=_Line))
        # Converted, not made: what is made anew is not held to its bounds.
        latencies = {name: fields.pop(name) for name in Histogram.__struct_fields__}
        histogram = msgspec.convert(latencies, Histogram)
        if sent := fields["sent"]:
            fields["sent"] = replace(sent, late=sent.late.coarse(FINE_KEPT))
        loaded = Loaded(**fields)
        if not loaded.fits(histogram):
            raise ValueError("more latencies than answers")
        if loaded.status_errors > loaded.answers:
            raise ValueError("more errors than answers")
    except ValueError as error:
        raise NoResultError(f"wrk's result cannot be read: {error}") from error
    return loaded, histogram


def version(stdout: str) -> str | None:
    """Return the version in what `VERSION_ARGV` prints, as in `4.1.0` or `debian/4.1.0-3+b2`."""
    match = re.match(r"wrk (\S+)", stdout)
    return match[1] if match else None


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1].strip() if lines else ""
