"""A server with one worker that takes a fixed time for each request: `fixed_time.py PORT SECONDS`.

It answers in the order in which requests came, whatever connection they came on.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import sys
import time

SPIN_S = 0.0003
"""Sleeping may be late by this; it keeps the processor free for others meanwhile."""

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok"


def main(port: int, service_s: float) -> None:
    """Serve until ended."""
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    listener.setblocking(False)
    ready = selectors.DefaultSelector()
    ready.register(listener, selectors.EVENT_READ)
    queue: list[socket.socket] = []
    free_s = time.monotonic()
    while True:
        if not queue:
            events = ready.select()
            free_s = max(free_s, time.monotonic())
        else:
            # While one is served others come: they are noticed when it is done.
            events = ready.select(0)
        for key, _ in events:
            if key.fileobj is listener:
                connection, _ = listener.accept()
                connection.setblocking(False)
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ready.register(connection, selectors.EVENT_READ)
                continue
            connection = key.fileobj  # type: ignore[assignment]
            try:
                received = connection.recv(65_536)
            except ConnectionError:  # closed by one who had looked for the server alone
                received = b""
            if received:
                queue.extend([connection] * received.count(b"\r\n\r\n"))
            else:
                ready.unregister(connection)
                connection.close()
        if queue:
            free_s += service_s
            if (left_s := free_s - SPIN_S - time.monotonic()) > 0:
                time.sleep(left_s)
            while time.monotonic() < free_s:
                pass
            with contextlib.suppress(OSError):
                queue.pop(0).send(ANSWER)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
