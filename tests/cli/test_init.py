"""What `loadtest init` writes into a file that is committed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from loadtest.bench.servers import services
from loadtest.cli import init
from loadtest.plan import interpreters
from loadtest.plan.servers import facts, own, proposal
from loadtest.plan.servers.facts import Facts, Failure, Probed
from loadtest.plan.servers.project import App, Project
from loadtest.records.errors import UserError
from loadtest.system.process import CommandError


def test_nothing_that_failed_is_quoted(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The person who typed it sees it, the file does not have it."""

    def start(*arguments: Any) -> None:
        raise CommandError("python ended with status 1", "OperationalError: hunter2")

    monkeypatch.setattr(services, "services", start)
    notes: list[str] = []
    init._asked(Project(Path(), "python", App()), Facts(stage="end"), None, notes, None)
    assert notes == ["Nothing could be asked: python ended with status 1"]
    assert "hunter2" in capsys.readouterr().err


def test_no_message_of_an_application_is_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    failure = Failure(kind="KeyError", text="hunter2", at="shop/wsgi.py:3")

    def look(project: Project) -> Facts:
        if project.app.application("wsgi") == "shop.wsgi:application":
            return Facts(stage="application", failure=failure)
        return Facts(stage="end", django="5.2", settings_file=str(Path("settings.py").resolve()))

    monkeypatch.setattr(facts, "look", look)
    where = own.Where(python="python", settings="settings", wsgi="shop.wsgi:application")
    file = own.File(format=1, project=where, database=own.Database(kind="none"))
    _, _, reasons = init._with_applications(Path(), file)
    assert reasons["project.wsgi"] == "not shop.wsgi:application: KeyError at shop/wsgi.py:3"


def test_a_project_in_a_folder_of_this_one_is_named(tmp_path: Path) -> None:
    (tmp_path / "sandbox").mkdir()
    (tmp_path / "sandbox" / "manage.py").touch()
    with pytest.raises(UserError, match=r"in a folder of it; type `--project sandbox`, or"):
        init._reached(tmp_path, None, None, {})


def test_a_service_that_is_deployed_is_told_where_its_driver_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "compose.yml").write_text("DATABASE_URL: postgres://db\nREDIS_URL: redis://r\n")
    (tmp_path / "settings.py").write_text('env("DATABASE_URL")\nenv("REDIS_URL")\n')
    known = Facts(stage="end", settings_file=str(tmp_path / "settings.py"))
    looked = Facts(stage="end", django="6.0")
    has = SimpleNamespace(versions={"psycopg2-binary": "2.9"})
    monkeypatch.setattr(interpreters, "look", lambda python, names: has)
    monkeypatch.setattr(init, "_told", lambda folder, python, settings, env: (env, looked, []))
    told, facts_of_it = init._with_services(tmp_path, "python", "settings", {}, known)
    assert {name: each.value for name, each in told.items()} == {"DATABASE_URL": "{postgres.url}"}
    assert facts_of_it is looked
    monkeypatch.setattr(init, "_told", lambda folder, python, settings, env: (env, None, ["x"]))
    assert init._with_services(tmp_path, "python", "settings", {}, known) == ({}, known)


@pytest.mark.parametrize(
    ("database", "seed", "commands", "empty"),
    [
        (own.Database(kind="postgres"), None, (), True),
        (own.Database(kind="sqlite"), None, (), True),
        (own.Database(kind="sqlite", copy="db.sqlite3"), None, (), False),
        (own.Database(kind="postgres"), "seed.py", (), False),
        (own.Database(kind="postgres"), None, ("load_initial_data",), False),
        (own.Database(kind="none"), None, (), False),
    ],
)
def test_a_database_that_nothing_fills_is_told(
    database: own.Database, seed: str | None, commands: tuple[str, ...], empty: bool
) -> None:
    """Its pages are short and cheap, and nothing else would say so."""
    prepare = proposal.prepare(Facts(stage="end"), database.kind != "none", seed)
    told = list(proposal.filled_by_nothing(database, prepare, commands, ["seed", "loaddata a"]))
    lines = ["Nothing fills the database", "may fill it: seed, loaddata a."] if empty else []
    assert len(told) == len(lines)
    assert all(line in note for line, note in zip(lines, told, strict=True))


def test_what_was_answered_is_proposed_though_the_time_is_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """And though nobody is called as the user who was typed."""

    @contextmanager
    def start(*arguments: Any) -> Iterator[Any]:
        yield SimpleNamespace(env={})

    def probe(
        project: Project, questions: Any, env: Any, user: str | None, known: Any, within_s: float
    ) -> list[Probed]:
        if user:
            raise CommandError(f"no user {user!r} is in the prepared database", "")
        paths = [of[0].path for of in questions]
        status = {"/": 200, "/in/": 302}
        return [Probed(path=path, status=status[path]) for path in paths if path in status]

    monkeypatch.setattr(services, "services", start)
    monkeypatch.setattr(facts, "probe", probe)
    routes = tuple(
        facts.Route(path=path, arguments=(), asynchronous=False) for path in ("/in/", "/far/")
    )
    notes: list[str] = []
    looked = Facts(stage="end", routes=routes)
    endpoints, left = init._asked(Project(Path(), "python", App()), looked, "bob", notes, None, 50)
    assert [asked.path for asked, _ in endpoints] == ["/"]
    assert proposal.Left("/far/", "not asked, as 50 s were over") in left
    assert notes == [
        "Not all pages could be asked: no user 'bob' is in the prepared database",
        "Not asked, as 50 s were over: /far/; type `loadtest init --force --patience 200` to ask"
        " longer, or write an [[endpoint]] for those that matter",
    ]
    assert "--patience 200" in capsys.readouterr().err


def test_a_secret_that_is_typed_is_in_no_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PAYMENT_KEY", "another")
    variables = init._variables(("PAYMENT_KEY=hunter2", "SHOP_CURRENCY=EUR"))
    assert variables == {"PAYMENT_KEY": "{env.PAYMENT_KEY}", "SHOP_CURRENCY": "EUR"}
    assert os.environ["PAYMENT_KEY"] == "hunter2"
    shown = capsys.readouterr().err
    assert "type `export PAYMENT_KEY=...` before" in shown
    assert "hunter2" not in shown
