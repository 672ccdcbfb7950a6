"""What an end from outside means, from the first import on: one line, and nothing left behind.

Imports next to nothing, so that it is in force before what takes seconds to import.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

INTERRUPTED = 130
"""Exit status of who was interrupted; what was measured is kept."""

AGAIN_S = 0.02

STREAMS = os.path.join(os.path.dirname(__file__), "streams.py")

TEMPORARY = os.path.join(os.path.dirname(os.__file__), "tempfile.py")


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


MOST_DEFERRED, MOST_DEFERRED_WRITE = 3_000, 50
"""Times: an import ends, if after many seconds on a busy machine; a write that nobody reads may
never do so."""

_deferred = 0


def say_so() -> int:
    """Say that the command was interrupted, and return its exit status."""
    try:  # noqa: SIM105  contextlib would be one more import
        os.write(2, b"loadtest: interrupted\n")
    except OSError:
        pass
    return INTERRUPTED


def _interrupt(number: int, frame: FrameType | None) -> None:
    # An import would lose it or make another error of it; what is written would be written twice;
    # of a temporary file that is just made nobody knows the name yet.
    global _deferred
    if _deferred < _most_deferred(frame):
        _deferred += 1
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
        return
    raise KeyboardInterrupt


def _most_deferred(frame: FrameType | None) -> int:
    """Return how often to wait for what has to end first; 0 where nothing has to."""
    while frame is not None:
        file = frame.f_code.co_filename
        # What comes while `over` is at work comes again when nothing listens any more.
        if (
            file == TEMPORARY
            or file.startswith("<frozen importlib")
            or frame.f_code is over.__code__
        ):
            return MOST_DEFERRED
        if file == STREAMS:
            return MOST_DEFERRED_WRITE
        frame = frame.f_back
    return 0


def _lost(unraisable: sys.UnraisableHookArgs) -> None:
    """Raise once more what was raised in a destructor, where Python only prints it."""
    if isinstance(unraisable.exc_value, KeyboardInterrupt):
        signal.setitimer(signal.ITIMER_REAL, AGAIN_S)
    else:
        sys.__unraisablehook__(unraisable)
