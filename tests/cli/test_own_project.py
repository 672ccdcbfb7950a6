"""Somebody's own project, from nothing to a report, with SQLite and with PostgreSQL.

The project is a copy of `tests/projects/shop`, which has the surprises of real ones in small.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import Done, Type
from paths import TESTS

from loadtest.plan.servers import own
from loadtest.records import run_folder
from loadtest.records.planned import Body

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("no_addresses")]

GENERATED = {".loadtest", "loadtest.toml", "results"}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Give a project whose owner has a database of their own, with one product in it."""
    folder = tmp_path / "shop"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(TESTS / "projects" / "shop", folder, ignore=ignored)
    told = {"SHOP_CURRENCY": "EUR", "SHOP_SECRET_KEY": "x", "PATH": os.environ["PATH"]}
    told["PYTHONDONTWRITEBYTECODE"] = "1"
    make = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(make, cwd=folder, env=told, check=True, capture_output=True)
    with sqlite3.connect(folder / "db.sqlite3") as mine:
        mine.execute("INSERT INTO catalogue_product (name, seen) VALUES ('Mine', '2026-01-01')")
    author = ["-c", "user.name=Alice", "-c", "user.email=alice@example.org"]
    for words in (["init", "--quiet"], ["add", "."], [*author, "commit", "--quiet", "-m", "Shop"]):
        subprocess.run(["git", *words], cwd=folder, check=True, capture_output=True)
    return folder


