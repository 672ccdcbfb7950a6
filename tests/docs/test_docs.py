"""What is written about the code agrees with it: schemas, generated pages, commands, links."""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import jsonschema
import msgspec
import pytest
import schema
from builders import endpoint, plan, run, server
from fakes import FakeBench, Fault
from gold import check
from paths import ROOT

from loadtest.cli.main import Deferred, cli
from loadtest.judge import concern
from loadtest.judge.servers import concerns
from loadtest.judge.servers.summary import summarise_stored
from loadtest.measure.servers import measuring
from loadtest.measure.servers.session import ServerTrials
from loadtest.plan.servers import profile, schedule
from loadtest.records.measured import Begun, Ceiling, Run, Segment
from loadtest.records.planned import Record
from loadtest.records.run_folder import SERVERS, Writer, create, read
from loadtest.report.formats import formats_in, write_each
from loadtest.report.servers import formats, report

DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])
README = ROOT / "README.md"
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
README_LINES = 150


# Schemas -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [f"{file.name}.schema.json" for file in schema.FILES])
def test_schemas_are_those_of_the_code(name: str) -> None:
    assert (DOCS / "schemas" / name).read_text() == schema.texts()[name], "make schemas"


def test_other_fields_are_another_format() -> None:
    """An older loadtest would call a file with a field that it does not know damaged, not newer.

    Raise the file's FORMAT, once for all that a version of loadtest changes, and say below it what
    is new; then `UPDATE_GOLD=1`.
    """
    lines = []
    for file in schema.FILES:
        published = json.loads((DOCS / "schemas" / f"{file.name}.schema.json").read_text())
        fields = sorted(" ".join(of["properties"]) for of in published["$defs"].values())
        digest = hashlib.sha256("\n".join(fields).encode()).hexdigest()
        lines.append(f"{digest[:12]} {published['title']}\n")
    check("formats.txt", "".join(lines))


def test_every_field_of_every_stored_record_is_explained() -> None:
    """Write a string below the field, then `make docs`."""
    unexplained = [
        f"{record.__name__}.{field}"
        for file in schema.FILES
        for record in schema.records(file.holds)
        for field in set(schema.fields(record)) - schema.meanings(record).keys()
    ]
    assert sorted(set(unexplained)) == []


def test_fields_are_explained_in_one_place() -> None:
    records = {
        base
        for file in schema.FILES
        for record in schema.records(file.holds)
        for base in record.__mro__
        if issubclass(base, Record) and base is not Record
    }
    assert len({schema.fields_of(record) for record in records}) == 2
    for path in {schema.fields_of(record) for record in records}:
        known: dict[str, list[type[Record]]] = {}
        for record in records:
            if schema.fields_of(record) == path:
                known.setdefault(record.__name__, []).append(record)
        for name, fields in schema.named(path).items():
            # What both kinds of run share has the name of what a kind adds to it.
            declared = {key for record in known[name] for key in record.__annotations__}
            assert fields.keys() <= declared, name
            explained = {key for record in known[name] for key in schema.docstrings(record)}
            assert not fields.keys() & explained, name


