"""What is recorded of endpoints: the contract that all answers keep, and what is no endpoint."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadtest.bench.servers import recording
from loadtest.bench.servers.answer_check import Got, broken
from loadtest.bench.servers.recording import Heard, fix, unsafe
from loadtest.plan.servers.facts import Probed
from loadtest.plan.servers.own import Answer, Asked
from loadtest.plan.servers.project import Project
from loadtest.records.errors import LoadtestError

HOME = Asked(name="home", path="/")


def got(body: str | bytes = "<h1>Shop</h1>", **changes: Any) -> Got:
    fields = {"status": 200, "content_type": "text/html", "content_encoding": None, "size": 100}
    encoded = body if isinstance(body, bytes) else body.encode()
    return Got(**{**fields, "body": encoded, **changes})


def heard(*answers: Got, **others: Got) -> Heard:
    return Heard(asked=answers, others={name.replace("_", " "): of for name, of in others.items()})


def test_a_contract_is_what_all_servers_and_times_have_in_common() -> None:
    first = heard(got("<p>Tea, seen 2 minutes ago</p>"), got("<p>Tea, seen 2 minutes ago</p>"))
    fixed = fix(HOME, [first, heard(got("<p>Tea, seen 3 minutes ago</p>"))])
    assert fixed.contract.body is not None
    assert fixed.contract.body.level == "text"
    assert broken(got("<p>Tea, seen 9 minutes ago</p>"), fixed.contract) is None
    assert broken(got("<p>Cake, seen 9 minutes ago</p>"), fixed.contract) is not None


def test_what_a_contract_cannot_refuse_is_told() -> None:
    answers = heard(
        got("<p>a</p>"), got("<p>b c</p>"),
        a_page_that_is_not_there=got("<p>no</p>"),
        nobody_logged_in=got("<h1>Log in</h1>"),
    )  # fmt: skip
    assert fix(HOME, [answers]).accepts == ("a page that is not there",)
    words = Asked(name="home", path="/", answer=Answer(lacks=("no",)))
    assert fix(words, [answers]).accepts == ()


@pytest.mark.parametrize(
    ("answers", "line"),
    [
        ([got(), got(status=302)], "status 302 instead of 200; who may see it is `as`"),
        ([got(), got(status=429)], "status 429 instead of 200"),
        ([got(), got(content_type="text/plain")], "its content type varies: text/html, text/plain"),
        (
            [got(), got(content_encoding="gzip", body=gzip.compress(b"x"))],
            "its content encoding varies: None, gzip",
        ),
        (
            [got(content_encoding="gzip")] * 2,
            "the body is not gzip, whatever its Content-Encoding says",
        ),
    ],
)
def test_what_has_no_contract(answers: list[Got], line: str) -> None:
    with pytest.raises(LoadtestError) as raised:
        fix(HOME, [heard(*answers)])
    assert str(raised.value) == line


def test_words_that_an_answer_lacks() -> None:
    asked = Asked(name="home", path="/", answer=Answer(has=("Orders",)))
    with pytest.raises(LoadtestError, match="word 1 of `has` is not in the body"):
        fix(asked, [heard(got())])


def test_a_body_is_compared_without_its_encoding() -> None:
    """Its size is random on purpose, against those who guess secrets by it."""
    answers = [
        got(gzip.compress(b"<h1>Shop</h1>", level), content_encoding="gzip") for level in (1, 9)
    ]
    fixed = fix(HOME, [heard(*answers)])
    assert fixed.contract.body is not None
    assert fixed.contract.body.level == "exact"
    assert fixed.contract.body_bytes == len("<h1>Shop</h1>")


@pytest.mark.parametrize("status", [200, 500])
def test_nothing_of_an_answer_is_quoted(status: int) -> None:
    fixed = fix(HOME, [heard(got("<p>alice</p>"))])
    difference = broken(got("<p>bob@example.org</p>", status=status), fixed.contract)
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
        ({"mail": 1}, True, "it sends mail; leave it out"),
        (
            {"outbound": ("203.0.113.1:80",), "status": 500, "error": "OSError at a.py:1"},
            True,
            "it calls 203.0.113.1:80; leave it out, or name what is for it under [allow] connect",
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
    running = SimpleNamespace(stop=lambda: None)

    @contextmanager
    def bench(project: Project, shape: Any) -> Iterator[Any]:
        told.append(project.secret)
        services = SimpleNamespace(env={})
        yield SimpleNamespace(services=services, launch=lambda server, name: running)

    monkeypatch.setattr(recording, "bench", bench)
    servers: Any = [SimpleNamespace(name="uvicorn"), SimpleNamespace(name="waitress")]
    recording.hear(Project(Path(), "python"), [], servers, 0.0, lambda line: None)
    assert len({*told}) == 2
