"""Which server, endpoint and style a block is of: what the words around it and its URL say.

What nobody says is guessed from what is nearest to it, and noted as a guess with what to type; what
can be two things is not guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, count
from typing import Any, Literal, NamedTuple, get_args
from urllib.parse import SplitResult, urlsplit

import msgspec

from loadtest.measure.servers.imported.blocks import ABOVE, ALONE, FILE, Block, Label, Note
from loadtest.measure.servers.imported.commands import SERVERS, server_of
from loadtest.measure.servers.imported.text import Typed
from loadtest.records.planned import Contract, Endpoint, Interface, Load, Record, Server, Style

FRAMEWORKS = (
    *("django", "flask", "fastapi", "starlette", "sanic", "bottle", "pyramid", "aiohttp", "quart"),
    *("litestar", "starlite", "falcon", "blacksheep", "emmett", "bolt", "express", "muffin"),
)
"""Words that name what runs on a server, and stand for it where nothing else does."""

_NAME_BYTES, _ENDPOINT_BYTES = 60, 75

_SHORT = 4
"""Words of a heading that is a name; a longer one is a sentence with names in it."""

_STYLES: dict[str, Style] = {
    **dict.fromkeys(("async", "asynchronous", "asynchronously"), "async"),
    **dict.fromkeys(("sync", "synchronous", "synchronously"), "sync"),
}

_FILLING = {"view", "views", "endpoint", "endpoints", "mode", "version", "def", "handler", "the"}
"""Words beside a style that say nothing more."""

_WORKERS = {"worker", "workers", "class", "workerclass"}
"""After `sync`: gunicorn's, of which views know nothing."""

_NOT = {"no", "not", "non", "without"}

_GENERAL = {
    *("raw", "output", "outputs", "result", "results", "benchmark", "benchmarks", "benchmarking"),
    *("test", "tests", "testing", "summary", "report", "performance", "load", "numbers", "run"),
    *("wrk", "ab", "hey", "oha", "bombardier"),
}
"""Words of headings that name neither a server nor an endpoint."""

_REPEATED = re.compile(
    r"(?:the )?(?:run|round|trial|attempt|iteration|pass|take|repeat|measurement)s?"
    r"(?: (?:no|nr|number))?[ .#]*(?:\d+|one|two|three|four|five)(?: of \d+)?"
    r"|(?:first|second|third|fourth|fifth|\d+(?:st|nd|rd|th)) (?:run|round|trial|attempt|time|pass)"
    r"|第[一二三四五六七八九十\d]+(?:次|轮)"
)
"""What headings of rounds say, which are otherwise alike."""

_WORKER_KINDS = {"gevent", "eventlet", "meinheld", "guv", "tornado", "twisted"}
"""That gunicorn may have."""


class Target(Record, frozen=True, kw_only=True):
    """What a block loaded, and how: blocks of a server with the same are rounds of it."""

    path: str
    style: Style
    load: Load
    variant: tuple[str, ...] = ()
    """What tells it apart from others of the same path, style and load."""


@dataclass(frozen=True)
class Placed:
    """A block with all that its place in the report says."""

    block: Block
    server: str
    """Its name."""
    summary: str
    """The words it is from."""
    line: int
    """Of these words, or else of the block."""
    interfaces: tuple[Interface, ...]
    target: Target
    host: str
    title: str | None
    """The innermost heading that is neither the server's nor of a style."""
    root: str | None
    """Likewise, where such headings name endpoints: below the server's, or as others' URLs do."""
    words: tuple[str, ...]
    """All words above it that are not yet used, the outermost first."""


def placed(blocks: Sequence[Block], typed: Typed, notes: list[Note]) -> list[Placed]:
    """Return the blocks that can be told, with their place; the others, and guesses, are noted."""
    several_files = len({block.file for block in blocks}) > 1
    levels = _levels(blocks)
    durations: dict[str, float] = {}
    guesses: dict[str, Note] = {}
    places = []
    for block in blocks:
        try:
            places.append(_placed(block, typed, levels, several_files, durations, guesses))
        except _UnknownError as error:
            notes.append(_note(block, f"{error}; this block is not imported", weight=2))
    notes += guesses.values()
    return places


class _UnknownError(ValueError):
    """What a block is of cannot be told; the message asks for it."""


def _note(block: Block, text: str, weight: Literal[1, 2] = 1) -> Note:
    return Note(line=block.line, text=text, file=block.file, weight=weight)


