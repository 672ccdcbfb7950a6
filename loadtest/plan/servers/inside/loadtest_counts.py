"""Counts what a server's processes do, for who started the server.

Each process has a file of its own in the folder that LOADTEST_COUNTS names: numbers of eight bytes,
as `NAMES` has them. A number is written where it is in memory, so that a process that is killed has
told all.
"""

from __future__ import annotations

import mmap
import os
import re
import struct
import threading
from typing import Any

NAMES = ("exceptions", "statements", "changes")
NUMBER = struct.Struct("<Q")

FIRST = re.compile(r"(?:\s|\(|--[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/)*(\w+)")
"""A statement up to its first word, past comments and brackets."""

CHANGES = ("INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "TRUNCATE", "COPY", "CALL", "DO")
"""The first words of what changes rows, or may do so out of sight."""

COPIES_IN = re.compile(r"\bFROM\s+(?:STDIN\b|PROGRAM\b|'|%)", re.I)

IN_WITH = re.compile(
    r"\b(INSERT(?=\s+INTO\b)|DELETE(?=\s+FROM\b)|MERGE(?=\s+INTO\b)"
    r"|UPDATE(?=\s+(?:ONLY\s+)?\S+\s+(?:(?:AS\s+)?\w+\s+)?SET\b))",
    re.I,
)
"""What changes rows after a `WITH`; the rows of `SELECT ... FOR UPDATE` are only locked."""

NO_SQL = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.S)
"""Literals and comments."""

TABLE = re.compile(r"\s+(?:(?:OR\s+\w+|IGNORE|INTO|FROM|ONLY|TABLE)\s+)*([\w.\"`\[\]]+)", re.I)
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


def change(sql: str) -> str | None:
    """Return what a statement changes, as in `INSERT shop_visit`; None where it only reads."""
    first = FIRST.match(sql)
    verb = first[1].upper() if first else ""
    if first is not None and verb == "WITH":
        sql = NO_SQL.sub("''", sql)
        first = IN_WITH.search(sql)
    elif verb not in CHANGES or (verb == "COPY" and not COPIES_IN.search(sql)):
        return None
    if first is None:
        return None
    table = TABLE.match(sql, first.end())
    return f"{first[1].upper()} {table[1].translate(_QUOTES) if table else ''}".strip()


_QUOTES = str.maketrans("", "", '"`[]')


def as_text(sql: Any, context: Any) -> str:
    """Return a statement as a text, also one that psycopg has composed."""
    as_string = None if isinstance(sql, str) else getattr(sql, "as_string", None)
    return str(as_string(context["cursor"].cursor) if as_string else sql)


def statement(execute: Any, sql: Any, params: Any, many: bool, context: Any) -> Any:
    """Execute a statement of Django's, and count it."""
    add("statements")
    if change(as_text(sql, context)) is not None:
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
