"""The way from this machine to a server: how long it takes, and how much it can carry."""

from __future__ import annotations

import socket
import time
from pathlib import Path

import psutil

from loadtest.records.errors import CellError
from loadtest.records.measured import Way

TIMES = 5
"""A connection is opened, one after the other: each takes one round trip, and no request."""

WITHIN_S = 5.0


def way_to(host: str, port: int) -> Way:
    """Look at the way to a server; raises CellError where there is none."""
    took_us: list[int] = []
    own = ""
    for _ in range(TIMES):
        began_s = time.monotonic()
        try:
            with socket.create_connection((host, port), WITHIN_S) as connection:
                took_us.append(round((time.monotonic() - began_s) * 1e6))
                own = connection.getsockname()[0]
        except OSError as error:
            raise CellError("load", f"no way to {host}:{port}: {error}") from None
    return Way(round_trips_us=tuple(sorted(took_us)), link_mbit=_link_mbit(own))


def address_towards(host: str, port: int) -> str:
    """Return the address of this machine by which another reaches it; raises CellError."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((host, port))  # which sends nothing
            return str(probe.getsockname()[0])
    except OSError as error:
        raise CellError("services", f"no way to {host}: {error}") from None


def _link_mbit(address: str) -> int | None:
    """Return what the interface with an address can carry; None where the system doesn't tell."""
    for name, addresses in psutil.net_if_addrs().items():
        if any(each.address.partition("%")[0] == address for each in addresses):
            interface = psutil.net_if_stats().get(name)
            # 65535 is what some virtual ones say in place of -1, and 10 what a VPN's (TUN) does.
            speed = interface.speed if interface else 0
            tun = Path("/sys/class/net", name, "tun_flags").exists()
            return speed if 0 < speed < 65_535 and not tun else None
    return None
