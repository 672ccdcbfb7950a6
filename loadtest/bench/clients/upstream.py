"""The upstream that clients ask: nginx, with the delay, keep-alive, TLS and HTTP version of a row.

Each combination has a port of its own. nginx counts by itself: a connection's number is one more
than that of the one before, and a line of its log is a request. Both are read out of band.
"""

from __future__ import annotations

import contextlib
import http.client
import random
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import certifi
import psutil
import trustme

from loadtest.bench.load import nginx
from loadtest.records.clients import Answer, Seen
from loadtest.records.errors import CellError
from loadtest.system import listening, process
from loadtest.system.cpu_time import cpu_s
from loadtest.system.process import Process

HTTP = """
    log_format seen "$connection $server_protocol";
    access_log seen.log seen;
    default_type application/octet-stream;
    http2_max_concurrent_streams 1024;
    ssl_certificate server.pem;
    ssl_certificate_key server.pem;
    server {{
        listen {host}:{counter};
        access_log off;
        location = /connections {{ return 200 "$connection"; }}
    }}
{servers}
"""

SERVER = """
    server {{
        listen {host}:{port} backlog=2048{ssl};
        {http2}
        keepalive_timeout {keep_alive_s}s;
        root .;
        location /bytes/ {{ }}
{delays}
    }}
"""

DELAY = """
        location ~ ^/after/{delay_ms}ms(/bytes/[0-9]+)$ {{
            echo_sleep {delay_s};
            echo_exec $1;
        }}
"""

KEEP_ALIVE_S = 300
"""Longer than a row takes, so that a connection that is kept is never closed by the upstream."""


@dataclass(frozen=True)
class Counts:
    """What nginx had counted at a moment."""

    connections: int
    log_bytes: int


@dataclass(frozen=True)
class Upstream:
    """A running nginx with a port for each way of answering."""

    process: Process
    home: Path
    counter: int
    ports: dict[tuple[bool, bool, str], int]
    """By keep-alive, TLS and HTTP version."""
    software: str
    workers: list[psutil.Process] = field(default_factory=list)

    @property
    def ca(self) -> Path:
        """The certificate that clients verify this upstream by."""
        return self.home / "ca.pem"

    def url(self, answer: Answer) -> str:
        """Return where this answer is given."""
        scheme = "https" if answer.tls else "http"
        port = self.ports[_way(answer)]
        after = f"/after/{_ms(answer.delay_s)}ms" if answer.delay_s else ""
        return f"{scheme}://{listening.HOST}:{port}{after}/bytes/{answer.body_bytes}"

    def body(self, answer: Answer) -> bytes:
        """Return the body of this answer."""
        return (self.home / "bytes" / str(answer.body_bytes)).read_bytes()

    def counts(self) -> Counts:
        """Return what it has counted up to now; the asking itself is one connection.

        Raises CellError where it does not answer.
        """
        try:
            # One worker that handles one thing after the other: what came before has been logged.
            connections, _ = _count(self.counter)
            return Counts(connections, (self.home / "seen.log").stat().st_size)
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = self.process.ended() or str(error) or type(error).__name__
            raise CellError(
                "services", f"the upstream does not answer: {why}", self.process.tail()
            ) from None

    def seen(self, before: Counts, after: Counts) -> tuple[Seen, Counter[str]]:
        """Return what came in between two counts, and the requests by protocol."""
        with open(self.home / "seen.log", "rb") as log:
            log.seek(before.log_bytes)
            lines = log.read(after.log_bytes - before.log_bytes).decode().splitlines()
        protocols = Counter(line.rpartition(" ")[2] for line in lines)
        # The count after is a connection too; it was the last.
        return Seen(
            connections=after.connections - before.connections - 1, requests=len(lines)
        ), protocols

    def forget(self) -> None:
        """Empty the log, which a ceiling fills with a line for each of its requests."""
        (self.home / "seen.log").write_bytes(b"")

    def cpu_s(self) -> float:
        """Return the CPU time that nginx has used so far."""
        used_s = 0.0
        for worker in self.workers:
            with contextlib.suppress(psutil.NoSuchProcess):  # as its next count tells
                used_s += cpu_s(worker)
        return used_s


def _count(port: int) -> tuple[int, str]:
    """Return how many connections there were, this one among them, and what counted them."""
    answer = listening.get(listening.HOST, port, "/connections", 10)
    return int(answer.body), (answer.server or "nginx").replace("/", " ")


def _way(answer: Answer) -> tuple[bool, bool, str]:
    return answer.keep_alive, answer.tls, answer.http


def _ms(delay_s: float) -> str:
    return f"{1000 * delay_s:g}"


def configuration(ports: Sequence[int], answers: Collection[Answer]) -> str:
    """Return how nginx is configured for these answers; the first port is for the counts."""
    delays = "".join(
        DELAY.format(delay_ms=_ms(delay_s).replace(".", r"\."), delay_s=f"{delay_s:g}")
        for delay_s in sorted({answer.delay_s for answer in answers} - {0.0})
    )
    servers = "".join(
        SERVER.format(
            host=listening.HOST,
            port=port,
            ssl=" ssl" if tls else "",
            http2=f"http2 {'on' if version == '2' else 'off'};",
            keep_alive_s=KEEP_ALIVE_S if keep_alive else 0,
            delays=delays,
        )
        for (keep_alive, tls, version), port in zip(_ways(answers), ports[1:], strict=False)
    )
    return HTTP.format(host=listening.HOST, counter=ports[0], servers=servers)


def _ways(answers: Collection[Answer]) -> list[tuple[bool, bool, str]]:
    return sorted({_way(answer) for answer in answers})


@contextlib.contextmanager
def running(
    answers: Collection[Answer], log: Path, first_port: int | None = None
) -> Iterator[Upstream]:
    """Run an upstream for these answers during the block; raises CellError if it does not start."""
    with process.folder("loadtest-upstream-") as folder:
        home = folder.path
        (home / "bytes").mkdir()
        for size in {answer.body_bytes or 0 for answer in answers}:
            (home / "bytes" / str(size)).write_bytes(body(size))
        _certify(home)
        ways = _ways(answers)
        ports = _free_ports(1 + len(ways), first_port)
        http = configuration(ports, answers)
        with nginx.running(folder, http, log, ports[0], "/connections") as up:
            _, software = _count(ports[0])
            yield Upstream(
                process=up,
                home=home,
                counter=ports[0],
                ports=dict(zip(ways, ports[1:], strict=True)),
                software=software,
                workers=up.tree(),
            )


def body(size: int) -> bytes:
    """Return the body of so many bytes: always the same, and of no pattern that compresses."""
    return random.Random(size).randbytes(size)


def _certify(home: Path) -> None:
    """Make an authority and a certificate that last as long as the upstream.

    The file that clients are to trust holds the public authorities too: to read over a hundred of
    them is what a new session costs wherever it asks.
    """
    authority = trustme.CA()
    public = Path(certifi.where()).read_bytes()
    (home / "ca.pem").write_bytes(authority.cert_pem.bytes() + b"\n" + public)
    authority.issue_cert(listening.HOST, "localhost").private_key_and_cert_chain_pem.write_to_path(
        home / "server.pem"
    )
    (home / "server.pem").chmod(0o600)


def _free_ports(count: int, first: int | None) -> list[int]:
    ports: list[int] = []
    following = first
    for _ in range(count):
        ports.append(listening.free_port(following))
        following = ports[-1] + 1
    return ports
