"""Asks the endpoints of somebody's project in several ways, and fixes what all answers keep.

What is recorded is of databases that the run made: one for each time that it asks.
"""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import itertools
import secrets
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from msgspec.structs import replace

from loadtest.bench.servers.answer_check import FIRST_PATIENCE_S, Response, broken, get
from loadtest.bench.servers.checking import AT_ONCE
from loadtest.bench.servers.loaded_server import LoadedServer
from loadtest.bench.servers.local import LocalBench
from loadtest.bench.servers.services import services
from loadtest.plan.servers import answers, facts
from loadtest.plan.servers.facts import Probed
from loadtest.plan.servers.own import EARLIER, Asked, Fixed, expected, template
from loadtest.plan.servers.project import Project
from loadtest.plan.servers.requests import Page, Prepared
from loadtest.records.errors import CellError, LoadtestError
from loadtest.records.planned import Record, Server, Shape
from loadtest.system import process
from loadtest.system.listening import LongBodyError

Number = TypeVar("Number", int, float)

IN_TURN = 2

COUNTED = 4
"""Answers at least for which the project's work is counted, and which are timed."""

EARLIER_S = 7 * 3_600
"""The clock of the second database, and of who answers from it: rows that depend on the hour are
made otherwise then, as they will be in a run. Not later, or a database would not show yet what has
just been made."""

MOST_RECORDED_BYTES = 8 * 2**20
"""Of an answer."""

MOST_KEPT_BYTES = 500_000_000
"""Of all answers: they are compared when all have been asked under each server."""

TOO_MANY = "too many to record; request a part of it, or leave it out"

MOST_PROPOSED = 5
"""Words for one endpoint."""


class Replies(Record, frozen=True, kw_only=True):
    """What an endpoint answered under one server, and what it answered to other questions."""

    asked: tuple[tuple[Response, ...], ...]
    """By request, in their order."""
    others: dict[str, Response]
    """By what differed: an answer that a contract has to refuse."""
    statements: int | None = None
    """That each answer takes, in whole numbers and once all is warm; None: nobody counted."""
    changes: int | None = None
    cost_s: float | None = None
    """How long an answer took alone, the median."""


@dataclass(frozen=True)
class Fixing:
    """What came of an endpoint's answers."""

    fixed: Fixed
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """That an answer `has` or `lacks`, so that the contract refuses what it accepts now."""


@dataclass(frozen=True)
class Recording:
    """What endpoints answered, by their names."""

    replies: dict[str, list[Replies]]
    probed: dict[str, Probed]
    """What each took in the project's own process."""
    failed: dict[str, str]
    """Why some could not be asked."""

    def written_once(self, readers: Sequence[Asked]) -> list[str]:
        """Return which endpoints make at their first visit what later ones find."""
        able = [asked.name for asked in readers if asked.name not in self.failed]
        return [name for name in able if self.probed[name].writes_once]


class _Kept:
    """Bodies of answers, each of them once."""

    def __init__(self) -> None:
        self._bodies: dict[bytes, bytes] = {}
        self._left_bytes = MOST_KEPT_BYTES

    def keep(self, response: Response) -> Response:
        """Return an answer whose body is kept; raises CellError where these are too many."""
        if response.body not in self._bodies:
            self._left_bytes -= len(response.body)
            if self._left_bytes < 0:
                raise CellError(
                    "verify",
                    f"with it the answers have over {MOST_KEPT_BYTES:,} bytes; name fewer endpoints"
                    " at a time",
                )
        body = self._bodies.setdefault(response.body, response.body)
        return replace(response, body=body)


@contextmanager
def bench(project: Project, shape: Shape, at_once: int = 1) -> Iterator[LocalBench]:
    """Give where a project's servers can be launched, its services up and filled.

    `at_once` are up at the same time, none larger than `shape`.
    """
    with ExitStack() as stack:
        folder = stack.enter_context(process.folder("loadtest-record-")).path
        (folder / "logs").mkdir()
        running = stack.enter_context(services(project, folder / "logs", shape, at_once=at_once))
        yield LocalBench(running, shape, folder)


