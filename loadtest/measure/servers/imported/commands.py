"""The commands that a report shows: of load generators, and of servers."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

from loadtest.records.planned import Record

WRK_TIMEOUT_S = 2.0
"""wrk's own `--timeout`: it drops the latency of a slower answer, and counts the answer."""

_GENERATOR = re.compile(
    r"(?:^|[\s/;&|`'\"($#>%:\u276f)])(wrk2?|ab|hey|oha|bombardier)(?:[-_.][\w.-]*\w)?\s+"
    r"(?=['\"]?(?:-\w|--\w|https?://|\w\S*:\d))(.*)"
)

_BARE_OPTIONS = re.compile(r"\s*(-[tc]\d+\s+-[tcd]\d+.*)")
"""wrk's, where its name was left out."""

_ENDS = {";", "|", "||", "&", "&&", ">", ">>", "2>", "2>&1", "<"}
"""Words of a shell that end a command."""

_VALUES = {
    "wrk": "tcdsHTRx",
    "wrk2": "tcdsHTRx",
    "ab": "ncstbBTpuvwxyzCHAPXeEgmfZ",
    "hey": "ncqzomHtAdDTax",
    "oha": "ncpzqmHtAdDTbX",
    "bombardier": "ctmbfHndrp",
}
"""Letters of the options that have a value."""

_LONG = {
    "connections": "c",
    "threads": "t",
    "duration": "d",
    "script": "s",
    "rate": "R",
    "timeout": "T",
    "header": "H",
    "requests": "n",
    "method": "m",
    "body": "b",
    "host": "H",
    "cpus": "H",
}

_SAID = {"c", "t", "d", "s", "R", "T"}
"""wrk's options that have a place of their own."""

_OTHER_LOAD = {"ab": "nkt", "hey": "nqz", "oha": "nqz", "bombardier": "nrd"}
"""Options of which the load of another tool is made: see `Command.tool_options`."""

_UNITS_S = {"": 1.0, "s": 1.0, "sec": 1.0, "ms": 1e-3, "m": 60.0, "h": 3600.0}

SERVERS = (
    *("gunicorn", "uvicorn", "hypercorn", "granian", "daphne", "uwsgi", "waitress", "bjoern"),
    *("meinheld", "cheroot", "cherrypy", "gevent", "eventlet", "fastwsgi", "fastpysgi", "robyn"),
    *("japronto", "socketify", "tornado", "twisted", "guv", "mod_wsgi", "vibora", "runserver"),
)
"""Words that name a server, or the workers of one."""

_SERVER = re.compile(
    r"(?:^|[\s$#>/(])(gunicorn|uvicorn|hypercorn|granian|daphne|uwsgi|waitress)(?:-serve)?\s+(.*)"
)

_OPERAND = re.compile(r"(?<=\s)--?\w|[\w.]:\w")
"""An option, or a module with its callable, somewhere behind it: else it is prose."""

_WORKERS = re.compile(r"(?:^|\s)(?:-k\s*|--worker-class[=\s]\s*)(\S+)")


class Command(Record, frozen=True, kw_only=True):
    """A load generator's command; each None where it says nothing, or nothing that can be read."""

    line: int
    tool: str
    url: str | None
    """None also for a word that stands for one."""
    connections: int | None
    threads: int | None
    duration_s: float | None
    requests: int | None
    script: str | None
    rate: float | None
    timeout_s: float | None
    """wrk's own where the command has none."""
    tool_options: tuple[str, ...]
    """As in `-k` of ab, or `-q 10` of hey: they make another load."""
    options: tuple[str, ...]
    """Headers, methods and bodies: what else was sent."""


