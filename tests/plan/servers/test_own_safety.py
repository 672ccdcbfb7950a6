"""What keeps a project's own services, secrets and pages out of a run, as its file is read."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from loadtest.bench.servers.services import REFUSED, Services
from loadtest.plan.servers import detect, facts, own
from loadtest.plan.servers.facts import Facts
from loadtest.plan.servers.project import Project
from loadtest.plan.servers.requests import Prepared
from loadtest.records.errors import UserError
from loadtest.records.planned import Shape
from loadtest.system.process import CommandError

LEAST = """
format = 1
[project]
python = "python"
settings = "shop.settings"
[database]
kind = "sqlite"
"""


def written(folder: Path, text: str = LEAST) -> Path:
    (folder / own.FILE).write_text(text)
    return folder


def test_no_command_line_has_the_headers_of_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed: list[bytes] = []

    def run(project: Project, *words: str, given: bytes, **options: Any) -> str:
        assert "hunter2" not in str(words)
        assert options["env"] == {"A": "1"}
        handed.append(given)
        return '{"user": true}\n'

    monkeypatch.setattr(Project, "run", run)
    project = own.project_at(written(tmp_path))
    request = Prepared("/", headers={"Authorization": "hunter2"})
    facts.probe(project, [[request]], {"A": "1"}, "alice")
    assert b"hunter2" in handed[0]


def test_what_came_by_the_time_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that hangs, or ends, has told what it knew; the rest is asked in another."""
    now_s, turns = [0.0], [(5.0, 2), (5.0, 0), (90.0, 1)]
    paths = [f"/{at}/" for at in range(6)]

    def run(project: Project, *words: str, given: bytes, **options: Any) -> str:
        left = [question[0]["path"] for question in json.loads(given)["questions"]]
        took_s, number = turns.pop(0)
        now_s[0] += took_s
        rows = "".join(f'{{"path": "{path}", "status": 200}}\n' for path in left[:number])
        raise CommandError("it hangs", "", f'{{"user": false}}\n{rows}{{"path": "/to')

    monkeypatch.setattr(Project, "run", run)
    monkeypatch.setattr(facts, "time", SimpleNamespace(monotonic=lambda: now_s[0]))
    project = own.project_at(written(tmp_path))
    answers = facts.probe(project, [[Prepared(path)] for path in paths], {}, within_s=60)
    assert [each.path for each in answers] == paths[:5]
    assert [each.status for each in answers] == [200, 200, 0, 0, 200]
    assert answers[3].error == facts.NO_ANSWER


def test_what_does_not_begin_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(project: Project, *words: str, **options: Any) -> str:
        raise CommandError("python exited with status 1", "ImportError")

    monkeypatch.setattr(Project, "run", run)
    with pytest.raises(CommandError, match="status 1"):
        facts.probe(own.project_at(written(tmp_path)), [[Prepared("/")]], {})


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ({}, "redis://127.0.0.1:9/0 127.0.0.1 9"),
        ({"LOADTEST_REDIS": "redis://127.0.0.1:9123"}, "redis://127.0.0.1:9123/0 127.0.0.1 9123"),
        ({"LOADTEST_REDIS": "redis://localhost"}, "redis://localhost/0 localhost 6379"),
    ],
)
def test_a_redis_is_told_whole_or_in_parts(
    tmp_path: Path, address: dict[str, str], parts: str
) -> None:
    env = '[env]\nPARTS = "{redis.url}/0 {redis.host} {redis.port}"\n'
    project = own.project_at(written(tmp_path, LEAST + "redis = true\n" + env))
    assert project.environment(address)["PARTS"] == parts


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDIS_URL", "{redis.url}"),
        ("CACHE_URL", "{redis.url}"),
        ("REDIS_HOST", "{redis.host}"),
        ("VALKEY_PORT", "{redis.port}"),
        ("REDIS_PASSWORD", ""),
        ("SMTP_PASSWORD", "{random}"),
    ],
)
def test_what_a_project_is_told_of_its_redis(tmp_path: Path, name: str, value: str) -> None:
    assert detect.value(tmp_path, name).value == value


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ('DEBUG = os.environ.get("DEBUG", "True") == "True"', ["DEBUG"]),
        ("DEBUG = env.bool('DJANGO_DEBUG', default=True)", ["DJANGO_DEBUG"]),
        ("DEBUG: bool = config('SHOP_DEBUG', cast=bool)", ["SHOP_DEBUG"]),
        ("if True:\n    DEBUG = TEMPLATE_DEBUG = get('A_1')", ["A_1"]),
        ("DEBUG = True", []),
        ("DEBUG_TOOLBAR = env('TOOLBAR')", []),
        ("if DEBUG == 'YES':\n    pass", []),
    ],
)
def test_of_which_variable_settings_make_debug(tmp_path: Path, line: str, names: list[str]) -> None:
    (tmp_path / "base.py").write_text(f"import os\n{line}\n")
    (tmp_path / "production.py").write_text("from .base import *\n")
    assert list(detect.debug_variables(tmp_path / "production.py")) == names


