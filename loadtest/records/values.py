"""What may stand in a record: names, files and numbers, each within what there can be.

msgspec holds it when a record is read, so that a file of others can say nothing else. 0 is as far
as most things go down; where something is divided by, it is more. What a person asks for is held
against the same: beyond it a run would never end, or never begin.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from loadtest.records.text import UNSAFE

END = r"$(?!\n)"
"""Of a text: in Python `$` stands before a last newline as well."""

MOST_ROUNDS = 1_000

MOST_TURNS = 100
"""In a round."""

MOST_LOADS = 50_000
"""Of a whole run, each of a second or more: a day or two."""

MOST_TOLD = 500_000
"""Rounds of all cells of a report of others: each is a field of a table."""

MOST_BUDGET_S = 30 * 86_400.0
MOST_LOAD_S = 3_600
MOST_WAVES = 1_000

MOST_RATE = 100_000
"""Requests a second: more than wrk can send."""

MOST_TRIED = 4_000
"""Connections of a try whose rate nobody typed: with more, wrk has no time to keep a rate."""

MOST_STEPS = 50

MOST_TRY_ROUNDS = 100
"""Of a search or of steps, those that fail among them: more than either takes."""

MOST_CONNECTIONS = 65_535
"""Of a load: there are no more ports to connect from."""

MOST_WORKERS = 1_000

MOST_THREADS = 10_000
"""Of a worker."""

MOST_SEED = 2**63 - 1

MOST_AGENTS = 64
"""Machines that make a load together."""

MOST_SERVERS, MOST_ROWS = 100, 500
"""Of a plan: all pairs of those that stand in one table are compared."""

MOST_BODIES_BYTES = 1_000_000_000
"""Of all answers of a plan together."""

MOST_PAIRS = 80_000
"""Of what stands in one table, of all tables: each is compared, which takes seconds for so many."""

MOST_CELLS = 6_000
"""Of a plan: a report has a row for each."""

MOST_NAME_BYTES = 200
"""Of a name that files are called by: their ends have to fit behind it."""

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=100,
        pattern=rf"^[^/\t\n{UNSAFE}]*{END}",
        extra={"wanted": "a name of at most 100 characters without slash and control characters"},
    ),
]
"""Of what a file may be called by."""

Label = Annotated[str, Meta(min_length=1, max_length=250, pattern=rf"^[^\t\n{UNSAFE}]*{END}")]
"""What a table may call its rows by."""

Word = Annotated[str, Meta(pattern=r"^[^\x00]*$", extra={"wanted": "a text in quotes"})]
"""Of a command or its environment."""

MOST_REASON, MOST_DETAIL = 10_000, 100_000
"""Characters."""

MOST_NOTES = 1_000
"""Lines, of what was assumed of a report of others."""

MOST_VERSIONS = 1_000
"""Of tools and distributions, or of the Pythons that have them."""

Version = Annotated[str, Meta(max_length=1_000)]
"""Of one of them, or its name."""

Reason = Annotated[str, Meta(max_length=MOST_REASON)]
"""In one line."""

MOST_LIMITS = 10

Limit = Annotated[
    str,
    Meta(
        max_length=1_000,
        extra={"wanted": "a text in quotes, a sentence or two of at most 1,000 characters"},
    ),
]
"""What a server cannot do, in words: each of its rows says so."""

Detail = Annotated[str, Meta(max_length=MOST_DETAIL)]
"""In several, as the end of a log."""

Typed = Annotated[str, Meta(max_length=32_000)]
"""A command as it is typed."""

Glob = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=200,
        extra={"wanted": "a text in quotes, a name or a pattern of at most 200 characters"},
    ),
]

Globs = Annotated[tuple[Glob, ...], Meta(max_length=MOST_ROWS)]
"""Each is looked for among all names."""

Distribution = Annotated[
    str,
    Meta(
        max_length=100,
        pattern=rf"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?{END}",
        extra={
            "wanted": "the name of a distribution in quotes, not its extras but what they install:"
            ' "psycopg-c" in place of "psycopg[c]"'
        },
    ),
]
"""As an installer is asked for it, which takes other words for options, addresses or paths."""

RawFile = Annotated[str, Meta(max_length=250, pattern=rf"^raw/[^/\t\n{UNSAFE}]+{END}")]
"""A file in the folder `raw` of a run's folder."""

Instant = Annotated[
    str,
    Meta(
        max_length=40,
        pattern=r"^[12][0-9]{3}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]+)?"
        rf"(Z|[+-][0-9]{{2}}:[0-9]{{2}}){END}",
    ),
]
"""A time of ISO 8601 with its zone."""

Round = Annotated[int, Meta(ge=0, lt=MOST_ROUNDS)]
"""From 0."""

Rounds = Annotated[int, Meta(ge=1, le=MOST_ROUNDS)]
"""How many."""

Count = Annotated[int, Meta(ge=0, le=2**53)]
"""Of bytes, too."""

AtLeastOne = Annotated[int, Meta(ge=1, le=1_000_000)]
"""What a person chooses how many there are of."""

Connections = Annotated[int, Meta(ge=1, le=MOST_CONNECTIONS)]
Workers = Annotated[int, Meta(ge=1, le=MOST_WORKERS)]
Threads = Annotated[int, Meta(ge=1, le=MOST_THREADS)]

ShapeText = Annotated[
    str,
    Meta(
        pattern=rf"^[1-9][0-9]{{0,2}}x[1-9][0-9]{{0,3}}{END}",
        extra={"wanted": 'workers x threads in quotes, as in "2x4"'},
    ),
]
"""Up to 999 workers of 9,999 threads."""

LimitS = Annotated[int, Meta(ge=1, le=86_400)]
"""Seconds that a server allows for what is idle or slow."""

Agents = Annotated[int, Meta(ge=1, le=MOST_AGENTS)]

Change = Annotated[int, Meta(ge=-(2**53), le=2**53)]

Seconds = Annotated[float, Meta(ge=0, le=1e8)]
"""Up to some three years."""

Window = Annotated[float, Meta(ge=1e-3, le=1e8)]
"""Seconds that something was looked at; shares are of it."""

Time = Annotated[float, Meta(ge=0, le=1e11)]
"""Unix time."""

Rate = Annotated[float, Meta(ge=1e-6, le=1e12)]
"""A second."""

AskedRate = Annotated[float, Meta(gt=0, le=MOST_RATE)]
"""Requests a second, of a load."""

Step = Annotated[float, Meta(gt=0, le=10)]
"""Times what a server can do."""

Micros = Annotated[float, Meta(ge=0, le=1e14)]
Share = Annotated[float, Meta(gt=0, lt=1)]

WHOLE = 1.001
"""Of the shares of a site's requests, which are rounded: no more than this is all."""

Pinned = Annotated[tuple[Count, ...], Meta(max_length=4_096)]
"""Numbers of processors, which are typed to what keeps a process on them."""

Processors = Annotated[int, Meta(ge=1, le=100_000)]
Seed = Annotated[int, Meta(ge=-(2**63), le=MOST_SEED)]
