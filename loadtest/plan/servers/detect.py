"""What the files of a project's folder say of how it is run, read and never executed."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from loadtest.records import files
from loadtest.records.planned import Sizes
from loadtest.records.privacy import KEY_NAME
from loadtest.system import process
from loadtest.system.process import CommandError

ASKED_WITHIN_S = 20.0

MOST_BYTES = 1_000_000
"""Of a file of the project that is read."""


class Guess(NamedTuple):
    """Something that may be so, and which file or place says it."""

    value: str
    why: str


def interpreters(folder: Path, env: Mapping[str, str]) -> Iterator[Guess]:
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
            yield Guess(python, why)


SETS = re.compile(
    r"""DJANGO_SETTINGS_MODULE["']?\s*(?:[,=:]|\]\s*=)\s*["']?(?P<module>[A-Za-z_][\w.]*)"""
)

SAY_SETTINGS = (
    *("Dockerfile", "docker/Dockerfile", "Procfile", "docker-compose.yml", "compose.yaml"),
    *("app.json", "manage.py", "pyproject.toml", "pytest.ini", "setup.cfg"),
)
"""Files that name the settings, those that say how it is deployed first."""

ARE_SETTINGS = ("settings.py", "settings/*.py", "*/settings.py", "*/settings/*.py")
"""Where settings lie that no file may name: a server is then told of them by its environment."""

IS_SETTINGS = re.compile(r"^(?:INSTALLED_APPS\s*[+=]|from\s+\S+\s+import\s+\*)", re.M)
"""By what is in them."""

DEPLOYED = re.compile(r"(?:^|[._])(?:prod|production|live|deploy|deployed)$")

UNDEPLOYED = re.compile(r"(?:^|[._])(?:dev|devel|development|local|debug|ci|tests?)(?:\.|$)")
"""By their names."""


def settings(folder: Path) -> Iterator[Guess]:
    """Yield the settings modules that the project may have, the deployed ones first.

    Of those that no file names only the deployed ones, if any is named.
    """
    named = [
        Guess(match["module"], os.path.relpath(path, folder))
        for path in _named(folder, SAY_SETTINGS)
        for match in SETS.finditer(_text(path))
    ]
    there = list(_settings_there(folder))
    likely = [each for each in named if not UNDEPLOYED.search(each.value)]
    likely += [each for each in there if DEPLOYED.search(each.value)]
    likely += named or sorted(there, key=lambda each: bool(UNDEPLOYED.search(each.value)))
    seen: set[str] = set()
    for each in likely:
        if each.value not in seen:
            seen.add(each.value)
            yield each


def _settings_there(folder: Path) -> Iterator[Guess]:
    """Yield the modules that look like settings, by their places and what is in them."""
    for path in sorted(path for pattern in ARE_SETTINGS for path in folder.glob(pattern)):
        where = path.relative_to(folder)
        parts = where.with_suffix("").parts
        if all(part.isidentifier() for part in parts) and IS_SETTINGS.search(_text(path)):
            yield Guess(".".join(parts).removesuffix(".__init__"), str(where))


