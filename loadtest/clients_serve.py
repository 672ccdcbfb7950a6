"""`loadtest clients --serve`: the upstream alone, for looking at it and for other tools."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path

import click

from loadtest.clientbench import upstream
from loadtest.clientbench.model import Answer
from loadtest.console import say

FIRST_PORT = 8090
DELAYS_S = (0.0, 0.001, 0.01, 0.1)
POLL_S = 0.5


def answers() -> list[Answer]:
    """Return what is served: each delay, over each way of answering."""
    ways = [
        Answer(),
        Answer(keep_alive=False),
        Answer(tls=True),
        Answer(tls=True, http="2"),
    ]
    return [
        Answer(delay_s=delay_s, keep_alive=way.keep_alive, tls=way.tls, http=way.http)
        for way in ways
        for delay_s in DELAYS_S
    ]


def serve(port: int | None) -> int:
    """Run the upstream in the foreground and say where it answers what."""
    with (
        tempfile.TemporaryDirectory(prefix="loadtest-clients-") as logs,
        upstream.running(answers(), Path(logs) / "upstream.log", port or FIRST_PORT) as running,
    ):
        for answer in answers():
            after = f" after {1000 * answer.delay_s:g} ms" if answer.delay_s else ""
            close = "" if answer.keep_alive else ", then closes"
            click.echo(f"{running.url(answer)}  HTTP/{answer.http}{after}{close}")
        click.echo(f"{running.ca}  verifies those over TLS (Ctrl-C ends it)")
        with contextlib.suppress(KeyboardInterrupt):
            while (ended := running.process.ended()) is None:
                time.sleep(POLL_S)
            say(ended)
            return 1
    return 0
