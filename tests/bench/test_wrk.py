"""wrk's recorded output, and wrk itself against servers that behave and that do not.

Record again: `UPDATE_DATA=1 pytest tests/bench/test_wrk.py`, with wrk 4.1.0.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import psutil
import pytest
from builders import loaded
from census import until
from paths import DATA
from set_clock import set_clock

from loadtest.bench.load import generator, wrk
from loadtest.bench.load.generator import Generator
from loadtest.records.errors import CellError, UserError
from loadtest.records.measured import Histogram, Loaded
from loadtest.records.planned import Load
from loadtest.stats.latency import count, mean, merge, pooled

RECORDED = DATA / "wrk-4.1.0"
LOAD = Load(connections=10, duration_s=1, warmup_s=0)

needs_wrk = pytest.mark.skipif(shutil.which("wrk") is None, reason=f"no wrk: {wrk.INSTALL}")


@contextmanager
def serving(behaviour: str) -> Iterator[str]:
    """Serve on a free port until the block ends: `healthy`, `errors`, `silent`, `stalling`."""
    answers = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answers
        status = "500 Oops" if behaviour == "errors" else "200 OK"
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                answers += 1
                if behaviour == "silent":
                    continue
                if behaviour == "stalling" and answers % 100 == 0:
                    time.sleep(0.2)  # the whole server stands still
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok".encode())
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(asyncio.start_server(handle, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        for task in (tasks := asyncio.all_tasks(loop)):
            task.cancel()
        loop.run_until_complete(asyncio.wait(tasks) if tasks else asyncio.sleep(0))
        loop.close()


def run(url: str, name: str, script: Path | None = None) -> tuple[str, str]:
    argv = wrk.argv(LOAD, url, delay_s=0)
    if script:
        argv = [f"--script={script}" if arg.startswith("--script") else arg for arg in argv]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if os.environ.get("UPDATE_DATA"):
        RECORDED.mkdir(parents=True, exist_ok=True)
        (RECORDED / f"{name}.stdout.txt").write_text(done.stdout)
        (RECORDED / f"{name}.stderr.txt").write_text(done.stderr)
    return done.stdout, done.stderr


def recorded(name: str) -> tuple[Loaded, Histogram]:
    return wrk.parse(
        (RECORDED / f"{name}.stdout.txt").read_text(), (RECORDED / f"{name}.stderr.txt").read_text()
    )


def test_requests_are_handed_over_with_their_lengths() -> None:
    assert wrk.handed([b"GET / HTTP/1.1\r\n\r\n", b"12\n3"]) == (
        b"18\nGET / HTTP/1.1\r\n\r\n4\n12\n3"
    )
    assert wrk.handed([]) == b""


@contextmanager
def keeping(seen: list[bytes]) -> Iterator[int]:
    """Serve on a free port until the block ends, keeping whole requests as they come."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            lines: list[bytes] = []
            while line := self.rfile.readline():
                lines.append(line)
                if line == b"\r\n":
                    length = re.search(rb"Content-Length: (\d+)", b"".join(lines))
                    seen.append(b"".join(lines) + self.rfile.read(int(length[1]) if length else 0))
                    lines = []
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield server.server_address[1]
        server.shutdown()


FIRST = b"GET /a HTTP/1.1\r\nHost: shop.example.org\r\nCookie: a=b; c=d\r\n\r\n"
SECOND = b"POST /b?c=d HTTP/1.1\r\nHost: h\r\nContent-Length: 11\r\n\r\n12\n\r\n34\n\r\n5"


@needs_wrk
@pytest.mark.real
@pytest.mark.parametrize("rate", [None, 100.0], ids=["closed", "at-rate"])
@pytest.mark.parametrize("requests", [(SECOND,), (FIRST, SECOND)], ids=["one", "two"])
def test_whole_requests_are_sent_in_turn(
    tmp_path: Path, requests: tuple[bytes, ...], rate: float | None
) -> None:
    (tmp_path / "raw").mkdir()
    seen: list[bytes] = []
    load = Load(connections=1, duration_s=1, warmup_s=0, rate=rate)
    with keeping(seen) as port:
        url = f"http://127.0.0.1:{port}/"
        generator = Generator(load, url, 0.0, tmp_path, "x", None, 0, requests)
        printed = generator.finish()
    assert printed.loaded.errors == 0
    assert set(seen) == set(requests)
    for request, following in pairwise(seen):
        assert len(requests) == 1 or request != following


