"""What is recorded of endpoints: the contract that all answers keep, and what is no endpoint."""

from __future__ import annotations

import gzip
import itertools
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadtest.bench.servers import recording
from loadtest.bench.servers.answer_check import Response, broken
from loadtest.bench.servers.recording import Replies, fix, unsafe
from loadtest.bench.servers.service_counters import Counts
from loadtest.plan.servers.facts import Probed
from loadtest.plan.servers.own import Answer, Asked
from loadtest.plan.servers.project import App, Project
from loadtest.plan.servers.requests import Prepared
from loadtest.records.errors import CellError, LoadtestError
from loadtest.records.planned import Contract
from loadtest.system.listening import LongBodyError

HOME = Asked(name="home", path="/")

PROJECT = Project(Path(), "python", App())


def response(body: str | bytes = "<h1>Shop</h1>", **changes: Any) -> Response:
    fields = {"status": 200, "content_type": "text/html", "content_encoding": None, "size": 100}
    encoded = body if isinstance(body, bytes) else body.encode()
    return Response(**{**fields, "body": encoded, **changes})


def replies(*answers: Response, **others: Response) -> Replies:
    """Return what an endpoint with one request answered."""
    wrong = {name.replace("_", " "): of for name, of in others.items()}
    return Replies(asked=(answers,), others=wrong)


def test_a_contract_is_what_all_servers_and_times_have_in_common() -> None:
    first = replies(*[response("<p>Tea, seen 2 minutes ago</p>")] * 2)
    fixed = fix(HOME, [first, replies(response("<p>Tea, seen 3 minutes ago</p>"))]).fixed
    assert fixed.contract.body is not None
    assert fixed.contract.body.level == "text"
    assert broken(response("<p>Tea, seen 9 minutes ago</p>"), fixed.contract) is None
    assert broken(response("<p>Cake, seen 9 minutes ago</p>"), fixed.contract) is not None


def test_what_a_contract_cannot_refuse_is_told() -> None:
    answers = replies(
        response("<p>a</p>"), response("<p>b c</p>"),
        a_page_that_is_not_there=response("<p>no</p>"),
        nobody_logged_in=response("<h1>Log in</h1>"),
    )  # fmt: skip
    assert fix(HOME, [answers]).fixed.accepts == ("a page that is not there",)
    words = Asked(name="home", path="/", answer=Answer(lacks=("no",)))
    assert fix(words, [answers]).fixed.accepts == ()
    assert fix(words, [answers]).fixed.refuses == ("a page that is not there", "nobody logged in")


def test_words_are_proposed_until_it_refuses_all() -> None:
    answers = replies(
        response("<p>Alices orders</p>"), response("<p>Alices last orders</p>"),
        another_user=response("<p>Bobby has orders</p>"),
        nobody_logged_in=response("<p>Log in, for orders</p>"),
    )  # fmt: skip
    fixing = fix(HOME, [answers])
    assert fixing.fixed.accepts == ("another user", "nobody logged in")
    assert fixing.words == {"has": ("Alices",)}
    told = Asked(name="home", path="/", answer=Answer(has=fixing.words["has"]))
    assert fix(told, [answers]).fixed.accepts == ()
    same = replies(response("<p>orders</p>"), another_user=response("<p>orders</p>"))
    assert fix(HOME, [same]) == recording.Fixing(fix(HOME, [same]).fixed, {})
    assert fix(HOME, [same]).fixed.accepts == ("another user",)


def test_each_value_has_an_answer_of_its_own() -> None:
    tea, cake = response("<h1>Tea</h1>"), response("<h1>Green cake</h1>")
    each = Replies(asked=((tea, tea), (cake,)), others={})
    fixed = fix(HOME, [each, each]).fixed
    assert broken(cake, fixed.contract, 1) is None
    assert broken(cake, fixed.contract, 0) is not None
    assert fixed.accepts == ()
    alike = Replies(asked=((tea,), (tea,)), others={})
    of_value = Asked(name="home", path="/{of}/", values={"of": "1..2"})
    assert fix(of_value, [alike]).fixed.accepts == ("the answer to another value",)
    assert fix(HOME, [alike]).fixed.accepts == ()  # the same question, of another session


