"""Where rows run and whom they may ask: Pythons that lack something, and servers of others."""

from __future__ import annotations

import json
import platform
import stat
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import msgspec
import pytest
from client_bench import answers, closed_port, garbage, serving

from loadtest.plan import interpreters
from loadtest.plan.clients import catalogue, environments, own_server, typed_rows
from loadtest.plan.clients.environments import Environment
from loadtest.plan.clients.typed_rows import Typed
from loadtest.records.errors import UserError

CLIENTS = catalogue.clients()
SHARED = [client for client in CLIENTS.values() if client.lock == "clients"]
ALONE = [CLIENTS["niquests"]]


def python(folder: Path, version: str, **versions: str) -> str:
    """Make a program that answers as a Python would."""
    path = folder / f"python{version}"
    answer = {"path": str(path), "version": version, "implementation": "CPython"}
    answer["versions"] = versions  # type: ignore[assignment]
    path.write_text(f"#!/bin/sh\ncat <<'END'\n{json.dumps(answer)}\nEND\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


LOCKED = {
    lock: {name: min(at) for name, at in environments.pins(catalogue.FOLDER / lock).items()}
    for lock in ("clients.lock", "niquests.lock")
}


def find(
    name: str, folder: Path, clients: Sequence[catalogue.Client] = SHARED, *, own: bool = True
) -> Environment:
    return environments.find(
        name, clients, own=own, make=False, say=print, environments=folder / "environments"
    )


def environment(name: str, folder: Path, lock: str = "clients", **versions: str) -> Path:
    """Make a folder that looks like the environment of a Python; ready once it has that file."""
    bare = interpreters.look(name, [])
    called = environments._folder(bare, catalogue.FOLDER / f"{lock}.lock")
    root = folder / "environments" / called
    (root / "bin").mkdir(parents=True)
    Path(python(root / "bin", bare.version, **versions)).rename(root / "bin" / "python")
    return root


def test_this_python_has_all_but_niquests(tmp_path: Path) -> None:
    place = find(sys.executable, tmp_path)
    assert place.missing == {}
    assert place.key == f"{platform.python_version()}-clients"
    assert place.interpreter is not None
    assert place.interpreter.versions.keys() == {
        name for client in SHARED for name in client.requires
    }
    place = find(sys.executable, tmp_path, ALONE)
    assert place.missing["niquests"].endswith("; `loadtest clients --make-environments`")


@pytest.mark.parametrize("own", [True, False])
def test_a_python_that_cannot_be_run(own: bool, tmp_path: Path) -> None:
    for name, message in (("/nowhere/python", "No such file"), ("/bin/false", "status 1")):
        place = find(name, tmp_path, own=own)
        assert (place.interpreter, place.key) == (None, None)
        assert set(place.missing) == {client.name for client in SHARED}
        (line,) = set(place.missing.values())
        assert message in line
        assert "name a Python 3.11 or newer with --python" in line
    place = find("/bin/echo", tmp_path, own=own)
    assert "does not answer as a Python does" in place.missing["aiohttp"]


def test_a_python_that_is_too_old(tmp_path: Path) -> None:
    place = find(python(tmp_path, "3.10.13"), tmp_path, own=False)
    assert "is Python 3.10.13, and the clients are locked for 3.11" in place.missing["requests"]


def test_this_python_without_a_client(tmp_path: Path) -> None:
    locked = {name: LOCKED["clients.lock"][name] for name in ("aiohttp", "urllib3")}
    name = python(tmp_path, "3.13.0", **locked)
    place = find(name, tmp_path)
    assert set(place.missing) == {"requests", "httpx_sync", "httpx_async"}
    assert place.missing["requests"] == (
        f"requests not installed for {name}; `loadtest clients --make-environments`"
    )


@pytest.mark.parametrize("package", ["aiohttp", "multidict"])
def test_this_python_with_another_version_than_is_locked(package: str, tmp_path: Path) -> None:
    """Also of what a client only needs: it would be another client."""
    locked = LOCKED["clients.lock"]
    name = python(tmp_path, "3.13.0", **{**locked, package: "0.1"})
    place = find(name, tmp_path)
    assert set(place.missing) == {client.name for client in SHARED}
    assert place.missing["requests"] == (
        f"{name} has {package} 0.1 where {locked[package]} is locked;"
        " `loadtest clients --make-environments`"
    )


def test_another_python_is_used_in_an_environment_alone(tmp_path: Path) -> None:
    """Whatever it has itself: one project's versions are not another's."""
    name = python(tmp_path, "3.13.0", **LOCKED["clients.lock"])
    place = find(name, tmp_path, own=False)
    assert place.interpreter is None
    assert set(place.missing.values()) == {
        f"{name} (Python 3.13.0) has no environment from clients.lock yet;"
        f" `loadtest clients --make-environments --python {name}`"
    }
    root = environment(name, tmp_path, **LOCKED["clients.lock"])
    assert find(name, tmp_path, own=False).interpreter is None  # not ready: it was broken off
    (root / "ready").touch()
    place = find(name, tmp_path, own=False)
    assert place.missing == {}
    assert place.key == root.name
    assert root.name.startswith("cpython-3.13.0-clients-")


def test_an_environment_is_of_one_python_and_one_lock_file(tmp_path: Path) -> None:
    """Two Pythons of one version may be built in different ways, or be of different makers."""
    left, right = tmp_path / "one", tmp_path / "two"
    for folder in (left, right):
        folder.mkdir()
    first = interpreters.look(python(left, "3.13.0"), [])
    second = interpreters.look(python(right, "3.13.0"), [])
    other = msgspec.structs.replace(first, implementation="PyPy")
    locks = [catalogue.FOLDER / f"{lock}.lock" for lock in ("clients", "niquests")]
    folders = [environments._folder(each, locks[0]) for each in (first, second, other)]
    folders.append(environments._folder(first, locks[1]))
    assert len(set(folders)) == len(folders)
    (tmp_path / "link").symlink_to(first.path)
    venv = msgspec.structs.replace(first, path=str(tmp_path / "link"))
    assert environments._folder(venv, locks[0]) == folders[0]


def test_niquests_and_urllib3_never_share(tmp_path: Path) -> None:
    every = {**LOCKED["clients.lock"], **LOCKED["niquests.lock"]}
    place = find(python(tmp_path, "3.13.0", **every), tmp_path)
    assert all("takes the place of urllib3" in line for line in place.missing.values())
    assert set(place.missing) == {client.name for client in SHARED}
    place = find(python(tmp_path, "3.13.0", **every), tmp_path, ALONE)
    assert "has urllib3 as well" in place.missing["niquests"]


@pytest.mark.real
def test_pythons_have_names_that_tell_them_apart(tmp_path: Path) -> None:
    asked = typed_rows.chosen(Typed(words=("aiohttp",)), CLIENTS)
    names = []
    for folder, version in (("one", "3.12.1"), ("two", "3.12.1"), ("three", "3.13.0")):
        (tmp_path / folder).mkdir()
        names.append(python(tmp_path / folder, version))
        root = environment(names[-1], tmp_path, **LOCKED["clients.lock"])
        (root / "ready").touch()

    def called(*pythons: str) -> list[str]:
        labelled = environments.places(asked.clients, CLIENTS, pythons, make=False, say=print)
        assert len(environments.known(labelled)) == len(set(pythons))
        return [label for label, _ in labelled]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(environments, "ENVIRONMENTS", tmp_path / "environments")
        assert called(names[0]) == [""]
        assert called(names[0], names[0]) == [""]
        assert called(names[0], names[2]) == ["Python 3.12.1", "Python 3.13.0"]
        assert called(*names) == [
            f"Python 3.12.1, {names[0]}",
            f"Python 3.12.1, {names[1]}",
            "Python 3.13.0",
        ]
        second = tmp_path / "again"
        second.symlink_to(names[0])
        with pytest.raises(UserError, match="are the same; leave out one"):
            called(names[0], str(second))


@pytest.mark.real
def test_an_environment_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing of the folder where somebody types that is run, which may be anybody's."""
    monkeypatch.chdir(tmp_path)
    for name in ("venv", "pip"):
        (tmp_path / f"{name}.py").write_text("open('run', 'w')\n")
    (tmp_path / "clients.lock").write_text("no-such-thing @ file:///nowhere\n")
    with pytest.raises(UserError, match=r"could not be made: .*; all of it is in") as error:
        environments.find(
            sys.executable,
            SHARED,
            own=False,
            make=True,
            say=print,
            environments=tmp_path / "environments",
            locks=tmp_path,
        )
    assert len(error.value.lines) == 1
    assert not list((tmp_path / "environments").glob("*/"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.9.9.9", "::1", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
     "fd00::1", "fe80::1%eth0", "::ffff:127.0.0.1"],
)  # fmt: skip
def test_near_hosts_may_be_loaded(address: str) -> None:
    assert own_server.check("http://name:81/x", False, lambda host: [address]).port == 81


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "172.32.0.1", "172.15.0.1", "192.169.0.1", "11.0.0.1", "2001:4860::1",
     "::ffff:8.8.8.8", "169.254.169.254", "0.0.0.0", "100.64.0.1", "192.0.2.1", "240.0.0.1"],
)  # fmt: skip
def test_other_hosts_may_not(address: str) -> None:
    for addresses in ([address], ["127.0.0.1", address]):
        with pytest.raises(UserError) as error:
            own_server.check("https://name/", False, lambda host, addresses=addresses: addresses)
        assert error.value.lines == (
            f"--url https://name/: name is {address}, neither this machine nor on a private"
            " network; if it is yours to load, add --i-may-load-this-host",
        )
        own_server.check("https://name/", True, lambda host, addresses=addresses: addresses)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("127.0.0.1:8000", "not a URL such as"),
        ("ftp://127.0.0.1/", "not a URL such as"),
        ("http://", "not a URL such as"),
        ("http://127.0.0.1:99999/", "not a URL such as"),
        ("http://[::1/", "not a URL such as"),
        ("http://me:word@127.0.0.1:80:word/", "not a URL such as"),
        ("http://127.0.0.1/a word", "percent-encoded, as in %20 for a blank"),
        ("http://127.0.0.1/w\u00f6rd", "percent-encoded"),
        ("http://me:word@127.0.0.1/", "leave out the name and password"),
    ],
)
def test_what_is_no_url(url: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        own_server.check(url, True, lambda host: ["127.0.0.1"])
    assert "word@" not in str(caught.value)  # nobody knows what of it is a password
    with pytest.raises(UserError, match="no address found for nobody"):
        own_server.check("http://nobody/", True, lambda host: [])


URL = "https://127.0.0.1/page?token=t%2Fop+secret&size=9#part-of-it"


def test_what_is_behind_a_url_is_not_shown() -> None:
    assert own_server.shown(URL) == "https://127.0.0.1/page?..."
    assert own_server.shown("https://127.0.0.1/page") == "https://127.0.0.1/page"
    with pytest.raises(UserError) as caught:
        own_server.check(URL, False, lambda host: ["8.8.8.8"])
    assert str(caught.value).startswith("--url https://127.0.0.1/page?...: ")


@pytest.mark.parametrize(
    "text", ["t%2Fop+secret", "t/op secret", "t%2Fop%20secret", URL, URL.partition("#")[0]]
)
def test_what_clients_say_of_a_url_is_without_it(text: str) -> None:
    text_left = own_server.without(URL, f"ConnectError: cannot reach {text} of size 9: refused")
    assert "secret" not in text_left
    assert text_left.startswith("ConnectError: cannot reach ")
    assert text_left.endswith(" of size 9: refused")


def test_a_url_whose_end_is_not_kept_is_typed_again() -> None:
    asked = own_server.shown(URL)
    assert own_server.again(asked, URL) == URL
    # What a folder of others says is asked of nobody unless it was typed.
    with pytest.raises(UserError, match="type --url http://127"):
        own_server.again("http://127.0.0.1/", None)
    with pytest.raises(UserError, match="type it in full with --url"):
        own_server.again(asked, None)
    with pytest.raises(UserError, match="and no other URL; leave out --url"):
        own_server.again(asked, "http://127.0.0.1/")


def looked(port: int) -> tuple[own_server.Expected, str | None]:
    url = f"http://127.0.0.1:{port}/"
    return own_server.ask(url, own_server.check(url, False), None)


def test_what_a_server_answers_is_expected_of_it() -> None:
    with serving(answers) as port:
        expected, note = looked(port)
    assert (expected.status, expected.body_bytes, note) == (200, 5, None)
    assert expected.sha256


def test_a_body_that_changes_is_checked_as_far_as_it_can_be() -> None:
    def changing(connection, number, length=1):  # type: ignore[no-untyped-def]
        connection.recv(65_536)
        body = str(number).encode() * (number if length > 1 else 1)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with serving(changing) as port:
        expected, note = looked(port)
    assert (expected.body_bytes, expected.sha256) == (1, None)
    assert "its length is checked" in (note or "")
    with serving(partial(changing, length=2)) as port:
        expected, note = looked(port)
    assert (expected.body_bytes, expected.sha256) == (None, None)
    assert "its status alone is checked" in (note or "")


@pytest.mark.parametrize(
    ("status", "message"),
    [("302 Go", "it redirects"), ("500 No", "it answers status 500"), ("x", "no answer")],
)
def test_a_server_that_does_not_answer_well(status: str, message: str) -> None:
    def talk(connection, number):  # type: ignore[no-untyped-def]
        connection.recv(65_536)
        connection.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())

    with serving(talk) as port, pytest.raises(UserError, match=message):
        looked(port)


def test_a_file_that_is_no_authority(tmp_path: Path) -> None:
    empty = tmp_path / "ca.pem"
    empty.write_text("no certificate\n")
    url = "https://127.0.0.1:1/"
    for ca in (empty, tmp_path / "nowhere.pem"):
        with pytest.raises(UserError, match=r"^--ca .*; name a PEM file of certificates"):
            own_server.ask(url, own_server.check(url, False), str(ca))


def test_no_server_at_all() -> None:
    with pytest.raises(UserError, match=r"no answer: .*; is it running"):
        looked(closed_port())
    with serving(garbage) as port, pytest.raises(UserError, match="no answer"):
        looked(port)
