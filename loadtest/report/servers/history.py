"""Several runs over time, as a page: what the last step changed, then every server's line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from loadtest.judge.servers.compare import Answer, Lost
from loadtest.judge.servers.cost import ALL
from loadtest.judge.servers.history import History, Line, Point, Step
from loadtest.report import units
from loadtest.report.charts.chart import Chart
from loadtest.report.html.anchors import anchors
from loadtest.report.html.page import document
from loadtest.report.markdown import page as markdown
from loadtest.report.page import BOTH, Block, Charts, Listed, Page, Section, Shown, View
from loadtest.report.servers.charts import Course, timeline
from loadtest.report.servers.comparison import ORDER, say
from loadtest.report.servers.page import DRAWN, few_drawn
from loadtest.report.table import SUSPECT, Column, Table, name, number, prose

Figure = Literal["cpu", "goodput"]
Outcome = Answer | Literal["lost"]
WORST: tuple[Outcome, ...] = ("lost", "worse", "better")
TITLES: dict[Figure, str] = {"cpu": "CPU per request", "goodput": "requests/s"}
AXES: dict[Figure, str] = {"goodput": "requests/s", "cpu": "CPU time per request (µs)"}

ALWAYS = ("Django", "python")
"""Versions that every server depends on; of the others, those it is made of."""

NAMED = 3
"""Versions that a run's place on the axis has room for."""


def files(history: History) -> dict[str, str]:
    """Return the page in each format, and the charts beside it, by their names."""
    built = page(history)
    return {"history.html": document(built), **markdown.files("history.md", built)}


def page(history: History) -> Page:
    """Return the page of a history."""
    first, last = history.made[0][:10], history.made[-1][:10]
    endpoints = by_endpoint(history)
    ids = anchors("endpoint", endpoints)
    changes, places = changed(history), below(history)
    nothing = "No figure got clearly worse or better in any step, and no number was lost."
    return Page(
        title=f"{units.plural(len(history.runs), 'run')}, {first} to {last}",
        lead=[headline(history)],
        answer=[
            Shown(steps_table(history.steps), "From run to run"),
            Listed(list(zip(history.runs, history.made, strict=True))),
        ],
        sections=[
            Section(
                "Each server from run to run",
                [
                    "Beside each number stands how it compares with the run before.",
                    *([few_drawn(len(endpoints))] if len(endpoints) > DRAWN else []),
                    *(
                        _endpoint(history, endpoint, lines, ids[endpoint], at, places)
                        for at, (endpoint, lines) in enumerate(endpoints.items())
                    ),
                ],
                id="lines",
                choices=list(TITLES.items()),
            ),
            Section(
                "What got worse or better, or was lost",
                [_step(run, changes[run], opened=run == next(iter(changes))) for run in changes]
                or [nothing],
                id="changed",
            ),
        ],
    )


def _endpoint(
    history: History,
    endpoint: str,
    lines: Sequence[Line],
    id_: str,
    at: int,
    places: Sequence[str],
) -> Section:
    """Return the lines of the endpoint `at` that number, drawn over these `places` on an axis."""
    views: list[View] = []
    for figure, title in TITLES.items():
        label = f"{title} at {endpoint} from run to run"
        blocks: list[Block] = []
        if at < DRAWN and (drawn := chart(history, endpoint, lines, figure, places)):
            blocks.append(Charts([drawn]))
        blocks.append(Shown(lines_table(history, lines, figure), label))
        views.append(View(figure, title, blocks, first=not views))
    answers = Counter(answer(line.points[-1], figure) for line in lines for figure in TITLES)
    gist = [units.plural(len(lines), "server")]
    gist += [f"{answers[each]} {each}" for each in WORST if each != "lost" and answers[each]]
    over, _, rate = endpoint.partition("@")
    title = endpoint
    if over == ALL:
        title = "All endpoints together" + (f", at {rate} requests/s" if rate else "")
    return Section(title, views, id=id_, gist=", ".join(gist), folded=("html",), opened=not at)


