"""Finds out whether the local ports ran short while connections were opened and ended (Linux).

A connection that ended holds its port toward that address for a minute, unless the system gives it
to the next one: by default it does so on the loopback alone. Where half of the ports are held, each
new connection searches them all, and the generator measures itself: with 64 connections to
gunicorn-sync 14,067 of 28,232 were held after four seconds, and its rate was halved.
"""

from __future__ import annotations

import socket
import sys
from ipaddress import IPv4Address
from pathlib import Path

SETTINGS = Path("/proc/sys/net/ipv4")
CONNECTIONS = Path("/proc/net/tcp")
COUNTERS = Path("/proc/net/snmp")

ENDED = "06"
"""TIME_WAIT."""

ALWAYS, ON_LOOPBACK = "1", "2"
"""When `tcp_tw_reuse` lets the next connection have the port of one that ended."""

HELD = 0.48
"""Of the ports: Linux looks for one among half of them first, so the other half hardly counts."""

MORE = 3
"""Times the connections of a load: beyond that they were not kept."""

SPARE = 256
"""Ports that others use, and what checks the answers."""

AT_ONCE = "`sudo sysctl net.ipv4.tcp_tw_reuse=1` gives them back at once"


def most() -> int | None:
    """Return how many connections can be kept open to one address; None where it is not told."""
    number = _number()
    return None if number is None else max(0, number - SPARE)


def begun() -> int | None:
    """Return how many connections this machine has begun so far; None where it does not tell."""
    try:
        names, counts = (
            line.split()
            for line in COUNTERS.read_text(encoding="utf-8").splitlines()
            if line.startswith("Tcp:")
        )
        return int(dict(zip(names, counts, strict=True))["ActiveOpens"])
    except (OSError, ValueError, LookupError):
        return None


def short(host: str, port: int, connections: int, before: int | None) -> str | None:
    """Return in words that ports toward an address ran short for a load, None where they did not.

    `before` is what `begun` said before it; a load that kept its connections needed no more ports.
    """
    after = begun()
    if before is None or after is None or after - before < MORE * connections:
        return None
    try:
        address = IPv4Address(socket.gethostbyname(host))
        reuse = (SETTINGS / "tcp_tw_reuse").read_text(encoding="utf-8").strip()
        if reuse == ALWAYS or (reuse == ON_LOOPBACK and address.is_loopback):
            return None
        held, ports = _ended(address, port), _number()
    except (OSError, ValueError):
        return None  # another system, which does not tell
    if ports is None or held < HELD * ports:
        return None
    return (
        f"the local ports ran short: connections to the server that have ended hold {held:,} of"
        f" {ports:,}, so this is what the search for a port allows; {AT_ONCE}"
    )


def kept() -> bool:
    """Say whether the system keeps the ports of ended connections to other machines."""
    try:
        return (SETTINGS / "tcp_tw_reuse").read_text(encoding="utf-8").strip() != ALWAYS
    except OSError:
        return False


def _number() -> int | None:
    try:
        limits = (SETTINGS / "ip_local_port_range").read_text(encoding="utf-8")
        first, last = map(int, limits.split())
    except (OSError, ValueError):
        return None
    return last - first + 1


def _ended(address: IPv4Address, port: int) -> int:
    # The kernel prints an address as the number that the machine has in memory.
    remote = f"{int.from_bytes(address.packed, sys.byteorder):08X}:{port:04X}"
    count = 0
    with open(CONNECTIONS, encoding="ascii") as lines:
        for line in lines:
            fields = line.split(None, 4)
            count += fields[2] == remote and fields[3] == ENDED
    return count