def contents(folder: Path) -> dict[str, str]:
    """Return a digest of each file that is not loadtest's."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not GENERATED & set(path.relative_to(folder).parts)
    }


def init(type_: Type, shop: Path, *more: str) -> Done:
    return type_(
        "init", "--project", shop, "--python", sys.executable, "--seed", "seed.py",
        "--user", "alice", *more,
    )  # fmt: skip


def without(shop: Path, *names: str) -> None:
    """Take endpoints out of the file, as a person would."""
    path = shop / "loadtest.toml"
    head, *blocks = re.split(r"(?=\n\[\[endpoint\]\])", path.read_text())
    kept = [block for block in blocks if not any(f'name = "{name}"' in block for name in names)]
    path.write_text(head + "".join(kept))


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_from_nothing_to_a_report(
    type_: Type, shop: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = contents(shop)
    told = ["--env", "SHOP_DATABASE_URL={postgres.url}"] if database == "postgres" else []
    # A variable of the shell is not for a project to see.
    monkeypatch.setenv("SHOP_CURRENCY", "GBP")
    done = init(type_, shop, "--prepare", "check --deploy", *told)
    assert done.status == 0, done.err
    file = own.read(shop)
    assert file.project.reference == "gunicorn-gthread"
    assert (file.project.wsgi, file.project.asgi) == ("shop.wsgi:application", "generated")
    assert file.env["SHOP_CURRENCY"] == "EUR"
    assert file.env["SHOP_SECRET_KEY"] == "{random}"
    assert file.env["DEBUG"] == "False"
    assert file.database.kind == database
    assert file.database.redis
    assert file.database.copy == ("db.sqlite3" if database == "sqlite" else None)
    assert "collectstatic --noinput" in file.prepare.commands
    assert file.prepare.commands[-1] == "check --deploy"
    asked = {each.path: each for each in file.endpoint}
    assert asked["/account/"].as_ == "alice"
    assert asked["/"].as_ is None
    left = (shop / "loadtest.toml").read_text().partition("# Left out:")[2]
    for path, why in {
        "/visit/": "a GET that writes: INSERT catalogue_visit",
        "/invite/": "it sends mail",
        "/rates/": "it calls 203.0.113.1:80, which is no service of the run",
        "/broken/": "status 500: LookupError at catalogue/views.py:81",
    }.items():
        assert f"# GET {path}: {why}" in left
    assert "/logout/" not in asked
    without(shop, "code", "account" if database == "sqlite" else "")

    done = type_("record", "--project", shop, "--later", "0")
    assert done.status == 0, done.out + done.err
    fixed = own.recorded(shop).endpoints
    assert fixed["home"].contract.body is not None
    assert fixed["home"].contract.body.level == "text"
    products = fixed["products-json"].contract.body
    assert products is not None
    assert (products.level, products.holes) == ("json", ("$.at",))
    assert all(not each.accepts for each in fixed.values())

    results = shop / "results"
    done = type_(
        "run", "--project", shop, "--server", "gunicorn-sync", "--server", "gunicorn-gthread",
        "--endpoint", "home", "--endpoint", "products-json", "--endpoint", "slow",
        "--rounds", "1", "--duration", "1", "--out", results,
    )  # fmt: skip
    assert done.status in (0, 1), done.out + done.err  # a busy machine may put a number in doubt
    (folder,) = (path for path in results.iterdir() if path.is_dir())
    assert (results / ".gitignore").read_text() == "*\n"
    stored = run_folder.read(folder, run_folder.SERVERS)
    assert {outcome.status for outcome in stored.outcomes} == {"measured"}
    assert stored.run.plan.reference == "gunicorn-gthread"
    names = {cell.endpoint.name for cell in stored.run.plan.cells}
    assert names == {"home", "products-json", "slow"}
    text = (folder / "report.md").read_text()
    assert re.search(r"python -m gunicorn .* shop\.wsgi:application", text)
    told = [shop / "loadtest.toml", shop / ".loadtest" / "answers.json", *folder.rglob("*")]
    for path in filter(Path.is_file, told):
        assert not re.search(rb"hunter2|never-take-this", path.read_bytes()), path
    assert contents(shop) == before
    shown = subprocess.run(
        ["git", "status", "--short", "--untracked-files=all"],
        cwd=shop,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert shown == "?? loadtest.toml\n"


def test_every_server_is_brought_up_once(type_: Type, shop: Path) -> None:
    assert init(type_, shop).status == 0
    without(shop, "code")
    assert type_("record", "--project", shop, "--later", "0").status == 0
    done = type_("check", "--project", shop)
    assert done.status == 0, done.out
    assert "gunicorn-sync" in done.out
    # What is answered otherwise than it was recorded is told, under each server.
    views = shop / "catalogue" / "views.py"
    views.write_text(views.read_text().replace('"<h1>Shop</h1>', '"<h1>Shut</h1>'))
    done = type_("check", "--project", shop)
    assert done.status == 1
    assert "home" in done.out


def test_what_is_used_up_is_no_endpoint(type_: Type, shop: Path) -> None:
    assert init(type_, shop).status == 0
    path = shop / "loadtest.toml"
    head = re.split(r"\n\[\[endpoint\]\]", path.read_text())[0]
    path.write_text(f'{head}\n[[endpoint]]\nname = "code"\npath = "/code/"\n')
    done = type_("record", "--project", shop, "--later", "0")
    assert done.status == 1
    assert "status 429 instead of 200" in done.out
    done = type_("run", "--project", shop)
    assert done.status == 2
    assert done.lines == ["loadtest: no answer of code is recorded; type `loadtest record`"]


def test_a_cache_that_is_silent_when_it_is_dead(type_: Type, shop: Path) -> None:
    """Answers would be right, and each would ask the database."""
    assert init(type_, shop, "--no-ask").status == 0
    with (shop / "loadtest.toml").open("a") as file:
        file.write('\n[[endpoint]]\nname = "product"\npath = "/products/1/"\n')
    done = type_("record", "--project", shop, "--later", "0")
    assert done.status == 0, done.out + done.err
    assert "0 statements" in done.out


def test_a_command_that_is_none_is_one_line(type_: Type, shop: Path) -> None:
    done = init(type_, shop, "--prepare", 'loaddata "shop.json')
    assert done.status == 2
    assert done.lines == ["loadtest: [prepare]: 'loaddata \"shop.json': No closing quotation"]


def test_a_file_is_not_written_over(type_: Type, shop: Path) -> None:
    (shop / "loadtest.toml").write_text("mine")
    done = init(type_, shop, "--no-ask")
    assert done.status == 2
    assert "-mine" in done.out
    assert "type --force to write over it" in done.err
    assert (shop / "loadtest.toml").read_text() == "mine"


def test_an_application_that_sets_its_settings_by_force(type_: Type, shop: Path) -> None:
    """It would run on the project's own databases."""
    wsgi = shop / "shop" / "wsgi.py"
    forced = 'os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"\n'
    wsgi.write_text(wsgi.read_text().replace("application =", f"{forced}application ="))
    done = init(type_, shop)
    assert done.status == 0, done.err
    assert own.read(shop).project.wsgi == "generated"
    assert "not shop.wsgi:application: it sets DJANGO_SETTINGS_MODULE by force" in done.out
    path = shop / "loadtest.toml"
    path.write_text(path.read_text().replace('"generated"', '"shop.wsgi:application"', 1))
    for command in ("record", "run"):
        done = type_(command, "--project", shop)
        assert done.status == 2
        assert "sets DJANGO_SETTINGS_MODULE by force" in done.err


