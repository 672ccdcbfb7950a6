"""What the answers of an endpoint have in common, as strictly as all of them allow.

An answer is recorded several times: at once and later, from several servers and databases. Each
level fixes less than the one before; the first that gives the same for all of them is the contract.
Only digests and the places of holes are kept, no text of an answer.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from loadtest.records.planned import Body

MOST_HOLES = 200

MOST_OPEN = 0.5
"""Of the words of a text, or the values of a JSON value: with more holes little would be fixed."""

LENGTH_MARGIN = 0.02
"""Of the length of what differs in length, beyond what was recorded."""

LONGEST_EXCERPT = 80

DEEPEST = 100
"""Of a JSON value."""

WORDS = re.compile(rb"[\w\x80-\xff+/=.:%-]+|[^\w\x80-\xff+/=.:%-]+")
"""A text in words and what stands between them; a token, a date or a path is one word."""

TAG = re.compile(rb"<(/?[a-zA-Z][a-zA-Z0-9-]*)")

HOLE = b"\x00"


def strictest(bodies: Sequence[bytes], content_type: str | None) -> Body:
    """Return the strictest contract that all bodies keep; there has to be one at least."""
    if len(set(bodies)) == 1:
        return _with_length(Body(level="exact", sha256=_digest(bodies[0])), bodies)
    values = [_json(body) for body in bodies] if _is(content_type, "json") else [None]
    if None not in values:
        return _with_length(_of_json([value[0] for value in values if value]), bodies)
    if (text := _of_text(bodies)) is not None:
        return _with_length(text, bodies)
    tags = {_digest(_tags(body)) for body in bodies}
    if _is(content_type, "html") and len(tags) == 1:
        return _with_length(Body(level="tags", sha256=tags.pop()), bodies)
    return _with_length(Body(level="length"), bodies)


def problem(of: Body, body: bytes) -> str | None:
    """Return in words what of a body isn't as recorded, None where all is."""
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
    if of.sha256 is None or _fixed(of, body) == of.sha256:
        return None
    return {
        "exact": "another body of the same length",
        "json": "the JSON value is not the recorded one",
        "text": "the text is not the recorded one",
        "shape": "the JSON value is not of the recorded shape",
        "tags": "the tags are not the recorded ones",
        "length": "",
    }[of.level]


def _fixed(of: Body, body: bytes) -> str | None:
    """Return the digest of what a level fixes of a body, None where the body isn't of that kind."""
    match of.level:
        case "exact":
            return _digest(body)
        case "text":
            return _digest(_without(WORDS.findall(body), {int(hole) for hole in of.holes}))
        case "json":
            value = _json(body)
            return value and _digest(_canonical(value[0], frozenset(of.holes)))
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
    return Body(
        level=of.level,
        sha256=of.sha256,
        holes=of.holes,
        least_bytes=max(0, least - margin),
        most_bytes=most + margin,
    )


def _of_text(bodies: Sequence[bytes]) -> Body | None:
    """Return what is fixed of texts of the same number of words, None where little is."""
    texts = [WORDS.findall(body) for body in bodies]
    if len({len(words) for words in texts}) > 1:
        return None
    holes = [at for at, words in enumerate(zip(*texts, strict=True)) if len(set(words)) > 1]
    if len(holes) > min(MOST_HOLES, MOST_OPEN * len(texts[0])):
        return None
    digest = _digest(_without(texts[0], set(holes)))
    return Body(level="text", sha256=digest, holes=tuple(map(str, holes)))


def _without(words: Sequence[bytes], holes: set[int]) -> bytes:
    return b"\x01".join(HOLE if at in holes else word for at, word in enumerate(words))


def _of_json(values: Sequence[Any]) -> Body:
    """Return what is fixed of JSON values: all but the values at some paths, or their shape."""
    by_path = [_values(value) for value in values]
    paths = sorted({path for each in by_path for path in each})
    holes = [
        path for path in paths if any(each.get(path) != by_path[0].get(path) for each in by_path)
    ]
    digests = {_digest(_canonical(value, frozenset(holes))) for value in values}
    few = len(holes) <= min(MOST_HOLES, MOST_OPEN * len(paths))
    if few and len(digests) == 1:
        return Body(level="json", sha256=digests.pop(), holes=tuple(holes))
    shapes = {_digest(_shape(value)) for value in values}
    if len(shapes) == 1:
        return Body(level="shape", sha256=shapes.pop())
    return Body(level="length")


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
                yield from _leaves(inner, f"{path}.{key}")
        case list() if value:
            for inner in value:
                yield from _leaves(inner, f"{path}[*]")
        case _:
            yield path, value


def _canonical(value: Any, holes: frozenset[str], path: str = "$") -> bytes:
    """Return a JSON value in one spelling, whatever the order of its keys and lists."""
    match value:
        case dict() if value:
            pairs = sorted(
                json.dumps(key).encode() + b":" + _canonical(inner, holes, f"{path}.{key}")
                for key, inner in value.items()
            )
            return b"{" + b",".join(pairs) + b"}"
        case list() if value:
            inner = sorted(_canonical(each, holes, f"{path}[*]") for each in value)
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
                yield from _shapes(inner, f"{path}.{key}")
        case list():
            yield f"{path}[{len(value)}]"
            for inner in value:
                yield from _shapes(inner, f"{path}[*]")
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


def _is(content_type: str | None, kind: str) -> bool:
    return kind in (content_type or "")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