def _step(run: str, moved: Sequence[Changed], *, opened: bool) -> Section:
    counts = Counter(change.answer for change in moved)
    gist = ", ".join(f"{counts[each]} {each}" for each in WORST if counts[each])
    table = Shown(changed_table(moved), f"What got worse or better in {run}")
    return Section(run, [table], gist=gist, folded=BOTH, opened=opened)


def headline(history: History) -> str:
    """Return what the last step showed, in a few sentences."""
    if not history.steps:
        return "One run has no history yet: make another."
    last = history.steps[-1]
    if last.refused:
        return f"The last run cannot be compared with the one before: {last.refused}."
    packages = history.versions[-1].keys() | history.versions[-2].keys()
    changes = changed(history).get(last.new, ())
    lost = Counter(each.why for each in _lost(last))
    return say(
        "step",
        counts=[f"{count} {answer}" for answer in ORDER if (count := last.counts.get(answer, 0))],
        costs=[change for change in last.costs if change.answer in ("worse", "better")],
        versions=[
            f"{each.key} {each.base} → {each.new}"
            for each in last.differences
            if each.key in packages
        ],
        worse=[
            f"{change.line.server} at {change.line.endpoint} ({TITLES[change.figure]})"
            for change in changes
            if change.answer == "worse" and change.line.endpoint.partition("@")[0] != ALL
        ],
        failed=lost["failed"],
        not_held=lost["not held"],
        cpu=any(change.figure == "cpu" for change in changes),
    )


def steps_table(steps: Sequence[Step]) -> Table[Step]:
    """Return the steps with what changed in the environment and in the figures."""

    def count(answer: Answer) -> Column[Step]:
        return number(
            answer, lambda step: None if step.refused else step.counts.get(answer, 0), str
        )

    columns: tuple[Column[Step], ...] = (
        name("new", "run", lambda step: step.new),
        prose("base", "against", lambda step: step.base),
        prose("differences", "what differs", _differences),
        *(count(answer) for answer in ORDER),
        number("lost", lambda step: None if step.refused else len(_lost(step)), str),
        prose("refused", "not compared, as", lambda step: step.refused),
    )
    return Table(columns, steps).filled(*columns[:3])


@dataclass(frozen=True)
class Changed:
    """One figure that a step made better or worse, or a number that it lost.

    So is one that is not of its rate any more, as the server no longer holds that.
    """

    line: Line
    figure: Figure
    before: Point
    after: Point
    answer: Outcome
    reason: str | None = None
    """Why it was lost."""


def changed(history: History) -> dict[str, list[Changed]]:
    """Return what got worse or better or was lost in each run, the last first, the worst first."""
    by_run: dict[str, list[Changed]] = {}
    for at in range(len(history.steps), 0, -1):
        if not history.steps[at - 1].refused:
            lost = {(each.server, each.endpoint): each for each in _lost(history.steps[at - 1])}
            changes = [change for line in history.lines for change in _of_step(line, at, lost)]
            if changes:
                changes.sort(key=lambda change: WORST.index(change.answer))
                by_run[history.runs[at]] = changes
    return by_run


def _lost(step: Step) -> list[Lost]:
    """Return the cells that have no number any more, or no longer hold their rate."""
    return [lost for lost in step.lost if lost.regressed]


def _of_step(line: Line, at: int, lost: Mapping[tuple[str, str], Lost]) -> Iterator[Changed]:
    before, after = line.points[at - 1], line.points[at]
    # A line of a search has its goal after its endpoint.
    words = line.endpoint.split(" ")
    places = (" ".join(words[:end]) for end in range(1, len(words) + 1))
    if each := next(filter(None, (lost.get((line.server, place)) for place in places)), None):
        yield Changed(line, "goodput", before, after, "lost", each.reason)
    figures: tuple[tuple[Figure, Answer | None], ...] = (
        ("goodput", after.answer),
        ("cpu", after.cpu_answer),
    )
    for figure, answer in figures:
        if answer in ("worse", "better"):
            yield Changed(line, figure, before, after, answer)


