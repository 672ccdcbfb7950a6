"""Asks the endpoints of somebody's project in several ways, and checks servers against that.

What is recorded is of databases that the run made: one for each time that it asks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from msgspec.structs import replace

from loadtest.bench.servers.answer_check import MOST_BYTES, NO_HEADERS, Got, Headers, broken, get
from loadtest.bench.servers.loaded_server import LoadedServer
from loadtest.bench.servers.local import LocalBench
from loadtest.bench.servers.services import services
from loadtest.plan.servers import answers, facts
from loadtest.plan.servers.facts import Probed
from loadtest.plan.servers.own import Asked, Fixed, expected
from loadtest.plan.servers.project import Project
from loadtest.records.errors import CellError, LoadtestError
from loadtest.records.planned import Endpoint, Record, Server, Shape
from loadtest.system import process

PATIENCE_S = 120.0
"""For an answer: the first of a real project takes seconds, eight at once more."""

AT_ONCE = 8

IN_TURN = 2


class Heard(Record, frozen=True, kw_only=True):
    """What an endpoint answered under one server, and what it answered to other questions."""

    asked: tuple[Got, ...]
    others: dict[str, Got]
    """By what differed: an answer that a contract has to refuse."""


@dataclass(frozen=True)
class Recording:
    """What endpoints answered, by their names."""

    heard: dict[str, list[Heard]]
    probed: dict[str, Probed]
    """What each took in the project's own process."""
    failed: dict[str, str]
    """Why some could not be asked."""


@contextmanager
def bench(project: Project, shape: Shape) -> Iterator[LocalBench]:
    """Give where a project's servers can be launched, its services up and filled."""
    with ExitStack() as stack:
        folder = stack.enter_context(process.folder("loadtest-record-")).path
        (folder / "logs").mkdir()
        running = stack.enter_context(services(project, folder / "logs", shape))
        yield LocalBench(running, shape, folder)


def hear(
    project: Project,
    endpoints: Sequence[Asked],
    servers: Sequence[Server],
    later_s: float,
    say: Callable[[str], None],
) -> Recording:
    """Return what each endpoint answers.

    It is asked under each server, with a database made anew for each, the second `later_s` after
    the first. Raises LoadtestError where nothing can be asked.
    """
    recording = Recording({asked.name: [] for asked in endpoints}, {}, {})
    first_asked: float | None = None
    for server in servers:
        say(f"asking under {server.name}, with a new database")
        # And with new secrets, as each run has them: what is signed is no part of a contract.
        anew = dataclasses.replace(project, secret=secrets.token_urlsafe(32))
        with bench(anew, Shape()) as local:
            if not recording.probed:
                recording.probed.update(_probed(anew, endpoints, local.services.env))
                for asked in endpoints:
                    if reason := unsafe(asked, recording.probed[asked.name]):
                        recording.failed[asked.name] = reason
            running = local.launch(server, server.name)
            try:
                if first_asked is not None:
                    time.sleep(max(0.0, first_asked + later_s - time.monotonic()))
                for asked in endpoints:
                    if asked.name not in recording.failed:
                        try:
                            recording.heard[asked.name].append(_hear(running, asked))
                        except CellError as error:
                            recording.failed[asked.name] = error.reason
                first_asked = first_asked or time.monotonic()
            finally:
                running.stop()
    return recording


def _probed(
    project: Project, endpoints: Sequence[Asked], env: Mapping[str, str]
) -> dict[str, Probed]:
    """Return what each endpoint takes in the project's own process, by name."""
    known: dict[str, Probed] = {}
    for user in dict.fromkeys(asked.as_ for asked in endpoints):
        of_user = [asked for asked in endpoints if asked.as_ == user]
        questions = [(asked.path, project.app.headers[asked.name]) for asked in of_user]
        answered = facts.probe(project, questions, env, user)
        known |= {asked.name: answer for asked, answer in zip(of_user, answered, strict=True)}
    return known