def test_a_redirection_is_told_from_that_to_a_login() -> None:
    asked = Asked(name="order", path="/", method="POST", answer=Answer(status=302))
    redirects = [response("", status=302, location=f"/orders/{number}/") for number in (7, 8)]
    login = response("", status=302, location="/login/?next=/")
    assert fix(asked, [replies(*redirects, nobody_logged_in=login)]).fixed.accepts == ()


def test_the_work_is_the_least_that_an_answer_took() -> None:
    """The first answers of a process take more, and one server may have counted them."""
    both = [
        Replies(asked=((response(),),), others={}, statements=5, changes=1, cost_s=0.03),
        Replies(asked=((response(),),), others={}, statements=4, changes=1, cost_s=0.02),
    ]
    fixed = fix(HOME, both).fixed
    assert (fixed.contract.statements, fixed.contract.changes, fixed.cost_s) == (4, 1, 0.02)
    unknown = fix(HOME, [replies(response())]).fixed
    assert (unknown.contract.statements, unknown.contract.changes) == (None, None)


@pytest.mark.parametrize(
    ("answers", "line"),
    [
        ([response(), response(status=302)], "status 302 instead of 200; who may see it is `as`"),
        ([response(), response(status=429)], "status 429 instead of 200"),
        (
            [response(), response(content_type="text/plain")],
            "its content type varies: text/html, text/plain",
        ),
        (
            [response(), response(content_encoding="gzip", body=gzip.compress(b"x"))],
            "its content encoding varies: None, gzip",
        ),
        (
            [response(content_encoding="gzip")] * 2,
            "the body is not gzip, whatever its Content-Encoding says",
        ),
    ],
)
def test_what_has_no_contract(answers: list[Response], line: str) -> None:
    with pytest.raises(LoadtestError) as raised:
        fix(HOME, [replies(*answers)])
    assert str(raised.value) == line


def test_words_that_an_answer_lacks() -> None:
    asked = Asked(name="home", path="/", answer=Answer(has=("Orders",)))
    with pytest.raises(LoadtestError, match="word 1 of `has` is not in the body"):
        fix(asked, [replies(response())])


def test_a_body_is_compared_without_its_encoding() -> None:
    """Its size is random on purpose, against those who guess secrets by it."""
    answers = [
        response(gzip.compress(b"<h1>Shop</h1>", level), content_encoding="gzip")
        for level in (1, 9)
    ]
    fixed = fix(HOME, [replies(*answers)]).fixed
    assert fixed.contract.body is not None
    assert fixed.contract.body.level == "exact"
    assert fixed.contract.body_bytes == len("<h1>Shop</h1>")


@pytest.mark.parametrize("status", [200, 500])
def test_nothing_of_an_answer_is_quoted(status: int) -> None:
    fixed = fix(HOME, [replies(response("<p>alice</p>"))]).fixed
    difference = broken(response("<p>bob@example.org</p>", status=status), fixed.contract)
    assert difference is not None
    assert "bob" not in difference


@pytest.mark.parametrize(
    ("probed", "writes", "reason"),
    [
        ({}, False, None),
        (
            {"status": 401},
            True,
            "status 401 instead of 200; who may see it is `as`",
        ),
        (
            {"status": 500, "error": "LookupError: no"},
            True,
            "status 500 instead of 200: LookupError: no",
        ),
        ({"status": 0, "error": "no answer"}, True, "no answer"),
        ({"mail": 1}, True, "it sends mail; leave it out"),
        (
            {"outbound": ("203.0.113.1:80",), "status": 500, "error": "OSError at a.py:1"},
            True,
            "it calls 203.0.113.1:80; leave it out, or name a stand-in under [allow] connect",
        ),
        (
            {"writes": ("INSERT visit",)},
            False,
            "it writes (INSERT visit); write `writes = true`, or leave it out",
        ),
        ({"writes": ("INSERT visit",)}, True, None),
    ],
)
def test_what_is_not_to_be_loaded(probed: dict[str, Any], writes: bool, reason: str | None) -> None:
    asked = Asked(name="home", path="/", writes=writes)
    assert unsafe(asked, Probed(**{"path": "/", "status": 200, **probed})) == reason


