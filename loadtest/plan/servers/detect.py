"""What the files of a project's folder say of how it is run, read and never executed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from loadtest.records import files
from loadtest.system import process
from loadtest.system.process import CommandError

ASKED_WITHIN_S = 20.0

MOST_BYTES = 1_000_000
"""Of a file of the project that is read."""


class Found(NamedTuple):
    """Something that may be so, and which file or place says it."""

    value: str
    why: str


def interpreters(folder: Path, env: Mapping[str, str]) -> Iterator[Found]:
    """Yield the interpreters that a project may have, the likeliest first.

    The one that runs loadtest is the last, for who has both in one environment.
    """
    places = [(env.get("VIRTUAL_ENV", ""), "$VIRTUAL_ENV")]
    for parent, where in ((folder, "in"), (folder.parent, "beside")):
        places += [
            (str(parent / name), f"{name} {where} the project's folder")
            for name in (".venv", "venv", "env")
        ]
    for lock, argv in (
        ("poetry.lock", ["poetry", "env", "info", "--path"]),
        ("Pipfile.lock", ["pipenv", "--venv"]),
    ):
        if (folder / lock).exists() and shutil.which(argv[0]):
            try:
                printed = process.output(argv, env={}, cwd=folder, timeout_s=ASKED_WITHIN_S)
                places.append((printed.strip(), f"`{shlex.join(argv)}`"))
            except CommandError:
                continue
    places.append((sys.prefix, "the one that runs loadtest"))
    seen: set[str] = set()
    for place, why in places:
        python = os.path.join(place, "bin", "python")
        if place and os.path.realpath(place) not in seen and os.access(python, os.X_OK):
            seen.add(os.path.realpath(place))
            yield Found(python, why)


SETS = re.compile(
    r"""DJANGO_SETTINGS_MODULE["']?\s*(?:[,=:]|\]\s*=)\s*["']?(?P<module>[A-Za-z_][\w.]*)"""
)

SAY_SETTINGS = (
    *("Dockerfile", "docker/Dockerfile", "Procfile", "docker-compose.yml", "compose.yaml"),
    *("app.json", "manage.py", "pyproject.toml", "pytest.ini", "setup.cfg"),
)
"""Files that name the settings, those that say how it is deployed first."""


def settings(folder: Path) -> Iterator[Found]:
    """Yield the settings modules that the project's files name, the deployed ones first."""
    seen: set[str] = set()
    for name in SAY_SETTINGS:
        for match in SETS.finditer(_text(folder / name)):
            if match["module"] not in seen:
                seen.add(match["module"])
                yield Found(match["module"], name)


PROFILES = (
    (r"gunicorn.*(uvicorn\.workers|uvicorn_worker)", "gunicorn-uvicorn"),
    (r"gunicorn.*(-k|--worker-class)[ =]gevent", "gunicorn-gevent"),
    (r"gunicorn.*(-k[ =]gthread|--worker-class[ =]gthread|--threads)", "gunicorn-gthread"),
    (r"gunicorn", "gunicorn-sync"),
    (r"granian.*--interface[ =]wsgi", "granian-wsgi"),
    (r"granian", "granian-asgi"),
    (r"uvicorn", "uvicorn"),
    (r"daphne", "daphne"),
    (r"hypercorn", "hypercorn-asyncio"),
    (r"uwsgi", "uwsgi"),
    (r"waitress", "waitress"),
)
"""The profile of a server by the command line that starts it, the first that matches."""

STARTS = re.compile(
    r"^.*\b(?:gunicorn|granian|uvicorn|daphne|hypercorn|uwsgi|waitress-serve)\b.*$", re.M
)

SAY_SERVER = (
    *("Procfile", "Dockerfile", "docker/Dockerfile", "docker-compose.yml", "docker-compose.yaml"),
    *("compose.yml", "compose.yaml", "entrypoint.sh", "docker-entrypoint.sh", "start.sh"),
    *("bin/start", "docker/start", "scripts/start.sh", "fly.toml", "render.yaml", "uwsgi.ini"),
)


def server(folder: Path) -> tuple[Found, str] | None:
    """Return the profile nearest to what starts the project today, and the line that says so."""
    for name in SAY_SERVER:
        for line in STARTS.findall(_text(folder / name)):
            words = " ".join(re.sub(r"[\[\]\",]", " ", line).split())
            if re.search(r"^#|\binstall\b|==|requirements", words):
                continue
            profile = next((known for sign, known in PROFILES if re.search(sign, words)), None)
            if profile is not None:
                return Found(profile, name), words[:200]
    if "threads" in (text := _text(folder / "gunicorn.conf.py")):
        return Found("gunicorn-gthread", "gunicorn.conf.py"), "gunicorn"
    return (Found("gunicorn-sync", "gunicorn.conf.py"), "gunicorn") if text else None


MISSING = (
    r"^(?:KeyError: )?['\"](?P<name>[A-Z][A-Z0-9_]+)['\"]",
    r"Set the (?P<name>[A-Z][A-Z0-9_]+) environment variable",
    r"(?P<name>[A-Z][A-Z0-9_]+) not found\. Declare it",
    r"\b(?P<name>[A-Z][A-Z0-9]*_[A-Z0-9_]+)\b",
)
"""How settings say which variable they lack: os.environ, django-environ, decouple, one's own."""

SECRETS = re.compile(r"SECRET|KEY|TOKEN|PASSWORD|SALT")


def missing(kind: str, text: str) -> str | None:
    """Return the variable that settings ask for, by what they raised; None where it says none."""
    if kind not in ("KeyError", "ImproperlyConfigured", "UndefinedValueError", "ValueError"):
        return None
    matches = (re.search(pattern, text) for pattern in MISSING)
    return next((match["name"] for match in matches if match), None)


EXAMPLES = (
    *(".env.example", ".env.sample", ".env.dist", ".env.template"),
    *("env.example", "example.env"),
)


def value(folder: Path, name: str) -> Found:
    """Return what to tell a project for a variable; a secret is never taken from a file."""
    if SECRETS.search(name):
        return Found("{random}", "a secret: a new one for each run")
    given = Found("", "the settings ask for it, and no file says what it is")
    for example in EXAMPLES:
        if match := re.search(rf"^(?:export )?{name}=(.*)$", _text(folder / example), re.M):
            given = Found(match[1].strip().strip("\"'"), example)
            break
    if re.fullmatch(r"(\w+_)?(DATABASE|DB|POSTGRES|POSTGRESQL)_URL", name):
        long = given.value.startswith("postgresql:")
        return Found("{postgresql.url}" if long else "{postgres.url}", "the database of the run")
    if re.fullmatch(r"(\w+_)?(REDIS|CACHE)_URL", name):
        return Found("{redis.url}", "the Redis of the run")
    return given


def _text(path: Path) -> str:
    """Return what is in a file, nothing where it cannot be read."""
    try:
        return files.read(path, MOST_BYTES, links=True).decode("utf-8", "replace")
    except OSError:
        return ""
