"""What the answers of an endpoint have in common, as strictly as all of them allow.

An answer is recorded several times: at once and later, from several servers and databases. Each
level fixes less than the one before; the first that gives the same for all of them is the contract.
Where an endpoint is asked with one value after another, it is the same for all answers to each.
Only digests and the places of holes are kept, no text of an answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from loadtest.records.planned import Body, Level

MOST_HOLES = 200

MOST_OPEN = 0.5
"""Of the words of a text, or the values of a JSON value: with more holes little would be fixed."""

LENGTH_MARGIN = 0.02
"""Of the length of what differs in length, beyond what was recorded."""

MOST_COMPARED_BYTES = 500_000
"""Of answers that differ from one time to the next: to find out in what takes some microseconds for
each byte of all of them. Of longer ones nothing is fixed but their length."""

DEEPEST = 100
"""Of a JSON value."""

LONGEST_PATH = 1_000
"""In a JSON value, in characters."""

WORDS = re.compile(rb"[\w\x80-\xff+/=.:%-]+|[^\w\x80-\xff+/=.:%-]+")
"""A text in words and what stands between them; a token, a date or a path is one word."""

TAG = re.compile(rb"<(/?[a-zA-Z][a-zA-Z0-9-]*)")
HOLE = b"\x00"

BEGINNING = 16
"""Of a digest, in `Body.each`."""

SPACE = rb"(?:\s|\xc2\xa0|&nbsp;)+"
UNIT = rb"(?:s|ms|(?:second|minute|hour|day|week|month|year)s?)\b"
SPAN = rb"\d{1,9}(?:\.\d{1,9})?" + SPACE + UNIT
CLOCK = rb"\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?"
HALF_DAY = rb"\d{1,2}(?::\d\d)?" + SPACE + rb"[ap]\.m\."
MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\.?"

WRITTEN = (
    rb"(?:" + MONTH + SPACE + rb"\d{1,2},|\d{1,2}" + SPACE + MONTH + rb",?)" + SPACE + rb"\d{4}"
    rb"(?:," + SPACE + rb"(?:" + HALF_DAY + rb"|noon|midnight))?"
)
"""A date as Django writes it in English where nobody names a format."""

NAMED = {
    "CSRF tokens": (
        rb"(?i)(csrf[\w-]{0,40}[\"']?\s{0,9}(?:(?:value|content)\s{0,9}=|[:=])\s{0,9}[\"']?)"
        rb"[a-z0-9]{32,64}"
    ),
    "nonces": rb"(?i)(\bnonce(?:\s*=\s*[\"']?|-))[\w+/=-]{8,200}",
    "UUIDs": rb"()\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
    # From the first sign of a word on: to try each of them takes minutes for a long one.
    "signatures": rb"((?<![\w.+/=-])[.+/=-]*+)\b[\w.+/=-]{2,}+:[\w-]{6}:[\w-]{27,43}\b",
    "dates": (
        rb"()\b(?:\d{4}-\d\d-\d\d(?:[T ]"
        + CLOCK
        + rb")?|"
        + WRITTEN
        + rb"|"
        + HALF_DAY
        + rb"|"
        + CLOCK
        + rb"\b)"
    ),
    "times ago": rb"()\b" + SPAN + rb"(?:,?" + SPACE + SPAN + rb")*",
}
"""What differs by its nature and is known by its looks, with what stands before it and is kept."""

LOOKS = {name: re.compile(pattern) for name, pattern in NAMED.items()}

IDS = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+", re.IGNORECASE)
"""In the path of a redirection."""

WORD = re.compile(r"[^\W\d_][\w'-]{3,40}")

MOST_WORDS = 3
"""That are proposed for an answer that a contract does not refuse."""


def strictest(bodies: Sequence[bytes], content_type: str | None, of: Sequence[int] = ()) -> Body:
    """Return the strictest contract that all bodies keep; there has to be one at least.

    `of` says of each which of an endpoint's requests it answers; by default there is one.
    """
    recorded = _Recorded(bodies, of or [0] * len(bodies))
    return _with_length(_strictest(recorded, content_type or ""), bodies)


def _strictest(recorded: _Recorded, content_type: str) -> Body:
    if exact := recorded.fixed("exact"):
        return exact
    if max(map(len, recorded.bodies)) > MOST_COMPARED_BYTES:
        return Body(level="length")
    values = [_json(body) for body in recorded.bodies] if "json" in content_type else [None]
    if None not in values:
        holes = _open_paths([value[0] for value in values if value], recorded)
        json_value = None if holes is None else recorded.fixed("json", holes)
        return json_value or recorded.fixed("shape") or Body(level="length")
    texts = (recorded.fixed("text", holes) for holes in _open_texts(recorded))
    text = next(filter(None, texts), None)
    tags = recorded.fixed("tags") if "html" in content_type else None
    return text or tags or Body(level="length")


class _Recorded(NamedTuple):
    """Bodies, and which of the requests each answers."""

    bodies: Sequence[bytes]
    of: Sequence[int]

    def answers(self, of: int) -> set[bytes]:
        """Return the bodies that answer a request, each once."""
        return {body for body, each in zip(self.bodies, self.of, strict=True) if each == of}

    def differ(self, values: Iterable[Any]) -> bool:
        """Say whether of these values, one of each body, two of the same request differ."""
        first: dict[int, Any] = {}
        both = zip(self.of, values, strict=True)
        return any(first.setdefault(of, value) != value for of, value in both)

    def fixed(self, level: Level, holes: Sequence[str] = ()) -> Body | None:
        """Return the contract of a level, None where answers to the same request differ in it."""
        digests = [_fixed(level, holes, body) for body in self.bodies]
        if None in digests or self.differ(digests):
            return None
        of_request = dict(zip(self.of, digests, strict=True))
        by_request = [str(of_request[of]) for of in sorted(of_request)]
        if len({*by_request}) == 1:
            return Body(level=level, sha256=by_request[0], holes=tuple(holes))
        each = tuple(digest[:BEGINNING] for digest in by_request)
        return Body(level=level, each=each, holes=tuple(holes))


def problem(of: Body, body: bytes, at: int = 0) -> str | None:
    """Return in words what of a body isn't as recorded, None where all is.

    It answers the request `at` that number of the endpoint's.
    """
    if not of.least_bytes <= len(body) <= of.most_bytes:
        between = f"{of.least_bytes} to {of.most_bytes}"
        wanted = between if of.least_bytes < of.most_bytes else str(of.least_bytes)
        return f"body of {len(body)} bytes instead of {wanted}"
    # Results quote this, and no word of a page.
    for number, word in enumerate(of.has, 1):
        if word.encode() not in body:
            return f"word {number} of `has` is not in the body"
    for number, word in enumerate(of.lacks, 1):
        if word.encode() in body:
            return f"word {number} of `lacks` is in the body"
    if of.each and at >= len(of.each):
        number = len(of.each)
        return f"{number} values were recorded, and this is another one; type `loadtest record`"
    digest = of.each[at] if of.each else of.sha256
    fixed = _fixed(of.level, of.holes, body) or ""
    if digest is None or digest in (fixed, fixed[:BEGINNING]):
        return None
    return {
        "exact": "another body of the same length",
        "json": "the JSON value is not the recorded one",
        "text": "the text is not the recorded one",
        "shape": "the JSON value is not of the recorded shape",
        "tags": "the tags are not the recorded ones",
        "length": "",
    }[of.level]


def misplaced(of: Body, location: str | None, cookies: Collection[str]) -> str | None:
    """Return in words what of an answer's headers isn't as recorded, None where all is."""
    if of.location_sha256 and place(location) != of.location_sha256:
        return "it redirects to another place than the recorded one"
    if lacking := next((name for name in of.cookies if name not in cookies), None):
        return f"it does not set the cookie {lacking}"
    return None


def place(location: str | None) -> str | None:
    """Return the digest of the path that an answer redirects to, without ids; None without one."""
    if location is None:
        return None
    try:
        path = urlsplit(location).path
    except ValueError:  # where a server says what is no address
        path = location
    return _digest(IDS.sub("0", path).encode())


def words(right: Sequence[bytes], wrong: bytes) -> tuple[tuple[str, ...], bool]:
    """Return words that tell right answers from a wrong one, and whether these `has` or `lacks`.

    They stand in all of the first and not in the other, or else the other way round; of long
    answers none are looked for.
    """
    if max(map(len, (*right, wrong))) > MOST_COMPARED_BYTES:
        return (), False
    in_all = set.intersection(*(_words(body) for body in right))
    in_any = set.union(*(_words(body) for body in right))
    telling = in_all - _words(wrong)
    has = bool(telling)
    best = sorted(telling or _words(wrong) - in_any, key=lambda word: (-len(word), word))
    return tuple(best[:MOST_WORDS]), has


def _words(body: bytes) -> set[str]:
    """Return the words that a reader sees of an answer."""
    # What does not end goes on to the last letter, as in a browser.
    text = re.sub(rb"(?is)<(script|style)\b.*?(?:</\1\s*>|\Z)|<[^<>]*>", b" ", body)
    return set(WORD.findall(text.decode("utf-8", "replace")))


def _fixed(level: Level, holes: Sequence[str], body: bytes) -> str | None:
    """Return the digest of what a level fixes of a body, None where the body isn't of that kind."""
    match level:
        case "exact":
            return _digest(body)
        case "text":
            known = [hole for hole in holes if hole in LOOKS]
            return _digest(_without(WORDS.findall(_cut(body, known)), frozenset(holes)))
        case "json":
            value = _json(body)
            return value and _digest(_canonical(value[0], frozenset(holes)))
        case "shape":
            value = _json(body)
            return value and _digest(_shape(value[0]))
        case "tags":
            return _digest(_tags(body))
        case "length":
            return None


