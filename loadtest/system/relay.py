"""Hands on what is sent to places of this machine's loopback from a network of a command's own.

A process that stays on the machine's network accepts what listens on the other one: a socket
belongs to the network on which it was made, whoever has it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Sequence
from threading import Thread

Address = tuple[str, int]

CHUNK_BYTES = 2**16

KINDS = (socket.SOCK_STREAM, socket.SOCK_DGRAM)


class Relay:
    """A process that hands on; it ends when this object is closed, or its owner's process ends."""

    def __init__(self, places: Sequence[str]) -> None:
        """Start it for places as in `localhost:9200`; comes before threads and the move."""
        parts = [place.rpartition(":") for place in places]
        self._places = [(host.strip("[]"), int(port)) for host, _, port in parts]
        self._given, taken = socket.socketpair()
        self._child = os.fork()
        if self._child == 0:
            self._given.close()
            try:
                _hand_on(taken, self._places)
            finally:
                os._exit(0)
        taken.close()

    def listen(self) -> None:
        """Listen on the network that this process is on by now."""
        for kind in KINDS:
            for at, place in enumerate(self._places):
                for family, _, _, _, address in socket.getaddrinfo(*place, type=kind):
                    # Without IPv6 there is nobody to call what has its address.
                    with contextlib.suppress(OSError), socket.socket(family, kind) as listening:
                        listening.bind(address)
                        if kind == socket.SOCK_STREAM:
                            listening.listen()
                        socket.send_fds(self._given, [bytes([at])], [listening.fileno()])

    def close(self) -> None:
        """End the process."""
        self._given.close()
        os.waitpid(self._child, 0)


def _hand_on(taken: socket.socket, places: Sequence[Address]) -> None:
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # it is its owner that ends it
        signal.signal(getattr(signal, name), signal.SIG_IGN)
    while True:
        data, fds, _, _ = socket.recv_fds(taken, 1, 1)
        if not data:
            return
        listening = socket.socket(fileno=fds[0])
        by_kind = _datagrams if listening.type == socket.SOCK_DGRAM else _streams
        Thread(target=by_kind, args=(listening, places[data[0]]), daemon=True).start()


def _streams(listening: socket.socket, place: Address) -> None:
    while True:
        client, _ = listening.accept()
        try:
            server = socket.create_connection(place)
        except OSError:  # nobody is there
            client.close()
            continue
        for ends in ((client, server), (server, client)):
            Thread(target=_copy, args=ends, daemon=True).start()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    """Hand on what comes until it ends, and that it does."""
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK_BYTES):
            sink.sendall(data)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _datagrams(listening: socket.socket, place: Address) -> None:
    """Hand on what needs no answer, as what is counted for a statsd does not."""
    family, kind, _, _, address = socket.getaddrinfo(*place, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind) as sending:
        while True:
            with contextlib.suppress(OSError):
                sending.sendto(listening.recv(CHUNK_BYTES), address)
