"""Names of places on a page: short, safe in a link, and no two alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from loadtest.report.units import Unlike


def anchors(prefix: str, names: Iterable[str]) -> Mapping[str, str]:
    """Return the anchor of each name, as in `server-uvicorn`; names that differ never share one.

    A name may come from outside: only letters, digits, `.`, `_` and `-` of ASCII are kept.
    """
    unlike = Unlike()
    return {
        name: unlike(f"{prefix}-{re.sub(r'[^A-Za-z0-9._-]+', '-', name).strip('-') or 'unnamed'}")
        for name in dict.fromkeys(names)
    }
