"""`loadtest.toml`: what may stand in it, what it comes to, and how it is proposed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from builders import contract
from hypothesis import given
from hypothesis import strategies as st
from paths import ROOT

from loadtest.plan.servers import facts, inventory, lineup, own, profile, proposal
from loadtest.plan.servers.facts import Facts, Probed, Route
from loadtest.plan.servers.own import Asked, File, Where
from loadtest.plan.servers.project import (
    FOLDER,
    INSIDE,
    MATRICES,
    SERVERS,
    App,
    Project,
    is_secret,
)
from loadtest.records.errors import UserError
from loadtest.records.measured import Site
from loadtest.records.planned import Body, Choice, Shape

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
    told = project.environment({})
    assert told["DJANGO_SETTINGS_MODULE"] == "loadtest_settings"
    assert told["LOADTEST_SETTINGS"] == "shop.settings"
    assert told["PYTHONPATH"].split(":") == [str(INSIDE), str(tmp_path)]


ENDPOINT = "[[endpoint]]\nname = 'a'\npath = '/{}'\n"
GET = ENDPOINT.format("")
POST = f"{GET}method = 'POST'\nwrites = true\n"
OF_VALUE = ENDPOINT.format("{x}/")


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("[database2]", "unknown key 'database2'; did you mean database?"),
        ("[[endpoint]]\nname = 'a'", "[endpoint[0]]: 'path' is missing: a path in quotes that"),
        ("[[endpoint]]\nname = 'a'\npath = 'x'", "endpoint[0].path must be a path in quotes that"
         " begins with a slash, percent-encoded as in \"/caf%C3%A9/?page=2\", not \"x\""),
        ('[variants."a/b"]', 'the key "a/b" must be a name of at most 100 characters without'),
        (f'[variants.{"x" * 150}]', "must be a name of at most 100 characters without slash"),
        ("[[endpoint]]\nname = 'a'\npath = '/{x}'\nvalues = { x = '20..1' }", "'20..1' of x has no"
         " number in it; name the smaller one first"),
        # Nothing else can be asked for over HTTP.
        *((f"[[endpoint]]\nname = 'a'\npath = '/{text}'", f"not \"/{text}\"")
          for text in ("café", "a b", "a#b")),
        ("[[endpoint]]\nname = 'a'\npath = '/'\nshares = 1", "unknown key 'shares'"),
        ("[[endpoint]]\nname = 'a'\npath = '/'\n" * 2, "2 endpoints are called 'a'; rename 1"),
        ("[env]\nX = '{postgres.uri}'", "unknown placeholder '{postgres.uri}'; did you mean"
         " {postgres.url}"),
        ("[env]\nPYTHONPATH = '/'", "'PYTHONPATH' is not for a project to be told; leave it out"),
        ("[[endpoint]]\nname = 'a'\npath = '/'\nshare = 1\n[[endpoint]]\nname = 'b'\npath = '/'",
         "no share is left for b; give each a part of 1"),
        ("[variants.2x4]", "[variants]: '2x4' is no name for a variant; begin with a letter"),
        ("[variants.again]", "[variants]: 'again' is no name for a variant"),
        ("[variants.a]\nenv = { X = 'a' }\n[variants.b]\nenv = { X = 1 }",
         "variants.b.env.X must be a text in quotes, not 1"),
        ("[variants.a]\nwith = ['x']", "[variants.a]: unknown key 'with'; did you mean without?"),
        ("".join(f"[variants.a{n}]\n" for n in range(21)), "[variants]: 21, each under every"),
        # An installer would take it for an option.
        ("[variants.a]\nrequires = ['--find-links=http://x']", "variants.a.requires[0] must be the"
         " name of a distribution in quotes, not its extras"),
        ("[variants.a]\nrequires = ['psycopg[c]']", '"psycopg-c" in place of "psycopg[c]"'),
        ("[variants.a.settings]\ndebug = true", "'debug' is no setting; they are in capitals"),
        ("[variants.a]\nenv = { PYTHONPATH = '/' }", "[variants.a] env: 'PYTHONPATH' is not for"),
        ("[env]\nX = 1", "env.X must be a text in quotes, not 1"),
        ("[request]\nheaders = { Cookie = 'a' }", "the header Cookie is not set here; a login is"
         " `as`"),
        ("[request]\nheaders = { X = 'é' }", "X must be of ASCII letters, digits and signs"),
        ("[prepare]\ncommands = ['migrate \"']", "No closing quotation"),
        (f"{GET}method = 'POST'", "endpoint a: POST may write; add writes = true"),
        (f"{GET}method = 'HEAD'", "endpoint[0].method must be one of "),
        (f"{GET}[endpoint.answer]\nhas = {['x'] * 101}",
         "endpoint[0].answer.has must be a list in brackets, each a text in quotes, 100 at most"),
        (f"{GET}json = {{}}", "endpoint a: a GET has no body; add its method"),
        (f"{POST}json = {{}}\nform = {{}}", "endpoint a: a body is json or form"),
        (f"{POST}json = {{ at = 2026-01-02 }}", "endpoint a: JSON has no dates; put those of json"),
        (f"{POST}json = 'x'", "endpoint[0].json must be a table of keys, not \"x\""),
        (OF_VALUE, "endpoint a: {x} stands for a value; say under [values]"),
        (f"[values]\nxy = '1..2'\n{OF_VALUE}", "endpoint a: unknown value 'x'; did you mean xy?"),
        ("[values]\nx = 'Product'", "values.x must be the field of a model, as in"),
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


def test_the_demo_is_a_project_as_any_other(project: Project) -> None:
    assert own.project_at(ROOT, sys.executable).app == project.app
    told = project.environment({"LOADTEST_UPSTREAM": "http://127.0.0.1:8081"})
    assert told["DJANGO_SETTINGS_MODULE"] == "loadtest_settings"
    assert told["LOADTEST_SETTINGS"] == "myproject.settings"
    assert (told["UPSTREAM_URL"], told["DATABASE_POOL_SIZE"]) == ("http://127.0.0.1:8081", "16")
    sized = project.environment({}, shape=Shape(database_pool=3))
    assert sized["DATABASE_POOL_SIZE"] == "3"


def test_endpoints_are_declared_in_one_place(tmp_path: Path) -> None:
    by_command = LEAST.replace("[database]", 'endpoints = "endpoints --all"\n[database]')
    assert own.project_at(written(tmp_path, by_command)).app.declares == "endpoints --all"
    with pytest.raises(UserError, match="endpoints is for a file without"):
        own.read(written(tmp_path, by_command + GET))


def test_a_project_may_bring_its_own(tmp_path: Path) -> None:
    """Matrices, server profiles, and what stands in for what it calls."""
    more = 'matrices = "m"\nservers = "../s"\ncompose = true\n[database]'
    text = LEAST.replace("[database]", more) + (
        "[upstream]\nmodule = 'shop.upstream'\ncounter = '/n'\nkey = 'asked'\n"
    )
    app = own.project_at(written(tmp_path, text + GET)).app
    assert (app.matrices, app.servers, app.compose) == (tmp_path / "m", tmp_path / "../s", True)
    assert app.addresses == {"upstream": "LOADTEST_UPSTREAM"}
    assert app.declared[0].contract.upstream is None  # as many as it likes
    plain = own.project_at(written(tmp_path, LEAST + GET)).app
    assert (plain.matrices, plain.servers, plain.compose) == (MATRICES, SERVERS, False)
    assert plain.declared[0].contract.upstream == 0


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
    nowhere = project.environment({})
    told = project.environment({"LOADTEST_DATABASE": "postgresql://here/it"})
    assert "127.0.0.1:9" in nowhere["URL"]
    assert told["URL"] == "postgres://here/it?x=1"
    assert told["LONG"] == "postgresql://here/it"
    assert told["PLAIN"] == "a{b"
    assert len({told["KEY"], told["OTHER"], told["LOADTEST_SECRET_KEY"]}) == 3
    assert told["KEY"] == nowhere["KEY"]


def test_a_secret_is_taken_from_the_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"{LEAST}[env]\nURL = 'https://{{env.SHOP_KEY}}@pay.example.org'\n"
    folder = written(tmp_path, f"{text}[variants.other]\nenv = {{ X = '{{env.other}}' }}\n")
    monkeypatch.delenv("SHOP_KEY", raising=False)
    monkeypatch.setenv("other", "letters")
    with pytest.raises(UserError, match=r"from your shell; type `export SHOP_KEY=\.\.\.`"):
        own.project_at(folder)
    monkeypatch.setenv("SHOP_KEY", "{random}2")
    project = own.project_at(folder)
    assert project.environment({})["URL"] == "https://{random}2@pay.example.org"
    assert project.environment({}, "other")["X"] == "letters"
    # Whatever its name, nobody else is to read it.
    assert {"{random}2", "letters"} <= set(project.confidential({}, {}))


@pytest.mark.parametrize(
    ("name", "text", "secret"),
    [
        ("PAYMENT_KEY", "abc", True),
        ("SHOP_PASS", "abc", True),
        ("DB_PASSWORD", "12345", True),
        ("SENTRY", "https://abc@example.org/1", True),
        ("DATABASE_URL", "postgres://me:abc@localhost/shop", True),
        ("DATABASE_URL", "postgres://me@localhost/shop", False),
        ("DATABASE_URL", "postgres://me:{random}@localhost/shop", False),
        ("SECRET_KEY", "{random}", False),
        ("PAYMENT_KEY", "{env.PAYMENT_KEY}", False),
        ("PAYMENT_KEY", "", False),
        ("SESSION_COOKIE_SECURE", "True", False),
        ("SESSION_COOKIE_AGE", "1209600", False),
        ("SHOP_CURRENCY", "EUR", False),
        ("AUTH_USER_MODEL", "accounts.User", False),
        ("PASSWORD_RESET_TIMEOUT", "3600", False),
        ("SESSION_COOKIE_NAME", "shop", False),
        ("AUTHOR", "alice", False),
        ("BASIC_AUTH", "me:abc", True),
        ("AUTHORIZATION", "abc", True),
        ("API_KEY_PREFIX", "abc", False),
        ("API_KEY_NAMESAKE", "abc", True),
        ("TOKEN_MODEL_KEY", "abc", True),
    ],
)
def test_what_is_a_secret(name: str, text: str, secret: bool) -> None:
    assert is_secret(name, text) == secret


def test_a_variant_is_told_what_it_changes(tmp_path: Path) -> None:
    text = LEAST + (
        "[env]\nAGE = '0'\nKEY = '{random}'\n[variants.pooled]\nenv = { AGE = '60', URL = "
        "'{postgres.url}' }\nsettings.DATABASES.default.CONN_MAX_AGE = 60\nwithout = ['a.Slow']\n"
    )
    project = own.project_at(written(tmp_path, text))
    plain, varied = project.environment({}), project.environment({}, "pooled")
    assert (plain["AGE"], varied["AGE"]) == ("0", "60")
    assert "127.0.0.1:9" in varied["URL"]
    assert plain["KEY"] == varied["KEY"]
    assert "LOADTEST_VARIED" not in plain
    assert json.loads(varied["LOADTEST_VARIED"]) == {
        "settings": {"DATABASES": {"default": {"CONN_MAX_AGE": 60}}},
        "without": ["a.Slow"],
    }
    middleware = facts.Middleware(name="a.Slower", asynchronous=True)
    known = Facts(stage="end", middleware=(middleware,))
    (line,) = facts.unvaried(project, known)
    assert line == "[variants.pooled]: unknown middleware 'a.Slow'; did you mean a.Slower?"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, Site(asynchronous=False)),
        ({"conn_max_age": 0}, Site(reconnects=True, asynchronous=False)),
        ({"conn_max_age": 0, "pool": True}, Site(asynchronous=False)),
        ({"conn_max_age": 0, "engine": "django.db.backends.sqlite3"}, Site(asynchronous=False)),
        ({"driver": "python"}, Site(driver="python", asynchronous=False)),
    ],
)
def test_what_may_matter_more_than_the_server(changes: dict[str, Any], expected: Site) -> None:
    plain: dict[str, Any] = {
        "engine": "django.db.backends.postgresql",
        "file": None,
        "conn_max_age": 60,
        "pool": False,
    }
    known = Facts(stage="end", databases={"default": facts.Database(**plain | changes)})
    assert facts.site(known) == expected


def test_what_can_be_awaited_is_known() -> None:
    slow, quick = (
        facts.Middleware(name=name, asynchronous=name == "quick") for name in ("slow", "quick")
    )
    known = Facts(stage="end", middleware=(quick, slow), routes=(route("/", asynchronous=True),))
    assert facts.site(known) == Site(blocks="slow")


def test_an_answer_to_another_question_is_no_contract(tmp_path: Path) -> None:
    endpoint = "[[endpoint]]\nname = 'home'\npath = '/'\n"
    folder = written(tmp_path, LEAST + endpoint)
    (asked,) = own.read(folder).endpoint
    contract = msgspec.structs.replace(own.expected(asked), content_type="text/html")
    basis = own.basis(folder, own.read(folder), str(folder / ".venv/bin/python"))
    fixed = own.Fixed(asked=asked, contract=contract, basis=basis, writes_once=True)
    own.write_recorded(folder, own.Recorded(format=1, endpoints={"home": fixed}))
    assert own.unrecorded(own.project_at(folder)) == []
    assert own.project_at(folder).app.visited == ("home",)
    written(tmp_path, LEAST + endpoint + "share = 0.5\n")
    assert own.unrecorded(own.project_at(folder)) == []
    written(tmp_path, LEAST + endpoint.replace("'/'", "'/other/'"))
    assert own.unrecorded(own.project_at(folder)) == ["home"]
    assert own.project_at(folder).app.visited == ()
    assert (folder / ".loadtest" / ".gitignore").read_text() == "*\n"


def test_an_endpoint_that_could_not_be_recorded_is_left_out(tmp_path: Path) -> None:
    """And the others are measured: one that nobody has tried is to be recorded first."""
    text = "".join(ENDPOINT.replace("'a'", f"'{name}'").format(name) for name in ("home", "code"))
    folder = written(tmp_path, LEAST + text)
    file = own.read(folder)
    home, code = file.endpoint
    basis = own.basis(folder, file, str(folder / ".venv/bin/python"))
    contract = msgspec.structs.replace(own.expected(home), content_type="text/html")
    fixed = {"home": own.Fixed(asked=home, contract=contract, basis=basis)}
    failed = {"code": own.Failed(asked=code, basis=basis, reason="status 429 instead of 200")}
    own.write_recorded(folder, own.Recorded(format=1, endpoints=fixed, failed=failed))
    project = own.project_at(folder)
    why = (
        "its answer could not be recorded: status 429 instead of 200; type `loadtest record code`"
        " to try again, or take it out of loadtest.toml"
    )
    assert (own.lacking(project), own.left_out(project)) == ([], {"code": why})
    servers = tuple(profile.load_servers(project.app.servers))
    versions = dict.fromkeys(inventory.distributions(servers, project.app), "1")
    offered = inventory.Inventory(project, servers, project.endpoints(), versions)
    plan = inventory.make_plan(offered, Choice())
    skips = {(cell.endpoint.name, cell.skip) for cell in plan.cells}
    assert skips == {("home", None), ("code", why)}
    # All of them, and nothing is left to measure.
    own.write_recorded(folder, own.Recorded(format=1, endpoints={}, failed=failed))
    assert own.lacking(own.project_at(folder)) == [
        "no answer of home is recorded; type `loadtest record`"
    ]
    written(tmp_path, LEAST + ENDPOINT.replace("'a'", "'code'").format("code"))
    assert own.lacking(own.project_at(folder)) == [f"code: {why}"]
    # It is another question now.
    written(tmp_path, LEAST + ENDPOINT.replace("'a'", "'code'").format("else"))
    assert own.left_out(own.project_at(folder)) == {}
    assert own.unrecorded(own.project_at(folder)) == ["code"]


def test_what_is_said_of_every_request_is_a_part_of_each(tmp_path: Path) -> None:
    text = f"{LEAST}[request]\nheaders = {{ A = '1', B = '1' }}\n[values]\nx = '1..2'\n"
    folder = written(tmp_path, f"{text}{POST}headers = {{ B = '2' }}\nvalues = {{ y = '3..4' }}\n")
    (asked,) = own.endpoints(own.read(folder))
    assert asked.headers == {"A": "1", "B": "2"}
    assert asked.values == {"x": "1..2", "y": "3..4"}
    assert own.template(asked).sources == asked.values


def test_another_header_of_every_request_is_another_question(tmp_path: Path) -> None:
    text = f"{LEAST}[request]\nheaders = {{ A = '1' }}\n{POST}json = {{ a = 1 }}\n"
    folder = written(tmp_path, text)
    (asked,) = own.endpoints(own.read(folder))
    contract = msgspec.structs.replace(own.expected(asked), content_type="text/html")
    basis = own.basis(folder, own.read(folder), str(folder / ".venv/bin/python"))
    fixed = own.Fixed(asked=asked, contract=contract, cost_s=0.02, basis=basis)
    own.write_recorded(folder, own.Recorded(format=1, endpoints={"a": fixed}))
    project = own.project_at(folder)
    assert own.unrecorded(project) == []
    (endpoint,) = project.endpoints()
    # What it writes is in no other's way: it has processes and a copy of the database to itself.
    assert (endpoint.isolated, endpoint.cost_s, endpoint.summary) == (True, 0.02, "POST /")
    written(folder, text.replace("[request]", "[values]\nz = '1..2'\n[request]"))
    assert own.unrecorded(own.project_at(folder)) == []  # of no use for this one
    written(folder, text.replace("A = '1'", "A = '2'"))
    assert own.unrecorded(own.project_at(folder)) == ["a"]


def body(**changes: Any) -> Body:
    return Body(**{"level": "text", "sha256": "0" * 64, **changes})


@pytest.mark.parametrize(
    ("then", "now", "lines"),
    [
        ({}, {"body_bytes": 9}, []),
        ({}, {"body": body(least_bytes=5)}, []),
        ({}, {"status": 201}, ["status 200 -> 201"]),
        ({}, {"statements": 5}, ["statements 4 -> 5"]),
        ({}, {"body": body(sha256="1" * 64)}, ["another answer"]),
        ({}, {"body": body(level="tags")}, ["what is fixed: text -> tags"]),
        (
            {"body": body(holes=("dates", "5"))},
            {"body": body(holes=("dates", "nonces"))},
            ["now open: nonces", "now fixed: 5"],
        ),
        ({}, {"body": body(location_sha256="1" * 64)}, ["another place that it redirects to"]),
        ({}, {"body": body(cookies=("a",))}, ["cookies none -> a"]),
    ],
)
def test_what_a_new_recording_changes(
    then: dict[str, Any], now: dict[str, Any], lines: list[str]
) -> None:
    asked = Asked(name="a", path="/")
    old, new = (
        own.Fixed(asked=asked, contract=contract(**{"body": body(), "statements": 4, **changes}))
        for changes in (then, now)
    )
    assert own.differences(old, new) == lines


@pytest.mark.parametrize("name", ["", own.OVERLAY, "pycache"])
def test_nothing_is_written_through_a_link(name: str, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / "project").mkdir()
    folder = written(tmp_path / "project", LEAST)
    if name:
        (folder / FOLDER).mkdir()
        (folder / FOLDER / ".gitignore").write_text("*\n")
    (folder / FOLDER / name).symlink_to(elsewhere)
    with pytest.raises(UserError, match="it is a link"):
        own.project_at(folder)
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize(
    "data",
    [
        b'{"format": 1, "endpoints": {"\xff": {}}}',
        b'{"format": 1, "endpoints": ' + b'{"a":' * 5_000,
        b'{"format": 2, "endpoints": {}}',
        b"[]",
        b"",
    ],
    ids=lambda data: str(data[:40]),
)
def test_what_was_not_recorded_by_us_is_refused_in_a_line(tmp_path: Path, data: bytes) -> None:
    """It comes with the project, whoever made that."""
    folder = written(tmp_path, LEAST)
    (folder / FOLDER).mkdir()
    (folder / FOLDER / own.RECORDED).write_bytes(data)
    with pytest.raises(UserError, match="remove it, and type `loadtest record`"):
        own.project_at(folder)


def test_what_a_project_runs_on_today_takes_part(tmp_path: Path) -> None:
    """Whichever servers a matrix has: `quick` has no waitress."""
    text = LEAST.replace('"shop.settings"', '"shop.settings"\nreference = "waitress"')
    project = own.project_at(written(tmp_path, f"{text}[[endpoint]]\nname = 'home'\npath = '/'\n"))
    servers = tuple(profile.load_servers(project.app.servers))
    versions = dict.fromkeys((name for server in servers for name in server.requires), "1")
    offered = inventory.Inventory(project, servers, project.endpoints(), versions)
    plan = inventory.make_plan(offered, Choice(matrix="quick"))
    assert plan.reference == "waitress"


def test_a_server_says_that_its_application_was_made(tmp_path: Path) -> None:
    app = own.project_at(written(tmp_path, LEAST)).app
    server = next(each for each in profile.load_servers(SERVERS) if each.name == "uvicorn")
    (limit,) = set(inventory._limited(server, app).limits) - set(server.limits)
    assert limit.endswith("takes a module of the project, such as shop.asgi.")
    (tmp_path / own.FILE).write_text(LEAST.replace("[database]", 'asgi = "a.b:c"\n[database]'))
    assert inventory._limited(server, own.project_at(tmp_path).app) == server


def test_what_a_project_lacks_is_installed_beside_it(tmp_path: Path) -> None:
    project = own.project_at(written(tmp_path, LEAST))
    servers = profile.load_servers(SERVERS)
    offered = inventory.Inventory(project, servers, (), {})
    line = "not installed: uvicorn uvloop httptools; `loadtest env uvicorn`"
    assert offered.missing["uvicorn"] == line
    shaped = lineup.lineup(servers, [Shape(), Shape(workers=8)], project.app, Choice())
    assert offered.lacking(shaped)["uvicorn-8"] == line


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
        project=Where(
            python="python",
            settings="a.b",
            path=(".", "src"),
            reference="gunicorn-gthread",
            reference_shape="3x2",
        ),
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
    return Route(**{"path": path, "arguments": (), "asynchronous": False, **changes})


@pytest.mark.parametrize(
    ("settings", "module"), [("settings", "wsgi"), ("shop.settings.base", "shop.wsgi")]
)
def test_an_application_beside_the_settings(tmp_path: Path, settings: str, module: str) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / f"{module.replace('.', '/')}.py").touch()
    where = proposal.where(tmp_path, "python", settings, Facts(stage="end"))
    assert (where.wsgi, where.asgi) == (f"{module}:application", "generated")


def test_a_cache_in_the_database_has_its_table() -> None:
    caches = {"default": "django.core.cache.backends.db.DatabaseCache"}
    prepare = proposal.prepare(Facts(stage="end", caches=caches), True, None)
    assert prepare.commands == ("createcachetable", "migrate --noinput")
    prepare = proposal.prepare(Facts(stage="end", caches=caches), False, None)
    assert prepare.commands == ()


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
            route("/caf\u00e9/"),
        ),
    )
    assert proposal.paths(known) == ["/", "/products/"]
    first = Probed(path="/", status=200, links=("/p/1/", "/p/2/", "/p/delete/", "/x/?page=2"))
    assert proposal.linked([first], ["/"]) == ["/p/1/", "/x/?page=2"]
    first = Probed(path="/", status=200, links=("/feed/?token=abc", "/{x}/", "/y/"))
    assert proposal.linked([first], ["/"]) == ["/y/"]
    # What could not be asked for over HTTP as it stands.
    first = Probed(path="/", status=200, links=("/caf\u00e9/", "/x/?q=\u00e9", "/x/?q=\\"))
    assert proposal.linked([first], ["/"]) == []


def test_what_is_proposed_and_what_is_left_out() -> None:
    known = Facts(stage="end", routes=(route("/slow/", asynchronous=True),))
    probed = [
        Probed(path="/", status=200, type="text/html", again_ms=1, statements=2, route="a"),
        Probed(path="/slow/", status=200, type="text/html", again_ms=60, route="b"),
        Probed(path="/api/", status=200, type="application/json", again_ms=5, route="c"),
        Probed(path="/again/", status=200, again_ms=5, route="c"),
        Probed(path="/api/?page=2", status=200, again_ms=5, route="c"),
        Probed(path="/list/", status=200, again_ms=5, route="c", template="list.html"),
        Probed(path="/hit/", status=200, writes=("INSERT hits",), route="d"),
        Probed(path="/mail/", status=200, mail=1, route="e"),
        Probed(path="/out/", status=200, outbound=("203.0.113.1:80",), route="f"),
        Probed(path="/broken/", status=500, error="LookupError at a.py:1", route="g"),
        Probed(path="/mine/", status=302, location="/in/?next=/mine/", route="i"),
        Probed(path="/me/?t=1", status=302, location="https://a.example.org/in/?t=2", route="h"),
    ]
    proposed, left = proposal.endpoints(known, probed, "alice", {"/api/"})
    assert [(asked.name, asked.style, asked.kind, asked.as_) for asked, _ in proposed] == [
        ("home", "sync", "pages", None),
        ("slow", "async", "pages", None),
        ("api", "sync", "api", "alice"),
        ("list", "sync", "files", None),  # of a CMS, one of each template
    ]
    assert dict(left) == {
        "/again/": "the route of /api/",
        "/hit/": "a GET that writes: INSERT hits; it needs writes = true",
        "/mail/": "it sends mail",
        "/out/": "it calls 203.0.113.1:80, which is no service of the run",
        "/broken/": "status 500: LookupError at a.py:1",
        "/mine/": "status 302, to /in/; `loadtest init --user NAME` asks as who may see it",
        "/me/": "status 302, to /in/",
    }


def test_the_page_that_a_site_leads_to_is_proposed() -> None:
    probed = [
        Probed(path="/", status=302, location="/en/"),
        Probed(path="/en/", status=302, location="/board/?next=/"),
        Probed(path="/quick/", status=200, again_ms=1, route="a"),
        Probed(path="/board/", status=200, again_ms=2, route="b"),
        Probed(path="/slow/", status=200, again_ms=3, route="c"),
    ]
    proposed, _ = proposal.endpoints(Facts(stage="end"), probed, None)
    assert proposed[0][0].path == "/board/"
    assert proposed[0][1].startswith("where / leads, ")


def middleware(name: str) -> facts.Middleware:
    return facts.Middleware(name=name, asynchronous=False)


@pytest.mark.parametrize(
    ("known", "headers", "why"),
    [
        ({}, {}, ""),
        ({"hosts": ("*", "localhost", "127.0.0.1", "[::1]")}, {}, ""),
        ({"hosts": ("*", ".Shop.example.org")}, {"Host": "shop.example.org"},
         "the first of ALLOWED_HOSTS"),
        ({"proxy_header": ("X-Forwarded-Ssl", "on")}, {"X-Forwarded-Ssl": "on"},
         "SECURE_PROXY_SSL_HEADER"),
        ({"middleware": (middleware("django.middleware.gzip.GZipMiddleware"),)},
         {"Accept-Encoding": "gzip"}, "GZipMiddleware, as every browser asks for it"),
    ],
)  # fmt: skip
def test_what_stands_in_front_of_a_project(
    known: dict[str, Any], headers: dict[str, str], why: str
) -> None:
    request, reason = proposal.request(Facts(stage="end", **known))
    assert (request.headers, reason) == (headers, why)


@pytest.mark.parametrize(
    ("known", "line"),
    [
        (Facts(stage="django"), "has no Django"),
        (Facts(stage="settings", failure=facts.Failure(kind="KeyError", text="'X'", at="s.py:1")),
         "the settings cannot be imported: KeyError: 'X' (s.py:1); tell them under [env]"),
        (Facts(stage="settings", failure=facts.Failure(kind="ModuleNotFoundError", text="x",
                                                       at="y")),
         "ModuleNotFoundError: x (y); install the project's packages for"),
        (Facts(stage="end", django="2.2.1", settings_file="/p/s.py"), "needs 3.2 or newer"),
        (Facts(stage="end", django="5.2", settings_file="/other/s.py"), "which is not below"),
        (Facts(stage="end", django="5.2", settings_file="/p/s.py", forced=True), "by force"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way(known: Facts, line: str) -> None:
    problems = facts.problems(own.project(Path("/p"), NO_DATABASE), known)
    assert any(line in problem for problem in problems)


@pytest.mark.parametrize("django", ["6.0", "6.0rc1", "6.1a1", "5.2.dev20260101"])
def test_a_project_that_can_be_measured_has_no_problem(django: str) -> None:
    known = Facts(stage="end", django=django, settings_file="/p/shop/s.py")
    assert facts.problems(own.project(Path("/p"), NO_DATABASE), known) == []


def test_the_file_that_the_page_shows_is_one(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "loadtest-toml.md").read_text(encoding="utf-8")
    _, text = page.split("```toml\n", 1)
    file = own.read(written(tmp_path, text.partition("```")[0]))
    assert [asked.method for asked in file.endpoint] == ["GET", "POST"]


@pytest.mark.parametrize(
    ("backend", "replaced"), [("memcached.PyMemcacheCache", True), ("locmem.LocMemCache", False)]
)
def test_a_cache_that_is_replaced_is_named(backend: str, replaced: bool) -> None:
    known = Facts(stage="end", caches={"default": f"django.core.cache.backends.{backend}"})
    assert any("Memcached" in line for line in proposal.notes(known)) == replaced


def test_what_a_person_should_know_of_two_applications() -> None:
    lines = list(proposal.notes(Facts(stage="end", wrapped=("shop.wsgi:application",))))
    assert any("WSGI and ASGI servers run different programs here" in line for line in lines)
    both = Facts(stage="end", wrapped=("shop.wsgi:application", "shop.asgi:application"))
    assert not any("different programs" in line for line in proposal.notes(both))


def test_more_contracts_than_are_read_back_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own.files, "MOST_BYTES", 10)
    with pytest.raises(UserError, match=r"the contracts of 0 endpoints are larger than the "):
        own.write_recorded(tmp_path, own.Recorded(format=1, endpoints={}))
    assert not (tmp_path / ".loadtest" / "answers.json").exists()


def test_a_page_that_leads_to_no_address_is_left_out() -> None:
    looked = facts.Facts(stage="end", routes=(Route(path="/", arguments=(), asynchronous=False),))
    probed = [Probed(path="/", status=302, location="http://[x")]
    proposed, left = proposal.endpoints(looked, probed, None)
    assert proposed == []
    assert [each.why for each in left] == ["status 302, to /"]


def test_what_prints_something_else_is_no_python(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho Welcome\n")
    python.chmod(0o755)
    with pytest.raises(UserError, match="does not answer as a Python does; name the app's inter"):
        Project(tmp_path, str(python), App()).versions(["django"])
