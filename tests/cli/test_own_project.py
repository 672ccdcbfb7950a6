"""Somebody's own project, from nothing to a report, with SQLite and with PostgreSQL.

The project is a copy of `tests/projects/shop`, which has the surprises of real ones in small.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import pytest
from command_line import Done, Type
from own_shop import HEAD, RECORD, changed, copied, short_run

from loadtest.cli import record
from loadtest.plan.servers import own
from loadtest.records.planned import Body
from loadtest.records.run_folder import ServersRun

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("no_addresses")]

GENERATED = {".loadtest", "loadtest.toml", "results"}


def theirs(folder: Path) -> Path:
    """Return a project whose owner has a database of their own, with one product in it."""
    copied(folder)
    env = {"SHOP_CURRENCY": "EUR", "SHOP_SECRET_KEY": "x", "PATH": os.environ["PATH"]}
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    make = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
    subprocess.run(make, cwd=folder, env=env, check=True, capture_output=True)
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


def check_proposed(shop: Path, database: str) -> None:
    """Fail unless the file has what is known of the shop."""
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
    assert file.request.headers == {
        "Host": "shop.example.org",
        "X-Forwarded-Proto": "https",
        "Accept-Encoding": "gzip",
    }
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


def check_recorded(shop: Path, printed: str) -> None:
    """Fail unless each answer is fixed as far as it is the same every time."""
    fixed = own.recorded(shop).endpoints
    bodies = {name: each.contract.body or Body(level="length") for name, each in fixed.items()}
    assert bodies["home"].level == "text"
    products = bodies["products-json"]
    assert (products.level, products.holes) == ("json", ("$.at",))
    stock, reserve, order = (bodies[name] for name in SENT_NAMES)
    assert (stock.level, stock.holes, len(stock.each)) == ("json", ("$.at",), 5)
    assert (reserve.level, reserve.holes, len(reserve.each)) == ("json", ("$.id",), 5)
    assert order.location_sha256 is not None
    assert all(name == "order" or not each.accepts for name, each in fixed.items())
    # What bob may do as well, and what has no body that says for which product it is.
    assert fixed["order"].accepts == ("another user", "the answer to another value")
    assert "it cannot be told from another user" in printed
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


def check_measured(stored: ServersRun, database: str, chosen: Sequence[str]) -> None:
    """Fail unless each load has what it made the project and its database do."""
    assert {outcome.status for outcome in stored.outcomes} == {"measured"}
    assert stored.run.plan.reference == "gunicorn-gthread"
    assert {cell.endpoint.name for cell in stored.run.plan.cells} == set(chosen)
    for outcome in stored.outcomes:
        endpoint = outcome.cell.partition(".")[2].rpartition("-")[0]
        if endpoint not in SENT_NAMES:
            continue
        assert outcome.work is not None
        assert outcome.work.statements is not None
        assert outcome.work.changes is not None
        assert outcome.work.statements >= 2 * outcome.work.answers
        assert endpoint == "stock" or outcome.work.changes >= outcome.work.answers
        if database == "postgres":  # of SQLite, one at a time writes, and some wait too long
            assert outcome.loaded is not None
            assert (outcome.loaded.errors, outcome.work.exceptions) == (0, 0)


@pytest.mark.parametrize("database", ["sqlite", "postgres"])
def test_from_nothing_to_a_report(
    type_: Type, tmp_path: Path, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = theirs(tmp_path / "shop")
    before = contents(shop)
    variable = ["--env", "SHOP_DATABASE_URL={postgres.url}"] if database == "postgres" else []
    # A variable of the shell is not for a project to see.
    monkeypatch.setenv("SHOP_CURRENCY", "GBP")
    done = init(type_, shop, "--prepare", "check --deploy", *variable)
    assert done.status == 0, done.err
    check_proposed(shop, database)

    without(shop, "code", "slow")
    with (shop / "loadtest.toml").open("a") as file:
        file.write(SENT)
    done = type_(*RECORD, shop)
    assert done.status == 0, done.out + done.err
    check_recorded(shop, done.words)

    # What only reads is loaded with one database: nothing is checked of it beyond its answers.
    chosen = [*(["home", "products-json"] if database == "sqlite" else []), *SENT_NAMES]
    words = [("--endpoint", name) for name in chosen]
    words += [("--server", name) for name in ("gunicorn-gthread", "uvicorn")]
    stored = short_run(type_, shop, *chain(*words))
    check_measured(stored, database, chosen)
    assert (shop / "results" / ".gitignore").read_text() == "*\n"
    text = (stored.folder / "report.md").read_text()
    assert re.search(r"python -m gunicorn .* shop\.wsgi:application", text)

    answers = (shop / ".loadtest" / "answers.json").read_bytes()
    kept = answers + b"".join(map(Path.read_bytes, filter(Path.is_file, stored.folder.rglob("*"))))
    for secret in (b"key-of-", b"sessionid=", b"csrftoken="):
        assert secret not in kept
    for secret in (b"hunter2", b"never-take-this"):
        assert secret not in kept + (shop / "loadtest.toml").read_bytes()
    assert contents(shop) == before
    status = ["git", "status", "--short", "--untracked-files=all"]
    shown = subprocess.run(status, cwd=shop, capture_output=True, text=True, check=True).stdout
    assert shown == "?? loadtest.toml\n"


def test_every_server_is_brought_up_once(type_: Type, shop: Path) -> None:
    (shop / "__init__.py").touch()  # as of a project that can be imported whole
    done = type_("check", "--project", shop)
    assert done.status == 0, done.out
    assert all(path.stem in done.out for path in own.SERVERS.glob("*.toml"))


@pytest.mark.usefixtures("two_servers")
def test_what_is_answered_otherwise_is_told_under_each_server(type_: Type, shop: Path) -> None:
    """And which file of the project it wrote: where it names a path, nobody moves that."""
    subprocess.run(["git", "init", "--quiet"], cwd=shop, check=True)
    views = shop / "catalogue" / "views.py"
    changed(views, '"<h1>Shop</h1>', '"<h1>Shut</h1>')
    changed(
        views, "    token = f'<input", "    open('visits.txt', 'a').close()\n    token = f'<input"
    )
    done = type_("check", "--project", shop, "--json")
    assert done.status == 1
    rows = {row["name"]: row["state"] for row in json.loads(done.out)}
    assert rows.pop("network")
    assert rows.pop("visits.txt") == record.WRITTEN
    assert rows.pop("[prepare]") == f"home: {record.OTHER_ROWS}"
    assert rows.keys() == {"gunicorn-gthread", "uvicorn"}
    for name, state in rows.items():
        assert state.startswith("home ")
        assert f"`loadtest serve {name}` starts it" in state
        assert "type `loadtest record home`" in state


def test_what_is_used_up_is_no_endpoint(type_: Type, tmp_path: Path) -> None:
    code, home, product = (
        f'[[endpoint]]\nname = "{name}"\npath = "{at}"\n'
        for name, at in {"code": "/code/", "home": "/", "product": "/products/1/"}.items()
    )
    shop = copied(tmp_path / "shop", HEAD + code + home + product)
    done = type_(*RECORD, shop)
    assert done.status == 1
    assert "NO code status 429 instead of 200" in done.words
    # Its cache is silent when it is dead: answers would be right, and each would ask the database.
    assert "ok product compared: all bytes; 0 statements" in done.words
    changed(shop / own.FILE, product, "")
    # The others are measured without it.
    why = "its answer could not be recorded: status 429 instead of 200"
    done = type_("plan", "--project", shop)
    assert done.status == 0, done.err
    assert f"{why}; type `loadtest record code`" in done.words
    stored = short_run(type_, shop, "--server", "gunicorn-sync")
    status = {each.cell.partition(".")[2]: each.status for each in stored.outcomes}
    assert status == {"code-sync": "skipped", "home-sync": "measured"}
    assert why in (stored.folder / "report.md").read_text()
    changed(shop / own.FILE, home, "")
    done = type_("run", "--project", shop)
    assert done.status == 2
    assert done.lines[0].startswith(f"loadtest: code: {why}; type ")


def test_a_command_that_is_none_is_one_line(type_: Type, tmp_path: Path) -> None:
    done = init(type_, copied(tmp_path / "shop"), "--prepare", 'loaddata "shop.json')
    assert done.status == 2
    assert done.lines == ["loadtest: [prepare]: 'loaddata \"shop.json': No closing quotation"]


def test_a_file_is_not_written_over(type_: Type, tmp_path: Path) -> None:
    shop = copied(tmp_path / "shop", "mine")
    done = init(type_, shop, "--no-ask")
    assert done.status == 2
    assert "-mine" in done.out
    assert "type --force to write over it" in done.err
    assert (shop / "loadtest.toml").read_text() == "mine"


def test_an_application_that_sets_its_settings_by_force(type_: Type, tmp_path: Path) -> None:
    """It would run on the project's own databases."""
    shop = copied(tmp_path / "shop")
    forced = 'os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"\n'
    changed(shop / "shop" / "wsgi.py", "application =", f"{forced}application =")
    done = init(type_, shop, "--no-ask")
    assert done.status == 0, done.err
    assert own.read(shop).project.wsgi == "generated"
    assert "not shop.wsgi:application: it sets DJANGO_SETTINGS_MODULE by force" in done.out
    changed(shop / "loadtest.toml", '"generated"', '"shop.wsgi:application"')
    with (shop / "loadtest.toml").open("a") as file:
        file.write('[[endpoint]]\nname = "home"\npath = "/"\n')
    for command in ("record", "run"):
        done = type_(command, "--project", shop)
        assert done.status == 2
        assert "sets DJANGO_SETTINGS_MODULE by force" in done.err


