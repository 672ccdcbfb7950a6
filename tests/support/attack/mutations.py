"""Changes a file at random: bits, bytes, lines, and values that are odd where they stand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

TEXTS = (
    "", "x", "x" * 300, "x" * 5_000, "a\nb", "a\rb", "\x1b]0;owned\x07", "\x00", "\x85",
    "\u202eabc", "\u2028",
    "\ufffe", "..", "../../secret", "/etc/passwd", "/dev/zero", "raw", "~", "=1+1", "a|b",
    "</script><script>x=1</script>", "<img src=//x>", "{port", "{0}", "{nothing}", "%s", "$(id)",
    "nan", "-1", "json-sync", "alpha", "\U0001f600", "\u0130", "e\u0301", " ", "-x", "CON", "`x`",
)  # fmt: skip
"""Texts for wherever a text may stand."""

NUMBERS = (
    "0", "-1", "1", "2", "1e308", "-1e308", "5e-324", "-0.0", "1e999", "0.1", "255", "65536",
    "1000000", "100000000", "2147483648", "9007199254740993", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "18446744073709551616", "1" + "0" * 5_000,
)  # fmt: skip

JSON_ONLY = (
    "null", "true", "[]", "{}", "NaN", "Infinity", "[" * 3_000 + "]" * 3_000, '{"a":' * 3_000,
    '"\\ud800"', "[[]]", '{"": 0}', "[1, 2, 3]", '[""]', '"\\u0000"',
)  # fmt: skip

TOML_ONLY = (
    "inf", "-inf", "nan", "true", "[]", "{}", "[" * 3_000 + "]" * 3_000, "{a=" * 1_000,
    "1979-05-27", "07:32:00", '["*"]', '[""]', "[1]", '["json", "json"]', "0x7fffffffffffffff",
    '"""\na\n"""', "{ async = 1 }", "[[]]", "{}" * 2, "",
)  # fmt: skip

QUOTED = tuple(json.dumps(text) for text in TEXTS)

Mutate = Callable[[Random, bytes], bytes]


def in_bytes(chance: Random, data: bytes) -> bytes:
    """Change some bytes, whatever they mean."""
    changed = bytearray(data)
    for _ in range(chance.choice((1, 1, 1, 2, 5))):
        at = chance.randrange(len(changed) + 1)
        length = chance.choice((1, 1, 2, 10, 100))
        way = chance.randrange(6)
        if way == 0 and at < len(changed):
            changed[at] ^= 1 << chance.randrange(8)
        elif way == 1:
            del changed[at : at + length]
        elif way == 2:
            changed[at:at] = chance.randbytes(length)
        elif way == 3:
            changed[at:at] = changed[max(0, at - length) : at]
        elif way == 4:
            changed[at : at + length] = (
                chance.choice((b"\0", b"\xff", b"\xef\xbb\xbf", b"\r")) * length
            )
        elif chance.random() < 0.3:
            del changed[at:]
    return bytes(changed)


MARK = "a mark that stands in no file"


def in_json(chance: Random, data: bytes) -> bytes:
    """Change values of a JSON document where they stand, now and then its bytes too."""
    document = json.loads(data)
    odd: list[str] = []
    for _ in range(chance.choice((1, 1, 1, 2, 4))):
        document = _changed(chance, document, odd)
    text = json.dumps(document, separators=(",", ":"))
    for number, raw in enumerate(odd):
        text = text.replace(f'"{MARK} {number}"', raw)
    changed = text.encode("utf-8", "surrogatepass")
    return in_bytes(chance, changed) if chance.random() < 0.1 else changed


def _changed(chance: Random, document: Any, odd: list[str]) -> Any:
    places = list(_places(document))
    if not places:
        return document
    holder, key = chance.choice(places)
    way = chance.randrange(10)
    if way < 6:
        holder[key] = f"{MARK} {len(odd)}"
        odd.append(chance.choice((*QUOTED, *NUMBERS, *NUMBERS, *JSON_ONLY)))
    elif way == 6:
        del holder[key]
    elif way == 7 and isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
        holder[key] = holder[key] * chance.choice((-1, 0, 2, 1_000, 1_000_000))
    elif way == 8 and isinstance(holder, dict):
        holder[chance.choice(TEXTS)] = holder[key]
    else:
        other, at = chance.choice(places)
        if _depth(other[at]) + _depth(holder[key]) < 20:
            holder[key] = json.loads(json.dumps(other[at]))
    return document


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    keys = value.keys() if isinstance(value, dict) else range(len(value))
    if isinstance(value, dict | list):
        for key in keys:
            yield value, key
            if isinstance(value[key], dict | list):
                yield from _places(value[key])


def _depth(value: Any) -> int:
    if not isinstance(value, dict | list) or not value:
        return 0
    return 1 + max(_depth(each) for each in (value.values() if isinstance(value, dict) else value))


POSSIBLE = ("0", "0.0", "1", "1e-30", "1e-9", "1e-6", "0.5", "3600", "1e8", "100000000000", "2e13")
"""Numbers that may well be, and that few runs have: taken one by one, odd together."""


def in_all_lines(chance: Random, data: bytes) -> bytes:
    """Give one number a value in every line that has it, or in half of them."""
    documents = [json.loads(line) for line in data.splitlines()]
    for _ in range(chance.choice((1, 1, 2, 3))):
        paths = list(_paths(chance.choice(documents)))
        path, value = chance.choice(paths), chance.choice(POSSIBLE)
        other = value if chance.random() < 0.5 else chance.choice(POSSIBLE)
        for document in documents:
            holder = document
            for key in path[:-1]:
                holder = holder.get(key) if isinstance(holder, dict) else None
            if isinstance(holder, dict) and path[-1] in holder:
                text = value if chance.random() < 0.5 else other
                holder[path[-1]] = json.loads(text)
    return b"".join(json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in documents)


def _paths(value: dict[str, Any], way: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the ways to the numbers in a document."""
    for key, inner in value.items():
        if isinstance(inner, dict):
            yield from _paths(inner, (*way, key))
        elif isinstance(inner, int | float) and not isinstance(inner, bool):
            yield (*way, key)


