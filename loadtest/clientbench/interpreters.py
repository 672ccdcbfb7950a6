"""The Pythons that run rows, each client in an environment that has it and nothing in its way.

Environments are made from the lock files beside the clients, once for a Python and a lock file,
below `.clients/`; the interpreter itself will do where it has the client already.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import msgspec

from loadtest import process
from loadtest.clientbench.catalogue import FOLDER, Client
from loadtest.clientbench.model import Interpreter
from loadtest.errors import UserError
from loadtest.model import Record
from loadtest.process import CommandError

ENVIRONMENTS = Path(".clients")
OLDEST = (3, 11)
"""What the lock files are resolved for."""
USURPER = "urllib3-future"
"""It takes the place of urllib3 in the whole environment, by a .pth file."""
MAKE_WITHIN_S = 600.0
LOOK_WITHIN_S = 30.0

LOOK = """
import importlib.metadata, json, platform, sys
versions = {}
for name in sys.argv[1:]:
    try:
        versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
print(json.dumps({
    "path": sys.executable, "version": platform.python_version(),
    "implementation": platform.python_implementation(), "versions": versions,
}))
"""


class Found(Record, frozen=True, kw_only=True):
    """What a Python and a lock file come to."""

    interpreter: Interpreter | None
    missing: dict[str, str]
    """By client, why it cannot run there and what to type; all of them where there is none."""


def look(python: str, names: Collection[str]) -> Interpreter:
    """Ask a Python what it is and which of these distributions it has; raises CommandError."""
    said = process.output(
        [python, "-I", "-c", LOOK, *names], env={}, cwd=Path.cwd(), timeout_s=LOOK_WITHIN_S
    )
    try:
        return msgspec.json.decode(said, type=Interpreter)
    except msgspec.MsgspecError:
        raise CommandError(f"{python} does not answer as a Python does", said) from None


def find(
    python: str,
    clients: Sequence[Client],
    *,
    make: bool,
    say: Callable[[str], None],
    environments: Path = ENVIRONMENTS,
    locks: Path = FOLDER,
) -> Found:
    """Return where clients of one lock file can run under a Python.

    `make` makes the environment if there is none, which needs a package index.
    """
    lock = locks / f"{clients[0].lock}.lock"
    names = sorted({name for one in clients for name in one.requires} | {USURPER})
    try:
        bare = look(python, names)
    except CommandError as error:
        return _none(clients, f"{error.reason}; name a Python 3.11 or newer with --python")
    if tuple(int(part) for part in bare.version.split(".")[:2]) < OLDEST:
        return _none(
            clients,
            f"{python} is Python {bare.version}, and the clients are locked for 3.11 and newer;"
            " name a newer one with --python",
        )
    folder = environments / f"{bare.version}-{_digest(lock)}-{lock.stem}"
    made = folder / "bin" / "python"
    if not (folder / "ready").exists() and make and _lacking(bare, clients):
        _make(folder, bare.path, lock, say)
    own = look(str(made.absolute()), names) if (folder / "ready").exists() else bare
    return Found(interpreter=own, missing=_lacking(own, clients, python))


def _none(clients: Sequence[Client], reason: str) -> Found:
    return Found(interpreter=None, missing={one.name: reason for one in clients})


def _lacking(
    interpreter: Interpreter, clients: Sequence[Client], python: str = sys.executable
) -> dict[str, str]:
    """Return why clients cannot run there."""
    install = "loadtest clients --make-environments"
    if python != sys.executable:
        install += f" --python {shlex.quote(python)}"
    reasons = {}
    for client in clients:
        absent = [name for name in client.requires if name not in interpreter.versions]
        if absent:
            reasons[client.name] = (
                f"{' and '.join(absent)} not installed for {interpreter.path}; `{install}`"
            )
        elif USURPER in interpreter.versions and USURPER not in client.requires:
            reasons[client.name] = (
                f"{interpreter.path} has {USURPER}, which takes the place of urllib3; `{install}`"
            )
        elif USURPER in client.requires and "urllib3" in interpreter.versions:
            reasons[client.name] = f"{interpreter.path} has urllib3 as well; `{install}`"
    return reasons


def _digest(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()[:8]


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
        last = error.tail.splitlines()[-1:] or [""]
        raise UserError(
            f"{folder} could not be made: {error.reason}: {last[0]}; all of it is in {log}"
        ) from None
    log.unlink()
    (folder / "ready").touch()