def unsafe(asked: Asked, answer: Probed) -> str | None:
    """Return why an endpoint must not be loaded, None where it may be.

    Of one that answered otherwise than it is to, nobody knows what it does when it is loaded.
    """
    if answer.outbound:  # which may be why it failed
        where = ", ".join(answer.outbound)
        return f"it calls {where}; leave it out, or name what is for it under [allow] connect"
    if wrong := wrong_status(asked, answer.status):
        return wrong + (f": {answer.error}" if answer.error else "")
    if answer.mail:
        return "it sends mail; leave it out"
    if answer.writes and not asked.writes:
        return f"it writes ({', '.join(answer.writes)}); write `writes = true`, or leave it out"
    return None


def wrong_status(asked: Asked, status: int) -> str | None:
    """Return what is wrong with a status, None where it is the endpoint's."""
    if status == asked.answer.status:
        return None
    hint = "; who may see it is `as`" if status in (301, 302, 401, 403) else ""
    return f"status {status} instead of {asked.answer.status}{hint}"


def _hear(running: LoadedServer, asked: Asked) -> Heard:
    headers = running.headers.get(asked.name, NO_HEADERS)
    in_turn = [_ask(running, asked.path, headers) for _ in range(IN_TURN)]
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        at_once = list(pool.map(lambda _: _ask(running, asked.path, headers), range(AT_ONCE)))
    others = {"a page that is not there": _ask(running, f"/{secrets.token_hex(8)}/", headers)}
    if "Cookie" in headers:
        anonymous = {name: value for name, value in headers.items() if name != "Cookie"}
        others["nobody logged in"] = _ask(running, asked.path, anonymous)
    return Heard(asked=(*in_turn, *at_once), others=others)


def _ask(running: LoadedServer, path: str, headers: Headers) -> Got:
    connection = http.client.HTTPConnection(running.host, running.port, timeout=PATIENCE_S)
    with contextlib.closing(connection):
        try:
            return get(connection, path, headers)
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise CellError("verify", f"{path}: no answer: {why}", running.tail()) from None


def fix(asked: Asked, heard: Sequence[Heard]) -> Fixed:
    """Return the contract that all answers of an endpoint keep; raises LoadtestError if none."""
    answered = [got for each in heard for got in each.asked]
    for got in answered:
        if wrong := wrong_status(asked, got.status):
            raise LoadtestError(wrong)
    for what in ("content_type", "content_encoding"):
        if len(values := {str(getattr(got, what)) for got in answered}) > 1:
            raise LoadtestError(f"its {what.replace('_', ' ')} varies: {', '.join(sorted(values))}")
    try:
        bodies = [got.decoded(MOST_BYTES) for got in answered]
    except ValueError as error:
        raise LoadtestError(str(error)) from None
    contract = replace(
        expected(asked),
        content_type=answered[0].content_type,
        content_encoding=answered[0].content_encoding,
        body_bytes=len(bodies[0]),
        body=replace(
            answers.strictest(bodies, answered[0].content_type),
            has=asked.answer.has,
            lacks=asked.answer.lacks,
        ),
    )
    for got in answered:
        if difference := broken(got, contract):
            raise LoadtestError(difference)
    accepts = {
        what for each in heard for what, got in each.others.items() if broken(got, contract) is None
    }
    return Fixed(asked=asked, contract=contract, accepts=tuple(sorted(accepts)))


def check(
    local: LocalBench, server: Server, endpoints: Sequence[Endpoint]
) -> dict[str, str | None]:
    """Return by name what is wrong with each endpoint under a server, None where all is right.

    Each is asked alone, then eight times at once. Raises CellError where the server does not come
    up.
    """
    running = local.launch(server, server.name)
    wrong: dict[str, str | None] = {}
    try:
        for endpoint in endpoints:
            wrong[endpoint.name] = None
            try:
                for concurrency in (1, AT_ONCE):
                    running.verify(endpoint, concurrency=concurrency, seconds=0.0, stage="verify")
            except CellError as error:
                wrong[endpoint.name] = error.reason
    finally:
        running.stop()
    return wrong
