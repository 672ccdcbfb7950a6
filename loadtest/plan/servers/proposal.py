"""From what is known of a project to the `loadtest.toml` that is proposed for it, with reasons."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qs, urlsplit

import jinja2

from loadtest.plan.servers import own
from loadtest.plan.servers.access_log import ARGUMENT, Traffic
from loadtest.plan.servers.detect import Guess
from loadtest.plan.servers.facts import Facts, Probed
from loadtest.plan.servers.facts import site as of_site
from loadtest.plan.servers.own import Asked, Database, File, Prepare, Request, Where
from loadtest.plan.servers.requests import PLACE
from loadtest.records.errors import UserError
from loadtest.records.privacy import SECRET_NAME
from loadtest.records.text import plural, printable

MOST_ASKED = 200
"""Routes, and as many links of their pages."""

MOST_PROPOSED = 6

MOST_NAMED = 3
"""Paths in a line."""

LEAST_SHARE = 0.0001
"""That is written: an endpoint without one would get all that the others leave."""

HARMFUL = re.compile(
    r"log-?out|sign-?out|delete|remove|revert|unsubscribe|__debug__|/admin\b|close|jsi18n", re.I
)
"""Paths that a GET should not be sent to unasked."""

COMPRESSES = re.compile(r"gzip|brotli|compress", re.I)
"""Middleware."""

UNCLEAR = re.compile(r"[<>\\?*+()\[\]|{}^$\s]")
"""Of a route: it has arguments, or is a regular expression that stands for several paths."""


class Left(NamedTuple):
    """A path that is not proposed, and why."""

    path: str
    why: str


@dataclass(frozen=True)
class Proposal:
    """A file, with the reason beside each line that was decided for a person."""

    file: File
    reasons: Mapping[str, str]
    """By table and key, as in `project.python`."""
    endpoints: Mapping[str, str]
    """Why each is proposed."""
    notes: Sequence[str] = ()
    left: Sequence[Left] = field(default_factory=tuple)


def where(folder: Path, python: str, settings: str, facts: Facts) -> Where:
    """Return how a project is reached, its applications as its settings or folders have them."""
    applications = {
        kind: _application(folder, settings, kind, given)
        for kind, given in (("wsgi", facts.wsgi), ("asgi", facts.asgi))
    }
    inside = python.startswith(str(folder) + os.sep)
    return Where(
        python=os.path.relpath(python, folder) if inside else python,
        settings=settings,
        wsgi=applications["wsgi"],
        asgi=applications["asgi"],
    )


def _application(folder: Path, settings: str, kind: str, given: str | None) -> str:
    if given and "." in given:
        module, _, name = given.rpartition(".")
        return f"{module}:{name}"
    parts = settings.split(".")[:-1]
    for depth in range(len(parts), -1, -1):
        if folder.joinpath(*parts[:depth], f"{kind}.py").exists():
            return f"{'.'.join([*parts[:depth], kind])}:application"
    return "generated"


def database(folder: Path, facts: Facts) -> Database:
    """Return what a run makes in the place of the project's databases.

    Raises UserError where it can make none of that kind.
    """
    redis = any("redis" in backend.lower() for backend in facts.caches.values())
    default = facts.databases.get("default")
    engine = default.engine if default else ""
    if default is None or not engine or engine.endswith("dummy"):
        return Database(kind="none", redis=redis)
    if "sqlite" in engine:
        file = folder / (default.file or "")
        copy = os.path.relpath(file, folder) if file.is_file() else None
        return Database(kind="sqlite", copy=copy, redis=redis)
    if ("postg" in engine or "psql" in engine) and "gis" not in engine:
        return Database(kind="postgres", redis=redis)
    raise UserError(
        f"the database is {engine}, of which loadtest cannot make one of its own yet; name"
        " settings with PostgreSQL or SQLite by --settings"
    )


def prepare(facts: Facts, has_database: bool, seed: str | None) -> Prepare:
    """Return what makes tables, rows and static files."""
    static = "manifest" in facts.static_storage.lower() or facts.compressed
    cached = has_database and any(of.endswith(".DatabaseCache") for of in facts.caches.values())
    commands = ["createcachetable"] if cached else []  # a migration may ask the cache
    commands += ["migrate --noinput"] if has_database else []
    commands += ["collectstatic --noinput"] if static else []
    commands += ["compress"] if facts.compressed else []
    return Prepare(commands=tuple(commands), seed=seed)


def request(facts: Facts) -> tuple[Request, str]:
    """Return what every request has, as a proxy in front adds it and browsers do, and why."""
    headers: dict[str, str] = {}
    reasons = []
    if host := next(filter(None, map(_host, facts.hosts)), None):
        headers["Host"] = host
        reasons.append("the first of ALLOWED_HOSTS")
    if facts.proxy_header:
        name, value = facts.proxy_header
        headers[name] = value
        reasons.append("SECURE_PROXY_SSL_HEADER")
    if coder := next((of.name for of in facts.middleware if COMPRESSES.search(of.name)), None):
        headers["Accept-Encoding"] = "gzip"
        reasons.append(f"{coder.rpartition('.')[2]}, as every browser asks for it")
    return Request(headers=headers), "; ".join(reasons)


def _host(allowed: str) -> str | None:
    """Return a host of ALLOWED_HOSTS that clients may ask for; None for this machine and any."""
    host = allowed.lstrip(".").lower()
    known = re.fullmatch(r"[a-z0-9-]+(\.[a-z0-9-]+)*\.[a-z][a-z0-9-]*", host)
    return host if known else None


def paths(facts: Facts) -> list[str]:
    """Return what can be asked without knowing a value: the routes that have no argument."""
    routes = ["/"] + [route.path for route in facts.routes if not route.arguments]
    return [path for path in dict.fromkeys(routes) if _can_be_asked(path, path)][:MOST_ASKED]


def linked(probed: Sequence[Probed], asked: Collection[str]) -> list[str]:
    """Return the paths that answers link to: of those that differ in their numbers, the first."""
    by_shape: dict[str, str] = {}
    for answer in probed:
        for link in answer.links:
            path, _, query = link.partition("?")
            if SECRET_NAME.search(query) or PLACE.search(link):
                continue  # the file is committed
            if link not in asked and _can_be_asked(link, path):
                by_shape.setdefault(ARGUMENT.sub("0", link), link)
    return list(by_shape.values())[:MOST_ASKED]


def _can_be_asked(link: str, path: str) -> bool:
    known = not HARMFUL.search(path) and not UNCLEAR.search(path)
    return known and re.fullmatch(own.LOCATION, link) is not None


def endpoints(
    facts: Facts,
    probed: Sequence[Probed],
    user: str | None,
    users: Collection[str] = (),
    traffic: Traffic | None = None,
) -> tuple[list[tuple[Asked, str]], list[Left]]:
    """Return the endpoints that are proposed, each with the reason, and what is left out.

    `users` are the paths that were asked as the user. Chosen are those that are asked for most;
    where nobody knows, those that a server can matter for: the quickest, the one with most
    statements, the longest and the slowest; then others.
    """
    left = [_left(answer, why) for answer in probed if (why := _unfit(answer))]
    fit = [answer for answer in probed if _unfit(answer) is None]
    by_route: dict[tuple[str, str], Probed] = {}
    for answer in fit:
        first = by_route.setdefault((answer.route or answer.path, answer.template), answer)
        if first is not answer:
            left.append(_left(answer, f"the route of {_public(first.path)}"))
    others = list(by_route.values())
    shares = traffic.shares({each.path: each.route for each in others}) if traffic else {}
    most = [each for each in others if shares.get(each.path)]
    most.sort(key=lambda each: -shares[each.path])
    chosen: dict[str, tuple[Probed, str]] = {}
    for reason, best in (
        *(("", each) for each in most),
        *(() if most else _telling(others, _home(probed))),
    ):
        if best is not None and best.path not in chosen and len(chosen) < MOST_PROPOSED:
            chosen[best.path] = best, reason
    for each in others:
        if each.path not in chosen:
            unasked = most and each not in most
            left.append(_left(each, "not in the access log" if unasked else "one of many"))
    asynchronous = {route.path for route in facts.routes if route.asynchronous}
    names: list[str] = []
    proposed = []
    for answer, reason in chosen.values():
        names.append(_name(answer.path, names))
        asked = Asked(
            name=names[-1],
            path=answer.path,
            as_=user if answer.path in users else None,
            style="async" if answer.path in asynchronous else "sync",
            kind="pages" if "html" in answer.type else "api" if "json" in answer.type else "files",
            share=max(LEAST_SHARE, round(share, 4)) if (share := shares.get(answer.path)) else None,
        )
        proposed.append((asked, _about(answer, reason)))
    # Without their queries some paths are the same.
    return proposed, [each for each in left if each.why != f"the route of {each.path}"]


def _home(probed: Sequence[Probed]) -> str:
    """Return the path that / redirects to in the end, / where it does not."""
    leads_to = {each.path: _public(each.location) for each in probed if each.location}
    home = "/"
    while home in leads_to:
        home = leads_to.pop(home)
    return home


def _telling(probed: Sequence[Probed], home: str) -> Iterator[tuple[str, Probed | None]]:
    """Yield the answers that a server can matter for, with the reason, then all others."""
    yield "where / leads", next((each for each in probed if each.path == home != "/"), None)
    yield "the quickest", min(probed, key=lambda each: each.again_ms, default=None)
    yield "most statements", max(probed, key=lambda each: each.statements, default=None)
    yield "the longest answer", max(probed, key=lambda each: each.bytes, default=None)
    yield "the slowest", max(probed, key=lambda each: each.again_ms, default=None)
    yield from (("", each) for each in probed)


def untried(paths: Sequence[str], within_s: float) -> tuple[list[Left], str]:
    """Return paths for which no time was left, and what to type."""
    why = f"not asked, as {within_s:.0f} s were over"
    left = [Left(_public(path), why) for path in paths]
    named = ", ".join(each.path for each in left[:MOST_NAMED])
    more = f" and {len(left) - MOST_NAMED} more" if len(left) > MOST_NAMED else ""
    text = (
        f"{why.capitalize()}: {named}{more}; type `loadtest init --force --patience"
        f" {4 * within_s:.0f}` to ask longer, or write an [[endpoint]] for those that matter"
    )
    return left, text


def _left(answer: Probed, why: str) -> Left:
    return Left(_public(answer.path), why)


def _public(location: str) -> str:
    """Return what of an address may stand in a file that is committed: queries have tokens."""
    return _parted(location).path


def _parted(location: str) -> SplitResult:
    """Return the parts of an address; none of what a project says that is no address."""
    try:
        return urlsplit(location)
    except ValueError:
        return urlsplit("")


def _unfit(answer: Probed) -> str | None:
    """Return why a path is not proposed, None where it can be."""
    if answer.like:
        return f"the route of {_public(answer.like)}"
    if not answer.status:
        return answer.error or "no answer"
    if answer.mail:
        return "it sends mail"
    if answer.outbound:
        return f"it calls {', '.join(answer.outbound)}, which is no service of the run"
    if answer.error or answer.status >= 500:
        return f"status {answer.status}: {answer.error or 'it says no more'}"
    if 300 <= answer.status < 400:
        # As Django's own login is told where to lead to.
        login = "next" in parse_qs(_parted(answer.location).query)
        hint = "; `loadtest init --user NAME` asks as who may see it" if login else ""
        return f"status {answer.status}, to {_public(answer.location) or '/'}{hint}"
    if answer.status != 200:
        return f"status {answer.status}"
    if answer.writes:
        return f"a GET that writes: {', '.join(answer.writes)}; it needs writes = true"
    return None


def _about(answer: Probed, reason: str) -> str:
    words = [
        *([reason] if reason else []),
        plural(answer.statements, "statement"),
        plural(answer.bytes, "byte"),
        f"{answer.again_ms:.0f} ms in the probe ({answer.first_ms:.0f} ms the first time)",
        *([f"at first also {', '.join(answer.writes_once)}"] if answer.writes_once else []),
    ]
    return ", ".join(words)


def _name(path: str, taken: Collection[str]) -> str:
    """Return a name for a path that no other has."""
    name = "-".join(re.findall(r"[A-Za-z0-9]+", path))[:60].strip("-").lower() or "home"
    number = 1
    while (unique := name if number == 1 else f"{name}-{number}") in taken:
        number += 1
    return unique


def filled_by_nothing(
    database: Database, prepare: Prepare, typed: Collection[str], fillers: Sequence[str]
) -> Iterator[str]:
    """Yield what to know of a database that nothing fills.

    `typed` are the project's commands, `fillers` those that look as if they could.
    """
    if database.kind != "none" and not (database.copy or prepare.seed or typed):
        yield (
            "Nothing fills the database of a run: pages are those of a site without rows, and cost"
            " less than yours. Name a script that fills it (loadtest init --seed FILE), or a"
            " command of the project (--prepare)."
        )
        if fillers:
            yield f"By their names these commands may fill it: {', '.join(fillers)}."


def notes(facts: Facts) -> Iterator[str]:
    """Yield what a person should know of a project before its servers are compared."""
    if facts.debug:
        yield (
            "DEBUG is true in these settings, under which nothing is measured: tell its variable"
            " under [env], or name the settings that you deploy."
        )
    site = of_site(facts)
    if not site.asynchronous:
        yield (
            "No view is async, so an ASGI server can only run this project in threads"
            + (f"; and {site.blocks} cannot be awaited." if site.blocks else ".")
        )
    if len(facts.wrapped) == 1:
        yield (
            f"{facts.wrapped[0]} is more than Django's own application, and that of the other"
            " interface is not: WSGI and ASGI servers run different programs here."
        )
    for alias, of in facts.databases.items():
        if of.reconnects:
            yield (
                f"The database {alias!r} gets a new connection for each request (CONN_MAX_AGE 0, no"
                " pool), which may cost more than any server saves."
            )
    if site.driver == "python":
        yield (
            "psycopg runs in pure Python here; with `pip install 'psycopg[binary]'`, or `[c]`, the"
            " same queries take less CPU time."
        )
    if len(facts.databases) > 1:
        yield "All databases of the settings are one and the same in a run."
    if any("memcached" in backend.lower() for backend in facts.caches.values()):
        yield "Memcached is replaced by a cache in each process."


def text(proposal: Proposal) -> str:
    """Return a proposal as the file that a person reads."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["comment"] = _comment

    def behind(reason: str | None) -> str:
        return f"  # {_comment(reason)}" if reason else ""

    def line(table: str, key: str, value: object) -> str:
        return f"{key} = {toml(value)}{behind(proposal.reasons.get(f'{table}.{key}'))}"

    return environment.get_template("proposal.jinja").render(
        vars(proposal), line=line, behind=behind
    )


def toml(value: object) -> str:
    """Return a value as TOML writes it."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return printable(json.dumps(value, ensure_ascii=False))
        case dict():
            return "{ " + ", ".join(f"{toml(key)} = {toml(of)}" for key, of in value.items()) + " }"
        case list() | tuple():
            return f"[{', '.join(map(toml, value))}]"
        case _:
            return str(value)


def _comment(words: str) -> str:
    """Return words that can stand in a comment: one line, nothing that cannot be seen."""
    return "".join(sign if sign.isprintable() else " " for sign in words)[:300]


def because(guess: Guess, facts: Facts) -> str:
    """Return the reason for an interpreter."""
    return f"{guess.why}; Python {facts.python}, Django {facts.django}"
