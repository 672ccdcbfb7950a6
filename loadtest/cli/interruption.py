"""What an end from outside means, from the first import on: one line, and nothing left behind.

Imports next to nothing, so that it is in force before what takes seconds to import.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType
from typing import Any

INTERRUPTED = 130
"""Exit status of who was interrupted; what was measured is kept."""

AGAIN_S = 0.02


def take() -> None:
    """Make a KeyboardInterrupt of Ctrl-C, a polite end from outside and the end of a terminal.

    Each stops everything and keeps what was measured.
    """
    # A script's background job starts with interruptions ignored; ours stops at one all the same.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _interrupt)
    # Where it is ignored, that was nohup, so that the run outlives the terminal.
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)
    sys.unraisablehook = _lost


def over() -> None:
    """Let nothing interrupt the interpreter's own end, which would print a traceback."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def say_so() -> int:
    """Say that the command was interrupted, and return its exit status."""
    try:  # noqa: SIM105  contextlib would be one more import
        os.write(2, b"loadtest: interrupted\n")
    except OSError:
        pass
    return INTERRUPTED


def _interrupt(number: int, frame: FrameType | None) -> None:
    # An import would lose it, or make another error of it: it is raised as soon as that has ended.
    if _imports(frame):
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        return
    raise KeyboardInterrupt


def _imports(frame: FrameType | None) -> bool:
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def _lost(unraisable: Any) -> None:
    """Raise once more what was raised in a destructor, where Python only prints it."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
    else:
        sys.__unraisablehook__(unraisable)