def test_a_server_that_comes_to_run_under_other_settings(type_: Type, shop: Path) -> None:
    """Nobody sees it in the module: it puts back what it has set."""
    assert init(type_, shop, "--no-ask").status == 0
    with (shop / "loadtest.toml").open("a") as file:
        file.write('\n[[endpoint]]\nname = "home"\npath = "/"\n')
    wsgi = shop / "shop" / "wsgi.py"
    name = 'os.environ["DJANGO_SETTINGS_MODULE"]'
    text = wsgi.read_text().replace("application =", f'{name} = "shop.settings"\napplication =')
    wsgi.write_text(f'{text}\n{name} = "loadtest_settings"\n')
    before = contents(shop)
    done = type_("record", "--project", shop, "--later", "0")
    assert done.status != 0
    assert "its application does not run under loadtest_settings" in done.err
    assert contents(shop) == before


def test_no_database_of_the_project_is_reached(type_: Type, shop: Path) -> None:
    """Facts are asked where no database is, and what a run prepares is its own."""
    database = shop / "db.sqlite3"
    database.chmod(0o444)
    before = database.read_bytes()
    done = init(type_, shop)
    assert done.status == 0, done.err
    assert database.read_bytes() == before
    assert not list(shop.glob("db.sqlite3-*"))
    assert own.read(shop).database.copy == "db.sqlite3"


SENT_NAMES = ("stock", "reserve", "order")

SENT = """
[values]
key = "catalogue.ApiKey.key"
product = "SELECT id FROM catalogue_product WHERE name LIKE 'Thing%' ORDER BY id LIMIT 5"

[[endpoint]]
name = "stock"
path = "/api/stock/{product}/"
headers = { Authorization = "Api-Key {key}" }

[[endpoint]]
name = "reserve"
method = "PUT"
path = "/api/reserve/{product}/"
headers = { Authorization = "Api-Key {key}" }
json = { count = 2, note = "for {key}" }
writes = true
[endpoint.answer]
status = 201

[[endpoint]]
name = "order"
method = "POST"
path = "/api/order/{product}/"
as = "alice"
form = { count = "3" }
writes = true
[endpoint.answer]
status = 302
"""


