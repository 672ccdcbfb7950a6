"""Whether this machine's system gives a command a network of its own; asked in another process."""

from __future__ import annotations

import subprocess
import sys
from functools import cache

import pytest
from paths import ROOT

ASK = "from loadtest.system import network; print(network.enter() or '')"


@cache
def refused() -> str:
    """Return why there is none to be had, nothing where there is."""
    argv = [sys.executable, "-c", ASK]
    return subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def needed() -> None:
    """Skip a test where there is none to be had."""
    if why := refused():
        pytest.skip(f"no network of its own is to be had here: {why}")
