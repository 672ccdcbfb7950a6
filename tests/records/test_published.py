"""What a run's folder tells of somebody's own site: nothing of its pages."""

from __future__ import annotations

from pathlib import Path

import pytest
from builders import endpoint, plan, run, server
from msgspec.structs import replace

from loadtest.measure.servers import resume
from loadtest.plan.servers import own
from loadtest.plan.servers.inventory import Inventory
from loadtest.plan.servers.project import App, Project
from loadtest.plan.servers.requests import Prepared
from loadtest.records import privacy, run_folder
from loadtest.records.planned import Body
from loadtest.records.privacy import conceal, public, publish

PAGE = Body(
    level="json",
    sha256="a" * 64,
    holes=("$.customers[*].phone",),
    least_bytes=10,
    most_bytes=20,
    has=("Alice's orders",),
    lacks=("Log in",),
)
DECLARED = endpoint("home", body=PAGE)
RUN = run(plan([server("alpha"), server("beta")], [DECLARED]))


def test_no_key_and_no_word_of_a_page_is_in_a_run_s_folder(tmp_path: Path) -> None:
    folder = run_folder.create(tmp_path, RUN)
    for turn in range(2):
        text = (folder / "run.json").read_text()
        for word in ("customers", "phone", "Alice", "Log in", "a" * 64):
            assert word not in text
        for cell in run_folder.read(folder, run_folder.SERVERS).run.plan.cells:
            body = cell.endpoint.contract.body
            assert body is not None
            assert (body.level, body.least_bytes, body.most_bytes) == ("json", 10, 20)
        if not turn:
            run_folder.replan(folder, RUN)


@pytest.mark.parametrize(
    "changes",
    [
        {"holes": ()},
        {"has": ("Bob's orders",)},
        {"lacks": ()},
        {"sha256": "b" * 64},
        {"level": "shape"},
        {"most_bytes": 21},
    ],
)
def test_two_contracts_are_told_apart_by_their_digests(changes: dict[str, object]) -> None:
    assert PAGE.published() == replace(PAGE).published()
    assert PAGE.published() != replace(PAGE, **changes).published()


def test_a_run_goes_on_under_the_contract_that_it_was_begun_with(tmp_path: Path) -> None:
    folder = run_folder.create(tmp_path, RUN)
    stored = run_folder.read(folder, run_folder.SERVERS).run
    (then, *_) = [cell.endpoint for cell in stored.plan.cells]
    other = replace(DECLARED.contract, body=replace(PAGE, holes=()))
    assert resume._asks(then, DECLARED)
    assert resume._asks(DECLARED, DECLARED)  # as of a run that kept all of it
    assert not resume._asks(then, replace(DECLARED, contract=other))
    offered = Inventory(Project(tmp_path, "python", App()), (), (DECLARED,), {})
    assert resume.whole(stored, offered).plan == RUN.plan


@pytest.fixture
def nothing_concealed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy, "_concealed", set())


@pytest.mark.usefixtures("nothing_concealed")
def test_secrets_are_left_out_of_logs_and_reasons(tmp_path: Path) -> None:
    conceal(["hunter2", "hunter2-and-more", "EUR", ""])
    (tmp_path / "a.log").write_bytes(b"\xff key=hunter2-and-more, not hunter2EUR\n")
    publish(tmp_path)
    assert (tmp_path / "a.log").read_bytes() == b"\xff key=..., not ...EUR\n"
    assert public("sent hunter2 for EUR") == "sent ... for EUR"


def test_what_is_confidential_is_known_by_its_name(tmp_path: Path) -> None:
    told = {
        "CURRENCY": "EUR",
        "PAYMENT_KEY": "letters-and-digits",
        "STORE": "https://shop:pass-word@store.example.org/",
        "SENTRY_DSN": "https://abc@sentry.example.org/1",
        "SESSION_COOKIE_SECURE": "True",
        "VALKEY_HOST": "127.0.0.1",
    }
    file = own.File(
        format=1,
        project=own.Where(python="python", settings="s"),
        database=own.Database(kind="none"),
        env=told,
        variants={"paid": own.Varied(env={"PAYMENT_KEY": "of-the-variant"})},
    )
    project = own.project(tmp_path, file)
    headers = {"Cookie": "sessionid=lettersanddigits; b=c", "Accept-Encoding": "gzip"}
    values = {"ping_key": "in-a-path", "product": "17171717"}
    request = Prepared("/in-a-path/17171717/", headers=headers, values=values)
    secrets = set(project.confidential({}, {"home": [request]}))
    assert {project.secret, told["PAYMENT_KEY"], "pass-word", told["SENTRY_DSN"]} <= secrets
    assert {headers["Cookie"], "lettersanddigits", "in-a-path", "of-the-variant"} <= secrets
    assert not {"EUR", "gzip", "c", "17171717", "True", "127.0.0.1", str(tmp_path)} & secrets
