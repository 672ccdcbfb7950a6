"""wrk at a rate, against a server that logs what came and one that stands still."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socketserver
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import pytest

from benchmarks.open_loop import at_rate, latencies, null_server
from benchmarks.open_loop import load as start
from loadtest.bench.load import wrk
from loadtest.bench.load.generator import Printed
from loadtest.judge.servers.metrics import HELD, short_of, unanswered
from loadtest.records.planned import Arrivals, Load

pytestmark = pytest.mark.real

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason=f"no wrk: {wrk.INSTALL}")

Sending = Callable[..., tuple[Printed, list[float]]]


@pytest.fixture
def sending(tmp_path: Path) -> Iterator[Sending]:
    """Give what sends a load to nginx and returns when it answered, in seconds."""
    with null_server(tmp_path) as (_, port, log):

        def send(load: Load, name: str, seed: int = 1) -> tuple[Printed, list[float]]:
            log.write_text("")
            printed = start(port, tmp_path, name, load, seed).finish()
            return printed, [float(line) for line in log.read_text().split()]

        yield send


@needs_wrk
@pytest.mark.parametrize("arrivals", ["even", "poisson"])
def test_all_that_was_sent_came_and_is_counted(sending: Sending, arrivals: Arrivals) -> None:
    connections = 20
    printed, at_s = sending(at_rate(300.0, 2, connections, arrivals), arrivals)
    sent = printed.loaded.sent
    assert sent
    # What is in flight at the end is not answered any more, or not counted: on a busy machine that
    # may be one for each connection.
    assert 0 <= len(at_s) - printed.loaded.answers <= connections
    assert 0 <= sent.requests - printed.loaded.answers <= connections
    # A slot of the last moments may not be sent any more.
    assert 0 <= sum(sent.late.counts) - sent.requests <= connections
    assert sent.window_us == pytest.approx(1_800_000, abs=200_000)
    spread = 1 if arrivals == "even" else 5 * 540**0.5
    # Nor is what was due in the last moments, if wrk did not get to run in them.
    assert sent.requests == pytest.approx(300 * sent.window_us / 1e6, abs=connections + spread)


@needs_wrk
def test_random_arrivals_are_the_same_for_the_same_seed(sending: Sending) -> None:
    def gaps(seed: int) -> list[float]:
        _, at_s = sending(at_rate(50.0, 2, 25, "poisson"), f"seed.{seed}.{time.monotonic()}", seed)
        return [after - before for before, after in itertools.pairwise(at_s)]

    first, again, other = gaps(7), gaps(7), gaps(8)

    def apart(a_run: list[float], another: list[float]) -> float:
        """Return the median difference of their gaps; a request more or less aside."""
        pairs = [list(zip(a_run[by:], another, strict=False)) for by in range(3)]
        pairs += [list(zip(a_run, another[by:], strict=False)) for by in range(3)]
        return min(median(abs(a - b) for a, b in each) for each in pairs)

    # Most gaps are alike to some milliseconds, however busy the machine is.
    assert apart(first, again) < apart(first, other)


@contextmanager
def standing_still(pid: int, for_s: float) -> Iterator[None]:
    """Stop a process for a while, after half a second."""

    def stop() -> None:
        time.sleep(0.5)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(for_s)
        os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=stop)
    thread.start()
    try:
        yield
    finally:
        thread.join()


@contextmanager
def serving(handler: type[socketserver.BaseRequestHandler]) -> Iterator[int]:
    """Give the port of a server with a thread for each connection."""
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        server.block_on_close = False
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


@needs_wrk
@pytest.mark.parametrize(("connections", "short"), [(600, False), (10, True)])
def test_slots_without_a_free_connection_are_counted(
    tmp_path: Path, connections: int, short: bool
) -> None:
    with null_server(tmp_path) as (running, port, _):
        load = at_rate(300.0, 3, connections)
        generator = start(port, tmp_path, "stopped", load)
        with standing_still(running.tree()[-1].pid, 1.0):
            printed = generator.finish()
    sent = printed.loaded.sent
    assert sent
    # 300 were to be sent meanwhile.
    assert (sent.missed > 200) == short
    slow = latencies(printed, connections, tmp_path)
    waited = sum(
        count for us, count in zip(slow.values_us, slow.counts, strict=True) if us > 100_000
    )
    assert (waited < 50) == short


@needs_wrk
def test_slots_that_no_connection_came_free_for_are_late(tmp_path: Path) -> None:
    with null_server(tmp_path) as (running, port, _):
        generator = start(port, tmp_path, "stopped", at_rate(300.0, 2, 10))
        worker = running.tree()[-1].pid
        time.sleep(0.8)
        os.kill(worker, signal.SIGSTOP)
        printed = generator.finish()
        os.kill(worker, signal.SIGCONT)
    sent = printed.loaded.sent
    assert sent
    # It was stopped before the load ended, and did not go on.
    assert sum(sent.late.counts) == pytest.approx(300 * sent.window_us / 1e6, abs=5)
    assert sent.requests < sum(sent.late.counts) - 100
    assert sent.missed > 100
    assert short_of([sent]) == "connections"


@needs_wrk
def test_what_waits_is_answered_at_its_rate(tmp_path: Path) -> None:
    class Waiting(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(4096):
                time.sleep(0.8)
                self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with serving(Waiting) as port:
        loaded = start(port, tmp_path, "waiting", at_rate(15.0, 3, 20)).finish().loaded
    assert loaded.sent
    # Those of the last 0.8 s are under way.
    assert loaded.answers <= loaded.sent.requests - 8
    assert loaded.goodput == pytest.approx(loaded.sent.rate, rel=0.1)


@needs_wrk
def test_connections_that_no_thread_serves_are_seen(tmp_path: Path) -> None:
    """Each of two threads keeps its connection, idle as it is: those that wait get no response."""
    free = threading.Semaphore(2)

    class Keeping(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with free:
                while self.request.recv(4096):
                    self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with serving(Keeping) as port:
        printed = start(port, tmp_path, "keeping", at_rate(100.0, 3, 30)).finish()
    assert printed.loaded.sent
    lost = unanswered([printed.loaded], latencies(printed, 30, tmp_path), 0.0)
    assert printed.loaded.sent.requests - printed.loaded.answers >= 28
    # But for what may be under way.
    assert lost.share > HELD


@needs_wrk
@pytest.mark.parametrize("connections", [1, 25])
def test_connections_that_break_take_no_slot_of_others(tmp_path: Path, connections: int) -> None:
    asked = itertools.count()

    class Breaking(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            while self.request.recv(4096):
                if next(asked) % 4 == 1:
                    return
                self.request.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    with serving(Breaking) as port:
        load = at_rate(20.0, 3, connections)
        loaded = start(port, tmp_path, "breaking", load).finish().loaded
    assert loaded.read_errors > 0
    assert loaded.sent
    assert 0 <= sum(loaded.sent.late.counts) - loaded.sent.requests <= 2
    # Those that broke are asked once more, beside the schedule.
    assert loaded.sent.requests <= 20 * loaded.sent.window_us / 1e6 + 2
