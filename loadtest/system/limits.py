"""What a system may refuse half-way, looked at before anything starts.

Processes, the size of files and stacks, space, and a place for Unix sockets.
"""

from __future__ import annotations

import os
import pwd
import resource
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil

from loadtest.records.errors import UserError
from loadtest.system.process import ELSEWHERE

TASKS = 200
"""Processes and threads that loadtest, the services and a few servers come to, roughly."""

SIZES = (
    (resource.RLIMIT_FSIZE, 64_000_000, "files of", "ulimit -f unlimited"),
    (resource.RLIMIT_STACK, 2_000_000, "a stack of", "ulimit -s 8192"),
)
"""PostgreSQL's largest file has 16 MB, the logs of a long run may have more."""

SOCKET_BYTES = 103
"""So long may the path of a Unix socket be on macOS; 107 on Linux."""

SPECIAL = frozenset(',"$`\\')
"""What a list of folders ends at, and what the shell reads to which initdb gives a path."""

PLACES = ("/tmp", "/var/tmp")
"""Where sockets can be if not in the folder that the environment names."""


def raise_limits(user: str | None = None) -> Iterator[str]:
    """Raise the limits of this process as far as need be; yield a line for each that can't be.

    What is started from here on inherits them. `user` is another one that some of it runs as.
    """
    users = {os.geteuid()} | ({pwd.getpwnam(user).pw_uid} if user else set())
    tasks = TASKS + _tasks(users)
    if (allowed := _too_low(resource.RLIMIT_NPROC, tasks)) is not None:
        yield (
            f"{tasks} processes and threads are needed and the limit is {allowed};"
            f" raise it (`ulimit -u {tasks}`, as root if that is refused)"
        )
    for limit, needed, of_what, typed in SIZES:
        if (allowed := _too_low(limit, needed)) is not None:
            yield (
                f"{of_what} {needed // 1_000_000} MB must be possible and the limit is {allowed:,}"
                f" bytes; raise it (`{typed}`, as root if that is refused)"
            )


def _tasks(users: set[int]) -> int:
    running = psutil.process_iter(["uids", "num_threads"])
    return sum(
        process.info["num_threads"] or 1
        for process in running
        if process.info["uids"] and process.info["uids"].real in users
    )


def _too_low(limit: int, needed: int) -> int | None:
    """Return a limit that stays lower than what is needed, None where it is enough by now."""
    soft, hard = resource.getrlimit(limit)
    if _enough(soft, needed):
        return None
    raised = hard if _enough(hard, needed) else resource.RLIM_INFINITY  # which root may
    try:
        resource.setrlimit(limit, (raised, raised))
    except (OSError, ValueError):
        return hard
    return None


def _enough(limit: int, needed: int) -> bool:
    return limit == resource.RLIM_INFINITY or limit >= needed


def short_of_space(folder: Path, needed_bytes: int) -> str | None:
    """Return a line where a folder has less space than is needed, None where it has enough."""
    free = shutil.disk_usage(folder).free
    if free >= needed_bytes:
        return None
    return (
        f"{folder}: {free / 1e6:.0f} MB are free and the services need {needed_bytes / 1e6:.0f} MB;"
        " make room, or name a larger folder, as in `export TMPDIR=/var/tmp`"
    )


def socket_place(below: str, user: str | None = None) -> Path:
    """Return the folder for temporary ones with sockets in them: the environment's, or the next.

    `below` is the longest path that a socket has in there; `user` is another one that has to reach
    it. Raises UserError where there is none.
    """
    try:
        named = tempfile.gettempdir()
    except OSError as error:
        raise UserError(f"{error.strerror}; {ELSEWHERE}") from None
    obstacles = {place: _obstacle(Path(place), below, user) for place in (named, *PLACES)}
    for place, obstacle in obstacles.items():
        if obstacle is None:
            return Path(place)
    raise UserError(
        f"no place for the database's socket: {obstacles[named]}; name a folder with a short path"
        " that all can enter, as in `export TMPDIR=/var/tmp`"
    )


def _obstacle(place: Path, below: str, user: str | None) -> str | None:
    text = str(place)
    if len(os.fsencode(place / below)) > SOCKET_BYTES:
        return f"the path that begins with {text[:40]!r} is too long"
    if not text.isprintable() or SPECIAL & set(text):
        return f"the path {text!r} has a character that PostgreSQL cannot be told"
    if not os.access(place, os.W_OK | os.X_OK):
        return f"{text} cannot be written"
    if user and (closed := _closed(place)):
        return f"{closed} is closed to {user}, as whom root runs PostgreSQL"
    return None


def _closed(place: Path) -> Path | None:
    """Return the first folder on the way that others cannot enter, None where they get through."""
    for path in (place, place.resolve()):
        for folder in (*reversed(path.parents), path):
            if not folder.stat().st_mode & stat.S_IXOTH:
                return folder
    return None