def ask_all(
    project: Project,
    endpoints: Sequence[Asked],
    servers: Sequence[Server],
    later_s: float,
    say: Callable[[str], None],
) -> Recording:
    """Return what each endpoint answers.

    It is asked under each server, with a database made anew for each, the second `later_s` after
    the first and by another clock, see `EARLIER_S`; in the place of one that does not come up,
    under another of them once more. Raises LoadtestError where nothing can be asked.
    """
    recording = Recording({asked.name: [] for asked in endpoints}, {}, {})
    kept = _Kept()
    first_asked: float | None = None
    down: dict[str, CellError] = {}
    times = 0
    readers = [asked for asked in endpoints if not asked.writes]
    # What one writes would be in the answers of the next, and in a run it is not.
    groups = [readers, *([asked] for asked in endpoints if asked.writes)]
    for server in (*servers, *servers):
        if times == len(servers):
            break
        if server.name in down:
            continue
        say(f"requesting each endpoint under {server.name}, with a new database")
        # And with new secrets, as each run has them: what is signed is no part of a contract. What
        # was known of first visits is to be found out again.
        env = {**project.app.env, EARLIER: str(EARLIER_S * times)}
        app = dataclasses.replace(project.app, visited=(), env=env)
        anew = dataclasses.replace(project, app=app, secret=secrets.token_urlsafe(32))
        with bench(anew, Shape()) as local:
            if not recording.probed:
                requests = local.services.requests
                env = local.services.env_for("the probe")
                recording.probed.update(_probed(anew, endpoints, requests, env))
                for asked in endpoints:
                    if reason := unsafe(asked, recording.probed[asked.name]):
                        recording.failed[asked.name] = reason
            local.services.visit(recording.written_once(readers))
            refused, error_page = anew.refused(local.services.env)
            if first_asked is not None:
                wait_s = max(0.0, first_asked + later_s - time.monotonic())
                if wait_s >= 1:
                    say(f"waiting {wait_s:.0f} s (--later): times shown in pages change until then")
                time.sleep(wait_s)
            running: LoadedServer | None
            try:
                running = local.launch(server, server.name)
            except CellError as error:
                down[server.name] = error
                last = (error.detail or "").splitlines()[-1:]
                say(": ".join([f"{error.reason}; going on without it", *last]))
                continue
            for group in groups:
                todo = [asked for asked in group if asked.name not in recording.failed]
                try:
                    for asked in todo:
                        try:
                            running = running or local.launch(server, server.name)
                            wrong = refused[asked.name]
                            replies = _replies(running, asked, wrong, error_page, kept)
                            recording.replies[asked.name].append(replies)
                        except CellError as error:
                            recording.failed[asked.name] = error.reason
                            if running is not None:
                                running.stop()  # it may be dead, or stuck
                            running = None
                finally:
                    if running is not None:
                        running.stop()
                    running = None
            first_asked = first_asked or time.monotonic()
            times += 1
    if not times:
        raise next(iter(down.values()))
    return recording


def _probed(
    project: Project,
    endpoints: Sequence[Asked],
    requests: Mapping[str, tuple[Prepared, ...]],
    env: Mapping[str, str],
) -> dict[str, Probed]:
    """Return what each endpoint takes in the project's own process, by name."""
    answers = facts.probe(project, [requests[asked.name] for asked in endpoints], env)
    late = Probed(path="", error=f"those before it took {facts.WITHIN_S:.0f} s; record it alone")
    whole = [*answers, *[late] * (len(endpoints) - len(answers))]
    return {asked.name: answer for asked, answer in zip(endpoints, whole, strict=True)}


def unsafe(asked: Asked, answer: Probed) -> str | None:
    """Return why an endpoint must not be loaded, None where it may be.

    Of one that answered otherwise than it is to, nobody knows what it does when it is loaded.
    """
    if not answer.status:
        return answer.error
    if answer.outbound:  # which may be why it failed
        where = ", ".join(answer.outbound)
        return f"it calls {where}; leave it out, or name a stand-in under [allow] connect"
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


