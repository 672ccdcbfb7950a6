"""Prints a result in JSON, and nothing that a project prints by itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any


def write(ask: Callable[[], Any]) -> None:
    """Print what a function returns, and end the process, whatever threads a project has started.

    What a project prints meanwhile goes to stderr.
    """
    result = os.dup(1)
    os.dup2(2, 1)
    text = json.dumps(ask())
    with open(result, "w", encoding="utf-8") as out:
        out.write(text)
        out.flush()
    os._exit(0)