def test_each_server_is_asked_under_secrets_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a run are others again: what is signed with them would never be right."""
    told: list[str] = []
    earlier: list[str] = []
    running = SimpleNamespace(stop=lambda: None)

    @contextmanager
    def bench(project: Project, shape: Any) -> Iterator[Any]:
        told.append(project.secret)
        earlier.append(project.env["LOADTEST_EARLIER_S"])
        services = SimpleNamespace(
            env={}, env_for=lambda name: {}, visit=lambda names: None, requests={}
        )
        yield SimpleNamespace(services=services, launch=lambda server, name: running)

    monkeypatch.setattr(recording, "bench", bench)
    monkeypatch.setattr(Project, "refused", lambda project, env: ({}, None))
    monkeypatch.setattr(recording.facts, "probe", lambda project, questions, env: ())
    servers: Any = [SimpleNamespace(name="uvicorn"), SimpleNamespace(name="waitress")]
    recording.ask_all(PROJECT, [], servers, 0.0, lambda line: None)
    assert len({*told}) == 2
    # What a page shows of the hour is no part of a contract.
    assert earlier == ["0", str(recording.EARLIER_S)]


class Site:
    """A server that answers each path with its number of requests, and counts statements."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.stopped = False

    def serving(self, requests: dict[str, tuple[Prepared, ...]]) -> Any:
        def read(contract: Contract) -> Counts:
            return Counts(statements=3 * len(self.seen) + 1, changes=len(self.seen))

        return SimpleNamespace(
            host="127.0.0.1",
            port=9,
            tail=str,
            requests=requests,
            counters=lambda: SimpleNamespace(read=read),
            stop=lambda: setattr(self, "stopped", True),
        )


def launching(
    launched: list[Site],
    requests: dict[str, tuple[Prepared, ...]],
    visit: Callable[[list[str]], None],
) -> Callable[[Project, Any], AbstractContextManager[Any]]:
    """Return a bench that notes what it launches, and what is visited before."""

    @contextmanager
    def bench(project: Project, shape: Any) -> Iterator[Any]:
        def launch(server: Any, name: str) -> Any:
            launched.append(Site())
            return launched[-1].serving(requests)

        services = SimpleNamespace(env={}, env_for=lambda name: {}, visit=visit, requests=requests)
        yield SimpleNamespace(services=services, launch=launch)

    return bench


