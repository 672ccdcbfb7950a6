"""Lets a project connect to the services of its run, and to nothing else.

Not on this machine either, where its developer's own database or queue may be. What connects
without Python's sockets, such as a driver in C, is not seen: for that a run has a network of its
own where it can, which has no words for what it stops. An audit hook would see no more of those,
and would be called so often that it stood in the CPU time of each server.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

MOST = 100

refused: list[str] = []
"""Where the project wanted to connect to, the first of them."""

_PORTS = {"postgres": 5432, "postgresql": 5432, "redis": 6379, "rediss": 6379}

_OWN = "pymp-"
"""How the folders begin in which processes of one program have their sockets (multiprocessing)."""

_ports: set[int] = set()
"""Of this machine, that the run has or `[allow]` names."""

_elsewhere: set[tuple[Any, ...]] = set()
"""Addresses and ports of services that are in containers."""

_paths: set[str] = set()
"""Likewise of Unix sockets, or of the folders that these are in."""


def refuse() -> None:
    """Have every socket connect to what is named in the environment alone from now on."""
    for name in ("LOADTEST_DATABASE", "LOADTEST_REDIS", "LOADTEST_UPSTREAM"):
        if name in os.environ:
            _allow(*_place(os.environ[name]))
            _allow_elsewhere(*_place(os.environ[name]))
    for address in os.environ.get("LOADTEST_ALLOW", "").split():
        host, _, port = address.rpartition(":")
        _allow(*((address, 0) if address.startswith("/") else (host, int(port))))
    for name, status in (("connect", None), ("connect_ex", errno.ECONNREFUSED), ("sendto", None)):
        setattr(socket.socket, name, _guarded(getattr(socket.socket, name), status))


def _place(url: str) -> tuple[str, int]:
    """Return the host or the path that an address leads to, and the port."""
    parts, query = urlsplit(url), parse_qs(urlsplit(url).query)
    last = {key: values[-1] for key, values in query.items()}
    path = unquote(parts.path) if parts.scheme == "unix" else ""
    host = path or last.get("hostaddr") or last.get("host") or parts.hostname or ""
    return host, int(last.get("port") or parts.port or _PORTS.get(parts.scheme, 0))


def _allow(host: str, port: int) -> None:
    if host.startswith("/"):
        _paths.add(host)
    elif is_here(host.strip("[]")):
        _ports.add(port)


def _allow_elsewhere(host: str, port: int) -> None:
    """Allow a service of a container, which has an address of its own; here one has a port."""
    if host and not host.startswith("/") and not is_here(host.strip("[]")):
        with contextlib.suppress(OSError):
            _elsewhere.update(at[4][:2] for at in socket.getaddrinfo(host, port))


def _guarded(call: Callable[..., Any], status: int | None) -> Callable[..., Any]:
    """Return a method of a socket whose last argument is an address, refusing what is not named.

    It raises, or returns the status where there is one.
    """

    def checked(self: socket.socket, *arguments: Any) -> Any:
        where = _stranger(self.family, arguments[-1])
        if where is None:
            return call(self, *arguments)
        _note(where)
        if status is not None:
            return status
        raise ConnectionRefusedError(
            errno.ECONNREFUSED, f"loadtest: {where} is no service of the run"
        )

    return checked


def _stranger(family: int, address: Any) -> str | None:
    """Return an address in words where it is not named, None where it is."""
    if family in (socket.AF_INET, socket.AF_INET6):
        host, port = str(address[0]), address[1]
        named = (is_here(host) and port in _ports) or (host, port) in _elsewhere
        return None if named else f"{host}:{port}"
    if family != socket.AF_UNIX:
        return None
    path = os.fsdecode(address)
    folder = os.path.dirname(path)
    if path in _paths or folder in _paths or os.path.basename(folder).startswith(_OWN):
        return None
    # No database listens at one without a place in the file system.
    return None if path[:1] in ("", "\0") else path


def _note(where: str) -> None:
    """Keep an address, once, for the probe and for who runs the project."""
    if where in refused or len(refused) >= MOST:
        return
    refused.append(where)
    if "LOADTEST_FILES" in os.environ:
        noted = os.path.join(os.environ["LOADTEST_FILES"], "refused")
        with contextlib.suppress(OSError), open(noted, "a", encoding="utf-8") as file:
            file.write(f"{where}\n")


def is_here(host: str) -> bool:
    """Say whether a host is this machine: a loopback address, or the one name of it."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost"
    return bool((getattr(address, "ipv4_mapped", None) or address).is_loopback)
