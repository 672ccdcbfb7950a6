"""Keeps what a project logs in the folder of its run: out of its own files, and on this machine."""

from __future__ import annotations

import logging
import logging.handlers
import os
from typing import Any

LEAD_OUT = (
    logging.handlers.HTTPHandler,
    logging.handlers.SMTPHandler,
    logging.handlers.SocketHandler,
    logging.handlers.SysLogHandler,
)
"""Handlers of Python's whose records go to others; those of datagrams are sockets' too."""

FILES = (logging.FileHandler, logging.handlers.BaseRotatingHandler)


def keep(folder: str | None) -> None:
    """Have all handlers of Python's, and what is made of them, write into a folder, or nowhere.

    Whatever sets them up, and whenever: many a project does so as its settings are imported.
    """
    open_file, open_syslog = logging.FileHandler.__init__, logging.handlers.SysLogHandler.__init__

    def in_folder(self: Any, filename: Any, *arguments: Any, **options: Any) -> None:
        path = os.path.join(folder, os.path.basename(os.fspath(filename))) if folder else os.devnull
        open_file(self, path, *arguments, **options)

    def unconnected(self: Any, *arguments: Any, **options: Any) -> None:
        open_syslog(self, ("127.0.0.1", 9))  # by datagrams, of which none is sent

    instead: list[tuple[type, str, Any]] = [
        (logging.FileHandler, "__init__", in_folder),
        (logging.handlers.SysLogHandler, "__init__", unconnected),
        *((handler, "emit", _drop) for handler in (*LEAD_OUT, *(() if folder else FILES))),
    ]
    for handler, name, method in instead:
        setattr(handler, name, method)


def _drop(self: Any, record: logging.LogRecord) -> None:
    """Do with a record what `logging.NullHandler` does."""
