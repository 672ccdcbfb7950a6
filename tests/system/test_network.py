"""What a command reaches that has a network of its own: what it starts, and nothing else."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import own_network
import pytest
from paths import ROOT

from loadtest.system import network

ORDINARY = 54_321
"""Of a user and a group that nobody has."""

# A client in C, as a driver is: it goes through none of Python's sockets. And libpq itself.
INSIDE = """
import ctypes, json, os, socket, struct, sys
import psycopg
from loadtest.system import network

user, port, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
library = ctypes.CDLL(None, use_errno=True)

def libpq(host, port):
    try:
        psycopg.connect(f"host={host} port={port} dbname=a user=a connect_timeout=5")
    except psycopg.OperationalError as error:
        return str(error)

# Whatever these import may be closed to another user.
libpq("127.0.0.1", 1)
socket.getaddrinfo("127.0.0.1", 1)
if user:
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    library.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, as of who has started as this user

def connect(family, address):
    number = library.connect(library.socket(family, 1, 0), address, len(address))
    return ctypes.get_errno() if number else 0

def ip(host, port):
    return struct.pack("=H", 2) + struct.pack("!H4s8x", port, socket.inet_aton(host))

kept = network._settings()
before = connect(2, ip("127.0.0.1", port))
refused = network.enter()
if refused:
    print(json.dumps({"refused": refused}))
    sys.exit()
ours = socket.create_server(("127.0.0.1", 0))
print(json.dumps({
    "refused": refused,
    "before": before,
    "the machine's": connect(2, ip("127.0.0.1", port)),
    "elsewhere": connect(2, ip("203.0.113.1", 80)),
    "ours": connect(2, ip(*ours.getsockname())),
    "abstract": connect(1, struct.pack("=H", 1) + b"\\0" + os.fsencode(path)),
    "path": connect(1, struct.pack("=H", 1) + os.fsencode(path) + b"\\0"),
    "libpq": [libpq("127.0.0.1", port), libpq("203.0.113.1", 5432)],
    "ids": [os.geteuid(), os.getegid()],
    "rights": open("/proc/self/status").read().partition("CapEff:")[2].split()[0],
    "changed": [
        str(at) for at, now in network._settings().items()
        if kept[at] != now and at.name != "tcp_ehash_entries"  # which no one sets
    ],
}))
"""


@pytest.mark.real
@pytest.mark.parametrize("user", [0, ORDINARY], ids=["as we are", "as an ordinary user"])
def test_nothing_but_what_it_starts_is_reached(user: int, tmp_path: Path) -> None:
    if user and os.geteuid() != 0:
        pytest.skip("we are an ordinary user")
    path = str(tmp_path / "socket")
    with contextlib.ExitStack() as stack:
        theirs = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        theirs.setblocking(False)
        for address in (path, f"\0{path}"):
            listener = stack.enter_context(socket.socket(socket.AF_UNIX))
            listener.bind(address)
            listener.listen()
        argv = [sys.executable, "-c", INSIDE, str(user), str(theirs.getsockname()[1]), path]
        done = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True)
        met: dict[str, Any] = json.loads(done.stdout)
        if met["refused"]:
            pytest.skip(f"no network of its own is to be had here: {met['refused']}")
        theirs.accept()[0].close()  # of before
        with pytest.raises(BlockingIOError):
            theirs.accept()
    assert met["before"] == 0
    assert met["the machine's"] == errno.ECONNREFUSED
    assert met["elsewhere"] == errno.ENETUNREACH
    assert met["ours"] == 0
    assert met["abstract"] == errno.ECONNREFUSED
    # In reach, as docs/loadtest-toml.md has it: whether it may is a matter of the file.
    assert met["path"] in (0, errno.EACCES)
    assert "Connection refused" in met["libpq"][0]
    assert "Network is unreachable" in met["libpq"][1]
    assert met["ids"] == ([user, user] if user else [os.geteuid(), os.getegid()])
    assert int(met["rights"], 16) == 0 or os.geteuid() == user
    assert met["changed"] == []


BESIDE = """
import json, os, socket, sys
from loadtest.system import network

port, other = map(int, sys.argv[1:3])
assert network.enter([f"localhost:{port}"]) is None
with socket.create_connection(("127.0.0.1", port), 20) as connection:
    connection.sendall(b"asked")
    connection.shutdown(socket.SHUT_WR)
    answer = connection.makefile("rb").read()
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as counting:
    counting.sendto(b"counted", ("127.0.0.1", port))
with socket.socket() as strange:
    status = strange.connect_ex(("127.0.0.1", other))
print(json.dumps({"answer": answer.decode(), "other": status}))
"""


@pytest.mark.real
def test_what_it_may_reach_beside_that_stays_in_reach() -> None:
    own_network.needed()
    with contextlib.ExitStack() as stack:
        theirs, other = (
            stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(2)
        )
        place = theirs.getsockname()
        theirs.settimeout(60)
        counts = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        counts.bind(place)
        argv = [sys.executable, "-c", BESIDE, *(str(of.getsockname()[1]) for of in (theirs, other))]
        started = stack.enter_context(
            subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        )
        connection = stack.enter_context(theirs.accept()[0])
        asked = connection.makefile("rb").read()
        connection.sendall(b"answered")
        connection.close()
        assert started.stdout is not None
        met: dict[str, Any] = json.loads(started.stdout.read())  # to the end of its relay as well
        counts.settimeout(20)
        assert (asked, met["answer"], counts.recv(100)) == (b"asked", "answered", b"counted")
    assert met["other"] == errno.ECONNREFUSED


def test_another_system_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    assert network.enter() == "Darwin has none"


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (PermissionError(errno.EPERM, "it"), os.strerror(errno.EPERM)),
        (OSError(errno.ENOSPC, "it"), os.strerror(errno.ENOSPC)),
        (OSError("without a number"), os.strerror(network.UNKNOWN)),
        (AttributeError("a C library without it"), os.strerror(network.UNKNOWN)),
    ],
)
def test_a_system_that_refuses_leaves_the_command_where_it_is(
    error: Exception, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = []

    def move(relay: Any = None) -> None:
        moved.append(os.getpid())
        raise error

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(network, "_move", move)
    assert network.enter() == why
    assert moved == []  # a child of it tried


def test_where_no_child_can_be_had_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a user has as many processes as the limit allows."""

    def fork() -> int:
        raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(os, "fork", fork)
    assert network.enter() == os.strerror(errno.EAGAIN)


def test_threads_are_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the system has it for who is not root: the child that tried had one alone."""

    def move(relay: Any = None) -> None:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(network, "_tried", lambda: 0)
    monkeypatch.setattr(network, "_move", move)
    assert network.enter() == os.strerror(errno.EINVAL)


def test_settings_of_the_machine_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "SETTINGS", tmp_path)
    first = {
        "core/somaxconn": "8192\n",
        "ipv4/ip_local_port_range": "1024\t65535\n",
        "ipv4/tcp_tw_reuse": "1\n",
        "ipv4/tcp_low_latency": "0\n",
    }
    for name, text in (first | {"ipv4/ip_forward": "1\n"}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    kept = network._settings()
    assert {str(path.relative_to(tmp_path)): text for path, text in kept.items()} == first
    for path in kept:
        path.write_text("default\n")
    (tmp_path / "ipv4/tcp_low_latency").unlink()  # a new network does not have all of them
    network._keep(kept)
    assert network._settings() == {
        path: text for path, text in kept.items() if path.name != "tcp_low_latency"
    }
