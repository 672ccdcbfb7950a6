"""Files of a folder that somebody else may have made: read and written without following links."""

from __future__ import annotations

import errno
import math
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

MOST_BYTES = 8 * 2**20
"""Of a file that is read whole."""


def read(path: Path, most_bytes: int = MOST_BYTES, *, links: bool = False) -> bytes:
    """Return what is in a regular file; raises OSError for any other, and for a larger one.

    `links`: they are followed, as where a person named the file.
    """
    with opened(path, most_bytes, links=links) as file:
        # Not as many as there may be: for those it would take memory before it reads.
        return file.read(min(most_bytes, os.fstat(file.fileno()).st_size))


@contextmanager
def opened(path: Path, most_bytes: float = math.inf, *, links: bool = False) -> Iterator[IO[bytes]]:
    """Give such a file to be read in parts; raises OSError likewise."""
    check(path, most_bytes, links=links)
    follow = 0 if links else os.O_NOFOLLOW
    # What has become a FIFO since it was looked at must not be waited for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | follow)
    with open(descriptor, "rb") as file:
        _check(os.fstat(descriptor), most_bytes)
        yield file


def check(path: Path, most_bytes: float = MOST_BYTES, *, links: bool = False) -> None:
    """Raise OSError where `read` would not read a file."""
    _check(os.stat(path, follow_symlinks=links), most_bytes)


def _check(status: os.stat_result, most_bytes: float) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise OSError(errno.ELOOP, "it is a link")
    if not stat.S_ISREG(status.st_mode):
        raise OSError(errno.EINVAL, "it is no regular file")
    if status.st_size > most_bytes:
        raise OSError(errno.EFBIG, f"it is larger than {most_bytes / 2**20:g} MB")


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; raises OSError, as where it would take a link's place."""
    with replacing(path) as file:
        file.write(data)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write into, which takes that place at the end; raises OSError likewise."""
    if path.is_symlink():
        raise OSError(errno.EEXIST, "it is a link")
    # In the same folder, so that the rename cannot cross a file system; a half-written file never
    # has the name a reader would open, and nobody can have put a link where it is written.
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(part, flags, 0o666)
    try:
        with open(descriptor, "wb") as file:
            yield file
        os.replace(part, path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def append(path: Path) -> int:
    """Return the descriptor of a file to append to; raises OSError where it is not ours alone."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    if path.is_symlink():
        raise OSError(errno.EEXIST, "it is a link")
    descriptor = os.open(path, flags, 0o666)
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:
        os.close(descriptor)
        raise OSError(errno.EEXIST, "it is a link, or no regular file")
    return descriptor


def strangers(folder: Path) -> list[Path]:
    """Return what in a folder is neither a folder nor a file of its own.

    Links, also those that are another name of a file elsewhere, FIFOs and devices.
    """
    with os.scandir(folder) as entries:
        return [Path(entry.path) for entry in entries if not _is_its_own(entry)]


def _is_its_own(entry: os.DirEntry[str]) -> bool:
    if entry.is_dir(follow_symlinks=False):
        return True
    return entry.is_file(follow_symlinks=False) and entry.stat().st_nlink == 1