@pytest.mark.parametrize(
    ("line", "env", "write"),
    [
        ("DEBUG = get('SHOP_DEBUG')", "", 'SHOP_DEBUG = "False" under [env]'),
        ("DEBUG = get('SHOP_DEBUG')", "SHOP_DEBUG = '1'", 'SHOP_DEBUG = "False" under [env]'),
        ("DEBUG = get('SHOP_DEBUG')", "SHOP_DEBUG = 'False'", "the settings that you deploy"),
        ("DEBUG = True", "", "the settings that you deploy"),
    ],
)
def test_settings_of_development_are_refused(
    tmp_path: Path, line: str, env: str, write: str
) -> None:
    settings = tmp_path / "settings.py"
    settings.write_text(f"{line}\n")
    project = own.project_at(written(tmp_path, f"{LEAST}[env]\n{env}\n"))
    known: dict[str, Any] = {"stage": "end", "django": "5.2", "settings_file": str(settings)}
    (refusal,) = facts.refusals(project, Facts(**known, debug=True))
    assert refusal.startswith("DEBUG is true in shop.settings, ")
    assert f"; write {write}" in refusal
    assert refusal.endswith(f" in {tmp_path / own.FILE}")
    assert facts.refusals(project, Facts(**known)) == []


FULL = (
    LEAST.replace('"sqlite"', '"sqlite"\nredis = true')
    + """
[env]
CURRENCY = "EUR"
[prepare]
seed = "seed.py"
[request]
headers = { X-Forwarded-Proto = "https" }
[[endpoint]]
name = "home"
path = "/"
[[endpoint]]
name = "new"
path = "/new/"
"""
)


@pytest.mark.parametrize(
    ("file", "old", "new", "line"),
    [
        (own.FILE, 'name = "home"', 'name = "home"\nshare = 0.5', None),
        (own.FILE, '"EUR"', '"USD"', "home, new is recorded under today's [env];"),
        (own.FILE, "= true", "= false", "home, new is recorded under today's [database];"),
        (own.FILE, '"https"', '"http"', "no answer of home, new is recorded; type"),
        (own.FILE, "[env]", '[allow]\nconnect = ["/a"]\n[env]', "under today's [allow];"),
        (own.FILE, '= "shop.', '= "other.', "home, new is recorded under today's settings;"),
        (own.FILE, '= "python"', '= "python3"', "under today's interpreter;"),
        ("seed.py", "1", "2", "home, new is recorded under today's seed script;"),
        ("shop/settings.py", "1", "2", "home, new is recorded under today's settings;"),
        (own.FILE, '"/"', '"/else/"', "no answer of home, new is recorded; type `loadtest record`"),
    ],
)
def test_an_answer_on_another_basis_is_no_contract(
    tmp_path: Path, file: str, old: str, new: str, line: str | None
) -> None:
    folder = written(tmp_path, FULL)
    (folder / "shop").mkdir()
    (folder / "shop" / "settings.py").write_text("LANGUAGES = 1")
    (folder / "seed.py").write_text("rows = 1")
    read = own.read(folder)
    home = own.endpoints(read)[0]
    fixed = own.Fixed(
        asked=home,
        contract=replace(own.expected(home), content_type="text/html"),
        basis=own.basis(folder, read, "python"),
    )
    own.write_recorded(folder, own.Recorded(format=1, endpoints={"home": fixed}))
    assert own.unrecorded(own.project_at(folder)) == ["new"]
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new, 1))
    project = own.project_at(folder)
    if line is None:
        assert own.unrecorded(project) == ["new"]
    else:
        assert own.unrecorded(project) == ["home", "new"]
        assert line in str(own.lacking(project))


def test_another_interpreter_than_the_one_it_was_recorded_with(tmp_path: Path) -> None:
    """Typed, or that of an environment that was made anew with another Python."""
    read = own.read(written(tmp_path))
    links = [tmp_path / name for name in ("bin", "other")]
    for link, at in zip(links, ("/usr/bin/env", "/bin/sh"), strict=True):
        link.symlink_to(at)
    then = own.basis(tmp_path, read, str(links[0]))
    assert own.basis(tmp_path, read, str(links[1])) != then
    links[0].unlink()
    links[0].symlink_to("/bin/sh")
    now = own.basis(tmp_path, read, str(links[0]))
    assert [part for part in now if now[part] != then[part]] == ["interpreter"]


def test_no_digest_of_a_basis_tells_a_secret(tmp_path: Path) -> None:
    read = own.read(written(tmp_path, LEAST + "[env]\nKEY = 'hunter2'\n"))
    assert "hunter2" not in str(own.basis(tmp_path, read, "python"))


@pytest.mark.parametrize("place", ["localhost:9200", "127.0.0.1:1", "[::1]:8125", "/run/x.sock"])
def test_what_a_project_may_reach_besides(tmp_path: Path, place: str) -> None:
    project = own.project_at(written(tmp_path, f"{LEAST}[allow]\nconnect = ['{place}', '/b']\n"))
    assert project.env[own.ALLOW] == f"{place} /b"
    # A path leads out of a network of its own, a port does not.
    assert project.app.connects == (() if place.startswith("/") else (place,))


@pytest.mark.parametrize(
    "place", ["", "9200", "localhost", "example.org:443", "203.0.113.1:80", "x.sock", "/a b"]
)
def test_it_is_on_this_machine(tmp_path: Path, place: str) -> None:
    """A load would be sent on to whoever else is named."""
    text = f"{LEAST}[allow]\nconnect = [{json.dumps(place)}]\n"
    with pytest.raises(UserError, match=r"allow\.connect\[0\] must be a host of this machine"):
        own.read(written(tmp_path, text))


def test_where_it_was_not_let_connect_is_known(tmp_path: Path) -> None:
    app = own.project_at(written(tmp_path)).app
    running = Services(Project(tmp_path, "python", app), tmp_path, Shape())
    assert running.refused() == []
    running.env[own.FILES] = str(tmp_path)
    assert running.refused() == []
    (tmp_path / REFUSED).write_text("127.0.0.1:6379\n/run/x.sock\n127.0.0.1:6379\n")
    assert running.refused() == ["127.0.0.1:6379", "/run/x.sock"]