def test_a_server_that_comes_to_run_under_other_settings(type_: Type, tmp_path: Path) -> None:
    """Nobody sees it in the module: it puts back what it has set."""
    endpoint = '[[endpoint]]\nname = "home"\npath = "/"\n'
    shop = copied(tmp_path / "shop", HEAD + endpoint)
    wsgi = shop / "shop" / "wsgi.py"
    name = 'os.environ["DJANGO_SETTINGS_MODULE"]'
    changed(wsgi, "application =", f'{name} = "shop.settings"\napplication =')
    wsgi.write_text(f'{wsgi.read_text()}\n{name} = "loadtest_settings"\n')
    before = contents(shop)
    done = type_(*RECORD, shop)
    assert "its application does not run under loadtest_settings" in done.err
    assert contents(shop) == before


def test_what_was_recorded_is_not_written_over(type_: Type, shop: Path) -> None:
    def home() -> Body:
        body = own.recorded(shop).endpoints["home"].contract.body
        assert body is not None
        return body

    first = home()
    changed(shop / "catalogue" / "views.py", '"<h1>Shop</h1>', '"<h1>Shut</h1>')
    done = type_(*RECORD, shop, "home", "products")
    assert done.status == 1
    assert "recorded otherwise before: another answer" in done.words
    assert "home: kept as recorded before; `loadtest record --yes` writes it over" in done.err
    assert done.err.count("kept") == 1  # and nothing of what is as it was
    assert home().sha256 == first.sha256
    assert type_(*RECORD, shop, "home", "--yes").status == 0
    assert home().sha256 != first.sha256