def test_what_writes_is_asked_alone_and_all_values_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an endpoint has written would be in the answers of the next."""
    launched: list[Site] = []
    visited: list[list[str]] = []
    requests = {
        "order": (Prepared("/order/", "POST"),),
        "home": tuple(Prepared(f"/{at}") for at in range(12)),
    }

    def ask(running: Any, path: str, request: Prepared) -> Response:
        launched[-1].seen.append(request.path)
        return response(request.path)

    monkeypatch.setattr(recording, "bench", launching(launched, requests, visited.append))
    monkeypatch.setattr(recording, "_ask", ask)
    wrong = {"home": {"a page that is not there": Prepared("/nothing/")}, "order": {}}
    monkeypatch.setattr(Project, "refused", lambda project, env: (wrong, None))
    right = (Probed(path="/", status=200, writes_once=("INSERT picture",)),)
    monkeypatch.setattr(
        recording.facts, "probe", lambda project, questions, env: right * len(questions)
    )
    order = Asked(name="order", path="/order/", method="POST", writes=True)
    servers: Any = [SimpleNamespace(name="uvicorn")]
    recorded = recording.ask_all(PROJECT, [order, HOME], servers, 0.0, print)
    assert not recorded.failed
    # What its first visit makes is made before, and that of what writes is its own.
    assert visited == [["home"]]
    assert ["/order/" in site.seen for site in launched] == [False, True]
    assert all(site.stopped for site in launched)
    (home,) = recorded.replies["home"]
    assert [len({each.body for each in of}) for of in home.asked] == [1] * 12
    assert sum(map(len, home.asked)) == 12 + recording.AT_ONCE + 12
    assert (home.statements, home.changes) == (3, 1)
    assert list(home.others) == ["a page that is not there"]


@pytest.mark.parametrize(
    ("down", "asked"),
    [
        ({"uvicorn"}, ["uvicorn", "waitress", "waitress"]),
        ({"waitress"}, ["uvicorn", "waitress", "uvicorn"]),
        ({"uvicorn", "waitress"}, ["uvicorn", "waitress"]),
    ],
)
def test_a_server_that_does_not_come_up_is_done_without(
    monkeypatch: pytest.MonkeyPatch, down: set[str], asked: list[str]
) -> None:
    tried: list[str] = []
    notes: list[str] = []
    running = SimpleNamespace(stop=lambda: None)

    def launch(server: Any, name: str) -> Any:
        tried.append(name)
        if name in down:
            raise CellError("launch", f"{name} exited with status 1", "Traceback\nImportError: x")
        return running

    @contextmanager
    def bench(project: Project, shape: Any) -> Iterator[Any]:
        services = SimpleNamespace(
            env={}, env_for=lambda name: {}, visit=lambda names: None, requests={}
        )
        yield SimpleNamespace(services=services, launch=launch)

    monkeypatch.setattr(recording, "bench", bench)
    monkeypatch.setattr(Project, "refused", lambda project, env: ({}, None))
    monkeypatch.setattr(recording.facts, "probe", lambda project, questions, env: ())
    servers: Any = [SimpleNamespace(name="uvicorn"), SimpleNamespace(name="waitress")]
    if len(down) == 2:
        with pytest.raises(CellError, match="uvicorn exited"):
            recording.ask_all(PROJECT, [], servers, 0.0, notes.append)
    else:
        recording.ask_all(PROJECT, [], servers, 0.0, notes.append)
    assert tried == asked
    for name in down:
        assert f"{name} exited with status 1; going on without it: ImportError: x" in notes


def recorded_of(
    names: Iterable[str], probed: int, monkeypatch: pytest.MonkeyPatch
) -> recording.Recording:
    """Record endpoints of these names under a server; the first of them were probed in time."""
    wrong: dict[str, Any] = {name: {} for name in names}
    monkeypatch.setattr(Project, "refused", lambda project, env: (wrong, None))
    right = [Probed(path="/", status=200)] * probed
    monkeypatch.setattr(recording.facts, "probe", lambda project, questions, env: right)
    endpoints = [Asked(name=name, path=f"/{name}/") for name in names]
    servers: Any = [SimpleNamespace(name="uvicorn")]
    return recording.ask_all(PROJECT, endpoints, servers, 0.0, print)


def test_a_server_that_one_endpoint_may_have_spoiled_answers_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launched: list[Site] = []
    requests = {name: (Prepared(f"/{name}/"),) for name in ("stuck", "home", "late")}

    def ask(running: Any, path: str, request: Prepared) -> Response:
        if path == "/stuck/":
            raise CellError("verify", f"{path}: no answer: timed out")
        return response(request.path)

    monkeypatch.setattr(recording, "bench", launching(launched, requests, lambda names: None))
    monkeypatch.setattr(recording, "_ask", ask)
    recorded = recorded_of(requests, 2, monkeypatch)
    assert [site.stopped for site in launched] == [True, True]
    assert len(recorded.replies["home"]) == 1
    assert recorded.failed == {
        "stuck": "/stuck/: no answer: timed out",
        "late": "those before it took 600 s; record it alone",
    }


def test_more_answers_than_fit_into_memory_are_not_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All are kept until they are compared; the same body once."""
    requests = {name: (Prepared(f"/{name}/"),) for name in ("fixed", "grows", "long")}
    numbers = itertools.count(10)

    def get(connection: Any, request: Prepared, most_bytes: int) -> Response:
        if request.path == "/long/":
            raise LongBodyError(f"a body of over {most_bytes:,} bytes")
        return response("-" * 90 if request.path == "/fixed/" else f"{next(numbers)}{'-' * 90}")

    monkeypatch.setattr(recording, "MOST_KEPT_BYTES", 1_000)
    monkeypatch.setattr(recording, "bench", launching([], requests, lambda names: None))
    monkeypatch.setattr(recording, "get", get)
    recorded = recorded_of(requests, 3, monkeypatch)
    assert len(recorded.replies["fixed"]) == 1
    assert recorded.failed == {
        "grows": "with it the answers have over 1,000 bytes; name fewer endpoints at a time",
        "long": "/long/: a body of over 8,388,608 bytes, too many to record; request a part of it,"
        " or leave it out",
    }
