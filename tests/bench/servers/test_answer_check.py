"""Whole answers against their contract, from a server with faults on request."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import brotli
import pytest
from builders import endpoint

from loadtest.bench.servers.answer_check import verify
from loadtest.records.errors import CellError
from loadtest.records.planned import Endpoint
from loadtest.records.text import message

BODY = b'[{"name":"name","value":1}]'
COMPRESSED = brotli.compress(BODY)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections = itertools.count()
    inside = 0
    lock = threading.Lock()
    clock_s = 0.0
    """What the checks take for the time: it passes here, and only where an answer takes some.

    Sums of powers of two, which floats hold exactly.
    """
    over = threading.Event()
    """Set at the end of a test in which an answer never came."""
    together = threading.Barrier(1)
    """As many as have to be inside before any is answered by `alone_only`."""

    def setup(self) -> None:
        super().setup()
        next(Handler.connections)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def answer(self, body: bytes = BODY, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        headers = {"Content_Type": "application/json; charset=utf-8"} | headers
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        getattr(self, self.path.strip("/"))()

    def takes(self, seconds: float) -> None:
        with Handler.lock:
            Handler.clock_s += seconds

    def healthy(self) -> None:
        self.takes(1 / 64)
        self.answer()

    def closes_politely(self) -> None:
        self.takes(1 / 64)
        self.answer(Connection="close")

    def compressed(self) -> None:
        self.answer(COMPRESSED, Content_Encoding="br")

    def error(self) -> None:
        self.answer(b"<h1>Server Error (500)</h1>", 500)

    def html(self) -> None:
        self.answer(Content_Type="text/html")

    def encoding_forgotten(self) -> None:
        self.answer(COMPRESSED)

    def encoding_claimed(self) -> None:
        self.answer(Content_Encoding="br")

    def other_body(self) -> None:
        self.answer(BODY.replace(b"1", b"2"))

    def short_body(self) -> None:
        self.answer(BODY[:-1])

    def empty(self) -> None:
        self.answer(b"")

    def waits(self) -> None:
        self.takes(0.25)
        self.answer()

    def never(self) -> None:
        self.over.wait(60)
        self.close_connection = True

    def hangs_up(self) -> None:
        self.close_connection = True

    def hangs_up_half_way(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(BODY)
        self.close_connection = True

    def far_too_long(self) -> None:
        self.answer(BODY * 10_000)

    def endless(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"10000\r\n" + b"x" * 65_536 + b"\r\n")

    def bomb(self) -> None:
        self.answer(brotli.compress(b"x" * 10_000_000), Content_Encoding="br")

    def bomb_half(self) -> None:
        self.answer(COMPRESSED[:-1], Content_Encoding="br")

    def long_header(self) -> None:
        self.answer(Content_Encoding="x" * 60_000)

    def no_http(self) -> None:
        self.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        self.close_connection = True

    def alone_only(self) -> None:
        """Answer one at a time; whoever comes meanwhile gets an error, as async under gevent."""
        with Handler.lock:
            Handler.inside += 1
            alone = Handler.inside == 1
        self.together.wait(60)
        self.answer(status=200 if alone else 500)
        with Handler.lock:
            Handler.inside -= 1


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    class Server(ThreadingHTTPServer):
        request_queue_size = 128
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


Ask = Callable[..., int]


@pytest.fixture
def ask(port: int, monkeypatch: pytest.MonkeyPatch) -> Ask:
    clock = SimpleNamespace(monotonic=lambda: Handler.clock_s)
    monkeypatch.setattr("loadtest.bench.servers.answer_check.time", clock)

    def ask(fault: str, *, concurrency: int = 1, seconds: float = 0.0, **contract: Any) -> int:
        return verify(
            "127.0.0.1",
            port,
            declared(fault, **contract),
            concurrency=concurrency,
            seconds=seconds,
            stage="verify",
        ).answers

    return ask


def declared(fault: str, **contract: Any) -> Endpoint:
    fields = {"body_bytes": len(BODY), "body_sha256": hashlib.sha256(BODY).hexdigest()}
    return endpoint("it", path=f"/{fault}", **fields | contract)


@pytest.mark.parametrize("style", ["healthy", "closes_politely"])
def test_a_healthy_endpoint(ask: Ask, style: str) -> None:
    assert ask(style) == 1
    assert ask(style, concurrency=4) == 4
    assert ask(style, concurrency=2, seconds=0.2) >= 2


def test_it_asks_again_from_new_connections_that_are_kept(ask: Ask) -> None:
    before = next(Handler.connections)
    answers = ask("healthy", concurrency=3, seconds=0.2)
    assert next(Handler.connections) - before - 1 == 2 * 3
    assert answers > 2 * 3


def test_a_view_that_waits_is_asked_once_where_that_takes_as_long(ask: Ask) -> None:
    assert ask("waits", seconds=0.125, delay_s=0.25) == 1
    assert ask("waits", seconds=0.375, delay_s=0.25) == 2
    assert ask("waits", seconds=0.625, delay_s=0.25) == 3


def test_a_body_is_compared_without_its_encoding(ask: Ask) -> None:
    assert ask("compressed", content_encoding="br") == 1


def test_a_delay_that_is_kept(ask: Ask) -> None:
    assert ask("waits", delay_s=0.25) == 1


@pytest.mark.parametrize(
    ("fault", "contract", "expected"),
    [
        ("error", {}, "status 500 instead of 200: <h1>Server Error (500)</h1>"),
        ("healthy", {"status": 404}, "status 200 instead of 404: "),
        ("html", {}, "content type text/html instead of application/json"),
        ("encoding_forgotten", {"content_encoding": "br"}, "content encoding None instead of br"),
        ("compressed", {}, "content encoding br instead of None"),
        ("encoding_claimed", {"content_encoding": "br"}, "the body is not Brotli"),
        ("other_body", {}, 'another body of the same length: [{"name":"name","value":2}]'),
        ("short_body", {}, f"body of {len(BODY) - 1} bytes instead of {len(BODY)}: "),
        ("empty", {}, f"body of 0 bytes instead of {len(BODY)}: empty body"),
        ("healthy", {"delay_s": 5.0}, "declared to wait 5 s"),
        ("far_too_long", {}, "a body of over 65,563 bytes instead of 27"),
        ("endless", {}, "a body of over 65,563 bytes instead of 27"),
        ("bomb", {"content_encoding": "br"}, "a body of Brotli that does not end within 65563 b"),
        ("bomb_half", {"content_encoding": "br"}, "a body of Brotli that does not end within"),
        ("long_header", {}, " instead of None"),
        ("hangs_up", {}, "no answer: "),
        ("hangs_up_half_way", {}, "no answer: IncompleteRead"),
        ("no_http", {}, "no answer: "),
    ],
)
def test_a_broken_contract(ask: Ask, fault: str, contract: dict[str, Any], expected: str) -> None:
    with pytest.raises(CellError) as caught:
        ask(fault, **contract)
    assert caught.value.stage == "verify"
    assert caught.value.reason.startswith(f"/{fault}: ")
    assert expected in caught.value.reason
    assert caught.value.reason == message(caught.value.reason)
    assert "at once" not in caught.value.reason


def test_what_fails_under_concurrency_alone(ask: Ask) -> None:
    assert ask("alone_only") == 1
    Handler.together = threading.Barrier(4)
    with pytest.raises(CellError, match=r"status 500 instead of 200: .* \(4 requests at once\)"):
        ask("alone_only", concurrency=4)


def test_nobody_there(ask: Ask) -> None:
    with pytest.raises(CellError, match=r"no answer: .*refused"):
        verify(
            "127.0.0.1", 9, declared("healthy"), concurrency=2, seconds=60.0, stage="verify-after"
        )


def test_one_that_never_answers(monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    monkeypatch.setattr("loadtest.bench.servers.answer_check.PATIENCE_S", 0.05)
    with pytest.raises(CellError, match="no answer: timed out"):
        ask("never")
    Handler.over.set()