def _placed(
    block: Block,
    typed: Typed,
    levels: _Levels,
    several_files: bool,
    durations: dict[str, float],
    guesses: dict[str, Note],
) -> Placed:
    url = _url(block)
    name, label, guess = _server(block, typed, levels.servers, several_files)
    if guess:
        guesses.setdefault(f"server {name}", _note(block, f"server {name}: {guess}"))
    style, guess = _style(block, url, label, typed)
    if guess:
        guesses.setdefault(f"style {style} {guess}", _note(block, guess))
    text = block.reading
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    if typed.endpoint:
        path = f"/{slug(typed.endpoint)}"
    if style == "unknown":
        why = "nothing says sync or async: the style is unknown; type --style if it is known"
        guesses.setdefault("style", _note(block, why))
    rest = [each for each in block.labels if each is not label or _words(each) > _SHORT]
    words = tuple(
        plain
        for each in rest
        if (each.level not in (FILE, ABOVE) or (each.level == FILE and several_files))
        and (plain := _without_style(each.text))
    )
    titles = [
        each
        for each in rest
        if FILE < each.level <= ALONE
        and each is not label
        and _without_style(each.text)
        and not _says_nothing(each)
    ]
    below = label.level if label and label.level != FILE else ALONE
    named = [
        each
        for each in titles
        if (each.level > below or each.level in levels.endpoints) and not _is_general(each)
    ]
    # Of so many requests, each load takes a little more or less: the first says how long.
    asked = f"{path} {style} {text.connections} {text.tool} {text.requests}"
    assert text.loaded or text.declared_s
    lasted_s = max(1.0, round((text.loaded.duration_us if text.loaded else 0) / 1e6, 1))
    return Placed(
        block=block,
        server=name,
        summary=label.text if label and not typed.server else typed.server or name,
        line=(label.line if label else 0) or block.line,
        interfaces=_interfaces(typed.server or (label.text if label else "")),
        target=Target(
            path=path,
            style=style,
            load=Load(
                connections=text.connections,
                duration_s=min(
                    max(1.0, text.declared_s or durations.setdefault(asked, lasted_s)), 1e8
                ),
                warmup_s=0.0,
                rate=text.rate,
                tool=text.tool,
                script=text.script,
            ),
        ),
        host=url.netloc,
        title=titles[-1].text if titles else None,
        root=named[-1].text if named else None,
        words=words,
    )


def _url(block: Block) -> SplitResult:
    try:
        url = urlsplit(block.reading.url)
        url.port  # noqa: B018  where it is none, this raises
    except ValueError:
        raise _UnknownError("its URL cannot be read") from None
    return url


# Servers ------------------------------------------------------------------------------------------


def _server(
    block: Block, typed: Typed, level: int | None, several_files: bool
) -> tuple[str, Label | None, str]:
    """Return a server's name, the label that it is from, and in words how far it is a guess."""
    if typed.server:
        return slug(typed.server), _named_label(block.labels), ""
    label = _named_label(block.labels)
    names = _known(label.text, SERVERS) if label else []
    command = block.command
    if command and set(names) <= set(command.text.split("-")):
        return command.text, label if names else None, ""
    if label:
        words = "words" if label.level >= ABOVE else "heading"
        guess = f"the {words} of line {label.line}; type --server if not"
        return _label_name(label), label, "" if names and label.level < ABOVE else guess
    if level is not None and (label := next((e for e in block.labels if e.level == level), None)):
        return _label_name(label), label, f"the heading of line {label.line}; type --server if not"
    if software := slug(block.reading.software.partition("/")[0]):
        return software, None, "what the load generator saw in its responses; type --server if not"
    if block.elsewhere:
        where = f"the command of line {block.elsewhere.line}; type --server if it is of another"
        return block.elsewhere.text, None, where
    for label in reversed(block.labels):
        if label.level < ABOVE and not several_files and _known(label.text, FRAMEWORKS):
            why = "a framework, and nothing names its server; type --server"
            return _label_name(label), label, why
    if label := _outermost(block.labels):
        return _label_name(label), label, f"the heading of line {label.line}; type --server if not"
    file = block.labels[0]
    name = slug(file.text) or "unknown"
    if not several_files:
        name = _names_in(file.text) or name
    return name, file, "nothing but the file's name says so; type --server"


