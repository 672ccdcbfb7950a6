"""A network of a command's own, in which it reaches what it starts itself and nothing else (Linux).

Whatever connects is held to that, in whichever language it is written: a new namespace has no way
to other machines, and another loopback than the one on which the machine's own services listen. A
Unix socket with a place in the file system is no part of a network, and stays in reach.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import platform
import socket
import struct
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from loadtest.system.relay import Relay

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
"""As unshare(2) has them."""

SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1
"""As netdevice(7) has them."""

CAPABILITIES_3 = 0x20080522
"""As capset(2) has the version whose sets are 24 bytes."""

SETTINGS = Path("/proc/sys/net")

KEPT = ("core/somaxconn", "ipv4/ip_local_port_range", "ipv4/tcp_*")
"""Settings of the machine that a new network would begin without."""

ANSWERS_WITHIN_S = 5.0

UNKNOWN = 255
"""In the place of an error that has no number."""


_relays: list[Relay] = []
"""Each ends when it is let go of."""


def enter(beside: Sequence[str] = ()) -> str | None:
    """Leave the machine's network for one of our own, for good, with all that is started later.

    What listens on the machine `beside` what is started, as at `localhost:9200`, stays in reach.
    Comes before threads: a thread stays where it was, and an ordinary user's command with some is
    refused. Return None, or in words why there is none to be had: then nothing has changed.
    """
    if sys.platform != "linux":
        return f"{platform.system()} has none"
    if refused := _tried():
        return os.strerror(refused)
    relay = Relay(beside) if beside else None
    try:
        _move(relay)
    except OSError as error:
        if relay:
            relay.close()
        return error.strerror or str(error)
    _relays.extend([relay] if relay else [])
    return None


def _tried() -> int:
    """Return the number of the error that a child meets, 0 where it comes to be in one.

    Who has come half-way cannot go back, as where a system grants a namespace and no right in it.
    """
    try:
        child = os.fork()
    except OSError as error:  # as where its user may have no more processes
        return error.errno or UNKNOWN
    if child == 0:
        status = UNKNOWN
        try:
            _move()
            with socket.create_server(("127.0.0.1", 0)) as ours:
                socket.create_connection(ours.getsockname(), ANSWERS_WITHIN_S).close()
            status = 0
        except OSError as error:
            status = error.errno or UNKNOWN
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _move(relay: Relay | None = None) -> None:
    """Move this process; raises OSError."""
    user, group = os.geteuid(), os.getegid()
    kept = _settings()
    if user == 0:
        _call("unshare", CLONE_NEWNET)
    else:
        # Who is not root may make a network in a namespace of users: all keep their own ids there.
        _call("unshare", CLONE_NEWUSER | CLONE_NEWNET)
        _write("uid_map", f"{user} {user} 1")
        _write("setgroups", "deny")
        _write("gid_map", f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))
    _keep(kept)
    if relay:
        relay.listen()  # while it has the right to any port
    if user != 0:
        # What is started has none; nor does this process need any more of them.
        _call("capset", struct.pack("Ii", CAPABILITIES_3, 0), bytes(24))


def _call(name: str, *arguments: int | bytes) -> None:
    """Call a function of the C library that returns 0; raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _write(name: str, text: str) -> None:
    Path("/proc/self", name).write_text(text, encoding="utf-8")


def _settings() -> dict[Path, str]:
    """Return how the machine's network is set, as far as that matters to a load."""
    texts: dict[Path, str] = {}
    for path in (path for pattern in KEPT for path in SETTINGS.glob(pattern)):
        with contextlib.suppress(OSError):
            texts[path] = path.read_text(encoding="utf-8")
    return texts


def _keep(settings: Mapping[Path, str]) -> None:
    """Set the network of this process alike, where its system lets it."""
    for path, text in settings.items():
        with contextlib.suppress(OSError):
            if path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
