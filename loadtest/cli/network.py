"""On which network a command runs a project: one of its own where that can be."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.records.measured import Network
from loadtest.system import network


def enter(outside: Sequence[str] = (), beside: Sequence[str] = ()) -> tuple[Network, str]:
    """Leave the machine's network unless services `outside` are on it; return which it is.

    The places `beside` those of the run, of which there may be some on the machine, are in reach.
    In a line as well, for a project whose Python is held by `inside/loadtest_outbound.py` anyhow.
    Comes before what starts threads, as NumPy does where it is imported.
    """
    if outside:
        why = f"for {', '.join(outside)}"
    elif (refused := network.enter(beside)) is None:
        reached = " and ".join(["the services of the run", *beside])
        return "own", f"one of its own: nothing but {reached} can be reached"
    else:
        why = f"as none of its own can be had ({refused})"
    return "machine", f"this machine's, {why}: only Python's own sockets are held to the services"