@needs_wrk
@pytest.mark.real
def test_headers_are_sent_and_no_command_line_has_them(tmp_path: Path) -> None:
    """They may be a cookie or a key, and everybody sees a command line."""
    (tmp_path / "raw").mkdir()
    heads: list[bytes] = []
    request = b"GET / HTTP/1.1\r\nHost: h\r\nCookie: sessionid=hunter2; theme=dark\r\n\r\n"
    with keeping(heads) as port:
        url = f"http://127.0.0.1:{port}/"
        generator = Generator(LOAD, url, 0.0, tmp_path, "x", None, requests=[request])
        until(lambda: heads, "a request")
        seen = [each.info["cmdline"] or [] for each in psutil.process_iter(["cmdline"])]
        generator.finish()
    assert any(url in words for words in seen)
    assert "hunter2" not in str(seen)
    assert set(heads) == {request}
    assert not [path for path in tmp_path.rglob("*.*") if "hunter2" in path.read_text()]


def test_argv_gives_the_timeout_room() -> None:
    argv = wrk.argv(Load(connections=700, duration_s=22, warmup_s=1), "http://h/x", delay_s=10)
    assert argv[:5] == ["wrk", "-t1", "-c700", "-d22s", "--timeout=37s"]
    assert argv[-1] == "http://h/x"


@pytest.mark.parametrize(("asked", "given"), [(0.6, "-d1s"), (2.0, "-d2s"), (2.1, "-d3s")])
def test_argv_rounds_up_to_whole_seconds(asked: float, given: str) -> None:
    assert given in wrk.argv(Load(connections=1, duration_s=asked, warmup_s=0), "http://h/", 0)


def test_parse_takes_the_numbers_not_the_text() -> None:
    loaded, histogram = recorded("healthy")
    assert loaded.answers > 1_000
    assert loaded.errors == 0
    assert 1_000_000 <= loaded.duration_us < 1_300_000
    assert count(pooled([(histogram, loaded)], LOAD.connections)[0]) == loaded.answers


def test_parse_counts_error_answers() -> None:
    loaded, _ = recorded("errors")
    assert loaded.answers == loaded.status_errors > 0
    assert loaded.goodput == 0


def test_parse_keeps_a_silent_server_as_no_answers() -> None:
    loaded, histogram = recorded("silent")
    assert (loaded.answers, loaded.errors, count(histogram)) == (0, 0, 0)


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("unable to connect to h:1 Connection refused\n", "Connection refused"),
        ("", "wrk printed no result"),
        ('{"duration_us":12,"ans', "cannot be read"),
        ('{"duration_us":-}', "cannot be read"),
    ],
)
def test_parse_refuses_what_is_no_result(stderr: str, reason: str) -> None:
    with pytest.raises(wrk.NoResultError, match=reason):
        wrk.parse("", stderr)


def test_version() -> None:
    assert wrk.version("wrk debian/4.1.0-3+b2 [epoll] Copyright (C) 2012") == "debian/4.1.0-3+b2"
    assert wrk.version("bash: wrk: not found") is None


@needs_wrk
@pytest.mark.real
def test_healthy_server() -> None:
    with serving("healthy") as url:
        loaded, _ = wrk.parse(*run(url, "healthy"))
    assert loaded.goodput > 0
    assert loaded.errors == 0


@needs_wrk
@pytest.mark.real
def test_server_of_errors_has_no_goodput() -> None:
    with serving("errors") as url:
        loaded, _ = wrk.parse(*run(url, "errors"))
    assert loaded.answers == loaded.status_errors > 0