def _with_length(of: Body, bodies: Sequence[bytes]) -> Body:
    """Return a contract with the lengths of the bodies, and some more either way if they differ."""
    least, most = min(map(len, bodies)), max(map(len, bodies))
    margin = 0 if of.level == "exact" else max(64, round(LENGTH_MARGIN * most))
    return msgspec.structs.replace(of, least_bytes=max(0, least - margin), most_bytes=most + margin)


def _open_texts(recorded: _Recorded) -> Iterator[tuple[str, ...]]:
    """Yield what may be left open of texts, so that the rest is the same: the least first.

    That is what is known by its looks; or the words at some places; or both.
    """
    known = [name for name in LOOKS if any(LOOKS[name].search(body) for body in recorded.bodies)]
    needed = list(known)
    if not recorded.differ(_cut(body, known) for body in recorded.bodies):
        for name in known:
            fewer = [other for other in needed if other != name]
            if not recorded.differ(_cut(body, fewer) for body in recorded.bodies):
                needed = fewer
        yield tuple(needed)
    for names in ([], known):
        if (places := _open_words(recorded, names)) is not None:
            yield (*names, *map(str, places))


def _open_words(recorded: _Recorded, names: Sequence[str]) -> list[int] | None:
    """Return the numbers of the words that differ between answers to the same request.

    None where texts have not as many words, or where these are too many. It is looked at one text
    after the other: its words take ten times as much as it does.
    """
    number: int | None = None
    places: set[int] = set()
    for of in set(recorded.of):
        first: list[bytes] | None = None
        for body in recorded.answers(of):
            words = WORDS.findall(_cut(body, names))
            first = words if first is None else first
            number = len(words) if number is None else number
            if len(words) != number:
                return None
            both = enumerate(zip(first, words, strict=True))
            places.update(at for at, pair in both if pair[0] != pair[1])
    return sorted(places) if len(places) <= min(MOST_HOLES, MOST_OPEN * (number or 0)) else None