def texts(folder: Path) -> str:
    """Return all that stands in the files of a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return "\n".join(path.read_text(errors="replace") for path in files)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_bodies_keys_and_values(type_: Type, shop: Path, database: str) -> None:
    before = contents(shop)
    told = ["--env", "SHOP_DATABASE_URL={postgres.url}"] if database == "postgres" else []
    assert init(type_, shop, "--no-ask", *told).status == 0
    assert own.read(shop).request.headers == {
        "Host": "shop.example.org",
        "X-Forwarded-Proto": "https",
        "Accept-Encoding": "gzip",
    }
    with (shop / "loadtest.toml").open("a") as file:
        file.write(SENT)
    done = type_("record", "--project", shop, "--later", "0")
    assert done.status == 0, done.out + done.err
    fixed = own.recorded(shop).endpoints
    bodies = {name: each.contract.body for name, each in fixed.items()}
    assert all(body is not None for body in bodies.values())
    stock, reserve, order = (bodies[name] or Body(level="length") for name in SENT_NAMES)
    assert (stock.level, stock.holes, len(stock.each)) == ("json", ("$.at",), 5)
    assert (reserve.level, reserve.holes, len(reserve.each)) == ("json", ("$.id",), 5)
    assert order.location_sha256 is not None
    assert fixed["stock"].accepts == fixed["reserve"].accepts == ()
    # What bob may do as well, and what has no body that says for which product it is.
    assert fixed["order"].accepts == ("another user", "the answer to another value")
    assert "it cannot be told from another user" in done.out
    assert fixed["stock"].refuses == (
        "a page that is not there",
        "a wrong key",
        "no key",
        "the answer to another value",
        "the page of an error",
    )
    assert "nobody logged in" in fixed["order"].refuses
    assert [fixed[name].contract.changes for name in SENT_NAMES] == [0, 1, 1]
    assert all((fixed[name].contract.statements or 0) >= 2 for name in SENT_NAMES)

    results = shop / "results"
    done = type_(
        "run", "--project", shop, "--server", "gunicorn-sync", "--server", "uvicorn",
        "--rounds", "1", "--duration", "1", "--out", results,
    )  # fmt: skip
    assert done.status in (0, 1), done.out + done.err  # a busy machine may put a number in doubt
    (folder,) = (path for path in results.iterdir() if path.is_dir())
    stored = run_folder.read(folder, run_folder.SERVERS)
    assert {outcome.status for outcome in stored.outcomes} == {"measured"}
    for outcome in stored.outcomes:
        assert outcome.work is not None
        assert outcome.work.statements is not None
        assert outcome.work.changes is not None
        assert outcome.work.statements >= 2 * outcome.work.answers
        assert "stock" in outcome.cell or outcome.work.changes >= outcome.work.answers
        if database == "postgres":  # of SQLite, one at a time writes, and some wait too long
            assert outcome.loaded is not None
            assert (outcome.loaded.errors, outcome.work.exceptions) == (0, 0)
    assert contents(shop) == before
    kept = texts(results) + (shop / ".loadtest" / "answers.json").read_text()
    assert not [secret for secret in ("key-of-", "sessionid=", "csrftoken=") if secret in kept]


def test_what_was_recorded_is_not_written_over(type_: Type, shop: Path) -> None:
    assert init(type_, shop, "--no-ask").status == 0
    with (shop / "loadtest.toml").open("a") as file:
        file.write('\n[[endpoint]]\nname = "home"\npath = "/"\n')
    record = ("record", "--project", shop, "--later", "0")
    assert type_(*record).status == 0
    first = own.recorded(shop)
    again = type_(*record)
    assert (again.status, again.err.count("kept")) == (0, 0), again.out
    views = shop / "catalogue" / "views.py"
    views.write_text(views.read_text().replace('"<h1>Shop</h1>', '"<h1>Shut</h1>'))
    done = type_(*record)
    assert done.status == 1
    assert "recorded otherwise before: another answer" in done.out
    assert "home: kept as recorded before; `loadtest record --yes` writes it over" in done.err
    kept = own.recorded(shop).endpoints["home"].contract.body
    recorded = first.endpoints["home"].contract.body
    assert kept is not None
    assert recorded is not None
    assert kept.sha256 == recorded.sha256
    assert type_(*record, "--yes").status == 0
    changed = own.recorded(shop).endpoints["home"].contract.body
    assert changed is not None
    assert changed.sha256 != kept.sha256
