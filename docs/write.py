"""Fills the generated parts of the README and the pages in `docs/`: `make docs`.

A page says where with `<!-- generated: NAME -->`; all outside of these parts is written by people.
"""

from __future__ import annotations

import ast
import csv
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import schema

from loadtest.judge.clients import concerns as clients_judge
from loadtest.judge.clients import summary as clients_summary
from loadtest.judge.servers import concerns, summary
from loadtest.plan.clients import presets
from loadtest.plan.servers import profile
from loadtest.records import run_folder
from loadtest.records.planned import Server
from loadtest.report.glossary import TERMS
from loadtest.report.markdown.markup import ticked
from loadtest.report.servers import charts, report
from loadtest.report.units import latency, significant

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SERVERS = ROOT / "servers"
KEPT = re.compile(r"run (?P<folder>[\w-]+)")
PART = re.compile(r"(<!-- generated: (?P<name>[\w -]+) -->\n).*?(<!-- /generated -->)", re.DOTALL)


def pages() -> dict[Path, str]:
    """Return what each page has to be."""
    paths = [ROOT / "README.md", *sorted(HERE.glob("*.md"))]
    return {path: fill(path.read_text(encoding="utf-8")) for path in paths}


def fill(text: str) -> str:
    """Return a page with its generated parts made anew."""
    return PART.sub(lambda part: f"{part[1]}\n{_part(part['name']).strip()}\n\n{part[3]}", text)


def _part(name: str) -> str:
    if kept := KEPT.fullmatch(name):
        return kept_run(kept["folder"])
    return PARTS[name]()


# A run that is kept ------------------------------------------------------------------------------


def kept_run(folder: str) -> str:
    """Return what a run decides, its figure, and how sure that is, in the words of its report.

    Of what comes next, as where requests wait, the answer alone.
    """
    path = ROOT / "results" / folder
    kept = report.make(run_folder.read(path, run_folder.SERVERS))
    decision, following, *_, sure = kept.paragraphs
    cost = kept.summary.decision.cost
    chart = charts.cost(cost) if cost else None
    assert chart is not None
    figure = f"results/{folder}/{chart.name}.svg"
    return "\n\n".join(
        [
            f"**{ticked(decision.lead)}**",
            f"![CPU cores for 1,000 requests/s on each server]({figure})",
            f"**{ticked(following.lead)}**",
            f"**{ticked(sure.lead)}** {ticked(sure.text)}"
            f" [The whole report](results/{folder}/report.md).",
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


# Concerns and servers ----------------------------------------------------------------------------


def concern_list() -> str:
    """Return the closed list of concerns."""
    return "\n".join(
        f"### {concern.name}\n\n{concern.means}\n\nWhat to do: {concern.advice}\n"
        for concern in concerns.CONCERNS
    )


def server_list() -> str:
    """Return all servers, with what they cannot do."""
    return "\n".join(line for server in profile.load_servers(SERVERS) for line in _server(server))


def _server(server: Server) -> Iterator[str]:
    yield f"### {server.name}\n\n{server.summary}\n"
    yield f"- Interface: {(server.interface or '').upper()}; at work at once: {server.in_flight}."
    settings = f"[`{server.name}.toml`](../servers/{server.name}.toml)"
    yield f"- Needs: {', '.join(server.requires)}. Settings: {settings}."
    yield from (f"- Not `{style}`: {reason}" for style, reason in server.unsupported.items())
    yield from (f"- {limit}" for limit in server.limits)
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def glossary() -> str:
    """Return the words that every report explains."""
    rows = (f"| **{term}** | {_cell(meaning)} |" for term, meaning in TERMS)
    return "\n".join(["| word | meaning |", "| --- | --- |", *rows])


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
    return ", ".join(
        dict.fromkeys(concern for row in rows for concern in row.get("concerns", "").split())
    )


def client_concerns() -> str:
    """Return the closed list of concerns about a client's number."""
    return "\n".join(
        f"- `{concern.name}`: {concern.means} {concern.advice}"
        for concern in clients_judge.CONCERNS
    )


PARTS: dict[str, Callable[[], str]] = {
    "history": history,
    "clients history": clients_history,
    "concerns": concern_list,
    "servers": server_list,
    "glossary": glossary,
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
