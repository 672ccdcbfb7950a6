"""Answers every GET with 200, and can be told to misbehave.

answers.py PORT [--fd N] [--workers N] [--die-after N] [--ignore-term] [--status N]
"""

import argparse
import contextlib
import itertools
import os
import signal
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("--fd", type=int)
parser.add_argument("--workers", type=int, default=0)
parser.add_argument("--die-after", type=int)
parser.add_argument("--ignore-term", action="store_true")
parser.add_argument("--status", type=int, default=200)
options = parser.parse_args()
answered = itertools.count(1)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if options.die_after and next(answered) > options.die_after:
            os.kill(os.getpid(), signal.SIGKILL)
        body = str(os.getpid()).encode()
        self.send_response(options.status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(body)
        if options.status != 200:
            os.write(1, b"answered with %d\n" % options.status)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


if options.ignore_term:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = ThreadingHTTPServer(("127.0.0.1", options.port), Handler, bind_and_activate=False)
if options.fd is None:
    server.server_bind()
    server.server_activate()
else:
    server.socket.close()
    server.socket = socket.socket(fileno=options.fd)
os.write(1, b"listening\n")
for _ in range(options.workers - 1):
    if os.fork() == 0:
        break
server.serve_forever()
