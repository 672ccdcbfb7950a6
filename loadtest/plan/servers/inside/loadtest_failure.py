"""What can be told of an exception in a project: its type and place.

Its message may quote an address, a row or a secret; whoever needs it asks for it by itself.
"""

from __future__ import annotations

import os
import traceback


def place(error: BaseException) -> str:
    """Return the line of the project that raised an exception, or the last one if none did."""
    frames = traceback.extract_tb(error.__traceback__)
    here = os.getcwd() + os.sep
    own = [
        each
        for each in frames
        if each.filename.startswith(here) and "site-packages" not in each.filename
    ]
    if not frames:
        return "an unknown place"
    last = (own or frames)[-1]
    return f"{os.path.relpath(last.filename)}:{last.lineno}"


def summary(error: BaseException | None) -> str:
    """Return an exception in a line, without its message."""
    return f"{type(error).__name__} at {place(error)}" if error else "an unknown error"
