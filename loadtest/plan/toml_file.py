"""TOML files that people write, read strictly: a mistake names its file, its key, what is wanted.

msgspec says where something is wrong; in which words is said here, from the type that stands there.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from loadtest.records import files
from loadtest.records.errors import UserError, unknown
from loadtest.records.text import UNSAFE

T = TypeVar("T", bound=msgspec.Struct)
AT = re.compile(r" - at (?:`key` in )?`\$\.?(?P<at>[^`]*)`$")
STEP = re.compile(r"[^.\[\]]+|\[\d+\]|\[\.\.\.\]")
UNSEEN = re.compile(f"[{UNSAFE}]")
MOST_DEPTH = 8
MOST_BYTES = 2**20

DOTTED = re.compile(
    r"""(?m)(?:^|[{,])[ \t]*+\[{0,2}+[ \t]*+"""
    r"""(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){50}"""
)
"""A key of so many parts that no table has them: to read it takes the square of their number. What
was taken is not given back, or blanks without end would be tried in every division."""


def read(path: Path, kind: type[T], **given: object) -> T:
    """Return the record of type `kind` in a TOML file; `given` are keys the file must not set.

    Raises UserError naming file and line or key.
    """
    try:
        text = files.read(path, MOST_BYTES, links=True).decode()
        if DOTTED.search(text):
            raise RecursionError
        data = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML: {error}") from None
    except (RecursionError, ValueError):
        raise UserError(
            f"{path}: not valid TOML: nested too deeply, or a number of too many digits"
        ) from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if odd := next(_odd(data), None):
        raise UserError(f"{path}: {odd}")
    if clash := sorted(given.keys() & data.keys()):
        raise UserError(f"{path}: {clash[0]!r} is not set here, it is {given[clash[0]]!r}")
    try:
        return msgspec.convert({**data, **given}, kind)
    except msgspec.ValidationError as error:
        held = {**data, **given}
        raise UserError(_explain(path, inspect.type_info(kind), held, str(error), given)) from None


def _odd(value: object, at: str = "", depth: int = 0) -> Iterator[str]:
    """Yield what stands in a file that no key takes, whichever it is."""
    match value:
        case dict() | list() if depth > MOST_DEPTH:
            yield f"{at[:60]}... is nested too deeply"
        case dict():
            for key, inner in value.items():
                if UNSEEN.search(key):
                    yield f"the key {key[:60]!r} has a character that cannot be seen; leave it out"
                yield from _odd(inner, f"{at}.{key}" if at else key, depth + 1)
        case list():
            for number, inner in enumerate(value):
                yield from _odd(inner, f"{at}[{number}]", depth + 1)
        case str() if UNSEEN.search(value):
            yield f"{at} has a character that cannot be seen; leave it out"
        case int() if abs(value) >= 2**63:
            yield f"{at} must be a number of fewer digits"
        case float() if not math.isfinite(value):
            yield f"{at} must be a finite number, not {value}"


def _explain(
    path: Path, kind: inspect.Type, data: object, message: str, given: Iterable[str]
) -> str:
    """Return the line for what msgspec found: a key too many or too few, or a value."""
    path_in_file = AT.search(message)
    at = path_in_file["at"] if path_in_file else ""
    kind, value, at = _stands_at(kind, data, at)
    where = f"{path} [{at}]" if at else str(path)
    named = re.search(r"field `(.+?)`", message)
    if named and isinstance(kind, inspect.StructType):
        fields = {field.encode_name for field in kind.fields} - (set() if at else set(given))
        if named[1] in fields:
            return f"{where}: {named[1]!r} is missing: {_wanted(_field(kind, named[1]))}"
        return unknown("key", named[1], fields, where=where)
    if "`key` in" in message and isinstance(kind, inspect.DictType):
        if isinstance(kind.key_type, inspect.LiteralType):
            known = list(map(str, kind.key_type.values))
            wrong = next(key for key in value if key not in known)
            return unknown("key", wrong, known, where=where)
        wrong = next((key for key in value if not _fits(key, kind.key_type)), next(iter(value)))
        return f"{where}: the key {_shown(wrong)} must be {_wanted(kind.key_type)}"
    return f"{path}: {at} must be {_wanted(kind)}, not {_shown(value)}"


def _stands_at(kind: inspect.Type, value: Any, at: str) -> tuple[inspect.Type, Any, str]:
    """Return the type and the value at a path such as `loads[0].waves`, and the path in full."""
    for step in STEP.findall(at):
        kind = _known(kind, value)
        match kind:
            case inspect.StructType():
                kind, value = _field(kind, step), value[step]
            case inspect.DictType():
                # msgspec leaves open which.
                kind, table = kind.value_type, value
                key = next((key for key in table if not _fits(table[key], kind)), next(iter(table)))
                value = table[key]
                at = at.replace("[...]", f".{key}", 1)
            case inspect.VarTupleType() | inspect.ListType():
                kind, value = kind.item_type, value[int(step[1:-1])]
    return _known(kind, value), value, at


def _fits(value: object, kind: inspect.Type) -> bool:
    """Say whether a value of a table is right: msgspec leaves open which one is not."""
    if isinstance(kind, inspect.StructType):
        try:
            msgspec.convert(value, kind.cls)
        except msgspec.ValidationError:
            return False
        return True
    # Texts, as in all other tables that people write here.
    of = kind.type if isinstance(kind, inspect.Metadata) else kind
    if not isinstance(value, str) or not isinstance(of, inspect.StrType):
        return isinstance(value, str)
    long = of.max_length is not None and len(value) > of.max_length
    return not long and re.search(of.pattern or "", value) is not None


def _field(kind: inspect.StructType, name: str) -> inspect.Type:
    return next(field.type for field in kind.fields if field.encode_name == name)


def _known(kind: inspect.Type, value: object = None) -> inspect.Type:
    """Return a type without the None beside it, which TOML has no word for.

    Where it may be one or a list of such, it is what the value is.
    """
    if not isinstance(kind, inspect.UnionType):
        return kind
    types = [each for each in kind.types if not isinstance(each, inspect.NoneType)]
    lists = isinstance(value, list)
    alike = (each for each in types if isinstance(each, inspect.VarTupleType) == lists)
    return next(alike, types[0])


def _wanted(kind: inspect.Type) -> str:
    """Return what is wanted in words, as in `a whole number of at least 1`."""
    kind = _known(kind)
    match kind:
        case inspect.IntType():
            return f"a whole number{_bounds(kind)}"
        case inspect.FloatType():
            return f"a number{_bounds(kind)}"
        case inspect.BoolType():
            return "true or false"
        case inspect.StrType():
            return "a text in quotes" + (f" that matches {kind.pattern}" if kind.pattern else "")
        case inspect.Metadata(extra={"wanted": str(words)}):
            return words
        case inspect.LiteralType():
            return f"one of {', '.join(map(_shown, kind.values))}"
        case inspect.VarTupleType() | inspect.ListType():
            most = "" if kind.max_length is None else f", {kind.max_length} at most"
            return f"a list in brackets, each {_wanted(kind.item_type)}{most}"
        case _:
            return "a table of keys"


def _bounds(kind: inspect.IntType | inspect.FloatType) -> str:
    if kind.ge is not None and kind.le is not None:
        return f" from {kind.ge:.10g} to {kind.le:.10g}"
    words = {"ge": "of at least", "gt": "above", "le": "of at most", "lt": "below"}
    limits = {text: getattr(kind, key) for key, text in words.items()}
    return " and".join(f" {text} {at:.10g}" for text, at in limits.items() if at is not None)


def _shown(value: object) -> str:
    """Return a value as TOML writes it, which is as JSON does here; cut where it is long."""
    if isinstance(value, dict):
        return "a table"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
