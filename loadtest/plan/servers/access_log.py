"""How often the pages of a site are asked for, as its access log has it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from loadtest.records import files
from loadtest.records.errors import UserError

REQUEST = re.compile(rb'"(?P<method>[A-Z]{3,10}) (?P<path>/[^ "]*) HTTP/[0-9.]+" (?P<status>\d{3})')
"""In a line of nginx, Apache, Gunicorn or Uvicorn, whatever else stands in it."""

ANSWERED = re.compile(rb"2\d\d|304")

MOST_LINES, MOST_LINE_BYTES = 5_000_000, 65_536

MOST_PATHS, MOST_PATH_BYTES = 50_000, 2_000
"""That are kept apart: whoever asks a site writes its log."""

MOST_KEPT = 3_000_000
"""Characters of them together, each of which is held against all routes."""

ANY = "[^/]+"

CONVERTER = re.compile(r"<[^>]*>")
"""The place of an argument in a route of `path()`."""

ARGUMENT = re.compile(r"\d+|[0-9a-f-]{32,36}")


class Traffic(NamedTuple):
    """Requests, by what their paths have in common."""

    counts: Counter[str]
    """Of GETs that were answered, by `alike`."""
    total: int
    """All requests, of whatever method and status."""

    def shares(self, routes: Mapping[str, str]) -> dict[str, float]:
        """Return the share of all requests that each path stands for, by path.

        `routes` are those that the paths came by, as Django has them; a request is of one of them.
        """
        left = Counter(self.counts)
        patterns = {path: _pattern(path, route) for path, route in routes.items()}
        of: dict[str, float] = {}
        # What names a page goes before what stands for many.
        for path, pattern in sorted(patterns.items(), key=lambda item: item[1].count(ANY)):
            mine = [each for each in left if re.fullmatch(pattern, each)]
            of[path] = sum(left.pop(each) for each in mine) / self.total
        return of


def _pattern(path: str, route: str) -> str:
    """Return the paths that a route leads from; of one that is a regular expression, this alone."""
    if not CONVERTER.search(route) or re.search(r"[\\^$(]", route):
        return re.escape(alike(path))
    first, *others, last = map(re.escape, CONVERTER.split(route))
    # The first place where an argument may end will do, as the next one takes all that is left: to
    # try the others as well would take hours for a path that somebody made for it.
    ends = "".join(f"(?>{ANY}?{part})" for part in others)
    return re.escape("/") + first + ends + ANY + last


def alike(path: str) -> str:
    """Return what paths have in common that differ in their numbers alone, without the query."""
    return ARGUMENT.sub("0", path.partition("?")[0])


def read(file: Path) -> Traffic:
    """Return what a log has; no address, name or query of it is kept.

    Raises UserError where it cannot be read, or no line of it is a request.
    """
    counts: Counter[str] = Counter()
    total = kept = 0
    try:
        with files.opened(file, links=True) as log:
            lines = iter(partial(log.readline, MOST_LINE_BYTES), b"")
            for _, line in zip(range(MOST_LINES), lines, strict=False):
                if match := REQUEST.search(line):
                    total += 1
                    if match["method"] == b"GET" and ANSWERED.fullmatch(match["status"]):
                        path = alike(match["path"][:MOST_PATH_BYTES].decode("utf-8", "replace"))
                        if path not in counts:
                            if len(counts) >= MOST_PATHS or kept + len(path) > MOST_KEPT:
                                continue
                            kept += len(path)
                        counts[path] += 1
    except OSError as error:
        raise UserError(f"{file}: cannot be read: {error.strerror}") from None
    if not total:
        raise UserError(
            f'{file}: no line has a request such as "GET / HTTP/1.1" 200; name an access log, not'
            " compressed"
        )
    return Traffic(counts, total)
