"""Whole answers against their contract, from a server with faults on request."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any, ClassVar

import brotli
import pytest
from builders import endpoint

from loadtest.bench.servers import answer_check
from loadtest.bench.servers.answer_check import Watch, verify
from loadtest.plan.servers import answers
from loadtest.plan.servers.requests import Prepared
from loadtest.records.errors import CellError
from loadtest.records.planned import Body, Endpoint
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
    sent: ClassVar[list[str]] = []
    """What was posted."""
    slow_s = 0.0
    """Before it answers what was posted."""
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

    def do_POST(self) -> None:
        """Answer with what was sent."""
        self.takes(1 / 64)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Handler.sent.append(body.decode())
        time.sleep(Handler.slow_s)
        self.answer(body, 201, Location="/made/17/", Set_Cookie="made=1; Path=/")

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

    def go_on(self, chunk: bytes, pause_s: float) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        with contextlib.suppress(OSError):
            while True:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
                time.sleep(pause_s)

    def endless(self) -> None:
        self.go_on(b"x" * 65_536, 0.0)

    def trickle(self) -> None:
        self.go_on(b"x", 0.01)

    def drip(self, parts: bytes, repeated: bytes) -> None:
        with contextlib.suppress(OSError):
            self.wfile.write(parts)
            while True:
                self.wfile.write(repeated)
                time.sleep(0.01)

    def continues(self) -> None:
        self.drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n")

    def long_head(self) -> None:
        self.drip(b"HTTP/1.1 200 OK\r\nX: ", b"x")

    def trailers(self) -> None:
        self.drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", b"X: x\r\n")

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


def posting(*bodies: str) -> list[Prepared]:
    return [Prepared("/posted", "POST", {"X-Of": "it"}, body.encode()) for body in bodies]


def recorded(**changes: Any) -> Endpoint:
    """Return an endpoint of whose answers each is another one: `1`, `2` and `3`."""
    digests = tuple(hashlib.sha256(body.encode()).hexdigest()[:16] for body in "123")
    fields = {"level": "exact", "each": digests, "cookies": ("made",), **changes}
    fields = {"location_sha256": answers.place("/made/1/"), **fields}
    return endpoint("it", path="/posted", status=201, body_bytes=1, body=Body(**fields))


@pytest.mark.parametrize(("concurrency", "stage", "number"), [(1, "verify", 3), (4, "verify", 4)])
def test_each_request_of_an_endpoint_is_sent_before_a_load(
    port: int, concurrency: int, stage: Any, number: int
) -> None:
    Handler.sent.clear()
    checked = verify(
        "127.0.0.1", port, recorded(), concurrency=concurrency, seconds=0.0, stage=stage,
        requests=posting("1", "2", "3"),
    )  # fmt: skip
    assert {*Handler.sent} == {"1", "2", "3"}
    assert checked.answers == len(Handler.sent) >= number
    assert checked.wire_spread_bytes == 0


def test_after_a_load_one_request_is_enough(port: int) -> None:
    checked = verify(
        "127.0.0.1", port, recorded(), concurrency=1, seconds=0.0, stage="verify-after",
        requests=posting("1", "2", "3"),
    )  # fmt: skip
    assert checked.answers == 1


@pytest.mark.parametrize(
    ("bodies", "contract", "reason"),
    [
        (("1", "3"), {}, "another body of the same length"),
        (("1", "2", "3", "4"), {}, "3 values were recorded, and this is another one"),
        (("1",), {"cookies": ("other",)}, "it does not set the cookie other"),
        (("1",), {"location_sha256": answers.place("/login/")}, "it redirects to another place"),
    ],
)
def test_an_answer_to_another_request(
    port: int, bodies: tuple[str, ...], contract: dict[str, Any], reason: str
) -> None:
    with pytest.raises(CellError, match=reason):
        verify(
            "127.0.0.1", port, recorded(**contract), concurrency=1, seconds=0.0, stage="verify",
            requests=posting(*bodies),
        )  # fmt: skip


def test_right_answers_that_differ_in_their_size(port: int) -> None:
    of = endpoint("it", path="/posted", status=201, body_bytes=1, body=Body(level="length"))
    checked = verify(
        "127.0.0.1", port, of, concurrency=1, seconds=0.0, stage="verify",
        requests=posting("1", "123456"),
    )  # fmt: skip
    # Its header has a length as well, of a digit in both.
    assert checked.wire_spread_bytes == 5


def test_a_second_client_sends_one_request_after_the_other(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("loadtest.bench.servers.answer_check.WATCH_EVERY_S", 0.001)
    Handler.sent.clear()
    watch = Watch("127.0.0.1", port, recorded(), 60.0, posting("1", "2", "3"))
    while len(Handler.sent) < 7:
        time.sleep(0.001)
    assert watch.stop().broken is None
    assert Handler.sent[:7] == ["1", "2", "3", "1", "2", "3", "1"]


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


@pytest.mark.parametrize("fault", ["trickle", "continues", "long_head", "trailers"])
def test_an_answer_that_goes_on_for_ever(
    fault: str, monkeypatch: pytest.MonkeyPatch, ask: Ask
) -> None:
    """Each part of it comes in time, as of events that a page waits for."""
    monkeypatch.setattr("loadtest.bench.servers.answer_check.FIRST_PATIENCE_S", 0.0)
    with pytest.raises(CellError, match="no answer: an answer that goes on for over 0 s"):
        ask(fault)


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


@pytest.mark.parametrize(("stage", "patient"), [("verify", True), ("verify-after", False)])
def test_the_first_answers_of_a_project_are_waited_for(
    port: int, monkeypatch: pytest.MonkeyPatch, stage: Any, patient: bool
) -> None:
    """Eight at once make images for longer than any answer after them takes."""
    monkeypatch.setattr("loadtest.bench.servers.answer_check.PATIENCE_S", 0.01)
    monkeypatch.setattr(Handler, "slow_s", 0.5)
    with contextlib.nullcontext() if patient else pytest.raises(CellError, match="timed out"):
        verify(
            "127.0.0.1", port, recorded(), concurrency=1, seconds=0.0, stage=stage,
            requests=posting("1"),
        )  # fmt: skip


def test_one_that_never_answers(monkeypatch: pytest.MonkeyPatch, ask: Ask) -> None:
    monkeypatch.setattr("loadtest.bench.servers.answer_check.PATIENCE_S", 0.05)
    with pytest.raises(CellError, match="no answer: timed out"):
        ask("never")
    Handler.over.set()


def test_what_a_watch_saw_fits_into_an_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    """A header may have 64 kB, and an outcome that is longer would not be read back."""

    def check(*given: object) -> int:
        raise answer_check._ContractError(f"content type text/{'x' * 60_000} instead of text/html")

    monkeypatch.setattr(answer_check, "check", check)
    monkeypatch.setattr(answer_check, "WATCH_EVERY_S", 0.0)
    watch = answer_check.Watch("127.0.0.1", 9, declared("healthy"), 1.0)
    watch._thread.join(10)
    during = watch.stop()
    assert during.broken is not None
    assert during.broken.startswith("content type text/xxx")
    assert during.broken.endswith("instead of text/html")
    assert len(during.broken) <= 800