def _named_label(labels: Iterable[Label]) -> Label | None:
    """Return the innermost heading that names a server or an interface; or else words that do."""
    innermost = [*labels][::-1]
    headings = [each for each in innermost if FILE < each.level < ABOVE]
    words = [each for each in innermost if each.level >= ABOVE]
    for group, known in ((headings, SERVERS), (headings, get_args(Interface)), (words, SERVERS)):
        if label := next((each for each in group if _known(each.text, known)), None):
            return label
    return None


class _Levels(NamedTuple):
    """What the headings of a level name in a report."""

    servers: int | None
    """In most blocks that have a heading which does."""
    endpoints: frozenset[int]
    """Where a heading says what the URL below it says."""


def _levels(blocks: Iterable[Block]) -> _Levels:
    servers: Counter[int] = Counter()
    endpoints = set()
    for block in blocks:
        label = _named_label(block.labels)
        if label and label.level < ALONE:
            servers[label.level] += 1
        path = slug(block.reading.url.rpartition("/")[2])
        headings = (each for each in block.labels if FILE < each.level <= ALONE)
        endpoints |= {each.level for each in headings if path and slug(each.text) == path}
    return _Levels(servers.most_common(1)[0][0] if servers else None, frozenset(endpoints))


def _outermost(labels: Iterable[Label]) -> Label | None:
    """Return the heading of a report in our own layout: server, endpoint, then style."""
    headings = [label for label in labels if 1 < label.level < ALONE]
    if [label.level for label in headings[:2]] != [2, 3]:
        return None
    first, second = headings[:2]
    named = _without_style(first.text) and _without_style(second.text)
    general = _is_general(first) or _says_nothing(second)
    return first if named and not general and _words(first) <= _SHORT else None


def _says_nothing(label: Label) -> bool:
    """Say whether all words of a heading are general ones."""
    words = _lower_words(label.text)
    return bool(words) and {*words} <= _GENERAL


def _is_general(label: Label) -> bool:
    """Say whether a heading has a general word, so that it is no name."""
    return not _GENERAL.isdisjoint(_lower_words(label.text))


def _lower_words(text: str) -> list[str]:
    return re.findall(r"[a-z]+", _plain(text).casefold())


def _label_name(label: Label) -> str:
    """Return what a label calls a server: all of a short heading, of others the names they have.

    Raises _UnknownError where it names several.
    """
    if command := server_of(_plain(label.text)):
        return command
    if several := _several(label.text):
        first, second = several
        raise _UnknownError(
            f"line {label.line} names {first} and {second}, and nothing says which of them this is:"
            f" type --server {first}, or give each a heading of its own"
        )
    if FILE < label.level < ABOVE and _words(label) <= _SHORT:
        return _short(label)
    return _names_in(label.text) or _short(label)


def _names_in(text: str) -> str:
    """Return the servers that a text names, or else the frameworks."""
    return "-".join(_known(text, SERVERS) or _known(text, FRAMEWORKS))


_JOINING = {"and", "or", "vs", "versus", "&"}

_ASIDE = 2
"""Words that may stand between a name and what joins it to another."""

_APART = 2 * (_ASIDE + 1)
"""So far from each other two names may stand that are joined."""


@lru_cache(10_000)
def _several(text: str) -> tuple[str, str] | None:
    """Return two servers, or frameworks, that a text names as two, and not as one on the other."""
    words = re.findall(r"\w+|&", _plain(text).casefold())
    for names in (SERVERS, FRAMEWORKS):
        named = [at for at, word in enumerate(words) if word in names]
        joined = (
            (words[first], words[second])
            for at, first in enumerate(named, 1)
            for second in named[at : at + _APART]
            if second - first <= _APART and _join(words[first + 1 : second])
        )
        two = next(joined, None)
        if two and not ("gunicorn" in two and {*two} & _WORKER_KINDS):
            return two
    return None


def _join(between: Sequence[str]) -> bool:
    return any(
        word in _JOINING and at <= _ASIDE and len(between) - at <= _ASIDE + 1
        for at, word in enumerate(between)
    )


def _short(label: Label) -> str:
    """Return a heading's name without the word WSGI or ASGI, which is no part of it."""
    plain = _plain(label.text)
    name = slug(re.sub(r"\b[wa]sgi\b", " ", plain.casefold()))
    return name or slug(plain) or f"line-{label.line}"


