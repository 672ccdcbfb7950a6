"""A project whose developer has services, secrets and a DEBUG of their own, run for real."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import Type
from paths import TESTS

from loadtest.plan.servers import own

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("no_addresses")]

FILE = f"""
format = 1
[project]
python = "{sys.executable}"
settings = "shop.settings"
wsgi = "shop.wsgi:application"
reference = "gunicorn-sync"
[env]
SHOP_CURRENCY = "EUR"
SHOP_SECRET_KEY = "{{random}}"
DEBUG = "False"
[database]
kind = "sqlite"
redis = true
[prepare]
commands = ["migrate --noinput", "collectstatic --noinput"]
seed = "seed.py"
[request]
headers = {{ Authorization = "Key lettersanddigits" }}
[[endpoint]]
name = "home"
path = "/"
[endpoint.answer]
has = ["Thing 7"]
[[endpoint]]
name = "products"
path = "/products.json"
[[endpoint]]
name = "account"
path = "/account/"
as = "alice"
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(TESTS / "projects" / "shop", folder, ignore=ignored)
    (folder / own.FILE).write_text(FILE)
    return folder


@pytest.fixture
def theirs() -> Iterator[socket.socket]:
    """Give what listens as a developer's own Redis does; nobody comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener
        with pytest.raises(BlockingIOError):
            listener.accept()


def changed(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def test_a_developer_s_own_redis_is_not_reached(
    type_: Type, shop: Path, theirs: socket.socket
) -> None:
    place = f"127.0.0.1:{theirs.getsockname()[1]}"
    address = "socket.create_connection(({!r}, {}), 1).close()".format(*theirs.getsockname())
    views, at = shop / "catalogue" / "views.py", "    with socket.create"
    changed(views, at, f"    {address}\n{at}")
    # And where no request is asked, in silence.
    text = f"{views.read_text()}\ntry:\n    {address}\nexcept OSError:\n    pass\n"
    views.write_text(text)
    rates = '[[endpoint]]\nname = "rates"\npath = "/rates/"\n'
    (shop / own.FILE).write_text(FILE + rates)
    done = type_("record", "--project", shop, "--later", "0")
    assert done.status == 1, done.err
    assert f"it calls {place}; leave it out, or name" in done.out
    changed(shop / own.FILE, rates, "")
    done = type_("check", "--project", shop)
    assert done.status == 0, done.out
    assert place in done.out
    assert "not allowed to connect there" in done.out


def test_results_have_nothing_of_a_page_and_no_secret(type_: Type, shop: Path) -> None:
    """Though the project prints and logs what it should not."""
    lines = (
        '    print(request.headers["Authorization"], dict(request.COOKIES), file=sys.stderr)\n'
        '    logging.getLogger("shop").warning("Thing 7 to %s", request.user)\n'
    )
    views = shop / "catalogue" / "views.py"
    changed(views, "import socket\n", "import logging\nimport socket\nimport sys\n")
    at = '    return HttpResponse(f"<h1>Hello'
    changed(views, at, f"{lines}{at}")
    done = type_("record", "--project", shop, "--later", "0")
    assert done.status == 0, done.out + done.err
    results = shop / "results"
    done = type_(
        "run", "--project", shop, "--server", "gunicorn-sync", "--rounds", "1", "--duration", "1",
        "--out", results,
    )  # fmt: skip
    assert done.status in (0, 1), done.out + done.err  # a busy machine may put a number in doubt
    (folder,) = (path for path in results.iterdir() if path.is_dir())
    told = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    logs = b"".join(data for path, data in told.items() if path.parent.name == "logs")
    for secret in (b"lettersanddigits", b"Thing 7", b"$.at", b"csrfmiddlewaretoken"):
        assert not [path.name for path, data in told.items() if secret in data], secret
    assert b"'sessionid': '...'" in logs  # what it printed, without the secret


def test_debug_is_refused(type_: Type, shop: Path) -> None:
    changed(shop / own.FILE, 'DEBUG = "False"\n', "")
    for words in (["record"], ["check"], ["plan"], ["run"]):
        done = type_(*words, "--project", shop)
        assert done.status == 2
        (line,) = done.lines
        assert 'write DEBUG = "False" under [env] in ' in line
        assert "DEBUG is true in shop.settings" in line


def test_an_answer_to_other_settings_is_recorded_again(type_: Type, shop: Path) -> None:
    head = (shop / own.FILE).read_text().partition("[[endpoint]]")[0]
    (shop / own.FILE).write_text(f'{head}[[endpoint]]\nname = "slow"\npath = "/slow/"\n')
    assert type_("record", "--project", shop, "--later", "0").status == 0
    assert type_("plan", "--project", shop).status == 0
    changed(shop / own.FILE, '"EUR"', '"GBP"')
    done = type_("plan", "--project", shop)
    assert done.status == 2
    assert done.lines == [
        "loadtest: no answer of slow is recorded under today's [env]; type `loadtest record`"
    ]
