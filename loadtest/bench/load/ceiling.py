"""The generator's own ceiling: what wrk reaches against nginx answering from memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from loadtest.bench.load import nginx
from loadtest.bench.load.generator import Generator, Generators
from loadtest.records.errors import CellError
from loadtest.records.measured import Ceiling, Placement
from loadtest.records.planned import Load, Plan
from loadtest.system import listening, process
from loadtest.system.process import Process
from loadtest.system.sampling import ended_cpu_s

# `empty` bodies are not what it is for: each file has the size of an answer, and stays in the
# system's cache.
SERVER = """
    access_log off;
    default_type application/json;
    server {{
        listen {host}:{port} backlog=2048;
        root bodies;
    }}
"""

DURATION_S = 1

Asked = tuple[int, int]
"""Connections of a load, and bytes of each body."""


def asked(plan: Plan) -> set[Asked]:
    """Return what to measure for a plan: each size at the connections of the loads that ask for it.

    Not for an endpoint that waits, whose rate its delay keeps far below, nor for a load at a rate.
    """
    return {
        (cell.load.connections, cell.endpoint.contract.body_bytes)
        for cell in plan.cells
        if cell.endpoint.contract.body_bytes is not None
        and not cell.endpoint.contract.delay_s
        and not cell.load.rate
    }


def ceilings(
    wanted: Iterable[Asked],
    folder: Path,
    placement: Placement | None,
    generators: Generators = Generator,
    host: str = listening.HOST,
) -> Iterator[Ceiling]:
    """Yield what the generator reaches with each, by connections and size, the fewest first.

    `host` is the address of this machine that the generators load.

    Raises CellError where nginx does not come up, or turns connections away.
    """
    wanted = sorted(set(wanted))
    if not wanted:
        return
    bodies = {str(size): b"x" * size for _, size in wanted}
    cpus = placement.server if placement else ()
    with serving(bodies, folder / "logs" / "null-server.log", cpus, host) as (_, port):
        for connections, size in wanted:
            url = f"http://{host}:{port}/{size}"
            yield _measure(connections, size, url, folder, placement, generators)


@contextmanager
def serving(
    bodies: Mapping[str, bytes], log: Path, cpus: Sequence[int] = (), host: str = listening.HOST
) -> Iterator[tuple[Process, int]]:
    """Give nginx, up with these bodies by name, and its port."""
    with process.folder("loadtest-null-") as home:
        port = listening.free_port(host=host)
        (home.path / "bodies").mkdir()
        for body, data in bodies.items():
            (home.path / "bodies" / body).write_bytes(data)
        http = SERVER.format(host=host, port=port)
        first = f"/{next(iter(bodies))}"
        with nginx.running(home, http, log, port, first, cpus, host) as running:
            yield running, port


def _measure(
    connections: int,
    size: int,
    url: str,
    folder: Path,
    placement: Placement | None,
    generators: Generators,
) -> Ceiling:
    load = Load(connections=connections, duration_s=DURATION_S, warmup_s=0.0)
    generator = generators(load, url, 0.0, folder, f"null-server.{connections}.{size}", placement)
    before_s = ended_cpu_s()
    printed = generator.finish()
    loaded = printed.loaded
    cpu_s = sum(part.usage.cpu_s for part in printed.parts) or ended_cpu_s() - before_s
    if loaded.answers == 0 or loaded.errors:
        raise CellError("load", f"the null server gave {loaded.errors} errors")
    return Ceiling(
        body_bytes=size,
        connections=connections,
        goodput=loaded.goodput,
        generator_cpu_us=cpu_s * 1e6 / loaded.answers,
        load_s=loaded.duration_us / 1e6,
    )
