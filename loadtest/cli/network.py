"""On which network a command runs a project: one of its own where that can be."""

from __future__ import annotations

from collections.abc import Sequence

from loadtest.records.measured import Network
from loadtest.system import network


def enter(outside: Sequence[str] = ()) -> tuple[Network, str]:
    """Leave the machine's network unless what is on it has to be reached; return which it is.

    In a line as well, for a project whose Python is held by `inside/loadtest_outbound.py` anyhow.
    Comes before what starts threads, as NumPy does where it is imported.
    """
    if outside:
        why = f"for {', '.join(outside)}"
    elif (refused := network.enter()) is None:
        return "own", "one of its own: nothing but the services of the run can be reached"
    else:
        why = f"as none of its own can be had ({refused})"
    return "machine", f"this machine's, {why}: only Python's own sockets are held to the services"
