"""Something that is called a Redis and says whatever it likes."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def saying(reply: bytes) -> Iterator[int]:
    """Give the port of what gives this reply to whatever is said to it."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, contextlib.suppress(OSError):
                        while connection.recv(65_536):
                            connection.sendall(reply)

        threading.Thread(target=answer, daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)


REPLIES = (
    b"- \r\n",
    b"-\r\n",
    b":7\r\n",
    b"+OK\r\n",
    b"$-1\r\n",
    b"$9\r\ncmdstat_x\r\n",
    b"$13\r\ncmdstat_get:x\r\n",
    b"$21\r\ncmdstat_get:calls=x,y\r\n",
    b"*2\r\n:1\r\n:2\r\n",
    b"*1\r\n" * 5_000,
    b"\xff\xfe\r\n",
)
