"""The Pythons that run the clients, each in an environment of the locked versions."""

from __future__ import annotations

import hashlib
import re
import shlex
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

import msgspec

from loadtest.plan.clients.catalogue import FOLDER, Client
from loadtest.plan.interpreters import index_variables, look
from loadtest.records.clients import Interpreter
from loadtest.records.errors import UserError
from loadtest.records.planned import Record
from loadtest.system import process
from loadtest.system.process import CommandError

_CLONE = Path(__file__).parents[3]

ENVIRONMENTS = (_CLONE if (_CLONE / "pyproject.toml").exists() else Path(sys.prefix)) / ".clients"
"""Where loadtest itself lies: what there is where somebody types a command may be anybody's."""

OLDEST = (3, 11)
"""What the lock files are resolved for."""

PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^\s;]+)", re.MULTILINE)

USURPER = "urllib3-future"
"""It takes the place of urllib3 in the whole environment, by a .pth file."""

MAKE_WITHIN_S = 600.0


class Environment(Record, frozen=True, kw_only=True):
    """What a Python and a lock file come to."""

    key: str | None
    """What the interpreter is called in a run; no other one is."""
    interpreter: Interpreter | None
    missing: dict[str, str]
    """By client, why it cannot run there and what to type; all of them where there is none."""


Place = Mapping[str, Environment]
"""What a Python has for each lock file."""


def places(
    used: Collection[str],
    clients: Mapping[str, Client],
    pythons: Sequence[str],
    *,
    make: bool,
    say: Callable[[str], None],
) -> list[tuple[str, Place]]:
    """Return where the clients that are used run under each Python, with its name for a label.

    Without `pythons` that is the one that runs this. Raises UserError for one that is named twice.
    """
    needed = [client for name, client in clients.items() if name in used]
    locks = dict.fromkeys(client.lock for client in needed)
    groups = {lock: [client for client in needed if client.lock == lock] for lock in locks}
    by_python: dict[str, Place] = {
        python: {
            lock: find(
                python, group, own=not pythons, make=make, say=say, environments=ENVIRONMENTS
            )
            for lock, group in groups.items()
        }
        for python in pythons or (sys.executable,)
    }
    named: dict[str, str] = {}
    for python, place in by_python.items():
        for key in known([("", place)]):
            if named.setdefault(key, python) != python:
                raise UserError(f"--python {named[key]} and {python} are the same; leave out one")
    return list(zip(_labels(by_python), by_python.values(), strict=True))


def _labels(by_python: Mapping[str, Place]) -> list[str]:
    """Return what each Python is called: nothing where there is but one, by its path if need be."""
    if len(by_python) < 2:
        return [""] * len(by_python)
    names = []
    for python, place in by_python.items():
        shown = [
            f"{interpreter.implementation} {interpreter.version}".replace("CPython", "Python")
            for interpreter in known([("", place)]).values()
        ]
        names.append(shown[0] if shown else python)
    return [
        name if names.count(name) == 1 else f"{name}, {python}"
        for name, python in zip(names, by_python, strict=True)
    ]


def known(places: Sequence[tuple[str, Place]]) -> dict[str, Interpreter]:
    """Return the interpreters that there are, by the names that rows use."""
    return {
        environment.key: environment.interpreter
        for _, place in places
        for environment in place.values()
        if environment.key is not None and environment.interpreter is not None
    }


def find(
    python: str,
    clients: Sequence[Client],
    *,
    own: bool,
    make: bool,
    say: Callable[[str], None],
    environments: Path,
    locks: Path = FOLDER,
) -> Environment:
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
    as_it_is = _environment(f"{bare.version}-{lock.stem}", bare, clients, pinned, install)
    if own and not as_it_is.missing:
        return as_it_is
    folder = environments / _folder(bare, lock)
    if not (folder / "ready").exists() and make:
        _make(folder, bare.path, lock, say)
    if (folder / "ready").exists():
        ready = look(str((folder / "bin" / "python").absolute()), {*pinned, USURPER})
        return _environment(folder.name, ready, clients, pinned, install)
    absent = f"{python} (Python {bare.version}) has no environment from {lock.name} yet"
    return as_it_is if own else _none(clients, f"{absent}; `{install}`")


def pythons(environments: Path = ENVIRONMENTS) -> list[str]:
    """Return the interpreters of all environments that were made here."""
    return [str(path.parent / "bin" / "python") for path in environments.absolute().glob("*/ready")]


def pins(lock: Path) -> dict[str, set[str]]:
    """Return the versions that a lock file has of each distribution; several for several Pythons.

    Raises UserError where there is no such file.
    """
    try:
        text = lock.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{lock}: {error.strerror}; `make lock` writes it") from None
    versions: dict[str, set[str]] = {}
    for pin in PIN.finditer(text):
        versions.setdefault(pin["name"], set()).add(pin["version"])
    return versions


def _folder(bare: Interpreter, lock: Path) -> str:
    """Return the name of an environment: another one for another Python or lock file.

    Two virtual environments of one Python are the same Python.
    """
    of = str(Path(bare.path).resolve()).encode() + lock.read_bytes()
    digest = hashlib.sha256(of).hexdigest()[:8]
    return f"{bare.implementation.lower()}-{bare.version}-{lock.stem}-{digest}"


def _none(clients: Sequence[Client], reason: str) -> Environment:
    return Environment(
        key=None, interpreter=None, missing={client.name: reason for client in clients}
    )


def _environment(
    key: str,
    interpreter: Interpreter,
    clients: Sequence[Client],
    pinned: Mapping[str, Collection[str]],
    install: str,
) -> Environment:
    """Return an environment with why clients cannot run there.

    It has the versions of what they require and no others.
    """
    versions, path = interpreter.versions, interpreter.path
    others = [
        f"{name} {versions[name]} where {' or '.join(sorted(locked))} is locked"
        for name, locked in pinned.items()
        if name in versions and versions[name] not in locked
    ]
    missing = {}
    for client in clients:
        reason = None
        if absent := [name for name in client.requires if name not in versions]:
            reason = f"{' and '.join(absent)} not installed for {path}"
        elif others:
            reason = f"{path} has {', '.join(others)}"
        elif USURPER in versions and USURPER not in client.requires:
            reason = f"{path} has {USURPER}, which takes the place of urllib3"
        elif USURPER in client.requires and "urllib3" in versions:
            reason = f"{path} has urllib3 as well"
        if reason is not None:
            missing[client.name] = f"{reason}; `{install}`"
    required = {name for client in clients for name in client.requires}
    shown = {name: at for name, at in versions.items() if name in required}
    interpreter = msgspec.structs.replace(interpreter, versions=shown)
    return Environment(key=key, interpreter=interpreter, missing=missing)


def _make(folder: Path, python: str, lock: Path, say: Callable[[str], None]) -> None:
    """Make an environment from a lock file; raises UserError with what went wrong."""
    say(f"making {folder} from {lock.name}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.with_suffix(".log")
    env = index_variables()  # the lock file's hashes make sure
    # Isolated: else a `venv.py` or `pip.py` of the folder where somebody types it would be run.
    pip = [str(folder / "bin" / "python"), "-I", "-m", "pip", "--disable-pip-version-check"]
    install = [*pip, "install", "--quiet", "--require-hashes", "--no-deps", "-r", str(lock)]
    try:
        for argv in ([python, "-I", "-m", "venv", "--clear", str(folder)], install):
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