@needs_wrk
@pytest.mark.real
def test_silent_server() -> None:
    with serving("silent") as url:
        loaded, _ = wrk.parse(*run(url, "silent"))
    assert (loaded.answers, loaded.errors) == (0, 0)


@needs_wrk
@pytest.mark.real
def test_refusing_server() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(wrk.NoResultError, match="Connection refused"):
        wrk.parse(*run(f"http://127.0.0.1:{port}/", "refused"))


@needs_wrk
@pytest.mark.real
@pytest.mark.parametrize("ffi", [True, False], ids=["ffi", "api"])
def test_backfill_of_a_stalling_server_is_undone(ffi: bool, tmp_path: Path) -> None:
    lua = wrk.SCRIPT.read_text()
    script = tmp_path / "wrk.lua"
    script.write_text(lua if ffi else lua.replace('pcall(require, "ffi")', "false"))
    with serving("stalling") as url:
        loaded, backfilled = wrk.parse(*run(url, "stalling", script))
    measured, _ = pooled([(backfilled, loaded)], LOAD.connections)
    assert count(backfilled) > loaded.answers
    assert count(measured) == loaded.answers
    # Little's law: on average as many requests are in flight as there are connections.
    assert loaded.answers * (mean(measured) or 0) / loaded.duration_us == pytest.approx(10, rel=0.2)
    assert merge([measured]) == measured


def test_a_full_disk_is_said_as_that(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not as a generator that printed nothing: it had nowhere to write to."""
    (tmp_path / "raw").mkdir()
    silent = tmp_path / wrk.TOOL
    silent.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    silent.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    generator = Generator(LOAD, "http://127.0.0.1:9/", 0.0, tmp_path, "x", None)
    with pytest.raises(CellError, match="wrk printed no result"):
        generator.finish()

    def full(folder: Path) -> None:
        raise UserError(f"{folder}: cannot be written: No space left on device")

    monkeypatch.setattr("loadtest.bench.load.generator.check_room", full)
    generator = Generator(LOAD, "http://127.0.0.1:9/", 0.0, tmp_path, "x", None)
    with pytest.raises(UserError, match="No space left on device"):
        generator.finish()


def test_a_load_during_which_the_clock_was_set_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raw").mkdir()
    generator = Generator(LOAD, "http://127.0.0.1:9/", 0.0, tmp_path, "x", None)
    set_clock(monkeypatch, -2)
    with pytest.raises(CellError, match=r"the clock went back by 2.00 s"):
        generator.finish()


def line_of(**changes: Any) -> str:
    """Return the line of a load as `wrk.lua` prints it."""
    counts = msgspec.to_builtins(loaded(100)) | {"values_us": [1], "counts": [100]} | changes
    counts.pop("generator")
    first = {"duration_us": counts.pop("duration_us")}
    return json.dumps(first | counts, separators=(",", ":"))


def test_how_late_a_long_load_was_fits_into_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a server that does not keep up for minutes, each request is later than the one before."""
    monkeypatch.setattr(wrk, "FINE_KEPT", 5)
    late = {"values_us": [*range(0, 100_000, 1_000)], "counts": [1] * 100}
    sent = {"window_us": 900_000, "requests": 100, "missed": 0, "late": late}
    parsed, _ = wrk.parse("", line_of(sent=sent))
    assert parsed.sent is not None
    assert len(parsed.sent.late.values_us) <= 11
    assert parsed.sent.late.values_us[:5] == (0, 1_000, 2_000, 3_000, 4_000)
    assert parsed.sent.late.values_us[-1] == 99_000
    assert sum(parsed.sent.late.counts) == 100


def test_latencies_that_no_report_reads_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "raw").mkdir()
    ended = generator.Ended(status=0, out="text", errors=line_of())
    for most, kept in ((8 * 2**20, "raw/a.json"), (10, None)):
        monkeypatch.setattr(generator.files, "MOST_BYTES", most)
        printed = generator.read(ended, tmp_path, tmp_path / "raw" / "a.txt")
        assert printed.histogram == kept