def in_json_lines(chance: Random, data: bytes) -> bytes:
    """Change a line or its place, or what all lines say of one thing."""
    if chance.random() < 0.3:
        return in_all_lines(chance, data)
    lines = data.splitlines(keepends=True)
    way = chance.randrange(10)
    at = chance.randrange(len(lines))
    if way < 7:
        lines[at] = in_json(chance, lines[at]).replace(b"\n", b"") + b"\n"
    elif way == 7:
        lines.insert(at, chance.choice(lines))
    elif way == 8:
        del lines[at]
    else:
        return in_bytes(chance, data)
    return b"".join(lines)


def in_toml(chance: Random, data: bytes) -> bytes:
    """Change what stands behind a key, or lines, or bytes."""
    lines = data.decode().splitlines()
    keys = [at for at, line in enumerate(lines) if "=" in line and not line.startswith((" ", "#"))]
    for _ in range(chance.choice((1, 1, 2, 3))):
        at = chance.choice(keys)
        way = chance.randrange(10)
        if way < 6:
            value = chance.choice((*QUOTED, *NUMBERS, *NUMBERS, *TOML_ONLY))
            lines[at] = f"{lines[at].partition('=')[0]}= {value}"
        elif way == 6:
            lines.insert(at, chance.choice(lines))
        elif way == 7:
            lines[at] = ""
        elif way == 8:
            key = json.dumps(chance.choice(TEXTS))
            lines.insert(at, f"{key} = {chance.choice(NUMBERS)}")
        else:
            return in_bytes(chance, "\n".join(lines).encode())
    return "\n".join(lines).encode()


def in_text(chance: Random, data: bytes) -> bytes:
    """Change lines, words and numbers of a text."""
    lines = data.decode("utf-8", "surrogateescape").splitlines()
    for _ in range(chance.choice((1, 2, 5, 20))):
        at = chance.randrange(len(lines))
        way = chance.randrange(6)
        if way == 0:
            lines.insert(at, lines[chance.randrange(len(lines))])
        elif way == 1 and len(lines) > 1:
            del lines[at]
        elif words := lines[at].split(" "):
            word = chance.randrange(len(words))
            words[word] = chance.choice((*TEXTS, *NUMBERS))
            lines[at] = " ".join(words)
    changed = "\n".join(lines).encode("utf-8", "surrogateescape")
    return in_bytes(chance, changed) if chance.random() < 0.2 else changed
