"""Commands in this process, as whoever types them meets them; for child processes alone."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from unittest import mock

from demo import DEMO, PROJECT
from paths import ROOT

from attack.tally import broken, unclean
from loadtest.plan.servers import facts
from loadtest.plan.servers.project import Project
from loadtest.records.planned import Endpoint


@cache
def declared() -> tuple[Endpoint, ...]:
    """Return the app's endpoints, asked once."""
    return PROJECT.endpoints()


@cache
def versions() -> dict[str, str | None]:
    """Return what is installed, asked once."""
    from loadtest.plan.servers import inventory, profile

    servers = profile.load_servers(DEMO.servers)
    return PROJECT.versions(inventory.distributions(servers, DEMO))


@cache
def looked_at() -> facts.Facts:
    """Return what the app says of itself, asked once."""
    return facts.look(PROJECT)


@contextlib.contextmanager
def asked_once() -> Iterator[None]:
    """Have the app's interpreter asked once, and not for each command."""
    with (
        mock.patch.object(Project, "endpoints", return_value=declared()),
        mock.patch.object(Project, "versions", return_value=versions()),
        mock.patch.object(facts, "look", return_value=looked_at()),
        mock.patch.dict(os.environ, clear=False),
        contextlib.chdir(ROOT),
    ):
        for name in DEMO.addresses.values():
            os.environ.pop(name, None)
        yield


def typed(*arguments: str) -> tuple[int, str, str]:
    """Return the status of a command, and what it printed and said."""
    from loadtest.cli import main

    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", "backslashreplace") for _ in range(2))
    status = 0
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["loadtest", *arguments]),
        # A process that tries many keeps its own signals and network, and streams to be read.
        mock.patch("signal.signal"),
        mock.patch("loadtest.system.network.enter", return_value=None),
        mock.patch("loadtest.cli.streams.prepare"),
    ):
        try:
            main.main()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    texts = []
    for stream in (out, err):
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        texts.append(stream.buffer.getvalue().decode("utf-8", "replace"))
    return status, texts[0], texts[1]


def wrong(arguments: Sequence[str]) -> str | None:
    """Return what was wrong with how a command went; None where nothing was."""
    try:
        status, out, err = typed(*arguments)
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    return broken(status, err) or unclean(out)
