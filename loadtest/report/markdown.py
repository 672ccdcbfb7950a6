"""`report.md`: the page to read and to publish, with the generator's own output at its end."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from html import escape as escape_html
from pathlib import Path
from urllib.parse import quote

import jinja2

from loadtest.model import Load
from loadtest.ranking import Ranking
from loadtest.report import format as units
from loadtest.report.doubts import blanks, doubts, judged, where
from loadtest.report.noise import median_of, twins
from loadtest.report.table import (
    SUSPECT,
    Item,
    Report,
    Table,
    costs,
    counted,
    leaders,
    losses,
    noise,
    overview,
    ranked,
)
from loadtest.row import Round, Row

FILE = "report.md"
HEADINGS = {"cpu": "CPU", "outbound": "Outbound HTTP", "control": "Control: without Django"}
"""Of the kinds of work that are not their own heading."""


class Markdown(str):
    """Text that is Markdown already; the template escapes every other string."""

    __slots__ = ()


def files(report: Report) -> dict[str, str]:
    """Return the one file of this format."""
    return {FILE: render(report)}


def render(report: Report) -> str:
    """Return the page; its layout is `markdown.jinja`."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        finalize=lambda value: value if isinstance(value, Markdown) else escape(str(value)),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    summary, plan = report.summary, report.run.plan
    notes = _numbered(summary.rankings)
    page = environment.get_template("markdown.jinja").render(
        run=report.run,
        plan=plan,
        summary=summary,
        notes=notes,
        kinds=_kinds(summary.rankings),
        sections=[
            (server, _section(summary.rankings, server.name))
            for server in plan.servers
            if not server.again
        ],
        loads=_loads(summary.rankings),
        titles=_titles(summary.rankings),
        versions=[f"{name} {v}" for name, v in sorted(report.run.machine.versions.items())],
        counted=counted(summary.counts),
        median_of=median_of(report),
        leaders=table(leaders(summary)),
        losses=losses(summary.rankings),
        judged=judged(summary.counts),
        doubts=doubts(summary),
        where=lambda doubt: table(where(doubt.cases)),
        # Ours, with code spans as Markdown has them.
        advice=lambda doubt: Markdown(doubt.explained.advice),
        blanks=blanks(summary),
        suspect=SUSPECT,
        overview=lambda rankings: table(overview(rankings)),
        ranked=lambda ranking: _ranked(ranking, notes),
        costs=_costs,
        columns=_columns(summary.rankings),
        table=table,
        code=code,
        # Inside an HTML block Markdown's own escapes would be shown.
        html=lambda text: Markdown(escape_html(" ".join(text.split()))),
        fence=fence,
        link=lambda number, path: Markdown(f"[round {number}]({quote(path)})"),
        headings=HEADINGS,
        # Its code spans are ours.
        noise=Markdown(escape(noise(summary)).replace(r"\`", "`")),
        twins=table(twins(summary)),
        waiting=any(ranking.endpoint.contract.delay_s for ranking in summary.rankings),
        argv=lambda server: fence(
            shlex.join(report.run.argv.get(server.name, server.argv)), "bash"
        ),
        shown=_shown,
        raw=lambda path: _raw(report, path),
        units=units,
    )
    return re.sub(r"\n{3,}(?=#)", "\n\n", page)


def escape(text: str) -> str:
    """Return text on one line that Markdown shows as it is, in a table too."""
    line = " ".join(text.split())
    # An underscore inside a word is literal, and names are full of them.
    return re.sub(r"[\\`*\[\]<>|~&]|^[#+-](?=.)|(?<!\w)_|_(?!\w)", r"\\\g<0>", line)


