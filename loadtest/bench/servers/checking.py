"""Brings servers up once, side by side, and compares what each of them answers."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from loadtest.bench.servers.instance import LAUNCHES_AT_ONCE
from loadtest.bench.servers.loaded_server import LoadedServer
from loadtest.bench.servers.local import LocalBench
from loadtest.records.errors import CellError
from loadtest.records.planned import Endpoint, Server

AT_ONCE = 8
"""Requests, beside one alone: enough to meet what only fails under concurrency."""

SLOW_AT_ONCE = 4
"""Requests to an endpoint that waits, at most; a server that works on fewer gets as few."""

Checked = dict[str, str | None]
"""By endpoint, see `Endpoint.id`: what is wrong with it, None where all is right."""


def check_all(
    local: LocalBench,
    todo: Sequence[tuple[Server, Sequence[Endpoint]]],
    at_once: int,
    checked: Callable[[Server], None] = lambda server: None,
) -> list[Checked | CellError]:
    """Return what is wrong with the endpoints of each server, or why it did not come up.

    As many as `at_once` are up at the same time, and as many are at work as a run launches at the
    same time: a server that waits for an endpoint's delay leaves its place to another. `checked` is
    told of each that is done.
    """
    checking = _Checking(local)

    def check(server: Server, endpoints: Sequence[Endpoint]) -> Checked | CellError:
        try:
            return checking.check(server, endpoints)
        except CellError as error:
            return error
        finally:
            checked(server)

    with ThreadPoolExecutor(max_workers=max(1, at_once)) as pool:
        waiting = [pool.submit(check, *each) for each in todo]
        try:
            return [each.result() for each in waiting]
        except BaseException:
            # Whoever interrupts it waits for no answer.
            checking.over.set()
            pool.shutdown(wait=False, cancel_futures=True)
            for running in list(checking.up.values()):
                running.stop()
            raise


@dataclass(frozen=True)
class _Checking:
    """Servers that are checked side by side."""

    local: LocalBench
    over: threading.Event = field(default_factory=threading.Event)
    up: dict[str, LoadedServer] = field(default_factory=dict)
    """By name."""
    _at_work: threading.Semaphore = field(
        default_factory=lambda: threading.Semaphore(LAUNCHES_AT_ONCE)
    )

    def check(self, server: Server, endpoints: Sequence[Endpoint]) -> Checked:
        """Return what is wrong with each; raises CellError where the server does not come up.

        What can spoil the next has processes of its own. What waits can only where more of it is
        asked than is worked on, or where it fails.
        """
        wrong: Checked = {}
        spoils = [each for each in endpoints if each.isolated and not each.contract.delay_s]
        # Those that wait come first: meanwhile other servers are at work.
        shared = [each for each in endpoints if each not in spoils]
        shared.sort(key=lambda each: not each.contract.delay_s)
        try:
            for group in filter(None, (shared, *([each] for each in spoils))):
                for endpoint in group:
                    if not self._is_up(server):
                        return wrong
                    wrong[endpoint.id] = self._problem(server, endpoint)
                    if wrong[endpoint.id] and endpoint.contract.delay_s:
                        self._stop(server)
                self._stop(server)
        finally:
            self._stop(server)
        return wrong

    def _problem(self, server: Server, endpoint: Endpoint) -> str | None:
        """Return what is wrong with an endpoint that is asked alone, then several times at once."""
        running, contract = self.up[server.name], endpoint.contract
        waits = contract.delay_s > 0
        most = server.capacity(self.local.shape, SLOW_AT_ONCE, contract) if waits else AT_ONCE
        with contextlib.nullcontext() if waits else self._at_work:
            try:
                for at_once in (1, most):
                    running.verify(endpoint, concurrency=at_once, seconds=0.0, stage="verify")
            except CellError as error:
                return error.reason
        return None

    def _is_up(self, server: Server) -> bool:
        """Make sure that a server is up, unless all is over."""
        if server.name not in self.up:
            with self._at_work:
                if not self.over.is_set():
                    self.up[server.name] = self.local.launch(server, server.name)
        # Whoever ends it all says so first, and stops what is up then.
        return not self.over.is_set()

    def _stop(self, server: Server) -> None:
        if running := self.up.pop(server.name, None):
            running.stop()
