"""The upstream that the outbound endpoints call: `python -m myproject.upstream --port 8081`.

A process of its own without Django, fast enough never to be what is measured. It answers
`GET /posts` (with `?delay_ms=N` after a wait), `GET /count`, and 404 to anything else.
"""

import argparse
import asyncio
import contextlib
import functools
import re
import signal
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import parse_qs

POSTS = (Path(__file__).parent.parent / "myapp" / "expected" / "posts.json").read_bytes()
HEAD_LIMIT = 16 * 1024  # bytes of request line and headers
DELAY_LIMIT_MS = 60_000
BACKLOG = 2048  # a client made for each call opens connections in bursts

_REQUEST_LINE = re.compile(rb"([A-Z]+) (/[!-~]*) HTTP/1\.([01])")
_HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*?)[ \t]*")


def _response(status: str, body: bytes, *, close: bool) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + (b"Connection: close\r\n\r\n" if close else b"\r\n") + body


_POSTS_KEEP = _response("200 OK", POSTS, close=False)
_POSTS_CLOSE = _response("200 OK", POSTS, close=True)
_NOT_FOUND = b'{"error": "not found"}'
_BAD_REQUEST = _response("400 Bad Request", b'{"error": "bad request"}', close=True)
_TOO_LARGE = _response(
    "431 Request Header Fields Too Large", b'{"error": "headers too large"}', close=True
)


@dataclass(frozen=True)
class Request:
    """What is asked for: `path` is `/posts`, `/count` or, for all else, empty."""

    path: str
    delay_s: float
    close: bool


# Cached, because a client sends the same bytes again and again.
@functools.lru_cache(maxsize=256)
def parse(head: bytes) -> Request | None:
    """Read a request line and headers, without the empty line after them; None if malformed."""
    first, *rest = head.split(b"\r\n")
    line = _REQUEST_LINE.fullmatch(first)
    headers = [_HEADER.fullmatch(text) for text in rest]
    if not line or not all(headers):
        return None
    values = {match[1].lower(): match[2].lower() for match in headers if match}
    if values.get(b"content-length", b"0") != b"0" or b"transfer-encoding" in values:
        return None  # a body, which nothing here takes: read on, it would pass for a request
    method, target, minor = line.groups()
    close = minor == b"0" or b"close" in values.get(b"connection", b"")
    path, _, query = target.decode().partition("?")
    if method != b"GET" or path not in ("/posts", "/count"):
        return Request("", 0.0, close or method != b"GET")  # HEAD: a body that it does not expect
    delay = parse_qs(query, keep_blank_values=True).get("delay_ms", ["0"])[-1]
    if not re.fullmatch(r"[0-9]{1,5}", delay) or int(delay) > DELAY_LIMIT_MS:
        return None
    return Request(path, int(delay) / 1000, close)


class Connection(asyncio.Protocol):
    """One client: requests are answered in order, also when several arrive in one piece."""

    def __init__(self, counts: Counter[str]) -> None:
        """Count in `counts`, which all connections share."""
        self.counts = counts
        self.buffer = bytearray()
        self.counted = False
        self.delayed: asyncio.TimerHandle | None = None  # the answer to come before all others
        self.full = False  # the client does not read what it asked for
        self.ended = False  # the client sends no more

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget an answer that nobody waits for."""
        if self.delayed:
            self.delayed.cancel()

    def data_received(self, data: bytes) -> None:
        """Answer what is complete by now."""
        self.buffer += data
        if self.delayed and len(self.buffer) > HEAD_LIMIT:
            self.transport.pause_reading()
        self.proceed()

    def eof_received(self) -> bool:
        """Stay open for as long as answers are due."""
        self.ended = True
        return bool(self.delayed or self.full)

    def pause_writing(self) -> None:
        """Take no more requests from a client that does not read."""
        self.full = True
        self.transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on where the client stopped reading."""
        self.full = False
        self.transport.resume_reading()
        self.proceed()

    def proceed(self) -> None:
        """Answer the requests in the buffer until one has to wait."""
        while not (self.delayed or self.full or self.transport.is_closing()):
            end = self.buffer.find(b"\r\n\r\n")
            if max(end, len(self.buffer) if end < 0 else 0) > HEAD_LIMIT:
                self.refuse(_TOO_LARGE)
            elif end < 0:
                if self.ended:
                    self.transport.close()
                return
            else:
                request = parse(bytes(self.buffer[:end]))
                del self.buffer[: end + 4]
                if request:
                    self.answer(request)
                else:
                    self.refuse(_BAD_REQUEST)

    def answer(self, request: Request) -> None:
        """Answer `request` now, or after its delay."""
        if request.path == "/posts" and not self.counted:
            self.counted = True
            self.counts["connections"] += 1
        if request.delay_s:
            loop = asyncio.get_running_loop()
            self.delayed = loop.call_later(request.delay_s, self.after_delay, request)
        else:
            self.send(request)

    def after_delay(self, request: Request) -> None:
        """Send the answer that waited, then go on."""
        self.delayed = None
        self.transport.resume_reading()
        self.send(request)
        self.proceed()

    def send(self, request: Request) -> None:
        """Write the answer, and close if the client wants that."""
        if request.path == "/posts":
            self.counts["requests"] += 1
            self.transport.write(_POSTS_CLOSE if request.close else _POSTS_KEEP)
        elif request.path == "/count":
            requests, connections = self.counts["requests"], self.counts["connections"]
            body = f'{{"requests": {requests}, "connections": {connections}}}'.encode()
            self.transport.write(_response("200 OK", body, close=request.close))
        else:
            self.transport.write(_response("404 Not Found", _NOT_FOUND, close=request.close))
        if request.close:
            self.transport.close()

    def refuse(self, response: bytes) -> None:
        """Write `response` and close: where the next request begins is not known."""
        self.transport.write(response)
        self.transport.close()


async def serve(host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, and say where on standard output."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopped.set)
    counts: Counter[str] = Counter()
    server = await loop.create_server(lambda: Connection(counts), host, port, backlog=BACKLOG)
    bound = server.sockets[0].getsockname()[1]
    sys.stdout.write(f"listening on http://{host}:{bound}\n")
    sys.stdout.flush()
    await stopped.wait()
    # Not `wait_closed`: it would wait for clients that keep their connections.
    server.close()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser(prog="python -m myproject.upstream", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 picks a free one (default)")
    options = parser.parse_args()
    make_loop: Callable[[], asyncio.AbstractEventLoop] = asyncio.new_event_loop
    with contextlib.suppress(ImportError):
        from uvloop import new_event_loop as make_loop
    try:
        with asyncio.Runner(loop_factory=make_loop) as runner:
            runner.run(serve(options.host, options.port))
    except OSError as error:
        parser.error(f"cannot listen on {options.host}:{options.port}: {error.strerror}")


if __name__ == "__main__":
    main()