def _cut(body: bytes, names: Sequence[str]) -> bytes:
    """Return a text without what is known by its looks."""
    for name in names:
        body = LOOKS[name].sub(rb"\1" + HOLE, body)
    return body


def _without(words: Sequence[bytes], holes: frozenset[str]) -> bytes:
    return b"\x01".join(HOLE if str(at) in holes else word for at, word in enumerate(words))


def _open_paths(values: Sequence[Any], recorded: _Recorded) -> tuple[str, ...] | None:
    """Return the paths at which JSON values differ, None where these are too many."""
    by_path = [_values(value) for value in values]
    paths = sorted({path for each in by_path for path in each})
    holes = [path for path in paths if recorded.differ([each.get(path) for each in by_path])]
    return tuple(holes) if len(holes) <= min(MOST_HOLES, MOST_OPEN * len(paths)) else None


def _below(path: str, step: str) -> str:
    """Return the path of what is within; of a long one the digest, as each leaf has its own."""
    whole = path + step
    return whole if len(whole) <= LONGEST_PATH else _digest(whole.encode())


def _values(value: Any) -> dict[str, list[str]]:
    """Return all values by path, those of a list together and without their order."""
    by_path: dict[str, list[str]] = {}
    for path, leaf in _leaves(value):
        by_path.setdefault(path, []).append(json.dumps(leaf))
    return {path: sorted(leaves) for path, leaves in by_path.items()}