def code(text: str) -> Markdown:
    """Return text as a code span, whatever backticks it holds."""
    line = " ".join(text.split())
    ticks = "`" * (_longest_run(line) + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return Markdown(f"{ticks}{pad}{line}{pad}{ticks}")


def fence(text: str, language: str = "") -> Markdown:
    """Return text as a code block, between fences longer than any run of backticks in it."""
    ticks = "`" * max(3, _longest_run(text) + 1)
    return Markdown(f"{ticks}{language}\n{text.strip(chr(10))}\n{ticks}")


def table(table: Table[Item], suffix: dict[int, str] | None = None) -> Markdown:
    """Return a table; `suffix` adds Markdown to the name in a row."""
    lines = [
        _line(escape(column.title) for column in table.columns),
        _line("---:" if column.style == "number" else "---" for column in table.columns),
    ]
    for number, row in enumerate(table.texts()):
        cells = []
        for column, text in zip(table.columns, row, strict=True):
            if column.style == "name" and text != units.UNKNOWN:
                # In a table a bar ends the cell, even inside a code span.
                cell = code(text).replace("|", "\\|") + (suffix or {}).get(number, "")
            else:
                cell = escape(text)
            cells.append(cell)
        lines.append(_line(cells))
    return Markdown("\n".join(lines))


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


def _ranked(ranking: Ranking, notes: dict[str, int]) -> Markdown:
    measured = ranked(ranking)
    if not measured.items:
        return Markdown("No server has a number here.")
    suffix = {
        at: "".join(f" [{notes[note]}](#notes)" for note in row.notes if note in notes)
        for at, row in enumerate(measured.items)
    }
    return table(measured, suffix)


def _costs(ranking: Ranking) -> Markdown | None:
    took = costs(ranking)
    return table(took) if len(took.columns) > 1 else None


def _columns(rankings: Sequence[Ranking]) -> set[str]:
    """Return the titles of the columns that any table of figures has: no other is explained."""
    return {
        column.title
        for ranking in rankings
        for table in (ranked(ranking), costs(ranking))
        for column in table.columns
        if table.items
    }


def _numbered(rankings: Sequence[Ranking]) -> dict[str, int]:
    """Return the numbers of the servers' notes; an endpoint's own stands under its heading."""
    notes = dict.fromkeys(
        note
        for ranking in rankings
        for row in ranking.rows
        for note in row.notes
        if note != ranking.endpoint.note
    )
    return {note: number for number, note in enumerate(notes, start=1)}


def _kinds(rankings: Sequence[Ranking]) -> dict[str, list[Ranking]]:
    """Return the rankings by kind of work, the styles of an endpoint one after the other."""
    kinds: dict[str, list[Ranking]] = {}
    for ranking in rankings:
        kinds.setdefault(ranking.endpoint.kind, []).append(ranking)
    for group in kinds.values():
        names = list(dict.fromkeys(ranking.endpoint.name for ranking in group))
        group.sort(key=lambda ranking: names.index(ranking.endpoint.name))
    return kinds


def _section(rankings: Sequence[Ranking], server: str) -> dict[str, list[tuple[Ranking, Row]]]:
    """Return the rows of one server by the endpoint's name."""
    section: dict[str, list[tuple[Ranking, Row]]] = {}
    for ranking in rankings:
        for row in ranking.rows:
            if row.server == server:
                section.setdefault(ranking.endpoint.name, []).append((ranking, row))
    return section


def _titles(rankings: Sequence[Ranking]) -> dict[str, str]:
    """Return each endpoint's heading by its name; a title that two of them share gets the name."""
    titles = {ranking.endpoint.name: ranking.endpoint.title for ranking in reversed(rankings)}
    shared = Counter(titles.values())
    return {
        name: f"{title} ({name})" if shared[title] > 1 else title for name, title in titles.items()
    }


def _loads(rankings: Sequence[Ranking]) -> dict[Load, list[str]]:
    loads: dict[Load, list[str]] = {}
    for ranking in rankings:
        loads.setdefault(ranking.load, []).append(ranking.endpoint.id)
    return loads


def _shown(row: Row) -> Round | None:
    """Return the round to show unfolded: the median one."""
    rounds = [r for r in row.rounds if r.goodput is not None and r.raw]
    rounds.sort(key=lambda r: r.goodput or 0)
    return rounds[(len(rounds) - 1) // 2] if rounds else None


def _raw(report: Report, path: str) -> Markdown:
    try:
        return fence(report.read_raw(path), "bash")
    except OSError:
        return Markdown(f"Not in this folder: {code(path)}.")
