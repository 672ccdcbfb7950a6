"""The upstream answers whole requests in order, however they arrive, and refuses nonsense."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from census import until
from paths import ROOT

GET = b"GET /posts HTTP/1.1\r\nHost: x\r\n\r\n"
COUNT = b"GET /count HTTP/1.1\r\n\r\n"
POSTS = (ROOT / "myapp" / "expected" / "posts.json").read_bytes()


@contextmanager
def upstream() -> Iterator[tuple[subprocess.Popen[str], int]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "myproject.upstream", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:")
        yield process, int(line.rpartition(":")[2])
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with upstream() as (_, port):
        yield port


@pytest.fixture
def connect(port: int) -> Iterator[Callable[[], socket.socket]]:
    opened: list[socket.socket] = []

    def connection() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", port), timeout=60))
        return opened[-1]

    yield connection
    for each in opened:
        each.close()


def answer(client: socket.socket) -> tuple[int, bytes, bytes]:
    """Read one whole answer: status, head and body."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = client.recv(1)
        assert byte, f"closed after {head!r}"
        head += byte
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    body = b""
    while len(body) < length:
        body += client.recv(length - len(body))
    return int(head.split()[1]), head, body


def counts(client: socket.socket) -> dict[str, int]:
    client.sendall(COUNT)
    return json.loads(answer(client)[2])


def test_keep_alive_and_counts(connect: Callable[[], socket.socket]) -> None:
    counting, asking = connect(), connect()
    before = counts(counting)
    for _ in range(3):
        asking.sendall(GET)
        assert answer(asking)[::2] == (200, POSTS)
    after = counts(counting)
    assert after["requests"] - before["requests"] == 3
    assert after["connections"] - before["connections"] == 1


@pytest.mark.parametrize(
    "request_",
    [b"GET /posts HTTP/1.1\r\nConnection: Close\r\n\r\n", b"GET /posts HTTP/1.0\r\n\r\n"],
)
def test_close(connect: Callable[[], socket.socket], request_: bytes) -> None:
    client = connect()
    client.sendall(request_ + GET)
    status, head, body = answer(client)
    assert (status, body) == (200, POSTS)
    assert b"Connection: close" in head
    assert client.recv(1) == b""


def test_pipelined_requests_are_answered_in_order(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    slow = b"GET /posts?delay_ms=100 HTTP/1.1\r\n\r\n"
    client.sendall(GET + slow + b"GET /none HTTP/1.1\r\n\r\n" + GET)
    assert [answer(client)[0] for _ in range(4)] == [200, 200, 404, 200]


def test_many_pipelined_requests_of_a_slow_reader(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    client.sendall(GET * 200)
    time.sleep(0.1)
    assert all(answer(client)[::2] == (200, POSTS) for _ in range(200))


def test_split_packets(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for at in range(len(GET)):
        client.sendall(GET[at : at + 1])
        time.sleep(0.001)
    assert answer(client)[::2] == (200, POSTS)


def test_delay(connect: Callable[[], socket.socket]) -> None:
    client = connect()
    before = counts(client)["requests"]
    started = time.monotonic()
    client.sendall(b"GET /posts?delay_ms=150 HTTP/1.1\r\n\r\n")
    assert answer(client)[2] == POSTS
    assert time.monotonic() - started >= 0.14
    assert counts(client)["requests"] - before == 1


def test_a_client_that_sends_no_more_gets_its_answer(
    connect: Callable[[], socket.socket],
) -> None:
    client = connect()
    client.sendall(b"GET /posts?delay_ms=50 HTTP/1.1\r\n\r\n" + GET)
    client.shutdown(socket.SHUT_WR)
    assert [answer(client)[2] for _ in range(2)] == [POSTS, POSTS]
    assert client.recv(1) == b""


def test_a_client_that_leaves_is_not_counted(connect: Callable[[], socket.socket]) -> None:
    client, leaving, staying = connect(), connect(), connect()
    before = counts(client)
    late = b"GET /posts?delay_ms=1000 HTTP/1.1\r\n\r\n"
    leaving.sendall(late)
    until(lambda: counts(client)["connections"] > before["connections"], "its request")
    leaving.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    leaving.close()
    staying.sendall(late)  # its answer comes after the other's would
    assert answer(staying)[2] == POSTS
    assert counts(client)["requests"] == before["requests"] + 1


@pytest.mark.parametrize("path", [b"/", b"/post", b"/posts/", b"//", b"//[", b"/posts%00"])
def test_anything_else_is_not_found(connect: Callable[[], socket.socket], path: bytes) -> None:
    client = connect()
    client.sendall(b"GET " + path + b" HTTP/1.1\r\n\r\n" + GET)
    assert [answer(client)[0] for _ in range(2)] == [404, 200]


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"GET posts HTTP/1.1\r\n\r\n", 400),
        (b"GET /posts HTTP/2.0\r\n\r\n", 400),
        (b"GET /posts HTTP/1.1\r\nno colon\r\n\r\n", 400),
        (b"GET /posts HTTP/1.1\r\n: empty\r\n\r\n", 400),
        (b"GET /posts?delay_ms=soon HTTP/1.1\r\n\r\n", 400),
        (b"GET /posts?delay_ms=-1 HTTP/1.1\r\n\r\n", 400),
        (b"GET /posts?delay_ms=60001 HTTP/1.1\r\n\r\n", 400),
        (b"\xff\xfe\r\n\r\n", 400),
        (b"GET /posts HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 400),
        (b"GET /posts HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"HEAD /posts HTTP/1.1\r\n\r\n", 404),
        (b"GET /posts HTTP/1.1\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", 431),
        (b"x" * 20_000, 431),
    ],
)
def test_nonsense_is_refused_and_closed(
    connect: Callable[[], socket.socket], request_: bytes, status: int
) -> None:
    client = connect()
    client.sendall(request_)
    got, head, _ = answer(client)
    assert got == status
    assert b"Connection: close" in head
    assert client.recv(1) == b""


def test_it_ends_on_sigterm_with_a_client_connected() -> None:
    with upstream() as (process, port), socket.create_connection(("127.0.0.1", port)) as client:
        client.sendall(GET)
        assert answer(client)[0] == 200
        process.terminate()
        assert process.wait(60) == 0


def test_a_taken_port_is_one_line(port: int) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "myproject.upstream", "--port", str(port)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 2
    assert "cannot listen on 127.0.0.1" in done.stderr
    assert "Traceback" not in done.stderr
