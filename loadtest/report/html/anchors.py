"""Names of places on a page: short, safe in a link, and no two alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping


def anchors(prefix: str, names: Iterable[str]) -> Mapping[str, str]:
    """Return the anchor of each name, as in `server-uvicorn`; names that differ never share one.

    A name may come from outside: only letters, digits, `.`, `_` and `-` of ASCII are kept.
    """
    anchor_of: dict[str, str] = {}
    taken: set[str] = set()
    for name in dict.fromkeys(names):
        stem = f"{prefix}-{re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('-') or 'unnamed'}"
        anchor, number = stem, 1
        while anchor in taken:
            number += 1
            anchor = f"{stem}-{number}"
        taken.add(anchor)
        anchor_of[name] = anchor
    return anchor_of