def changed_table(all_: Sequence[Changed]) -> Table[Changed]:
    """Return what got better or worse, with both numbers."""

    def side(title: str, point: Callable[[Changed], Point]) -> Column[Changed]:
        return Column(
            title,
            title,
            lambda change: value(point(change), change.figure),
            lambda change: shown(point(change), change.figure),
        )

    columns: tuple[Column[Changed], ...] = (
        prose("answer", "", lambda change: change.answer),
        name("server", "server", lambda change: change.line.server),
        prose("endpoint", "endpoint", lambda change: change.line.endpoint),
        prose("figure", "figure", lambda change: TITLES[change.figure]),
        side("before", lambda change: change.before),
        side("after", lambda change: change.after),
        prose("reason", "why", lambda change: change.reason),
    )
    return Table(columns, all_).filled(*columns[:-1])


def lines_table(history: History, lines: Sequence[Line], figure: Figure) -> Table[Line]:
    """Return a figure of each server in every run, with how each step changed it: `800 worse`."""

    def column(at: int, run: str) -> Column[Line]:
        return Column(
            f"run_{at + 1}",
            run,
            lambda line: value(line.points[at], figure),
            lambda line: " ".join(
                filter(None, (shown(line.points[at], figure), answer(line.points[at], figure)))
            ),
            hint=lambda line: line.points[at].reason,
        )

    columns: tuple[Column[Line], ...] = (
        name("server", "server", lambda line: line.server),
        prose("interface", "interface", lambda line: line.interface),
        *(column(at, run) for at, run in enumerate(history.runs)),
    )
    return Table(columns, lines)


def value(point: Point, figure: Figure) -> float | None:
    """Return a figure of one run; None where it has no number that may be shown."""
    return point.goodput if figure == "goodput" else point.server_cpu_us


def answer(point: Point, figure: Figure) -> Answer | None:
    """Return what is found of a figure against the run before."""
    return point.answer if figure == "goodput" else point.cpu_answer


def shown(point: Point, figure: Figure) -> str:
    """Return a figure as people read it, or what became of it: `12,300?`, `failed`."""
    if point.goodput is None:
        return units.UNKNOWN if point.state == "absent" else point.state
    if figure == "cpu":
        return units.latency(point.server_cpu_us)
    return units.significant(point.goodput) + (SUSPECT if point.state == "suspect" else "")


def by_endpoint(history: History) -> dict[str, list[Line]]:
    """Return the lines of each endpoint, the highest of the last run first."""
    by_name: dict[str, list[Line]] = {}
    for line in history.lines:
        by_name.setdefault(line.endpoint, []).append(line)
    for lines in by_name.values():
        lines.sort(key=lambda line: -(line.points[-1].goodput or 0.0))
    return by_name


def _differences(step: Step) -> str:
    changes = [f"{each.key}: {each.base} → {each.new}" for each in step.differences]
    return "; ".join(changes) or "nothing that was recorded"


def chart(
    history: History, endpoint: str, lines: Sequence[Line], figure: Figure, places: Sequence[str]
) -> Chart | None:
    """Return the lines of an endpoint as a chart over `places`; None where none has a number."""
    courses = [
        Course(
            server=line.server,
            interface=line.interface,
            values=[value(point, figure) for point in line.points],
            answers=[answer(point, figure) for point in line.points],
            versions=[
                ", ".join(
                    _version(package, versions[package])
                    for package in (*ALWAYS, *line.packages)
                    if package in versions
                )
                for versions in history.versions
            ],
        )
        for line in lines
    ]
    return timeline(f"{figure}-{endpoint}", TITLES[figure], AXES[figure], places, courses)


def below(history: History) -> list[str]:
    """Return what stands below each run: its day, its time, and the versions that moved."""
    names = sorted({key for versions in history.versions for key in versions})
    moved = [
        key
        for key in sorted(names, key=lambda key: key not in ALWAYS)
        if len({versions.get(key) for versions in history.versions}) > 1
    ]
    texts: list[str] = []
    for at, versions in zip(history.made, history.versions, strict=True):
        lines = [at[:10], at[11:16]]
        lines += [_version(key, versions.get(key, "none")) for key in moved[:NAMED]]
        texts.append(" | ".join(lines))
    return texts


def _version(name: str, version: str) -> str:
    # Python's says itself what it is of: `CPython 3.13.1`.
    return version if name == "python" else f"{name} {version}"
