"""Several runs over time: each server's line from run to run, and what each step changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from loadtest.judge.servers.compare import Answer, Change, Comparisons, Figure, Lost, over_all
from loadtest.judge.servers.conditions import Difference
from loadtest.judge.servers.cost import CORES
from loadtest.judge.servers.decision import Place
from loadtest.judge.servers.rows import Row, State, state
from loadtest.judge.servers.summary import Summary
from loadtest.records.measured import Run
from loadtest.records.planned import Interface, Record

FORMAT = 4
"""Of what `report --history --json` prints. 1: the first; 2: versions of every run, what became of
a cell without a number, and the cells that a step lost or gained; 3: what servers cost, and `lost`
as `compare` has it; 4: lines of what is sent at a rate, and of the highest rate within a goal."""

Answers = Mapping[tuple[str, str, Figure], Answer]
"""By server, endpoint (with its rate, or what `over_all` says) and figure."""


class Step(Record, frozen=True, kw_only=True):
    """From one run to the next."""

    base: str
    new: str
    differences: tuple[Difference, ...]
    """What differs between the two environments, such as versions."""
    refused: str | None
    """Why the two are not comparable; nothing is said of their numbers then."""
    costs: tuple[Change, ...]
    """What each server costs, over all endpoints."""
    counts: dict[Answer, int]
    """Of all figures of all cells that both have."""
    lost: tuple[Lost, ...]
    """Cells with a number in one of the two only."""


class Point(Record, frozen=True, kw_only=True):
    """One server at one endpoint in one run."""

    goodput: float | None
    """None where the run has no number that may be shown."""
    server_cpu_us: float | None
    answer: Answer | None
    """Of goodput against the run before; None for the first, or where that cannot be asked. Of a
    search: of the highest rate within the goal."""
    cpu_answer: Answer | None
    """Likewise, of the server's CPU time for an answer: at even speed of the processors where that
    holds, while `server_cpu_us` is as it was measured; see `cpu_drift`."""
    state: State
    """What the number is worth, or why there is none."""
    reason: str | None
    """Of a cell that failed, is invalid or was skipped."""


class Line(Record, frozen=True, kw_only=True):
    """One server at one endpoint through all runs."""

    endpoint: str
    """With its style, and its rate or its goal: `json-sync`, `json-sync@200`, `json-sync p99=50ms`.
    `all`, or `all@200`: the geometric mean over those that count for a cost, of runs in which they
    are the newest run's."""
    server: str
    interface: Interface | None
    packages: tuple[str, ...]
    """That it is made of; `History.versions` has their versions."""
    points: tuple[Point, ...]
    """One a run."""


class History(Record, frozen=True, kw_only=True):
    """All that a history shows."""

    format: int
    runs: tuple[str, ...]
    """Names of the folders, the oldest first."""
    made: tuple[str, ...]
    """When each of them was made."""
    versions: tuple[dict[str, str], ...]
    """Of Python, Django and all else that each of them used, by name."""
    steps: tuple[Step, ...]
    """One fewer than there are runs."""
    lines: tuple[Line, ...]


class Made(Record, frozen=True, kw_only=True):
    """One run, judged."""

    name: str
    run: Run
    summary: Summary


class Between(Record, frozen=True, kw_only=True):
    """What is known of two runs that follow one another."""

    differences: tuple[Difference, ...]
    compared: Comparisons | None
    """None where they are not comparable."""
    refused: str | None
    """Why not."""


def history(runs: Sequence[Made], between: Sequence[Between]) -> History:
    """Return the lines of all servers through `runs`, oldest first, with what each step showed."""
    steps = [
        Step(
            base=base.name,
            new=new.name,
            differences=step.differences,
            refused=step.refused,
            costs=step.compared.costs if step.compared else (),
            counts=_counts(step.compared),
            lost=step.compared.lost if step.compared else (),
        )
        for base, new, step in zip(runs, runs[1:], between, strict=False)
    ]
    answers = [_answers(None), *(_answers(step.compared) for step in between)]
    lines: dict[tuple[str, str], list[Point]] = {}
    interfaces: dict[str, Interface | None] = {}
    packages = {server.name: server.requires for run in runs for server in run.run.plan.servers}
    for at, run in enumerate(runs):
        for endpoint, server, interface, point in _points(run, runs[-1], answers[at]):
            interfaces[server] = interface
            line = lines.setdefault((endpoint, server), [])
            line += [NOWHERE] * (at - len(line))
            line.append(point)
    return History(
        format=FORMAT,
        runs=tuple(run.name for run in runs),
        made=tuple(run.run.created_at for run in runs),
        versions=tuple(dict(run.run.machine.versions) for run in runs),
        steps=tuple(steps),
        lines=tuple(
            Line(
                endpoint=endpoint,
                server=server,
                interface=interfaces[server],
                packages=packages[server],
                points=(*points, *[NOWHERE] * (len(runs) - len(points))),
            )
            for (endpoint, server), points in lines.items()
        ),
    )


NOWHERE = Point(
    goodput=None, server_cpu_us=None, answer=None, cpu_answer=None, state="absent", reason=None
)
"""In a run without that cell."""


def _points(
    run: Made, newest: Made, answers: Answers
) -> Iterator[tuple[str, str, Interface | None, Point]]:
    """Yield endpoint, server, interface and point; first those over all endpoints that count.

    A mean over other endpoints than in the newest run would be another line.
    """
    last = newest.summary.decision.overall
    for rate, cost in run.summary.decision.overall.items():
        if rate in last and set(cost.endpoints) == set(last[rate].endpoints):
            for place in cost.places:
                if place.cores is not None:
                    at = over_all(rate)
                    yield at, place.server, place.interface, _mean(place, at, answers)
    for ranking in run.summary.rankings:
        goal = ranking.load.within
        # Under a goal requests/s are something else than in a closed loop.
        line = " ".join((ranking.at, *(goal.typed if goal else ())))
        for row in ranking.rows:
            yield line, row.server, row.interface, _point(row, ranking.at, answers)


def _mean(place: Place, at: str, answers: Answers) -> Point:
    return Point(
        goodput=place.goodput,
        server_cpu_us=place.cores and place.cores * CORES,
        answer=None,
        cpu_answer=answers.get((place.server, at, "cost")),
        state="suspect" if place.suspect else "valid",
        reason=None,
    )


def _point(row: Row, at: str, answers: Answers) -> Point:
    return Point(
        goodput=row.reportable.goodput if row.reportable else None,
        server_cpu_us=row.reportable.server_cpu_us if row.reportable else None,
        answer=answers.get((row.server, at, "reaches" if row.search else "goodput")),
        cpu_answer=answers.get((row.server, at, "server_cpu_us")),
        state=state(row),
        reason=None if row.reportable else row.why_invalid or row.reason,
    )


def _counts(compared: Comparisons | None) -> dict[Answer, int]:
    return dict(Counter(change.answer for change in compared.of_cells)) if compared else {}


def _answers(compared: Comparisons | None) -> Answers:
    of = compared.changes if compared else ()
    return {(change.server, change.endpoint, change.figure): change.answer for change in of}
