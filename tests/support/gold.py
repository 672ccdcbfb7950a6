"""Golden files: `UPDATE_GOLD=1 pytest` writes them anew."""

from __future__ import annotations

import os

from paths import GOLD


def check(name: str, text: str) -> None:
    """Fail unless a text is what its golden file holds."""
    if os.environ.get("UPDATE_GOLD"):
        (GOLD / name).parent.mkdir(exist_ok=True)
        (GOLD / name).write_text(text)
    assert text == (GOLD / name).read_text()
