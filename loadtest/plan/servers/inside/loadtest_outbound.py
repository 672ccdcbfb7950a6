"""Refuses connections beyond this machine, whatever in a project asks for them.

What connects without Python's sockets, such as a driver in C, is not seen.
"""

from __future__ import annotations

import errno
import ipaddress
import socket
from typing import Any

MOST = 100

refused: list[str] = []
"""Where the project wanted to connect to, the first of them."""


def refuse() -> None:
    """Have every socket connect to this machine alone from now on."""
    connect, connect_ex = socket.socket.connect, socket.socket.connect_ex

    def checked(self: socket.socket, address: Any) -> None:
        if _leaves(self, address):
            raise ConnectionRefusedError("loadtest: no connections beyond this machine")
        connect(self, address)

    def checked_ex(self: socket.socket, address: Any) -> int:
        return errno.ECONNREFUSED if _leaves(self, address) else connect_ex(self, address)

    socket.socket.connect = checked  # type: ignore[method-assign, assignment]
    socket.socket.connect_ex = checked_ex  # type: ignore[method-assign, assignment]


def _leaves(of: socket.socket, address: Any) -> bool:
    """Say whether an address is beyond this machine, and note it."""
    if of.family not in (socket.AF_INET, socket.AF_INET6) or is_here(str(address[0])):
        return False
    if len(refused) < MOST:
        refused.append(f"{address[0]}:{address[1]}")
    return True


def is_here(host: str) -> bool:
    """Say whether a host is this machine: a loopback address, or the one name of it."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host == "localhost"
    return bool((getattr(address, "ipv4_mapped", None) or address).is_loopback)
