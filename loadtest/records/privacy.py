"""What a results folder does not tell of the machine: its name, and where things lie on it."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from loadtest.records import files

MOST_LOGS_BYTES = 32 * 2**20
"""Of all logs of a folder: each keeps as much, of a longer one the beginning and the end."""

BLOCK_BYTES = 2**20
"""Of a log at a time, and of its line that goes on there: that may have no end."""

_KEYS = "SECRET|(?<!VAL)KEY|TOKEN|PASSWORD|SALT"

_ABOUT = (
    r"(?!\w*_(MODEL|BACKENDS?|CLASS|HASHERS|VALIDATORS|NAME|PREFIX|DOMAIN|PATH|AGE|TIMEOUT"
    r"|LIFETIME|TTL|LENGTH|ALGORITHM|SECURE|HTTPONLY|SAMESITE)(?!\w))"
)
"""What comes after such a word where a variable says how secrets are dealt with, and has none."""

KEY_NAME = re.compile(f"({_KEYS}){_ABOUT}", re.IGNORECASE)
"""In the name of a variable that may have any value, as long as nobody else knows it."""

SECRET_NAME = re.compile(
    f"({_KEYS}|PASS|AUTH(?!OR(?!I))|COOKIE|CREDENTIAL|DSN){_ABOUT}", re.IGNORECASE
)
"""In the name of a variable, a header or a query whose value is nobody else's to read."""

SHORTEST = 4
"""Letters of a secret, or of a name, that is looked for: a shorter one is a word like any other."""

_concealed: set[str] = set()

_folders: dict[str, None] = {}
"""Of projects."""


def conceal(secrets: Iterable[str]) -> None:
    """Leave secrets out of all that is published by this process from now on."""
    _concealed.update(secret for secret in secrets if len(secret) >= SHORTEST)


def conceal_place(folder: Path) -> None:
    """Have a project's folder be `.` in all that programs say, wherever it lies, from now on."""
    _folders.update(dict.fromkeys((os.path.abspath(folder), os.path.realpath(folder))))


def public(text: str) -> str:
    """Return a text with the present folder as `.`, the home folder as `~`, without secrets."""
    return _without(_concealing(text), _places())


def public_log(text: str) -> str:
    """Return what a program said likewise, without the machine's name and a project's place."""
    return _without(_concealing(text), _names())


def public_path(path: str) -> str:
    """Return a path likewise; of a file that lies elsewhere there is its name alone."""
    known = public(path)
    return os.path.basename(path) if os.path.isabs(known) else known


def publish(logs: Path) -> None:
    """Rewrite a folder's logs likewise, long ones without their middle; nothing may write to them.

    Raises OSError.
    """
    if logs.is_symlink():
        return  # to logs of somebody else's
    names = [*_names()]
    there = [log for log in sorted(logs.glob("*.log")) if not log.is_symlink() and log.is_file()]
    for log in there:
        with files.opened(log) as file, files.replacing(log) as rewritten:
            for block in _kept(file, MOST_LOGS_BYTES // len(there)):
                text = _without(_concealing(block.decode(errors="surrogateescape")), names)
                rewritten.write(text.encode(errors="surrogateescape"))


def _kept(log: IO[bytes], most_bytes: int) -> Iterator[bytes]:
    """Yield a log in blocks of whole lines; of one that is longer, its two halves."""
    left_out = os.fstat(log.fileno()).st_size - most_bytes
    block_bytes = min(BLOCK_BYTES, most_bytes // 2)
    while block := log.read(block_bytes):
        yield block + log.readline(BLOCK_BYTES)
        if left_out > 0 and log.tell() >= most_bytes // 2:
            log.seek(left_out, os.SEEK_CUR)
            log.readline(BLOCK_BYTES)  # the rest of one, which may be half of a secret
            yield b"\n... %d bytes left out by loadtest\n" % left_out
            left_out = 0


def _concealing(text: str) -> str:
    for secret in sorted(_concealed, key=len, reverse=True):  # one may be a part of another
        text = text.replace(secret, "...")
    return text


def _without(text: str, patterns: Iterable[tuple[str, str]]) -> str:
    for pattern, instead in patterns:
        if re.search(pattern, text):  # many times as fast as with what is to stand around it
            text = re.sub(_whole(pattern), instead, text)
    return text


def _names() -> Iterator[tuple[str, str]]:
    yield from _places()
    yield from ((re.escape(folder), ".") for folder in _folders if len(folder) > 1)
    whole = socket.gethostname()
    for name in (whole, whole.partition(".")[0]):
        if len(name) >= SHORTEST and name != "localhost":
            yield rf"{re.escape(name)}(\.[\w-]+)*", "host"  # with its domain


def _places() -> Iterator[tuple[str, str]]:
    for place, instead in ((".", "."), ("~", "~")):
        place = os.path.expanduser(place)
        with contextlib.suppress(OSError):  # of a present folder that is gone
            for path in {os.path.abspath(place), os.path.realpath(place)}:
                if len(path) > 1:  # in the root lies everything
                    yield re.escape(path), instead


def _whole(pattern: str) -> str:
    """Return a pattern that matches a name, and not a part of a longer one."""
    return rf"(?<![\w.~-]){pattern}(?![\w-])"
