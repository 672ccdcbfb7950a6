"""Standard output and error as a command needs them, whatever the shell has made of them.

Both are there though they were closed. A reader that has ended, as in `| head -1`, is no error: the
exit status stays the command's own answer. Messages that nobody takes are lost, and end no run.
"""

from __future__ import annotations

import errno
import io
import os
import sys
from typing import Any, TextIO

from loadtest.records.errors import UserError


def prepare() -> None:
    """Put streams in the place of `sys.stdout` and `sys.stderr` that are as said above.

    What goes into a file or a pipe is UTF-8, as every file of loadtest's; a terminal gets what its
    locale can show. Where standard output takes no more, writing to it raises UserError, once.
    """
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:
            # The lowest free number is given: this one, which the next file would have got.
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = _text(1, sys.stdout, needed=True)
    sys.stderr = _text(2, sys.stderr, needed=False)


def _text(descriptor: int, before: TextIO | None, *, needed: bool) -> TextIO:
    terminal = os.isatty(descriptor)
    return io.TextIOWrapper(
        io.BufferedWriter(_Stream(descriptor, needed=needed)),
        encoding=before.encoding if terminal and before is not None else "utf-8",
        errors="backslashreplace",
        line_buffering=terminal or not needed,
    )


class _Stream(io.FileIO):
    def __init__(self, descriptor: int, *, needed: bool) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self._needed = needed

    def write(self, data: Any) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if self._needed and error.errno != errno.EPIPE:
                self._needed = False  # what is still in the buffer would be refused once more
                raise UserError(
                    f"standard output cannot be written: {error.strerror};"
                    " make room, or send it elsewhere"
                ) from None
            return len(data)
