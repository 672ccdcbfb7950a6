"""The JSON Schemas of a run's files, made from the records themselves: `make schemas`.

Each field is described by the string below it in the code, or in `docs/fields/` where its name
says so much that the code has none.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import sys
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from loadtest.judge.clients import summary as clients_summary
from loadtest.judge.servers import summary
from loadtest.records import clients, run_folder
from loadtest.records.measured import Histogram, Run
from loadtest.records.planned import Record
from loadtest.report.clients.formats.json import Answered

DIALECT = "https://json-schema.org/draft/2020-12/schema"

FIELDS = Path(__file__).parent / "fields"

Schema = dict[str, Any]


@dataclass(frozen=True)
class File:
    """One kind of file in a run's folder."""

    name: str
    """Of the schema: `<name>.schema.json`."""
    holds: Any
    """The record, or several, one of which is in each line."""
    title: str


SERVERS = (
    File("run", Run, f"run.json, format {run_folder.FORMAT}"),
    File(
        "outcome",
        run_folder.SERVERS.fact,
        f"One line of outcomes.jsonl, format {run_folder.FORMAT}",
    ),
    File("histogram", Histogram, f"raw/*.json, format {run_folder.FORMAT}"),
    File("summary", summary.Summary, f"summary.json, format {summary.FORMAT}"),
)

CLIENTS = (
    File("clients", clients.Run, f"clients.json, format {run_folder.FORMAT}"),
    File(
        "clients-outcome",
        run_folder.CLIENTS.fact,
        f"One line of a clients' outcomes.jsonl, format {run_folder.FORMAT}",
    ),
    File(
        "clients-summary",
        Answered,
        f"A clients' summary.json, format {clients_summary.FORMAT}",
    ),
)

FAMILIES = (SERVERS, CLIENTS)
"""The kinds of runs; the files of one share records, and stand on one page."""

FILES = tuple(file for family in FAMILIES for file in family)


def schema(file: File) -> Schema:
    """Return the JSON Schema of a file."""
    schema_ = msgspec.json.schema(file.holds)
    classes = {record.__name__: record for record in records(file.holds)}
    for name, definition in schema_["$defs"].items():
        definition["description"] = _on_one_line(definition["description"])
        explained = meanings(classes[name])
        for field, described in definition["properties"].items():
            if field in explained:
                described["description"] = _on_one_line(explained[field])
    return {"$schema": DIALECT, "title": file.title, **schema_}


def _on_one_line(text: str) -> str:
    """Return Python's words on one line, as a reader of JSON knows them."""
    return re.sub(r"\bNone\b", "null", " ".join(text.split()))


def records(holds: Any) -> list[type]:
    """Return the records that a type is made of, each before those that it is made of itself."""
    known: dict[type, None] = {}
    _gather(msgspec.inspect.type_info(holds), known)
    return list(known)


def _gather(info: Any, known: dict[type, None]) -> None:
    if isinstance(info, msgspec.inspect.StructType) and info.cls not in known:
        known[info.cls] = None  # first: a record may hold others of its own kind
        for field in info.fields:
            _gather(field.type, known)
    elif isinstance(info, msgspec.inspect.UnionType):
        for each in info.types:
            _gather(each, known)
    elif isinstance(info, msgspec.inspect.VarTupleType):
        _gather(info.item_type, known)
    elif isinstance(info, msgspec.inspect.DictType):
        _gather(info.value_type, known)


def meanings(record: type) -> dict[str, str]:
    """Return what each field of a record means, without those of which nobody has said it."""
    known: dict[str, str] = {}
    for base in reversed(record.__mro__):
        if issubclass(base, Record) and base is not Record:
            known |= named(fields_of(base)).get(base.__name__, {}) | docstrings(base)
    return {name: known[name] for name in fields(record) if name in known}


def fields(record: type) -> tuple[str, ...]:
    """Return the names of a record's fields, those that it inherits among them."""
    return tuple(field.name for field in msgspec.structs.fields(record))


def fields_of(record: type) -> Path:
    """Return the file that explains the fields of records of its kind of run."""
    return FIELDS / ("clients.toml" if "clients" in record.__module__ else "servers.toml")


@cache
def named(path: Path) -> dict[str, dict[str, str]]:
    """Return the meanings of the fields, by record, that one `fields.toml` tells."""
    return tomllib.loads(path.read_text(encoding="utf-8"))


def docstrings(record: type) -> dict[str, str]:
    """Return the strings that stand below the fields of a record."""
    body = ast.parse(inspect.getsource(record)).body[0]
    assert isinstance(body, ast.ClassDef)
    strings = {}
    for field, below in zip(body.body, body.body[1:], strict=False):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                strings[name] = text
    return strings


@cache
def texts() -> dict[str, str]:
    """Return what each schema file holds, by its name."""
    return {
        f"{file.name}.schema.json": json.dumps(schema(file), indent=1, ensure_ascii=False) + "\n"
        for file in FILES
    }


def main(folder: Path) -> None:
    """Write all schemas into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts().items():
        (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
