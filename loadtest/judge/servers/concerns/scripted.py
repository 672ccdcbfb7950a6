"""The concern that a script made the load of a report of others: what it sent is not known."""

from __future__ import annotations

from loadtest.judge.concern import NOTHING, Check
from loadtest.judge.servers.concerns.evidence import Evidence, concern

PIPELINE = "pipelin"
"""In the name of a script that sends several requests at once."""


def _scripted(cell: Evidence) -> Check:
    script = cell.cell.load.script
    if script is None:
        return NOTHING
    several = PIPELINE in script.casefold()
    what = "as its name says, several requests at once on each connection" if several else "unknown"
    load = f"on {cell.cell.load.connections:,} connections"
    return Check("suspect", f"wrk's script {script} made the load {load}; what it sent is {what}")


SCRIPTED = concern("scripted", _scripted)
