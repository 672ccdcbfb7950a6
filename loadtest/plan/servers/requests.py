"""Requests as they are sent: from what a project's file says of them, and from its data.

They have cookies, keys and rows: nothing of them is kept in results or stands in a command line.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import quote, urlencode

import msgspec

from loadtest.records.errors import UserError
from loadtest.records.planned import Record
from loadtest.records.privacy import SECRET_NAME

Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]

HOST = "localhost"
"""Of a request that names none: the settings of ours allow it, whatever the port."""

PLACE = re.compile(r"\{([A-Za-z_]\w*)\}")
"""What stands for a value."""

CSRF_NAME = re.compile(r"csrf", re.IGNORECASE)

NOBODY = ""
"""As the name of a user."""


@dataclass(frozen=True)
class Prepared:
    """One request, whole."""

    path: str = field(repr=False)
    method: Method = "GET"
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What stands in it in the place of placeholders, by their names."""

    def encoded(self, host: str) -> bytes:
        """Return it as it goes over the wire, to `host` where it names none itself."""
        headers = dict(self.headers)
        if named(headers, "host") is None:
            headers = {"Host": host, **headers}
        if self.method != "GET":
            headers["Content-Length"] = str(len(self.body))
        lines = [f"{self.method} {self.path} HTTP/1.1"]
        lines += [f"{name}: {text}" for name, text in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + self.body


@dataclass(frozen=True, kw_only=True)
class Template:
    """A request with placeholders, as `{key}`, where values of the data go."""

    path: str
    method: Method = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    user: str | None = None
    """Who is logged in; None: nobody."""
    json: Any = None
    form: Mapping[str, str] | None = None
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where the value of each placeholder comes from, by its name."""

    @property
    def names(self) -> list[str]:
        """The placeholders in it, each once."""
        return list(dict.fromkeys(_places([self.path, self.headers, self.json, self.form])))

    @property
    def keys(self) -> list[str]:
        """The headers that let somebody in: by what they are called, or by their value."""
        return [
            name
            for name, text in self.headers.items()
            if not CSRF_NAME.search(name) and (SECRET_NAME.search(name) or PLACE.search(text))
        ]


class Csrf(Record, frozen=True, kw_only=True):
    """What Django's protection against forged requests lets through."""

    cookie: str | None
    """Its name; None: the token is in the session."""
    header: str
    token: str
    secure: tuple[str, str] | None = None
    """The header, with its value, by which a proxy says that it was asked over HTTPS."""


class Page(Record, frozen=True, kw_only=True):
    """A page that was made in the project's own process."""

    status: int
    type: str
    body: str
    """Its bytes as Latin-1."""


class Data(Record, frozen=True, kw_only=True):
    """What the prepared database has for requests, as `inside/loadtest_requests.py` prints it."""

    cookies: dict[str, list[str]]
    """Of sessions, by who is logged in: one, or several where each request writes to it."""
    csrf: Csrf
    values: dict[str, list[str | int | float | bool]]
    """By their source, some of each."""
    another: str | None = None
    """The cookie of a user who is none of these; None: there is no other."""
    error: Page | None = None
    """What the project answers where a view fails."""


def named(headers: Mapping[str, str], name: str) -> str | None:
    """Return a header, whatever the case of its name; None where it isn't there."""
    return next((text for each, text in headers.items() if each.lower() == name.lower()), None)


def prepare(template: Template, data: Data) -> tuple[Prepared, ...]:
    """Return the requests of an endpoint: one for each value, where it has placeholders.

    Raises UserError for a value that no header can have.
    """
    values = {name: data.values[template.sources[name]] for name in template.names}
    sessions = data.cookies.get(template.user or NOBODY) or [""]
    return tuple(
        _filled(
            template,
            {name: of[at % len(of)] for name, of in values.items()},
            sessions[at % len(sessions)],
            data.csrf,
        )
        for at in range(max([len(sessions), *map(len, values.values())]))
    )


def _filled(template: Template, row: Mapping[str, Any], session: str, csrf: Csrf) -> Prepared:
    path = PLACE.sub(lambda at: quote(str(row[at[1]]), safe="/~"), template.path)
    headers = {"Host": HOST} if named(template.headers, "host") is None else {}
    headers |= {name: _text(text, row) for name, text in template.headers.items()}
    for name, text in headers.items():
        if not (text.isascii() and text.isprintable()):
            raise UserError(
                f"the header {name}: a value of the data is not of ASCII letters, digits and signs;"
                " take another one in [values]"
            )
    cookies = [session]
    body, kind = _body(template, row)
    if kind and named(headers, "content-type") is None:
        headers["Content-Type"] = kind
    if template.method != "GET":
        cookies += [f"{csrf.cookie}={csrf.token}"] if csrf.cookie else []
        name, is_https = csrf.secure or ("", "")
        scheme = "https" if is_https and named(headers, name) == is_https else "http"
        origin = f"{scheme}://{named(headers, 'host')}"
        browsers = {csrf.header: csrf.token, "Origin": origin, "Referer": f"{origin}/"}
        headers |= {name: text for name, text in browsers.items() if named(headers, name) is None}
    if cookie := "; ".join(filter(None, cookies)):
        headers["Cookie"] = cookie
    values = {name: str(value) for name, value in row.items()}
    return Prepared(path, template.method, headers, body, values)


def _body(template: Template, row: Mapping[str, Any]) -> tuple[bytes, str | None]:
    """Return the body of a request, and its type."""
    if template.json is not None:
        return msgspec.json.encode(_value(template.json, row)), "application/json"
    if template.form is not None:
        form = {name: _text(text, row) for name, text in template.form.items()}
        return urlencode(form).encode(), "application/x-www-form-urlencoded"
    return b"", None


def _text(text: str, row: Mapping[str, Any]) -> str:
    return PLACE.sub(lambda at: str(row[at[1]]), text)


def _value(of: Any, row: Mapping[str, Any]) -> Any:
    """Return a JSON value, filled; what is nothing but a placeholder becomes the value itself."""
    match of:
        case dict():
            return {key: _value(inner, row) for key, inner in of.items()}
        case list():
            return [_value(inner, row) for inner in of]
        case str():
            whole = PLACE.fullmatch(of)
            return row[whole[1]] if whole else _text(of, row)
        case _:
            return of


def _places(of: Any) -> list[str]:
    """Return the placeholders in texts, however deep they stand."""
    match of:
        case dict():
            return [name for inner in of.values() for name in _places(inner)]
        case list():
            return [name for inner in of for name in _places(inner)]
        case str():
            return PLACE.findall(of)
        case _:
            return []


def others(template: Template, data: Data) -> dict[str, Prepared]:
    """Return requests whose answers a contract has to refuse, by what is wrong with them."""
    wrong: dict[str, Prepared] = {}
    if template.user is not None:
        wrong["nobody logged in"] = prepare(replace(template, user=None), data)[0]
        if data.another:
            cookies = {template.user: [data.another]}
            as_another = msgspec.structs.replace(data, cookies=cookies)
            wrong["another user"] = prepare(template, as_another)[0]
    if keys := {name: template.headers[name] for name in template.keys}:
        rest = {name: text for name, text in template.headers.items() if name not in keys}
        wrong["no key"] = prepare(replace(template, headers=rest), data)[0]
        spoiled = {name: _spoiled(text) for name, text in keys.items()}
        wrong["a wrong key"] = prepare(replace(template, headers=rest | spoiled), data)[0]
    right = prepare(template, data)[0]
    asked = {name: text for name, text in right.headers.items() if name.lower() != "content-type"}
    wrong["a page that is not there"] = Prepared(f"/{secrets.token_hex(8)}/", headers=asked)
    return wrong


def _spoiled(header: str) -> str:
    """Return a header with another key: in the place of its placeholder, or of its last word."""
    return re.sub(rf"{PLACE.pattern}|\S+$", secrets.token_hex(16), header, count=1)