def _leaves(value: Any, path: str = "$") -> Iterator[tuple[str, Any]]:
    match value:
        case dict() if value:
            for key, inner in value.items():
                yield from _leaves(inner, _below(path, f".{key}"))
        case list() if value:
            each = _below(path, "[*]")
            for inner in value:
                yield from _leaves(inner, each)
        case _:
            yield path, value


def _canonical(value: Any, holes: frozenset[str], path: str = "$") -> bytes:
    """Return a JSON value in one spelling, whatever the order of its keys and lists."""
    match value:
        case dict() if value:
            pairs = sorted(
                json.dumps(key).encode() + b":" + _canonical(inner, holes, _below(path, f".{key}"))
                for key, inner in value.items()
            )
            return b"{" + b",".join(pairs) + b"}"
        case list() if value:
            below = _below(path, "[*]")
            inner = sorted(_canonical(each, holes, below) for each in value)
            return b"[" + b",".join(inner) + b"]"
        case _:
            return HOLE if path in holes else json.dumps(value).encode()


def _shape(value: Any) -> bytes:
    """Return the paths and types of a JSON value, with the lengths of its lists."""
    return "\n".join(sorted(set(_shapes(value)))).encode()


def _shapes(value: Any, path: str = "$") -> Iterator[str]:
    match value:
        case dict():
            yield f"{path}{{}}"
            for key, inner in value.items():
                yield from _shapes(inner, _below(path, f".{key}"))
        case list():
            yield f"{path}[{len(value)}]"
            each = _below(path, "[*]")
            for inner in value:
                yield from _shapes(inner, each)
        case int() | float() if not isinstance(value, bool):
            yield f"{path}:number"
        case _:
            yield f"{path}:{type(value).__name__}"


def _tags(body: bytes) -> bytes:
    return b" ".join(TAG.findall(body))


def _json(body: bytes) -> tuple[Any] | None:
    """Return a JSON value in a pair of brackets, as it may be null; None where it is none."""
    try:
        value = json.loads(body)
        # Half of a surrogate pair is no text, and no file could keep the path that it stands in.
        json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return (value,) if _depth(value) <= DEEPEST else None


def _depth(value: Any) -> int:
    """Return how deep a JSON value is nested, without recursion."""
    depth, level = 0, [value]
    while level and depth <= DEEPEST:
        depth += 1
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return depth


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
