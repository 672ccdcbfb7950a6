"""A minimal HTTP/2 client, to see how fast the upstream answers over it."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from pathlib import Path
from urllib.parse import urlsplit

from loadtest.records.errors import CellError

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
ACK = END_STREAM = 0x1
END_HEADERS = 0x4

STATUS_200 = 0x88
"""The first byte of a header block: `:status 200` of the static table (RFC 7541, appendix A)."""

LARGEST = 2**31 - 1


def two(url: str, ca: Path, at_once: int, duration_s: float) -> float:
    """Return requests/s over one HTTP/2 connection with so many streams open (RFC 9113)."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    context = ssl.create_default_context(cafile=str(ca))
    context.set_alpn_protocols(["h2"])
    with (
        socket.create_connection((parts.hostname, parts.port or 443), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=parts.hostname) as stream,
    ):
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        window = struct.pack(">HI", 4, LARGEST)  # of each stream
        more = _frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", LARGEST - 65_535))
        stream.sendall(PREFACE + _frame(SETTINGS, 0, 0, window) + more)
        return _loop(stream, _request(parts.netloc, parts.path), at_once, duration_s)


def _loop(stream: ssl.SSLSocket, request: bytes, at_once: int, duration_s: float) -> float:
    ask = END_STREAM | END_HEADERS
    following, answers, received, buffer = 1, 0, 0, bytearray()
    began_s = time.monotonic()
    due = at_once
    while (now_s := time.monotonic()) < began_s + duration_s:
        asked = [_frame(HEADERS, ask, following + 2 * number, request) for number in range(due)]
        following += 2 * due
        if received > LARGEST // 2:
            asked.append(_frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", received)))
            received = 0
        stream.sendall(b"".join(asked))
        due = 0
        while due == 0:
            data = stream.recv(1 << 18)
            if not data:
                raise CellError("load", "the upstream closed the connection")
            buffer += data
            due, taken, replies = _read(buffer)
            received += taken
            if replies:
                stream.sendall(replies)
        answers += due
    return answers / (now_s - began_s)


def _read(buffer: bytearray) -> tuple[int, int, bytes]:
    """Take whole frames off the buffer: streams that ended, bytes of data, what to answer."""
    ended = taken = at = 0
    replies = b""
    while len(buffer) - at >= 9:
        length = int.from_bytes(buffer[at : at + 3], "big")
        if len(buffer) - at < 9 + length:
            break
        kind, flags = buffer[at + 3], buffer[at + 4]
        payload = at + 9
        if kind == HEADERS and buffer[payload] != STATUS_200:
            raise CellError("load", "the upstream answered another status than 200")
        if kind not in (DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE):
            raise CellError("load", f"the upstream sent an HTTP/2 frame of type {kind}")
        if kind in (SETTINGS, PING) and not flags & ACK:
            content = bytes(buffer[payload : payload + length]) if kind == PING else b""
            replies += _frame(kind, ACK, 0, content)
        if kind in (DATA, HEADERS):
            ended += flags & END_STREAM
            taken += length if kind == DATA else 0
        at = payload + length
    del buffer[:at]
    return ended, taken, replies


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def _request(authority: str, path: str) -> bytes:
    """Return a header block that leaves no trace in the other's table, so each may be the same."""
    get_over_https, block = b"\x82\x87", b""
    for name, value in ((b"\x01", authority.encode()), (b"\x04", path.encode())):
        assert len(value) < 127
        block += name + bytes([len(value)]) + value
    return get_over_https + block
