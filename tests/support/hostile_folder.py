"""Folders of runs as somebody else may have made them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from loadtest.records.run_folder import CLIENTS, OUTCOMES, SERVERS, Kind

INPUTS = Path(__file__).parents[1] / "attack" / "inputs"
"""Minimised files that once did harm, called by what reads them."""

KINDS: dict[str, tuple[Kind[Any, Any, Any], str]] = {
    "run-json": (SERVERS, SERVERS.file),
    "compare": (SERVERS, SERVERS.file),
    "outcomes": (SERVERS, OUTCOMES),
    "clients-json": (CLIENTS, CLIENTS.file),
    "clients-outcomes": (CLIENTS, OUTCOMES),
}
"""By the beginning of an input's name: of which kind of run it is, and which file."""


def inputs(*readers: str) -> list[str]:
    """Return the names of the inputs for some readers."""
    names = sorted(path.name for path in INPUTS.iterdir())
    return [name for name in names if _reader(name) in readers]


def _reader(name: str) -> str:
    return name.rpartition("-")[0].removesuffix("-full")


@cache
def whole(kind: Kind[Any, Any, Any]) -> dict[str, Any]:
    """Return the description that the inputs were made from: one of them, put right again."""
    name = "run-json-b309d704" if kind is SERVERS else "clients-json-99d77830"
    facts: dict[str, Any] = json.loads((INPUTS / name).read_bytes())
    if kind is SERVERS:
        facts["plan"]["cells"][0]["endpoint"]["contract"]["delay_s"] = 0.0
    else:
        facts["plan"]["rows"][0]["requests"] = 20
    return facts


def of_input(name: str, folder: Path) -> Kind[Any, Any, Any]:
    """Make the folder of a run with an input in it; all else is whole. Return its kind."""
    kind, file = KINDS[_reader(name)]
    (folder / "raw").mkdir(parents=True)
    (folder / kind.file).write_text(json.dumps(whole(kind)))
    data = (INPUTS / name).read_bytes()
    (folder / file).write_bytes(data)
    for line in data.splitlines() if _reader(name) == "outcomes" else ():
        try:
            histogram = Path(json.loads(line)["histogram"]).name
            (folder / "raw" / histogram).write_text('{"values_us":[3000],"counts":[30]}')
        except (ValueError, KeyError, TypeError, OSError, RecursionError):
            continue
    return kind
