"""The files of a clients' run are as their schemas and their page say."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from client_facts import sample
from paths import DOCS

from loadtest.records import run_folder
from loadtest.records.run_folder import OUTCOMES, Writer
from loadtest.report.clients import formats as reports
from loadtest.report.clients import report
from loadtest.report.formats import formats_in, write_each


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a run in which everything happens that can."""
    of = sample()
    results = run_folder.create(tmp_path_factory.mktemp("results"), of.run)
    writer = Writer(results)
    for fact in (*of.ceilings, *of.outcomes):
        writer.append(fact)
    writer.close()
    write_each(
        formats_in(reports), report.make(run_folder.read(results, run_folder.CLIENTS)), results
    )
    return results


def validate(name: str, value: object) -> None:
    published: dict[str, Any] = json.loads((DOCS / "schemas" / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.Draft202012Validator(published).validate(value)


@pytest.mark.slow
def test_each_file_is_as_published(folder: Path) -> None:
    validate("clients", json.loads((folder / run_folder.CLIENTS.file).read_text()))
    validate("clients-summary", json.loads((folder / "summary.json").read_text()))
    separated = [json.loads(line) for line in (folder / OUTCOMES).read_text().splitlines()]
    for line in separated:
        validate("clients-outcome", line)
    assert {record["kind"] for record in separated} == {"ceiling", "outcome"}
    assert {record["status"] for record in separated if record["kind"] == "outcome"} == {
        "measured",
        "failed",
    }


@pytest.mark.parametrize("spoil", [{"format": "1"}, {"unheard_of": 1}, {"plan": None}])
def test_a_schema_refuses_what_is_wrong(folder: Path, spoil: dict[str, object]) -> None:
    data = json.loads((folder / run_folder.CLIENTS.file).read_text())
    with pytest.raises(jsonschema.ValidationError):
        validate("clients", data | spoil)


def test_every_column_is_explained(folder: Path) -> None:
    with open(folder / "summary.csv", newline="") as file:
        header = next(csv.reader(file))
    page = (DOCS / "clients-format.md").read_text().partition("## summary.csv")[2]
    documented = set(re.findall(r"`(\w+)`", page))
    assert {re.sub(r"_round_\d+$", "_round_N", column) for column in header} == documented
