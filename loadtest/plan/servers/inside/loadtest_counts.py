"""Counts what a server's processes do, for who started the server.

Each process has a file of its own in the folder that LOADTEST_COUNTS names: numbers of eight bytes,
as `NAMES` has them. A number is written where it is in memory, so that a process that is killed has
told all.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from typing import Any

NAMES = ("exceptions", "statements", "changes")

NUMBER = struct.Struct("<Q")

CHANGES = ("INSERT", "UPDATE", "DELETE")

_lock = threading.Lock()
_owner = 0
_numbers: Any = None


def _open() -> None:
    """Begin the file of this process, which may be a copy of another one."""
    global _owner, _numbers
    _owner = os.getpid()
    path = os.path.join(os.environ["LOADTEST_COUNTS"], str(_owner))
    with open(path, "w+b") as file:
        file.write(bytes(NUMBER.size * len(NAMES)))
        file.flush()
        _numbers = mmap.mmap(file.fileno(), 0)


def add(name: str) -> None:
    """Count one more."""
    at = NUMBER.size * NAMES.index(name)
    with _lock:
        if _owner != os.getpid():
            _open()
        NUMBER.pack_into(_numbers, at, NUMBER.unpack_from(_numbers, at)[0] + 1)


def statement(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    """Execute a statement of Django's, and count it."""
    add("statements")
    if isinstance(sql, str) and sql.lstrip()[:6].upper() in CHANGES:
        add("changes")
    return execute(sql, params, many, context)


def _begin_connection(connection: Any, **facts: Any) -> None:
    wrappers = connection.execute_wrappers
    if statement not in wrappers:  # a connection that is opened again keeps them
        wrappers.insert(0, statement)  # who has put the last one there is about to take it away


def _exception(**facts: Any) -> None:
    add("exceptions")


def begin() -> None:
    """Count from now on."""
    from django.core.signals import got_request_exception
    from django.db.backends.signals import connection_created

    got_request_exception.connect(_exception, weak=False, dispatch_uid="loadtest_counts")
    connection_created.connect(_begin_connection, weak=False, dispatch_uid="loadtest_counts")
