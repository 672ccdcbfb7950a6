"""The Pythons that run the clients, each in an environment of the locked versions."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from loadtest.plan.clients.catalogue import FOLDER, Client
from loadtest.plan.interpreters import look
from loadtest.records.clients import Interpreter
from loadtest.records.errors import UserError
from loadtest.records.planned import Record
from loadtest.system import process
from loadtest.system.process import CommandError

ENVIRONMENTS = Path(".clients")

OLDEST = (3, 11)
"""What the lock files are resolved for."""

PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;]+)", re.MULTILINE)

USURPER = "urllib3-future"
"""It takes the place of urllib3 in the whole environment, by a .pth file."""

MAKE_WITHIN_S = 600.0


class Found(Record, frozen=True, kw_only=True):
    """What a Python and a lock file come to."""

    key: str | None
    """What the interpreter is called in a run; no other one is."""
    interpreter: Interpreter | None
    missing: dict[str, str]
    """By client, why it cannot run there and what to type; all of them where there is none."""


def find(
    python: str,
    clients: Sequence[Client],
    *,
    own: bool,
    make: bool,
    say: Callable[[str], None],
    environments: Path = ENVIRONMENTS,
    locks: Path = FOLDER,
) -> Found:
    """Return where clients of one lock file can run under a Python.

    `own`: it is this project's, and will do where it has what is locked. Any other one has whatever
    versions it has, so it only lends itself to an environment. `make` makes that if there is none,
    which needs a package index.
    """
    lock = locks / f"{clients[0].lock}.lock"
    pinned = pins(lock)
    try:
        bare = look(python, {*pinned, USURPER})
    except CommandError as error:
        return _none(clients, f"{error.reason}; name a Python 3.11 or newer with --python")
    if tuple(int(part) for part in bare.version.split(".")[:2]) < OLDEST:
        return _none(
            clients,
            f"{python} is Python {bare.version}, and the clients are locked for 3.11 and newer;"
            " name a newer one with --python",
        )
    install = "loadtest clients --make-environments"
    install += "" if own else f" --python {shlex.quote(python)}"
    as_it_is = _lacking(bare, clients, pinned, install)
    if own and not as_it_is:
        return _found(f"{bare.version}-{lock.stem}", bare, clients, as_it_is)
    folder = environments / _folder(bare, lock)
    if not (folder / "ready").exists() and make:
        _make(folder, bare.path, lock, say)
    if (folder / "ready").exists():
        made = look(str((folder / "bin" / "python").absolute()), {*pinned, USURPER})
        return _found(folder.name, made, clients, _lacking(made, clients, pinned, install))
    if own:
        return _found(f"{bare.version}-{lock.stem}", bare, clients, as_it_is)
    return _none(
        clients,
        f"{python} (Python {bare.version}) has no environment from {lock.name} yet; `{install}`",
    )


def pins(lock: Path) -> dict[str, set[str]]:
    """Return the versions that a lock file has of each distribution; several for several Pythons.

    Raises UserError where there is no such file.
    """
    try:
        text = lock.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{lock}: {error.strerror}; `make lock` writes it") from None
    found: dict[str, set[str]] = {}
    for pin in PIN.finditer(text):
        found.setdefault(pin["name"], set()).add(pin["version"])
    return found


def _folder(bare: Interpreter, lock: Path) -> str:
    """Return the name of an environment: another one for another Python or lock file.

    Two virtual environments of one Python are the same Python.
    """
    of = str(Path(bare.path).resolve()).encode() + lock.read_bytes()
    digest = hashlib.sha256(of).hexdigest()[:8]
    return f"{bare.implementation.lower()}-{bare.version}-{lock.stem}-{digest}"


def _found(
    key: str, interpreter: Interpreter, clients: Sequence[Client], missing: dict[str, str]
) -> Found:
    """Return what was found, with the versions of what the clients require and no others."""
    required = {name for one in clients for name in one.requires}
    versions = {name: at for name, at in interpreter.versions.items() if name in required}
    shown = msgspec.structs.replace(interpreter, versions=versions)
    return Found(key=key, interpreter=shown, missing=missing)


def _none(clients: Sequence[Client], reason: str) -> Found:
    return Found(key=None, interpreter=None, missing={one.name: reason for one in clients})


def _lacking(
    interpreter: Interpreter,
    clients: Sequence[Client],
    pinned: Mapping[str, Collection[str]],
    install: str,
) -> dict[str, str]:
    """Return why clients cannot run there."""
    versions = interpreter.versions
    others = [
        f"{name} {versions[name]} where {' or '.join(sorted(locked))} is locked"
        for name, locked in pinned.items()
        if name in versions and versions[name] not in locked
    ]
    reasons = {}
    for client in clients:
        absent = [name for name in client.requires if name not in versions]
        if absent:
            reasons[client.name] = (
                f"{' and '.join(absent)} not installed for {interpreter.path}; `{install}`"
            )
        elif others:
            reasons[client.name] = f"{interpreter.path} has {', '.join(others)}; `{install}`"
        elif USURPER in versions and USURPER not in client.requires:
            reasons[client.name] = (
                f"{interpreter.path} has {USURPER}, which takes the place of urllib3; `{install}`"
            )
        elif USURPER in client.requires and "urllib3" in versions:
            reasons[client.name] = f"{interpreter.path} has urllib3 as well; `{install}`"
    return reasons


def _make(folder: Path, python: str, lock: Path, say: Callable[[str], None]) -> None:
    """Make an environment from a lock file; raises UserError with what went wrong."""
    say(f"making {folder} from {lock.name}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.with_suffix(".log")
    # Where the packages come from is the user's setting, and the lock file's hashes make sure.
    env = {
        key: value
        for key, value in os.environ.items()
        if key.startswith(("PIP_", "UV_")) or key.lower().endswith("_proxy")
    }
    pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    install = [*pip, "install", "--quiet", "--require-hashes", "--no-deps", "-r", str(lock)]
    try:
        for argv in ([python, "-m", "venv", "--clear", str(folder)], install):
            process.run(
                Path(argv[0]).name, argv, log=log, timeout_s=MAKE_WITHIN_S, env=env, undo=[folder]
            )
    except CommandError as error:
        last = error.detail.splitlines()[-1:] or [""]
        raise UserError(
            f"{folder} could not be made: {error.reason}: {last[0]}; all of it is in {log}"
        ) from None
    log.unlink()
    (folder / "ready").touch()
