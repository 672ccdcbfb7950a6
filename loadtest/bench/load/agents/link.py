"""Passes texts between this machine and others through Locust, and understands none of them.

    python -I link.py master|agent HOST PORT DESCRIPTOR

Lines of JSON go both ways over the descriptor, a socket: `["up", PORT]` once it is up,
`["message", WHO, TEXT]` for each text that came; in the other direction `[WHO, TEXT]`, which is
sent. For an agent WHO is the master. It ends with the other end of the descriptor.

Runs as a script that imports Locust alone, under a warden: what parses bytes of strangers
has no secret, and what it is told changes nothing on this machine.
"""

from __future__ import annotations

import contextlib
import json
import logging
import resource
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

KIND = "loadtest"
"""Of our messages, among Locust's own."""

FLUSH_S = 0.2
"""In which what was sent last leaves."""

MOST_MEMORY_BYTES = 2**32
"""A stranger may send as much as it likes."""


def main(arguments: Sequence[str]) -> int:
    """Pass on what comes until the descriptor is closed; return the exit status."""
    role, host, port, descriptor = arguments
    with contextlib.suppress(OSError, ValueError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    # It replaces the sockets of this process, so nothing is made before.
    from locust.env import Environment

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    ours = socket.socket(fileno=int(descriptor))
    environment = Environment(user_classes=[])

    def tell(*words: object) -> None:
        ours.sendall(json.dumps(words).encode() + b"\n")

    def came(environment: object, msg: object, **more: object) -> None:
        who, text = getattr(msg, "node_id", None), getattr(msg, "data", None)
        if isinstance(who, str) and isinstance(text, str):
            tell("message", who, text)

    runner: Any
    if role == "master":
        runner = environment.create_master_runner(master_bind_host=host, master_bind_port=int(port))
        listens = runner.server.port if int(port) == 0 else int(port)
    else:
        # Returns when a master has answered; gives up after minutes, and is started again then.
        runner = environment.create_worker_runner(host, int(port))
        listens = int(port)
    runner.register_message(KIND, came)
    tell("up", listens)
    with contextlib.suppress(OSError), ours.makefile("r", encoding="utf-8") as lines:
        for line in lines:
            who, text = json.loads(line)
            runner.send_message(KIND, text, client_id=who)
    time.sleep(FLUSH_S)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