def _known(text: str, names: Iterable[str]) -> list[str]:
    """Return the words of a text that are among these names, each once, in its order."""
    words = re.findall(r"[a-z]+(?:_[a-z]+)*", _plain(text).casefold())
    among = {*names}
    return [*dict.fromkeys(word for word in words if word in among)]


def _words(label: Label) -> int:
    return len(re.findall(r"\w+", _plain(label.text)))


def _interfaces(text: str) -> tuple[Interface, ...]:
    words = _lower_words(text)
    return tuple(interface for interface in get_args(Interface) if interface in words)


@lru_cache(10_000)
def _plain(text: str) -> str:
    """Return the words of a heading without Markdown's signs: links, bold, code."""
    return re.sub(r"[*`]|\]\([^)]*\)|(?<!\w)_|_(?!\w)|[\[\]]", " ", text)


def servers_of(places: Sequence[Placed], notes: list[Note]) -> dict[tuple[str, str], Server]:
    """Return a server for each name, by `server_key`.

    The word WSGI or ASGI is a part of its name where it alone tells two servers apart.
    """
    first: dict[tuple[str, str], Placed] = {}
    for each in places:
        first.setdefault(server_key(each), each)
    shorts = Counter(each.server for each in first.values())
    servers: dict[tuple[str, str], Server] = {}
    taken: set[str] = set()
    for each in first.values():
        interfaces = each.interfaces
        if len(interfaces) != 1:
            why = "nothing says WSGI or ASGI: the interface is unknown"
            text = f"server {each.server}: {why}"
            notes.append(Note(line=each.line, text=text, file=each.block.file))
        name = each.server
        if interfaces and shorts[each.server] > 1:
            name += f"-{interfaces[0]}"
        name = free(name, taken)
        taken.add(name)
        servers[server_key(each)] = Server(
            name=name,
            summary=each.summary,
            interface=interfaces[0] if len(interfaces) == 1 else None,
            requires=(),
            argv=(),
            # The most that it can be: how many it really works on at once, the report doesn't say.
            in_flight="connections",
        )
    return servers


def server_key(place: Placed) -> tuple[str, str]:
    """Return what tells a server from others."""
    return place.server, " ".join(place.interfaces)


# Styles -------------------------------------------------------------------------------------------


def _style(block: Block, url: SplitResult, server: Label | None, typed: Typed) -> tuple[Style, str]:
    """Return the style, and in words how far it is a guess."""
    if typed.style:
        return _STYLES[typed.style], ""
    in_path = _of_path(url)
    headed, label = _headed(block.labels)
    if in_path is None:
        if headed is None or label is None or label is server or not _without_style(label.text):
            return headed or "unknown", ""
        where = f"{label.text[:40]!r} of line {label.line}" if label.line else "the file's name"
        return headed, f"{headed} is read from {where}; type --style if it is not"
    if headed and headed != in_path:
        return in_path, f"its heading says {headed}, its URL {in_path}: taken as {in_path}"
    return in_path, ""


def _of_path(url: SplitResult) -> Style | None:
    """Return the style that a URL says: a part of its path, or a word in one, or in its query."""
    path, query = url.path.casefold(), url.query.casefold()
    parts = (path.split("/"), *(re.split(r"[\W_]+", text) for text in (path, query)))
    for words in parts:
        styles = [_STYLES[word] for word in words if word in _STYLES]
        if styles:
            return styles[-1]
    return None


def _headed(labels: Sequence[Label]) -> tuple[Style | None, Label | None]:
    """Return the style of the innermost label that says just one, and that label."""
    for label in reversed(labels):
        if len(styles := {style for _, style in _style_words(label.text)}) == 1:
            return styles.pop(), label
    return None, None


def _style_words(text: str) -> list[tuple[int, Style]]:
    """Return where a text has words of a style; `sync worker` and `no async` say none."""
    words = _lower_words(text)
    return [
        (at, _STYLES[word])
        for at, word in enumerate(words)
        if word in _STYLES
        and not (at and words[at - 1] in _NOT)
        and not (words[at + 1 : at + 2] and words[at + 1] in _WORKERS)
    ]


def _without_style(text: str) -> str:
    """Return a label without what says its style, or that it is another round; empty: all of it."""
    plain = " ".join(_plain(text).split()).strip(" :.-")
    styled = {at for at, _ in _style_words(plain)}
    words = [*re.finditer(r"[a-z]+", plain.casefold())]
    if styled and all(at in styled or word[0] in _FILLING for at, word in enumerate(words)):
        return ""
    return "" if _REPEATED.fullmatch(plain.casefold()) else plain