def validator(name: str) -> jsonschema.Draft202012Validator:
    published: dict[str, Any] = json.loads((DOCS / "schemas" / f"{name}.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(published)
    return jsonschema.Draft202012Validator(published)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the folder of a run in which everything happens that can."""
    faults: dict[str, Fault] = {
        "alpha.json-sync.r1": "verify",
        "beta.json-sync.r0": "silent",
        "beta.json_query-sync.*": "launch",
    }
    of = run(
        plan(
            [server("alpha", unsupported={"async": "no event loop"}), server("beta")],
            [endpoint("json"), endpoint("json_query"), endpoint("json", "async", delay_s=0.5)],
            rounds=2,
        )
    )
    results = create(tmp_path_factory.mktemp("results"), of)
    writer = Writer(results)
    writer.append(Begun(started_at=1.0))
    writer.append(Ceiling(body_bytes=30, goodput=50_000.0, generator_cpu_us=7.5))
    for skipped in ServerTrials(of.plan, lambda outcomes: ()).skipped(()):
        writer.append(skipped)
    todo = schedule.batches(of.plan)
    bench = FakeBench(results, faults=faults)
    measuring.run(of.plan, todo, bench, writer.append, lambda cell, at, turn: None)
    writer.append(Segment(started_at=1.0, wall_s=20.0))
    writer.close()
    stored = read(results, SERVERS)
    summary = summarise_stored(stored)
    write_each(formats_in(formats), report.Report(summary, stored.run), results)
    return results


@pytest.mark.slow
def test_the_files_of_a_run_are_as_published(folder: Path) -> None:
    validator("run").validate(json.loads((folder / "run.json").read_text()))
    validator("summary").validate(json.loads((folder / "summary.json").read_text()))
    lines = (folder / "outcomes.jsonl").read_text().splitlines()
    for line in lines:
        validator("outcome").validate(json.loads(line))
    separated = [json.loads(line) for line in lines]
    assert {record["kind"] for record in separated} == {
        "begun",
        "ceiling",
        "launch",
        "outcome",
        "segment",
    }
    assert {record["status"] for record in separated if record["kind"] == "outcome"} == {
        "measured",
        "failed",
        "skipped",
    }
    histograms = sorted(folder.glob("raw/*.json"))
    assert histograms
    for path in histograms:
        validator("histogram").validate(json.loads(path.read_text()))


@pytest.mark.parametrize("spoil", [{"format": "1"}, {"unheard_of": 1}, {"plan": None}])
def test_a_schema_refuses_what_is_wrong(folder: Path, spoil: dict[str, object]) -> None:
    data = json.loads((folder / "run.json").read_text())
    with pytest.raises(jsonschema.ValidationError):
        validator("run").validate(data | spoil)


def test_a_whole_number_may_stand_for_seconds(folder: Path) -> None:
    """Another language writes 1 where Python writes 1.0."""
    text = (folder / "run.json").read_text().replace("0.1", "1")
    validator("run").validate(json.loads(text))
    assert msgspec.json.decode(text, type=Run)


# Pages -------------------------------------------------------------------------------------------


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_write", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_readme_shows_the_run_that_is_kept() -> None:
    (shown,) = re.findall(r"<!-- generated: run ([\w-]+) -->", README.read_text())
    kept = re.findall(r"^!results/(.+)/$", (ROOT / ".gitignore").read_text(), re.MULTILINE)
    assert kept == [shown]


@pytest.mark.slow
def test_the_generated_parts_are_those_of_the_code() -> None:
    for path, text in load(DOCS / "write.py").pages().items():
        assert path.read_text() == text, f"{path.name}: make docs"


@pytest.mark.parametrize("explained", concerns.CONCERNS, ids=lambda explained: explained.name)
def test_every_concern_is_explained(explained: concern.Concern) -> None:
    assert f"### {explained.name}\n\n{explained.means}\n\n" in (DOCS / "concerns.md").read_text()


def test_every_server_is_explained() -> None:
    text = (DOCS / "servers.md").read_text()
    for shipped in profile.load_servers(ROOT / "servers"):
        assert f"### {shipped.name}\n\n{shipped.summary}\n" in text


def test_every_column_is_explained(folder: Path) -> None:
    with open(folder / "summary.csv", newline="") as file:
        header = next(csv.reader(file))
    page = (DOCS / "results-format.md").read_text().partition("## summary.csv")[2]
    documented = set(re.findall(r"`(\w+)`", page))
    assert {re.sub(r"_round_\d+$", "_round_N", column) for column in header} <= documented


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) < README_LINES


# Commands ----------------------------------------------------------------------------------------


def code(text: str) -> Iterator[str]:
    """Yield what a page sets as code, a line each, without comments."""
    fences = re.compile(r"^```\w*\n(.*?)^```$", re.DOTALL | re.MULTILINE)
    for block in fences.findall(text):
        yield from (line.partition(" #")[0].strip() for line in block.splitlines())
    yield from re.findall(r"`([^`\n]+)`", fences.sub("", text))


def typed(path: Path, program: str) -> list[list[str]]:
    """Return the arguments of each call of a program that a page shows."""
    commands = []
    for line in code(path.read_text(encoding="utf-8")):
        words = shlex.split(line.replace("'", "") if line.count("'") % 2 else line)
        if words and words[0].removeprefix(".venv/bin/") == program:
            commands.append(words[1:])
    return commands


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_commands_exist(path: Path) -> None:
    for words in typed(path, "loadtest"):
        if not words or words[0].startswith("-"):
            continue
        assert words[0] in cli.commands, f"loadtest {' '.join(words)}"
        command = cli.commands[words[0]]
        assert isinstance(command, Deferred)
        options = {
            name
            for parameter in command.load().params
            if isinstance(parameter, click.Option)
            for name in (*parameter.opts, *parameter.secondary_opts)
        }
        given = {word.partition("=")[0] for word in words if word.startswith("-")}
        assert given <= options | {"--help"}, f"loadtest {' '.join(words)}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_make_targets_exist(path: Path) -> None:
    targets = re.findall(r"^([\w%.-]+):(?!=)", MAKEFILE, re.MULTILINE)
    servers = [server.name for server in profile.load_servers(ROOT / "servers")]
    known = {
        target.replace("%", name)
        for target in targets
        for name in (servers if "%" in target else [""])
    }
    for words in typed(path, "make"):
        for word in words:
            assert word in known or "=" in word, f"make {' '.join(words)}"


def test_every_target_of_make_says_what_it_is_for() -> None:
    phony = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert phony
    for target in " ".join(phony).split():
        assert re.search(rf"^{target}:.*## \w", MAKEFILE, re.MULTILINE), target


# Links and names ---------------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """Return what can be linked to in a page: what it names, and what GitHub makes of headings."""
    text = path.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return slugs | set(re.findall(r'<a id="([^"]+)">', text))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if re.match(r"\w+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def tracked() -> list[Path]:
    git = shutil.which("git")
    if git is None or not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    names = subprocess.run(
        [git, "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return [path for name in names.split("\0") if name and (path := ROOT / name).is_file()]


@pytest.mark.slow
def test_no_file_names_a_registry_or_a_folder_of_one_machine() -> None:
    # In two pieces, as this file is one of them.
    hosts = [
        "pypi." + "org",
        "pythonhosted" + ".org",
        "index" + "-url",
        "docker" + ".io",
        "ghcr" + ".io",
    ]
    folders = [rf"(?<![\w.~])/{name}/\w" for name in ("home", "root", "Users", "work")]
    pattern = re.compile("|".join([*map(re.escape, hosts), *folders]))
    problems = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        problems += [
            f"{path.relative_to(ROOT)}:{number}: {hit[0]}"
            for number, line in enumerate(text.splitlines(), 1)
            if (hit := pattern.search(line))
        ]
    assert problems == []
