"""Fills the generated parts of the README and the pages in `docs/`: `make docs`.

A page says where with `<!-- generated: NAME -->`; all outside of these parts is written by people.
"""

from __future__ import annotations

import ast
import csv
import inspect
import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import schema

from loadtest.judge.clients import concerns as clients_judge
from loadtest.judge.clients import summary as clients_summary
from loadtest.judge.servers import concerns, summary
from loadtest.plan.clients import presets
from loadtest.plan.servers import profile
from loadtest.records import run_folder
from loadtest.records.planned import Server
from loadtest.report.units import latency, significant

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SERVERS = ROOT / "servers"
KEPT = re.compile(r"run (?P<folder>[\w-]+)")
PART = re.compile(r"(<!-- generated: (?P<name>[\w -]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)
UNITS = {"_s": "s", "_us": "us", "_bytes": "bytes", "_at": "s"}
"""What a name ends with; a goodput is answers a second, and a share is between 0 and 1."""


def pages() -> dict[Path, str]:
    """Return what each page has to be."""
    paths = [ROOT / "README.md", *sorted(HERE.glob("*.md"))]
    return {path: fill(path.read_text(encoding="utf-8")) for path in paths}


def fill(text: str) -> str:
    """Return a page with its generated parts made anew."""
    return PART.sub(lambda part: f"{part[1]}\n{_made(part['name']).strip()}\n\n{part[3]}", text)


def _made(name: str) -> str:
    if kept := KEPT.fullmatch(name):
        return kept_run(kept["folder"])
    return PARTS[name]()


# A run that is kept ------------------------------------------------------------------------------


def kept_run(folder: str) -> str:
    """Return the first chart of a run, what became of its cells, and its answer."""
    page = f"results/{folder}/report.md"
    text = (ROOT / page).read_text(encoding="utf-8")
    title, counts, *_ = text.split("\n\n")
    answer = text.partition("\n## The answer\n\n")[2].partition("\n\n")[0]
    (chart,) = re.findall(r"^!\[.*\]\(matrix-.*\)$", text, re.MULTILINE)
    noise = text.partition("\n## What to distrust\n\n")[2].partition("\n\n")[0]
    return "\n\n".join(
        [
            f"[{chart.replace('](', f'](results/{folder}/')}]({page})",
            f"{title.removeprefix('# ')}. {counts} [The whole report]({page}), of which"
            f" `make report ARGS=results/{folder}` makes a page, says:",
            answer.replace("](#", f"]({page}#"),
            noise,
        ]
    )


# The results format ------------------------------------------------------------------------------


def history() -> str:
    """Return the versions of the formats with what each of them changed."""
    return _history("`run.json`, `outcomes.jsonl`, `raw/`", run_folder, summary)


def clients_history() -> str:
    """Return the same of a clients' run."""
    return _history("`clients.json`, `outcomes.jsonl`", run_folder, clients_summary)


def _history(files: str, facts: ModuleType, computed: ModuleType) -> str:
    return "\n".join(
        f"- {what}: now {module.FORMAT}. {_below_format(module)}"
        for what, module in ((f"the facts ({files})", facts), ("`summary.json`", computed))
    )


def _below_format(module: ModuleType) -> str:
    body = ast.parse(inspect.getsource(module)).body
    at = next(
        number
        for number, node in enumerate(body)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "FORMAT"
    )
    below = body[at + 1]
    assert isinstance(below, ast.Expr)
    return " ".join(str(ast.literal_eval(below.value)).split())


def records(name: str) -> str:
    """Return a table for each record of a file that no file before it on its page has."""
    family = next(one for one in schema.FAMILIES if name in {file.name for file in one})
    known: set[type] = set()
    for file in itertools.takewhile(lambda file: file.name != name, family):
        known |= set(schema.records(file.holds))
    file = next(file for file in family if file.name == name)
    definitions = schema.schema(file)["$defs"]
    own = [one for one in schema.records(file.holds) if one not in known]
    return "\n".join(line for one in own for line in _record(definitions[one.__name__]))


def _record(definition: dict[str, Any]) -> Iterator[str]:
    yield f"### {definition['title']}\n\n{definition['description']}\n"
    yield "| field | type | meaning |\n| --- | --- | --- |"
    for field, described in definition["properties"].items():
        if field == "kind" and "enum" in described and len(described["enum"]) == 1:
            yield f"| `kind` | {_type(field, described)} | Tells the kinds of lines apart. |"
            continue
        yield (
            f"| `{field}` | {_type(field, described)} | {_cell(described.get('description', ''))} |"
        )
    yield ""


def _type(field: str, described: dict[str, Any]) -> str:
    match described:
        case {"$ref": str(where)}:
            name = where.rpartition("/")[2]
            return f"[{name}](#{name.lower()})"
        case {"anyOf": [*others]}:
            return " or ".join(_type(field, one) for one in others)
        case {"enum": [*values]}:
            return ", ".join(f"`{value}`" for value in values)
        case {"type": "array", "items": items}:
            return f"list of {_type(field, items)}"
        case {"type": "object", "additionalProperties": {} as values}:
            return f"map to {_type(field, values)}"
        case {"type": "integer" | "number" as plain}:
            unit = next((unit for end, unit in UNITS.items() if field.endswith(end)), None)
            return f"{plain}, {unit}" if unit else plain
    return str(described["type"])


# Concerns and servers ----------------------------------------------------------------------------


def concern_list() -> str:
    """Return the closed list of concerns."""
    return "\n".join(
        f"### {one.name}\n\n{one.means}\n\nWhat to do: {one.advice}\n" for one in concerns.CONCERNS
    )


def server_list() -> str:
    """Return all servers, with what they cannot do."""
    return "\n".join(line for one in profile.load_servers(SERVERS) for line in _server(one))


def _server(one: Server) -> Iterator[str]:
    yield f"### {one.name}\n\n{one.summary}\n"
    yield f"- Interface: {(one.interface or '').upper()}; at work at once: {one.in_flight}."
    settings = f"[`{one.name}.toml`](../servers/{one.name}.toml)"
    yield f"- Needs: {', '.join(one.requires)}. Settings: {settings}."
    yield from (f"- Not `{style}`: {reason}" for style, reason in one.unsupported.items())
    yield from (f"- {limit}" for limit in one.limits)
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# HTTP clients ------------------------------------------------------------------------------------


def client_table(name: str) -> str:
    """Return the rows of a preset as its newest published run has them, cold beside warm."""
    path = HERE / "clients" / f"{name}.csv"
    if not path.exists():
        return f"No run of it is published yet: `loadtest clients {name}`."
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    groups: dict[str, dict[str, dict[str, dict[str, str]]]] = {}
    for row in rows:
        of = groups.setdefault(row["group"], {}).setdefault(row["row"], {})
        of[row["measure"]] = row
    titles = {table.name: table.title for table in presets.read(name).group}
    return "\n".join(
        line
        for group, of in groups.items()
        for line in (f"{titles[group]}:\n" * (len(groups) > 1), *_client_rows(of))
    )


def _client_rows(group: dict[str, dict[str, dict[str, str]]]) -> Iterator[str]:
    yield (
        "| row | process, mean ± deviation | start-up and imports | relative (95 %) | a call"
        " | relative (95 %) | CPU a call | doubts |"
    )
    yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
    for label, measured in group.items():
        cold, warm = measured.get("cold", {}), measured.get("warm", {})
        begun = [cold.get(key) for key in ("start_s", "import_s")]
        cells = [
            f"`{label}`",
            _ms(cold.get("mean_s")) + (f" ± {_ms(cold['stdev_s'])}" if cold.get("stdev_s") else ""),
            _ms(str(sum(map(float, begun)))) if all(begun) else "-",  # type: ignore[arg-type]
            _relative(cold),
            latency(float(warm["call_us"])) if warm.get("call_us") else "-",
            _relative(warm),
            latency(float(warm["cpu_us"])) if warm.get("cpu_us") else "-",
            _doubts(cold, warm),
        ]
        yield f"| {' | '.join(cells)} |"
    yield ""


def _ms(seconds: str | None) -> str:
    return latency(float(seconds) * 1e6) if seconds else "-"


def _relative(row: dict[str, str]) -> str:
    if not row.get("ratio"):
        return "1" if row.get("rank") else row.get("status", "-").replace("measured", "invalid")
    text = significant(float(row["ratio"]))
    if not row["ratio_low"]:
        return text
    return f"{text} ({' to '.join(significant(float(row[f'ratio_{end}'])) for end in ENDS)})"


ENDS = ("low", "high")


def _doubts(*rows: dict[str, str]) -> str:
    return ", ".join(dict.fromkeys(one for row in rows for one in row.get("concerns", "").split()))


def client_concerns() -> str:
    """Return the closed list of concerns about a client's number."""
    return "\n".join(f"- `{one.name}`: {one.means} {one.advice}" for one in clients_judge.CONCERNS)


PARTS: dict[str, Callable[[], str]] = {
    "history": history,
    "clients history": clients_history,
    **{f"records {file.name}": lambda name=file.name: records(name) for file in schema.FILES},  # type: ignore[misc]
    "concerns": concern_list,
    "servers": server_list,
    "client concerns": client_concerns,
    **{f"clients {name}": lambda name=name: client_table(name) for name in presets.names()},  # type: ignore[misc]
}


def main() -> None:
    """Write the pages and the schemas."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
    schema.main(HERE / "schemas")


if __name__ == "__main__":
    main()