def command_of(line: str, number: int) -> Command | None:
    """Return the command of a load generator in a line of the report; None where there is none.

    A prompt, `time`, `docker run` and the like may stand before it, prose around it in backticks.
    """
    shown = _GENERATOR.search(line)
    options = None if shown else _BARE_OPTIONS.fullmatch(line)
    if shown is None and options is None:
        return None
    tool, rest = (shown[1], shown[2]) if shown else ("wrk", options[1] if options else "")
    values, rest_words = _options(tool, list(_words(rest)))
    urls = [word for word in rest_words if re.match(r"https?://", word)]
    script = _clean(values["s"][-1]) if tool.startswith("wrk") and "s" in values else None
    timeout_s: float | None = WRK_TIMEOUT_S
    if "T" in values:
        timeout_s = _seconds(values["T"][-1])
    duration = "d" if tool in ("wrk", "wrk2", "bombardier") else "t" if tool == "ab" else "z"
    rate = _number(values, "R") if tool.startswith("wrk") else None
    of_load = _OTHER_LOAD.get(tool, "")
    elsewhere = _SAID if tool.startswith("wrk") else {*of_load, "c"}
    return Command(
        line=number,
        tool="wrk2" if tool == "wrk2" or rate is not None else tool,
        url=urls[-1] if urls else None,
        connections=_count(values, "c"),
        threads=_count(values, "t") if tool.startswith("wrk") else None,
        duration_s=_seconds(values[duration][-1]) if duration in values else None,
        requests=_count(values, "n"),
        script=script,
        rate=rate,
        timeout_s=timeout_s,
        tool_options=tuple(
            f"-{letter} {_clean(value)}".rstrip()
            for letter in sorted(values)
            if letter in of_load and letter not in ("n", duration)
            for value in values[letter][-1:]
        ),
        options=tuple(
            f"-{letter} {value}".rstrip()
            for letter in sorted(values)
            if letter not in elsewhere and letter in "HmbdDTpuABC"
            for value in values[letter]
        ),
    )


_HEADER = re.compile(r"\s*[Ss]erver:\s*([a-z]+)(?:/\S+)?\s*")
"""Of a response that is shown."""


def server_of(line: str) -> str | None:
    """Return what a server's command in a line names, as in `gunicorn-gevent`.

    Likewise the header of a response.
    """
    header = _HEADER.fullmatch(line)
    if header and header[1] in SERVERS:
        return header[1]
    named = ((part, _SERVER.search(part)) for part in line.split("`"))
    commands = (of for part, of in named if of and _OPERAND.search(part, of.start(2)))
    shown = next(commands, None)
    if shown is None:
        return None
    workers = _WORKERS.search(shown[2])
    if workers is None:
        return shown[1]
    known = [name for name in SERVERS if name in workers[1].casefold()]
    other = re.sub(r"worker$|\W", "", re.split(r"[.:#]", workers[1])[-1].casefold())[:20]
    kind = known[0] if known else other
    return f"{shown[1]}-{kind}" if kind and kind != shown[1] else shown[1]


def _words(text: str) -> Iterator[str]:
    """Yield the words of a command, up to where a shell would end it."""
    text = text.partition("`")[0]
    try:
        words = shlex.split(text)
    except ValueError:
        words = text.split()
    for word in words:
        if word in _ENDS:
            return
        yield word.removesuffix(";")
        if word.endswith(";"):
            return


def _options(tool: str, words: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Return the values of options by their letter, and the words that are none's."""
    values: dict[str, list[str]] = {}
    rest = []
    while words:
        word = words.pop(0)
        name, equals, value = word.removeprefix("--").partition("=")
        if word.startswith("--"):
            letter = _LONG.get(name)
            if letter is None:
                continue
            if not equals:
                value = words.pop(0) if words else ""
            values.setdefault(letter, []).append(value)
        elif re.match(r"-[A-Za-z]", word):
            letter, value = word[1], word[2:]
            if letter in _VALUES[tool] and not value:
                value = words.pop(0) if words else ""
            values.setdefault(letter, []).append(value)
        else:
            rest.append(word)
    return values, rest


def _clean(word: str) -> str:
    """Return a word of a command as it may be shown, whatever it is."""
    return re.sub(r"[^\w./:=-]+", "_", word)[:60]


def _number(values: dict[str, list[Any]], letter: str) -> float | None:
    match = re.fullmatch(r"(\d{1,9}(?:\.\d{1,6})?)([kM]?)", values.get(letter, [""])[-1], re.ASCII)
    return float(match[1]) * {"": 1, "k": 1e3, "M": 1e6}[match[2]] if match else None


def _count(values: dict[str, list[Any]], letter: str) -> int | None:
    number = _number(values, letter)
    return None if number is None else int(number)


def _seconds(text: str) -> float | None:
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?)([a-z]*)", text, re.ASCII)
    if match is None or match[2] not in _UNITS_S:
        return None
    return float(match[1]) * _UNITS_S[match[2]]