PROFILES = (
    (r"gunicorn.*(uvicorn\.workers|uvicorn_worker)", "gunicorn-uvicorn"),
    (r"gunicorn.*(-k|--worker-class)[ =]gevent", "gunicorn-gevent"),
    (
        r"gunicorn.*(-k[ =]gthread|--worker-class[ =]gthread|--threads(?![ =]1\b))",
        "gunicorn-gthread",
    ),
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

SHOWN = re.compile(
    r"\b(?:gunicorn|granian|uvicorn|daphne|hypercorn|uwsgi|waitress-serve)\b|(?<!\S)(?:--workers|-w"
    r"|--processes|--threads|--blocking-threads|--worker-class|-k|--interface)[ =][\w.${}:-]+"
)
"""What of a command line is quoted: what was read. The rest may have a secret."""

UNITS = ("*.service", "*/*.service")
"""Of systemd."""

MOST_COMMAND = 1_000
"""Characters of a line that is looked at: a longer one is no command, and takes hours."""

MOST_SCRIPTS = 100
"""That a file names."""

SCRIPT = re.compile(r"(?<![\w./-])[\w./-]{1,200}\.sh\b")

CONFIGURED = {
    "gunicorn": r"gunicorn\b.*?(?:-c|--config)[ =](?:file:)?(?P<file>[\w./-]+)",
    "uwsgi": r"uwsgi\b.*?(?:--ini[ =])?(?P<file>[\w./-]+\.ini)",
}
"""Servers that take options from a file, and how a command line names it."""

CONFIGURED_BY_ITSELF = {"gunicorn": "gunicorn.conf.py", "uwsgi": "uwsgi.ini"}
"""The file where it names none."""

OPTIONS = {
    "workers": r"(?<!\S)(?:--workers|--processes|-w)[ =]",
    "threads": r"(?<!\S)(?:--threads|--blocking-threads)[ =]",
}
"""How a command line says them."""

UNSAID = 0
"""In place of their number."""

ALONE = ("daphne", "waitress")
"""Servers of one process, whatever a command line says."""


class Today(NamedTuple):
    """What starts a project today."""

    profile: Guess
    """The nearest there is."""
    line: str
    """What says so."""
    workers: int | None
    """None: a file computes them, or leaves them to the machine that it runs on."""
    threads: int | None
    """None: not said, or it has none."""

    @property
    def shape(self) -> str | None:
        """Its workers and threads, as in `3x2`; None where nobody knows how many workers.

        Where no threads are said, as many as servers have here that have some.
        """
        return f"{self.workers}x{self.threads or Sizes().threads}" if self.workers else None


def server(folder: Path) -> Today | None:
    """Return what starts the project today, as the first file that says it has it."""
    units = (path for place in _places(folder) for of in UNITS for path in sorted(place.glob(of)))
    for path in _with_scripts(folder, [*_named(folder, SAY_SERVER), *units]):
        text = _text(path).replace("\\\n", " ")
        if path.suffix in (".yml", ".yaml"):
            text = re.sub(r"\n *- ", " ", text)  # a command may be a list, a word a line
        for line in STARTS.findall(text):
            words = " ".join(re.sub(r"[\[\]\",']", " ", line).split())[:MOST_COMMAND]
            if re.search(r"^#|\binstall\b|==|requirements", words):
                continue
            if path.suffix == ".service" and not words.startswith("ExecStart="):
                continue
            if today := _today(folder, words, text, os.path.relpath(path, folder)):
                return today
    conf = CONFIGURED_BY_ITSELF["gunicorn"]
    return _today(folder, "gunicorn", "", conf) if any(_there(folder, conf)) else None


def _places(folder: Path) -> list[Path]:
    """Return where a project's files lie: in its folder, and in a repository just around it."""
    around = folder.parent
    inner = (around / ".git").exists() and not (folder / ".git").exists()
    return [folder, around] if inner else [folder]


def _named(folder: Path, names: Iterable[str]) -> Iterator[Path]:
    """Yield the files of these names, whether they are there or not."""
    yield from (place / name for name in names for place in _places(folder))


def _with_scripts(folder: Path, paths: Iterable[Path]) -> Iterator[Path]:
    """Yield files, each before the scripts of the project that it names."""
    for path in paths:
        yield path
        for script in [*dict.fromkeys(SCRIPT.findall(_text(path)))][:MOST_SCRIPTS]:
            yield from _there(folder, script)


def _there(folder: Path, named: str) -> Iterator[Path]:
    """Yield the files that may be meant: in an image the project has another folder."""
    parts = named.strip("/").split("/")
    ends = ("/".join(parts[at:]) for at in range(len(parts)))
    yield from (path for path in _named(folder, ends) if path.is_file())


def _today(folder: Path, words: str, text: str, where: str) -> Today | None:
    """Return what a command line starts, `text` being all of its file; None where it is none."""
    command = words
    for name, naming in CONFIGURED.items():
        if re.search(rf"\b{name}\b", words):
            named = re.search(naming, words)
            file = named["file"] if named else CONFIGURED_BY_ITSELF[name]
            texts = map(_text, _there(folder, file))
            command += _configured(next(filter(None, texts), ""))
    profile = next((known for sign, known in PROFILES if re.search(sign, command)), None)
    if profile is None:
        return None
    workers, threads = (_number(command, option) for option in OPTIONS.values())
    # Of most servers one, unless this variable says more.
    default = re.search(r"WEB_CONCURRENCY\W{1,4}(\d{1,4})", text)
    usual = int(default[1]) if default else 1
    if profile in ALONE:
        workers = 1
    return Today(
        Guess(profile, where),
        " ".join(dict.fromkeys(SHOWN.findall(words)))[:200],
        usual if workers == UNSAID else workers,
        None if threads == UNSAID else threads,
    )


def _number(words: str, option: str) -> int | None:
    """Return the number of an option, `UNSAID` where it is not there; None where it is no number.

    Of a variable, that which it has where nobody sets it: `${WEB_CONCURRENCY:-3}`.
    """
    given = re.search(rf"{option}(?:\$\{{\w+:-)?(?P<number>\d+|\S+)", words)
    if given is None:
        return UNSAID
    return int(given["number"]) if re.fullmatch(r"\d{1,4}", given["number"]) else None


def _configured(text: str) -> str:
    """Return what a configuration file sets as a command line would."""
    words = ""
    for key, option in (
        ("workers", "--workers"),
        ("processes", "--workers"),
        ("threads", "--threads"),
        ("worker_class", "--worker-class"),
    ):
        if match := re.search(rf"^{key}\s*=\s*(?P<value>[^#\n]+)", text, re.M):
            value = match["value"][:MOST_COMMAND].strip().strip("\"'")
            default = re.search(r"(?:environ\.get|getenv)\([^,]+,\s*[\"']?(\d+)", value)
            plain = re.fullmatch(r"[\w.]+", value)
            words += f" {option} {default[1] if default else value if plain else '?'}"
    return words


MISSING = (
    r"^(?:KeyError: )?['\"](?P<name>[A-Z][A-Z0-9_]+)['\"]",
    r"Set the (?P<name>[A-Z][A-Z0-9_]+) environment variable",
    r"(?P<name>[A-Z][A-Z0-9_]+) not found\. Declare it",
    r"\b(?P<name>[A-Z][A-Z0-9]*_[A-Z0-9_]+)\b",
)
"""How settings say which variable they lack: os.environ, django-environ, decouple, one's own."""

READS_DEBUG = re.compile(
    r"""^[ \t]*DEBUG\b[^=\n]*=[^=\n][^\n]*?["'](?P<name>[A-Z][A-Z0-9_]*)["']""", re.M
)


def debug_variables(settings: Path) -> Iterator[str]:
    """Yield the variables that settings make DEBUG of, those of the file itself first."""
    texts = map(_text, (settings, *sorted(settings.parent.glob("*.py"))))
    yield from dict.fromkeys(
        match["name"] for text in texts for match in READS_DEBUG.finditer(text)
    )


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


def value(folder: Path, name: str) -> Guess:
    """Return what to tell a project for a variable; a secret is never taken from a file."""
    if re.fullmatch(r"(REDIS|VALKEY)_PASSWORD", name):
        return Guess("", "the Redis of the run has none")
    if KEY_NAME.search(name):
        return Guess("{random}", "a secret: a new one for each run")
    given = Guess("", "the settings ask for it, and no file says what it is")
    for example in _named(folder, EXAMPLES):
        if match := re.search(rf"^(?:export )?{name}=(.*)$", _text(example), re.M):
            given = Guess(match[1].strip().strip("\"'"), os.path.relpath(example, folder))
            break
    return Guess(address, "the run's own") if (address := _address(name, given.value)) else given


def _address(name: str, example: str) -> str | None:
    """Return what stands for the address of a service, by its variable; None for any other."""
    if re.fullmatch(r"(\w+_)?(DATABASE|DB|POSTGRES|POSTGRESQL)_URL", name):
        return "{postgresql.url}" if example.startswith("postgresql:") else "{postgres.url}"
    part = re.fullmatch(r"(?:\w+_)?(?:REDIS|VALKEY|CACHE)_(URL|HOST|PORT)", name)
    return f"{{redis.{part[1].lower()}}}" if part else None


SAY_SERVICES = (
    *("docker-compose.yml", "docker-compose.yaml", "compose.yml", "compose.yaml"),
    *("Dockerfile", "docker/Dockerfile", "app.json", "fly.toml", "render.yaml"),
)

GIVES = re.compile(
    r"""\b(?P<name>[A-Z][A-Z0-9_]*)["']?\s*[:=]\s*["']?(?:(?P<scheme>[a-z0-9+]+):)?"""
)

SCHEMES = (None, "postgres", "postgresql", "redis", "rediss", "valkey")
"""Of addresses that a service of the run has; None: a name that the deployment fills in."""

READS_DATABASE_URL = re.compile(r"dj_database_url|\benv\.db\(")
"""Without its name."""


def addresses(folder: Path, settings: Path) -> Iterator[tuple[str, Guess]]:
    """Yield the variables by which a deployment says of services that the settings can do without.

    Unless they are told, these take what a developer has in their place.
    """
    text = "\n".join(map(_text, (settings, *settings.parent.glob("*.py"))))
    read = {*re.findall(r"(?<=[\"'])[A-Z][A-Z0-9_]*(?=[\"'])", text)}
    read |= {"DATABASE_URL"} if READS_DATABASE_URL.search(text) else set()
    for file in _named(folder, SAY_SERVICES):
        for match in GIVES.finditer(_text(file)):
            name, scheme = match["name"], match["scheme"]
            address = _address(name, f"{scheme}:") if scheme in SCHEMES else None
            if address and name in read:
                yield name, Guess(address, os.path.relpath(file, folder))


FILLS = re.compile(r"seed|fake|demo|sample|populate|initial|test_?data|fixture")

FILLERS = {
    "{}": [f"{above}management/commands/*.py" for above in ("", "*/", "*/*/")],
    "loaddata {}": [f"{above}fixtures/*.json" for above in ("", "*/", "*/*/")],
}
"""Where commands and rows lie, by what is typed for one."""

MOST_FILLERS = 6


def fillers(folder: Path) -> list[str]:
    """Return what may fill the project's database, by its name, as a command of Django's."""
    likely = (
        typed.format(path.stem)
        for typed, patterns in FILLERS.items()
        for path in sorted(path for pattern in patterns for path in folder.glob(pattern))
        if FILLS.search(path.stem) or typed != "{}"
    )
    return list(dict.fromkeys(likely))[:MOST_FILLERS]


def _text(path: Path) -> str:
    """Return what is in a file, nothing where it cannot be read."""
    try:
        return files.read(path, MOST_BYTES, links=True).decode("utf-8", "replace")
    except OSError:
        return ""
