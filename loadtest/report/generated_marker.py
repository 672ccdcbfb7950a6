"""Files that we sign as we write them: one that somebody changed since is theirs, and stays."""

from __future__ import annotations

import hashlib

MARK = "<!-- loadtest "


def signed(text: str) -> str:
    """Return an XML document with our signature behind it, as a comment."""
    return f"{text}{MARK}{hashlib.sha256(text.encode()).hexdigest()[:16]} -->\n"


def is_ours(text: str) -> bool:
    """Say whether a file is as `signed` left it."""
    body, mark, _ = text.rpartition(MARK)
    return bool(mark) and text == signed(body)
