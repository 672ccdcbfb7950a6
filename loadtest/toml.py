"""TOML files that people write, read strictly: an unknown key names its file and what is close."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection
from pathlib import Path
from typing import TypeVar

import msgspec

from loadtest.errors import UserError, unknown

T = TypeVar("T", bound=msgspec.Struct)


def read(path: Path, kind: type[T], **given: object) -> T:
    """Return the record of type `kind` in a TOML file; `given` are keys the file must not set.

    Raises UserError naming file and line or key.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid TOML: {error}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if clash := sorted(given.keys() & data.keys()):
        raise UserError(f"{path}: {clash[0]!r} is not set here, it is {given[clash[0]]!r}")
    try:
        return msgspec.convert({**data, **given}, kind)
    except msgspec.ValidationError as error:
        raise UserError(_explain(path, kind, str(error), given.keys())) from None


def _explain(path: Path, kind: type[msgspec.Struct], message: str, given: Collection[str]) -> str:
    found = re.match(r"Object contains unknown field `(.+?)`(?: - at `\$\.?(.*)`)?$", message)
    if found is None:
        return f"{path}: {message.replace('$.', '')}"
    key, at = found.groups()
    known = _fields_at(kind, at) if at else set(kind.__struct_fields__) - set(given)
    return unknown("key", key, known, where=f"{path}{' [' + at + ']' if at else ''}")


def _fields_at(kind: type[msgspec.Struct], at: str) -> tuple[str, ...]:
    """Return the field names of the record that stands at a path such as `shape` or `loads[0]`."""
    info: object = msgspec.inspect.type_info(kind)
    for name in re.sub(r"\[.*?\]", "", at).split("."):
        assert isinstance(info, msgspec.inspect.StructType)
        info = next(field.type for field in info.fields if field.encode_name == name)
        while isinstance(
            info,
            msgspec.inspect.VarTupleType | msgspec.inspect.ListType | msgspec.inspect.UnionType,
        ):
            info = info.types[0] if isinstance(info, msgspec.inspect.UnionType) else info.item_type
    return (
        tuple(field.encode_name for field in info.fields)
        if isinstance(info, msgspec.inspect.StructType)
        else ()
    )
