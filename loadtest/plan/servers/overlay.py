"""An environment of servers over a project's own, whose packages it sees and leaves as they are."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

import msgspec

from loadtest.plan.interpreters import index_variables
from loadtest.records import files
from loadtest.records.errors import UserError
from loadtest.records.planned import Record
from loadtest.records.values import END
from loadtest.system import process
from loadtest.system.process import CommandError

READY = "ready"
"""The file in it that says over which interpreter it was made."""

MAKE_WITHIN_S = 900.0

LOOK = """
import importlib.metadata, json, re, sys
folders = [path for path in sys.path if re.search("(site|dist)-packages/?$", path)]
pins = {}
for each in importlib.metadata.distributions(path=folders):
    try:
        pins.setdefault(str(each.metadata["Name"]), str(each.version))
    except Exception:
        pass
print(json.dumps({"folders": folders, "pins": pins}))
"""
"""Prints where an interpreter's packages lie, and the version of each, as far as it has one."""

PIN = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?"
    r"==(\d+!)?\d+(\.\d+)*((a|b|rc)\d+)?(\.post\d+)?(\.dev\d+)?(\+[A-Za-z0-9._-]+)?" + END
)
"""What every installer takes for a constraint: for a broken version it would refuse them all."""


class _Packages(Record, frozen=True, kw_only=True):
    folders: tuple[str, ...]
    pins: dict[str, str]


def interpreter(folder: Path, python: str) -> str | None:
    """Return the interpreter of the environment in a folder, None where there is none over it."""
    try:
        made_over = files.read(folder / READY).decode(errors="replace")
    except OSError:
        return None
    return _python(folder) if made_over == _identity(python) else None


def _python(folder: Path) -> str:
    return str(folder / "bin" / "python")


def _identity(python: str) -> str:
    """Return what tells an interpreter from one that has taken its place since."""
    return f"{python}\n{os.path.realpath(shutil.which(python) or python)}\n"


def install(
    folder: Path, python: str, packages: Collection[str], say: Callable[[str], None]
) -> None:
    """Install packages into the environment in a folder, made where there is none over `python`.

    What that has keeps its version. Raises UserError with what went wrong.
    """
    log, pinned = folder.with_suffix(".log"), folder.with_suffix(".txt")
    try:
        log.unlink(missing_ok=True)
        printed = process.output([python, "-c", LOOK], env={}, cwd=folder.parent)
        listed = msgspec.json.decode(printed, type=_Packages)
        if interpreter(folder, python) is None:
            make = [python, "-m", "venv", "--clear", "--without-pip", str(folder)]
            process.run("venv", make, log=log, timeout_s=MAKE_WITHIN_S, cwd=folder.parent)
            (site,) = folder.glob("lib/python*/site-packages")
            # By this, what is installed in place there, as the project itself, is seen as well.
            added = "; ".join(f"site.addsitedir({path!r})" for path in listed.folders)
            files.write(site / "loadtest_project.pth", f"import site; {added}\n".encode())
        pins = (f"{name}=={version}" for name, version in listed.pins.items())
        files.write(pinned, "".join(f"{pin}\n" for pin in pins if PIN.match(pin)).encode())
        say(f"installing {', '.join(sorted(packages))} into {folder}")
        process.run(
            "the installer",
            [*_installer(python, folder), "--constraint", str(pinned), *sorted(packages)],
            log=log,
            timeout_s=MAKE_WITHIN_S,
            env=index_variables(),
            cwd=folder.parent,
        )
        files.write(folder / READY, _identity(python).encode())
    except CommandError as error:
        last = error.detail.splitlines()[-1:] or [""]
        more = f"; all of it is in {log}" if log.exists() else ""
        raise UserError(f"{folder} could not be made: {error.reason}: {last[0]}{more}") from None
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        raise UserError(f"{folder} could not be made: {error}") from None
    log.unlink(missing_ok=True)


def _installer(python: str, folder: Path) -> list[str]:
    """Return what installs into the environment: pip of the project, pip of ours, or uv."""
    ours = _python(folder)
    for each in (python, sys.executable):
        pip = [each, "-m", "pip", "--python", ours]
        with suppress(CommandError):  # it has none, or one that cannot install for others
            process.output([*pip, "--version"], env={}, cwd=folder.parent)
            return [*pip, "--disable-pip-version-check", "install", "--quiet"]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", ours]
    raise UserError(f"{python} has no pip of its own; type `{python} -m ensurepip`, or get uv")