def _replies(
    running: LoadedServer,
    asked: Asked,
    wrong: Mapping[str, Prepared],
    error_page: Page | None,
    kept: _Kept,
) -> Replies:
    requests = running.requests[asked.name]
    replies: list[list[Response]] = [[] for _ in requests]

    def ask(turn: int) -> float:
        at, sent_s = turn % len(requests), time.monotonic()
        replies[at].append(kept.keep(_ask(running, asked.path, requests[at])))
        return time.monotonic() - sent_s

    turns = iter(range(3 * len(requests) + IN_TURN + AT_ONCE + COUNTED))
    for turn in itertools.islice(turns, max(IN_TURN, len(requests))):
        ask(turn)
    with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
        list(pool.map(ask, itertools.islice(turns, AT_ONCE)))
    counters = running.counters()
    before = counters.read(expected(asked))
    took_s = [ask(turn) for turn in itertools.islice(turns, max(COUNTED, len(requests)))]
    after = counters.read(expected(asked))

    def each(name: Literal["statements", "changes"]) -> int | None:
        first, last = getattr(before, name), getattr(after, name)
        return None if first is None or last is None else int((last - first) // len(took_s))

    others = {
        what: kept.keep(_ask(running, asked.path, request)) for what, request in wrong.items()
    }
    if error_page is not None:
        others["the page of an error"] = _response(error_page)
    return Replies(
        asked=tuple(map(tuple, replies)),
        others=others,
        statements=each("statements"),
        changes=each("changes"),
        cost_s=statistics.median(took_s),
    )


def _ask(running: LoadedServer, path: str, request: Prepared) -> Response:
    """Return the answer to a request; raises CellError, which names the `path` as the file does."""
    connection = http.client.HTTPConnection(running.host, running.port, timeout=FIRST_PATIENCE_S)
    with contextlib.closing(connection):
        try:
            return get(connection, request, MOST_RECORDED_BYTES)
        except LongBodyError as error:
            raise CellError("verify", f"{path}: {error}, {TOO_MANY}") from None
        except (OSError, http.client.HTTPException) as error:
            why = str(error) or type(error).__name__
            raise CellError("verify", f"{path}: no answer: {why}", running.tail()) from None


def _response(page: Page) -> Response:
    """Return a page as if a server had answered with it."""
    body = page.body.encode("latin-1")
    return Response(
        status=page.status, content_type=page.type, content_encoding=None, body=body, size=len(body)
    )


def fix(asked: Asked, replies: Sequence[Replies]) -> Fixing:
    """Return the contract that all answers of an endpoint keep; raises LoadtestError if none."""
    by_request = [
        (at, response) for each in replies for at, of in enumerate(each.asked) for response in of
    ]
    answered = [response for _, response in by_request]
    for response in answered:
        if wrong := wrong_status(asked, response.status):
            raise LoadtestError(wrong)
    for what in ("content_type", "content_encoding"):
        if len(values := {str(getattr(response, what)) for response in answered}) > 1:
            raise LoadtestError(f"its {what.replace('_', ' ')} varies: {', '.join(sorted(values))}")
    most_bytes = min(MOST_RECORDED_BYTES, MOST_KEPT_BYTES // len(answered))
    try:
        bodies = [response.decoded(most_bytes) for response in answered]
    except ValueError as error:
        raise LoadtestError(str(error)) from None
    places = {answers.place(response.location) for response in answered}
    contract = replace(
        expected(asked),
        content_type=answered[0].content_type,
        content_encoding=answered[0].content_encoding,
        body_bytes=len(bodies[0]),
        body=replace(
            answers.strictest(bodies, answered[0].content_type, [at for at, _ in by_request]),
            has=asked.answer.has,
            lacks=asked.answer.lacks,
            location_sha256=places.pop() if len(places) == 1 else None,
            cookies=tuple(sorted(set.intersection(*(set(each.cookies) for each in answered)))),
        ),
        statements=_least(each.statements for each in replies),
        changes=_least(each.changes for each in replies),
    )
    for at, response in by_request:
        if difference := broken(response, contract, at):
            raise LoadtestError(difference)
    others = [item for each in replies for item in each.others.items()]
    if template(asked).names:
        others += [("the answer to another value", response) for at, response in by_request if at]
    accepted = {what: response for what, response in others if broken(response, contract) is None}
    return Fixing(
        Fixed(
            asked=asked,
            contract=contract,
            accepts=tuple(sorted(accepted)),
            refuses=tuple(sorted({what for what, _ in others} - accepted.keys())),
            cost_s=_least(each.cost_s for each in replies),
        ),
        _proposed(bodies, list(accepted.values())),
    )


def _least(values: Iterable[Number | None]) -> Number | None:
    """Return the least of those that are known."""
    return min((value for value in values if value is not None), default=None)


def _proposed(right: Sequence[bytes], accepted: Sequence[Response]) -> dict[str, tuple[str, ...]]:
    """Return words that tell right answers from those that are accepted, if there are some."""
    telling: dict[str, list[str]] = {"has": [], "lacks": []}
    for response in accepted:
        words, has = answers.words(right, response.decoded(MOST_RECORDED_BYTES))
        telling["has" if has else "lacks"] += words[:1]
    return {key: tuple(dict.fromkeys(of))[:MOST_PROPOSED] for key, of in telling.items() if of}
