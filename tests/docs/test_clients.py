"""The page about clients agrees with the code: presets, concerns, their tables and the commands."""

from __future__ import annotations

import csv
import re

import pytest
from client_facts import group
from paths import DOCS

from loadtest.judge.clients.concerns import CONCERNS
from loadtest.judge.clients.rows import Ranking
from loadtest.plan.clients import catalogue, presets, typed_rows
from loadtest.plan.clients.presets import Preset
from loadtest.plan.clients.typed_rows import Typed
from loadtest.report.clients.formats.csv import cells

PAGE = (DOCS / "clients.md").read_text(encoding="utf-8")
PRESETS = [name for name in presets.names() if name != "default"]
PUBLISHED = [path.stem for path in sorted((DOCS / "clients").glob("*.csv"))]


def rows(name: str) -> list[dict[str, str]]:
    with open(DOCS / "clients" / f"{name}.csv", newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_has_its_table_beside_the_published_one(name: str) -> None:
    assert re.search(rf"^### {name}$", PAGE, re.MULTILINE)
    assert f"<!-- generated: clients {name} -->" in PAGE


def test_only_runs_of_presets_are_published() -> None:
    assert PUBLISHED
    assert set(PUBLISHED) <= set(PRESETS)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_table_is_of_the_preset_as_it_is(name: str) -> None:
    preset: Preset = typed_rows.chosen(Typed(words=(name,)), catalogue.clients())
    separated = rows(name)
    assert {row["group"] for row in separated} == {table.name for table in preset.group}
    for table in preset.group:
        of = [row for row in separated if row["group"] == table.name]
        clients = {client for block in table.rows for client in block.client}
        assert {row["client"] for row in of} == clients
        assert {row["measure"] for row in of} == set(table.measures)
        requests = {str(count) for block in table.rows for count in block.requests}
        assert {row["requests"] for row in of} == requests


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_table_has_the_columns_of_today(name: str) -> None:
    none = Ranking(group=group(), measure="cold", noise_floor=None, unranked=None, rows=())
    header = {column.key for column in cells(none, 0).columns}
    assert {key for key in rows(name)[0] if not key.startswith("time_s_round_")} == header


def test_every_concern_is_explained() -> None:
    for concern in CONCERNS:
        assert f"- `{concern.name}`: {concern.means} {concern.advice}" in PAGE


def test_what_is_shown_to_type_is_understood() -> None:
    """Options are held by test_docs; here the words: clients, modes and presets."""
    shown = re.findall(r"^loadtest clients\b(.*?)(?= --?[a-z]|  #|$)", PAGE, re.MULTILINE)
    assert len(shown) >= 4
    for words in shown:
        assert typed_rows.chosen(Typed(words=tuple(words.split())), catalogue.clients())
