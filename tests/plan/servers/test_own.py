"""`loadtest.toml`: what may stand in it, what it comes to, and how it is proposed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import ROOT

from loadtest.plan.servers import facts, inventory, own, profile, proposal
from loadtest.plan.servers.facts import Facts, Probed, Route
from loadtest.plan.servers.own import Asked, File, Where
from loadtest.plan.servers.project import DEMO
from loadtest.records.errors import UserError
from loadtest.records.planned import Choice

LEAST = """
format = 1
[project]
python = ".venv/bin/python"
settings = "shop.settings"
[database]
kind = "sqlite"
"""


def written(folder: Path, text: str) -> Path:
    (folder / "loadtest.toml").write_text(text)
    return folder


def test_the_least_file(tmp_path: Path) -> None:
    project = own.project_at(written(tmp_path, LEAST))
    assert project.python == str(tmp_path / ".venv/bin/python")
    assert project.app.application("wsgi") == "loadtest_wsgi:application"
    assert project.app.addresses == {}
    assert project.endpoints() == ()
    told = project.told({})
    assert told["DJANGO_SETTINGS_MODULE"] == "loadtest_settings"
    assert told["LOADTEST_SETTINGS"] == "shop.settings"
    assert told["PYTHONPATH"].split(":") == [str(own.INSIDE), str(tmp_path)]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("[database2]", "unknown key 'database2'; did you mean database?"),
        ("[[endpoint]]\nname = 'a'", "[endpoint[0]]: 'path' is missing: a path in quotes that"),
        ("[[endpoint]]\nname = 'a'\npath = 'x'", "endpoint[0].path must be a path in quotes that"
         " begins with a slash, as in \"/products/?page=2\", not \"x\""),
        ("[[endpoint]]\nname = 'a'\npath = '/'\nshares = 1", "unknown key 'shares'"),
        ("[[endpoint]]\nname = 'a'\npath = '/'\n" * 2, "2 endpoints are called 'a'; rename 1"),
        ("[env]\nX = '{postgres.uri}'", "unknown placeholder '{postgres.uri}'; did you mean"
         " {postgres.url}"),
        ("[env]\nPYTHONPATH = '/'", "'PYTHONPATH' is not for a project to be told; leave it out"),
        ("[env]\nX = 1", "env.X must be a text in quotes, not 1"),
        ("[request]\nheaders = { Cookie = 'a' }", "the header Cookie is not set here; a login is"
         " `as`"),
        ("[request]\nheaders = { X = 'é' }", "X must be of ASCII letters, digits and signs"),
        ("[prepare]\ncommands = ['migrate \"']", "No closing quotation"),
        ("[prepare]\ncommands = ['migrate --settings=shop.settings']", "under other settings"),
    ],
)  # fmt: skip
def test_mistakes_are_named(tmp_path: Path, more: str, line: str) -> None:
    with pytest.raises(UserError) as raised:
        own.read(written(tmp_path, LEAST + more))
    assert line in str(raised.value)


def test_a_copy_is_of_sqlite(tmp_path: Path) -> None:
    text = LEAST.replace('"sqlite"', '"postgres"\ncopy = "db.sqlite3"')
    with pytest.raises(UserError, match="copy goes with"):
        own.read(written(tmp_path, text))


def test_another_project_is_never_measured_as_the_demo(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="type `loadtest init` in the folder"):
        own.project_at(tmp_path)
    (tmp_path / "manage.py").write_text("")
    with pytest.raises(UserError, match="type `loadtest init` in the folder"):
        own.project_at(tmp_path)
    (tmp_path / "myproject").mkdir()
    (tmp_path / "myproject" / "settings.py").write_text("")
    with pytest.raises(UserError, match="type `loadtest init` in the folder"):
        own.project_at(tmp_path)
    assert own.project_at(ROOT).app is DEMO


def test_no_view_is_asked_whether_a_server_is_up(tmp_path: Path) -> None:
    """It may send mail, and nobody has looked yet."""
    text = f"{LEAST}[[endpoint]]\nname = 'invite'\npath = '/invite/'\n"
    app = own.project_at(written(tmp_path, text)).app
    assert app.probe_path == own.NOT_THERE
    assert 404 in app.probe_status


def test_compiled_modules_are_kept_where_git_looks_away(tmp_path: Path) -> None:
    project = own.project_at(written(tmp_path, LEAST))
    kept = Path(project.env["PYTHONPYCACHEPREFIX"])
    assert kept.parent.parent.samefile(project.folder)
    assert (kept.parent / ".gitignore").read_text() == "*\n"


def test_secrets_and_addresses_are_told(tmp_path: Path) -> None:
    text = LEAST.replace("sqlite", "postgres") + (
        "[env]\nKEY = '{random}'\nOTHER = '{random}'\nURL = '{postgres.url}?x=1'\n"
        "LONG = '{postgresql.url}'\nPLAIN = 'a{b'\n"
    )
    project = own.project_at(written(tmp_path, text))
    nowhere, told = project.told({}), project.told({"LOADTEST_DATABASE": "postgresql://here/it"})
    assert "127.0.0.1:9" in nowhere["URL"]
    assert told["URL"] == "postgres://here/it?x=1"
    assert told["LONG"] == "postgresql://here/it"
    assert told["PLAIN"] == "a{b"
    assert len({told["KEY"], told["OTHER"], told["LOADTEST_SECRET"]}) == 3
    assert told["KEY"] == nowhere["KEY"]


def test_an_answer_to_another_question_is_no_contract(tmp_path: Path) -> None:
    endpoint = "[[endpoint]]\nname = 'home'\npath = '/'\n"
    folder = written(tmp_path, LEAST + endpoint)
    (asked,) = own.read(folder).endpoint
    contract = msgspec.structs.replace(own.expected(asked), content_type="text/html")
    fixed = own.Fixed(asked=asked, contract=contract)
    own.write_recorded(folder, own.Recorded(format=1, endpoints={"home": fixed}))
    assert own.unrecorded(own.project_at(folder)) == []
    written(tmp_path, LEAST + endpoint + "share = 0.5\n")
    assert own.unrecorded(own.project_at(folder)) == []
    written(tmp_path, LEAST + endpoint.replace("'/'", "'/other/'"))
    assert own.unrecorded(own.project_at(folder)) == ["home"]
    assert (folder / ".loadtest" / ".gitignore").read_text() == "*\n"


def test_what_a_project_runs_on_today_takes_part(tmp_path: Path) -> None:
    """Whichever servers a matrix has: `quick` has no waitress."""
    text = LEAST.replace('"shop.settings"', '"shop.settings"\nreference = "waitress"')
    project = own.project_at(written(tmp_path, f"{text}[[endpoint]]\nname = 'home'\npath = '/'\n"))
    servers = tuple(profile.load_servers(project.servers))
    versions = dict.fromkeys((name for server in servers for name in server.requires), "1")
    offered = inventory.Inventory(project, servers, project.endpoints(), versions)
    plan = inventory.make_plan(offered, Choice(matrix="quick"))
    assert plan.reference == "waitress"


def test_a_server_says_that_its_application_was_made(tmp_path: Path) -> None:
    app = own.project_at(written(tmp_path, LEAST)).app
    server = next(each for each in profile.load_servers(own.SERVERS) if each.name == "uvicorn")
    (limit,) = set(inventory._limited(server, app).limits) - set(server.limits)
    assert limit.endswith("takes a module of the project, such as shop.asgi.")
    (tmp_path / own.FILE).write_text(LEAST.replace("[database]", 'asgi = "a.b:c"\n[database]'))
    assert inventory._limited(server, own.project_at(tmp_path).app) == server


def test_what_a_project_lacks_is_installed_beside_it(tmp_path: Path) -> None:
    project = own.project_at(written(tmp_path, LEAST))
    servers = profile.load_servers(own.SERVERS)
    missing = inventory.Inventory(project, servers, (), {}).missing
    assert missing["uvicorn"] == "not installed: uvicorn uvloop httptools; `loadtest env uvicorn`"


WORDS = st.text(max_size=30).filter(lambda text: text.isprintable())


@given(
    env=st.dictionaries(st.from_regex(r"[A-Z][A-Z_]{0,9}", fullmatch=True), WORDS, max_size=3),
    reason=st.text(max_size=50),
    paths=st.lists(st.from_regex(r"/[a-z?=&%/]{0,20}", fullmatch=True), max_size=3),
)
def test_what_is_proposed_is_read_as_it_was_meant(
    tmp_path_factory: pytest.TempPathFactory, env: dict[str, str], reason: str, paths: list[str]
) -> None:
    file = File(
        format=1,
        project=Where(python="python", settings="a.b", path=(".", "src")),
        env={name: text for name, text in env.items() if name not in own.RESERVED},
        database=own.Database(kind="sqlite", copy="db.sqlite3", redis=True),
        prepare=own.Prepare(commands=("migrate", 'load "x"'), seed="seed.py"),
        request=own.Request(headers={"X-Forwarded-Proto": "https"}),
        endpoint=tuple(
            Asked(name=f"e{at}", path=path, as_="alice" if at else None)
            for at, path in enumerate(paths)
        ),
    )
    proposed = proposal.Proposal(
        file=file,
        reasons={"project.python": reason, "database.kind": reason},
        endpoints={"e0": reason},
        notes=[reason],
        left=[proposal.Left("/x", reason)],
    )
    folder = written(tmp_path_factory.mktemp("proposed"), proposal.text(proposed))
    if not list(own.mistakes(file)):
        assert own.read(folder) == file


NO_DATABASE = File(
    format=1,
    project=Where(python="python", settings="s"),
    database=own.Database(kind="none"),
)


def route(path: str, **changes: Any) -> Route:
    rest = {"name": None, "view": "v", "arguments": (), "methods": (), "asynchronous": False}
    return Route(**{"path": path, **rest, **changes})


def test_which_paths_are_asked() -> None:
    known = Facts(
        stage="end",
        routes=(
            route("/products/"),
            route("/logout/"),
            route("/products/<int:pk>/", arguments=("pk",)),
            route(r"/old/(\d+)/", arguments=("?",)),
            route("/admin/"),
            route("/either/?"),
        ),
    )
    assert proposal.paths(known) == ["/", "/products/"]
    first = Probed(path="/", status=200, links=("/p/1/", "/p/2/", "/p/delete/", "/x/?page=2"))
    assert proposal.linked([first], ["/"]) == ["/p/1/", "/x/?page=2"]


def test_what_is_proposed_and_what_is_left_out() -> None:
    known = Facts(stage="end", routes=(route("/slow/", asynchronous=True),))
    probed = [
        Probed(path="/", status=200, type="text/html", again_ms=1, statements=2, route="a"),
        Probed(path="/slow/", status=200, type="text/html", again_ms=60, route="b"),
        Probed(path="/api/", status=200, type="application/json", again_ms=5, route="c"),
        Probed(path="/again/", status=200, again_ms=5, route="c"),
        Probed(path="/hit/", status=200, writes=("INSERT hits",), route="d"),
        Probed(path="/mail/", status=200, mail=1, route="e"),
        Probed(path="/out/", status=200, outbound=("203.0.113.1:80",), route="f"),
        Probed(path="/broken/", status=500, error="LookupError at a.py:1", route="g"),
        Probed(path="/me/?t=1", status=302, location="https://a.example.org/in/?t=2", route="h"),
    ]
    proposed, left = proposal.endpoints(known, probed, "alice", {"/api/"})
    assert [(asked.name, asked.style, asked.kind, asked.as_) for asked, _ in proposed] == [
        ("home", "sync", "pages", None),
        ("slow", "async", "pages", None),
        ("api", "sync", "api", "alice"),
    ]
    assert dict(left) == {
        "/again/": "the route of /api/",
        "/hit/": "a GET that writes: INSERT hits; it needs writes = true",
        "/mail/": "it sends mail",
        "/out/": "it calls another machine",
        "/broken/": "status 500: LookupError at a.py:1",
        "/me/": "status 302, to /in/",
    }


@pytest.mark.parametrize(
    ("known", "line"),
    [
        (Facts(stage="django"), "has no Django"),
        (Facts(stage="settings", failure=facts.Failure(kind="KeyError", text="'X'", at="s.py:1")),
         "the settings cannot be imported: KeyError: 'X' (s.py:1); tell them under [env]"),
        (Facts(stage="end", django="2.2.1", settings_file="/p/s.py"), "needs 3.2 or newer"),
        (Facts(stage="end", django="5.2", settings_file="/other/s.py"), "which is not below"),
        (Facts(stage="end", django="5.2", settings_file="/p/s.py", forced=True), "by force"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way(known: Facts, line: str) -> None:
    problems = facts.problems(own.project(Path("/p"), NO_DATABASE), known)
    assert any(line in problem for problem in problems)


def test_a_project_that_can_be_measured_has_no_problem() -> None:
    known = Facts(stage="end", django="6.0", settings_file="/p/shop/s.py")
    assert facts.problems(own.project(Path("/p"), NO_DATABASE), known) == []
