"""A project whose developer has services, secrets and a DEBUG of their own, run for real."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import own_network
import pytest
from command_line import Type
from own_shop import FILE, RECORD, changed, short_run
from paths import ROOT

from loadtest.plan.servers import own

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("no_addresses")]


@pytest.fixture
def theirs() -> Iterator[socket.socket]:
    """Give what listens as a developer's own Redis does; nobody comes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener
        with pytest.raises(BlockingIOError):
            listener.accept()


@pytest.mark.usefixtures("two_servers")
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
    done = type_(*RECORD, shop, "rates")
    assert done.status == 1, done.err
    assert f"it calls {place}; leave it out, or name" in done.words
    changed(shop / own.FILE, rates, "")
    done = type_("check", "--project", shop)
    assert done.status == 0, done.out
    assert "ok network one of its own: nothing but" in done.words
    assert place in done.words
    assert "not allowed to connect there" in done.words


def test_a_redis_that_the_shell_names_is_not_asked_for_endpoints(
    type_: Type, shop: Path, theirs: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its pages would leave their keys in it."""
    monkeypatch.setenv("LOADTEST_REDIS", f"redis://127.0.0.1:{theirs.getsockname()[1]}/0")
    (shop / own.FILE).unlink()
    done = type_("init", "--project", shop, "--python", sys.executable)
    assert done.status == 0, done.err
    assert "nothing could be asked: LOADTEST_REDIS" in done.err


C_CLIENT = """
import ctypes
import struct
address = struct.pack("=H", 2) + struct.pack("!H4s8x", {}, bytes([127, 0, 0, 1]))
library = ctypes.CDLL(None)
library.connect(library.socket(2, 1, 0), address, len(address))
"""


def test_nor_is_it_by_a_driver_in_c(shop: Path, theirs: socket.socket) -> None:
    """It goes through none of Python's sockets: the system stops it."""
    own_network.needed()
    settings = shop / "shop" / "settings.py"
    settings.write_text(settings.read_text() + C_CLIENT.format(theirs.getsockname()[1]))
    (shop / own.FILE).unlink()
    done = subprocess.run(
        [sys.executable, "-m", "loadtest", "init", "--project", shop, "--python", sys.executable],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "network:" not in done.stderr
    assert 'path = "/products.json"' in done.stdout  # it has a database and a Redis all the same


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
    stored = short_run(type_, shop, "--server", "gunicorn-sync")
    files = {path: path.read_bytes() for path in stored.folder.rglob("*") if path.is_file()}
    logs = b"".join(data for path, data in files.items() if path.parent.name == "logs")
    for secret in (b"lettersanddigits", b"Thing 7", b"$.at", b"csrfmiddlewaretoken"):
        assert not [path.name for path, data in files.items() if secret in data], secret
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
    assert type_("plan", "--project", shop).status == 0
    changed(shop / own.FILE, '"EUR"', '"GBP"')
    done = type_("plan", "--project", shop)
    assert done.status == 2
    assert done.lines == [
        "loadtest: no answer of home, products, account, slow is recorded under today's [env]; type"
        " `loadtest record`"
    ]