# Endpoints ----------------------------------------------------------------------------------------


def endpoints_of(places: Sequence[Placed], typed: Typed) -> dict[Target, Endpoint]:
    """Return an endpoint for each target; the same path under another load is another one."""
    titles: dict[Target, Counter[str]] = {}
    roots: dict[Target, str] = {}
    for each in places:
        counted = titles.setdefault(each.target, Counter())
        if each.title:
            counted[each.title] += 1
        if each.root:
            roots.setdefault(each.target, each.root)
    unsaid: dict[str, Any] = dict.fromkeys(Contract.__struct_fields__) | {"pooled": False}
    endpoints: dict[Target, Endpoint] = {}
    taken: dict[str, Iterator[str]] = {}
    alike: set[Target] = set()
    for target, counted in titles.items():
        base = typed.endpoint or _base_name(target, roots.get(target, ""))
        name = _endpoint_name(target, slug(base) or "root", taken, alike)
        delay = re.fullmatch(r"gateway_(\d{1,6}(?:\.\d{1,6})?)s", base, re.ASCII)
        title = counted.most_common(1)[0][0] if counted else name
        delay_s = float(delay[1]) if delay else 0.0
        endpoints[target] = Endpoint(
            name=name,
            style=target.style,
            path=target.path,
            title=title,
            kind="imported",
            summary=f"{title.rstrip('.')}.",
            isolated=False,
            note=f"The delay of {delay_s:g} s is read from its name."
            if delay and typed.delay_s is None
            else None,
            unsupported={},
            contract=Contract(
                **unsaid | {"delay_s": delay_s if typed.delay_s is None else typed.delay_s}
            ),
        )
    return endpoints


def _endpoint_name(
    target: Target, base: str, taken: dict[str, Iterator[str]], alike: set[Target]
) -> str:
    """Return a name that no endpoint before has: with the tool, what is its own, and the load.

    `taken` are theirs, with style and rate, each with the numbered ones that come after it, and
    `alike` their targets without their loads.
    """
    load = target.load
    script = (load.script or "").rpartition("/")[2].partition(".")[0]
    by = script if load.tool in (None, "wrk2") else load.tool or ""
    # Words that tell apart often begin with the endpoint's own.
    variant = (slug(words).removeprefix(f"{base}-") for words in target.variant)
    own = slug(" ".join(filter(None, (base, by, *variant))), _ENDPOINT_BYTES)
    apart = msgspec.structs.replace(
        target,
        load=Load(connections=1, duration_s=1, warmup_s=0, tool=load.tool, script=load.script),
    )
    by_load = f"{own}-c{load.connections}"
    wanted = (by_load, f"{by_load}-{load.duration_s:g}s") if apart in alike else (own,)
    alike.add(apart)
    # Another rate is told apart by it.
    end = f"-{target.style}" + (f"@{load.rate:g}" if load.rate else "")
    numbered = taken.get(f"{wanted[-1]}{end}", _numbered(wanted[-1]))
    names = chain((own,) if load.rate else (), wanted, numbered)
    name = next(name for name in names if f"{name}{end}" not in taken)
    taken[f"{name}{end}"] = _numbered(name)
    return name


def _numbered(name: str) -> Iterator[str]:
    return (f"{name}-{number}" for number in count(2))


def _base_name(target: Target, heading: str) -> str:
    """Return an endpoint's name: what comes after the style in its path, or all but the style.

    Of the root it is that of a short heading.
    """
    path = target.path
    if target.style != "unknown":
        before, _, after = f"{path.casefold()}/".rpartition(f"/{target.style}/")
        path = after or before
    if name := slug(path.strip("/")):
        return name
    words = re.findall(r"\w+", heading)
    return heading if 0 < len(words) <= 3 and not words[0].isdigit() else "root"


def slug(text: str, most_bytes: int = _NAME_BYTES) -> str:
    """Return text as a file's name may have it: letters, digits, `_` and `-`."""
    name = re.sub(r"\W+", "-", text.casefold()).encode()[:most_bytes]
    return name.decode(errors="ignore").strip("-_")


def free(wanted: str, taken: set[str]) -> str:
    """Return a name that is not taken, numbered where it is."""
    return next(name for name in chain((wanted,), _numbered(wanted)) if name not in taken)
