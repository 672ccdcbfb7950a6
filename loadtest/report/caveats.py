"""What stands between the numbers of a run and a reader's trust, gathered for every format."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from loadtest.judge.concern import Explained, Raised
from loadtest.judge.summary import Counts
from loadtest.report.columns import K, R, Subject
from loadtest.report.page import BOTH, Block, Bullets, Code, Listed, Section, Shown
from loadtest.report.sentences import capital
from loadtest.report.table import Column, Table, name, number, prose
from loadtest.report.units import plural


@dataclass(frozen=True)
class Case(Generic[R]):
    """One row in which a concern was raised, and in which ranking it stands."""

    place: str
    row: R
    raised: Raised


@dataclass(frozen=True)
class Doubt(Generic[R]):
    """A concern that was raised, and where."""

    explained: Explained
    cases: tuple[Case[R], ...]
    """The invalid first, then in the order of the rankings."""

    @property
    def counted(self) -> str:
        """How many rows it made what, as in `1 invalid, 2 suspect`."""
        severities = [case.raised.severity for case in self.cases]
        counts = [(severities.count(severity), severity) for severity in ("invalid", "suspect")]
        return ", ".join(f"{count} {severity}" for count, severity in counts if count)


@dataclass(frozen=True)
class Blank:
    """A check that could not run, and for how many of the rows with a number."""

    concern: str
    means: str
    rows: int
    of: int


@dataclass(frozen=True)
class Where(Generic[R]):
    """The rows of one name, such as a server, in which a concern was raised."""

    name: str
    cases: Sequence[Case[R]]

    @property
    def text(self) -> str:
        """Each place with its facts."""
        return "; ".join(f"{case.place}: {case.raised.facts}" for case in self.cases)


@dataclass(frozen=True)
class Loss:
    """What has the same reason for missing or losing rounds."""

    what: str
    stage: str | None
    reason: str
    detail: str | None
    """More of the reason, such as the end of a log; of the first row that has it."""
    rows: tuple[str, ...]
    """Whose, as in `uwsgi, waitress: httpx-async, aiohttp-async`."""

    @property
    def at(self) -> str:
        """What became of it, and where: `failed at warm-up`."""
        return self.what + (f" at {self.stage}" if self.stage else "")


@dataclass(frozen=True)
class Caveats(Generic[K, R]):
    """The concerns of a run, the checks that could not run, and what has no number."""

    subject: Subject[K, R]
    rows: Sequence[tuple[K, R]]
    """All of the run, each with its ranking."""
    concerns: Sequence[Explained]
    """All that are looked for."""
    counts: Counts
    noise: str
    """What a difference has to exceed to count; code in backticks."""

    @property
    def counted(self) -> str:
        """How many rows have a number, and how many do not."""
        counts = self.counts
        text = f"{plural(counts.measured, self.subject.noun)} measured"
        if counts.measured_with_failed_rounds:
            text += f" ({counts.measured_with_failed_rounds} of them not in every round)"
        return f"{text}, {counts.failed} failed, {counts.skipped} skipped"

    @property
    def judged(self) -> str:
        """How many numbers can be taken as they stand: `8 valid, 2 suspect, 1 invalid`."""
        counts = self.counts
        return f"{counts.valid} valid, {counts.suspect} suspect, {counts.invalid} invalid"

    @property
    def doubts(self) -> list[Doubt[R]]:
        """The concerns that were raised, those that made most rows invalid first."""
        cases: dict[str, list[Case[R]]] = {}
        for ranking, row in self.rows:
            for raised in row.concerns:
                case = Case(self.subject.ranking(ranking, row), row, raised)
                cases.setdefault(raised.concern, []).append(case)
        return sorted(
            (
                Doubt(each, tuple(sorted(cases[each.concern], key=_valid)))
                for each in self.concerns
                if each.concern in cases
            ),
            key=lambda doubt: -sum(not _valid(case) for case in doubt.cases),
        )

    @property
    def blanks(self) -> list[Blank]:
        """The checks that could not run: where that is so, a missing concern says nothing."""
        measured = [row for _, row in self.rows if row.rounds_measured]
        return [
            Blank(each.concern, each.means, count, len(measured))
            for each in self.concerns
            if (count := sum(each.concern in row.unchecked for row in measured))
        ]

    @property
    def losses(self) -> list[Loss]:
        """What failed or was skipped."""
        return _losses(self.rows, self.subject)

    def where(self, doubt: Doubt[R]) -> Table[Where[R]]:
        """Return the rows that a concern is about, with the facts; a line for each name."""
        subject = self.subject
        groups: dict[str, list[Case[R]]] = {}
        for case in doubt.cases:
            groups.setdefault(subject.name.text(case.row), []).append(case)
        lines = [Where(label, cases) for label, cases in groups.items()]
        lines.sort(key=lambda line: -len(line.cases))
        columns: tuple[Column[Where[R]], ...] = (
            name(subject.name.key, subject.name.title, lambda line: line.name),
            number(f"{subject.noun}s", lambda line: len(line.cases), str),
            prose("where", f"{subject.place}, and the facts", lambda line: line.text),
        )
        several = any(len(line.cases) > 1 for line in lines)
        return Table(columns if several else columns[::2], lines)


def _valid(case: Case[Any]) -> bool:
    return case.raised.severity != "invalid"


def _losses(rows: Iterable[tuple[K, R]], subject: Subject[K, R]) -> list[Loss]:
    """Return what failed, wholly or in some rounds, and what was skipped; the worst first."""
    groups: dict[tuple[str, str | None, str], dict[str, dict[str, list[str]]]] = {}
    details: dict[tuple[str, str | None, str], str] = {}
    for ranking, row in rows:
        if row.status == "measured" and not row.rounds_failed:
            continue
        tried = row.rounds_failed + row.rounds_measured
        some = f"failed in {row.rounds_failed} of {tried} rounds"
        what = some if row.status == "measured" else row.status
        key = (what, row.stage, row.reason or "no reason was stored")
        label, part = subject.lost(ranking, row)
        labels = groups.setdefault(key, {}).setdefault(subject.loser(row), {})
        labels.setdefault(label, []).append(part)
        if detail := next((each.detail for each in row.rounds if each.detail), None):
            details.setdefault(key, detail)
    losses = [
        Loss(*key, detail=details.get(key), rows=tuple(_merged(losers)))
        for key, losers in groups.items()
    ]
    order = {"failed": 0, "skipped": 2}
    return sorted(losses, key=lambda loss: order.get(loss.what, 1))


def _merged(losers: Mapping[str, Mapping[str, Sequence[str]]]) -> Iterator[str]:
    """Yield what was lost, and by whom; those that lost the same stand together."""
    same: dict[tuple[str, ...], list[str]] = {}
    for loser, labels in losers.items():
        lost = (
            ", ".join(filter(None, (label, " and ".join(parts)))) for label, parts in labels.items()
        )
        same.setdefault(tuple(lost), []).append(loser)
    for rows, names in same.items():
        yield f"{', '.join(names)}: {', '.join(rows)}" if all(names) else "; ".join(rows)


def chapter(caveats: Caveats[Any, Any], own: Sequence[Block] = ()) -> Section:
    """Return the caveats as a section of a page; `own` is what this kind of run adds to them."""
    noun = caveats.subject.noun
    blocks: list[Block] = [f"{caveats.judged}. {caveats.counted}. {caveats.noise}"]
    blocks += [_raised(caveats, doubt) for doubt in caveats.doubts] or [
        f"No concern was raised in any {noun}."
    ]
    nothing = f"Nothing: every {noun} was measured in every round."
    blocks.append(Section("Failed and skipped", list(_lost(caveats.losses)) or [nothing]))
    if caveats.blanks:
        unchecked = [
            f"`{blank.concern}` in {blank.rows} of {plural(blank.of, noun)}: {blank.means}"
            for blank in caveats.blanks
        ]
        blocks.append(
            Section(
                "What could not be checked",
                [
                    f"A {noun} without such a concern may have its fault all the same.",
                    Bullets(unchecked),
                ],
                gist=f"{plural(len(unchecked), 'check')} could not run: data not recorded",
                folded=BOTH,
            )
        )
    return Section("Caveats", [*blocks, *own], id="caveats")


LONG = 12
"""Cases of a concern from which on Markdown folds their table."""


MOST_DETAILS = 50
"""Losses of which the end of a log is shown: a folder's logs may have 100 kB each."""


def _lost(losses: Sequence[Loss]) -> Iterator[Block]:
    if losses:
        yield Listed([(loss.at, f"{loss.reason} ({'; '.join(loss.rows)})") for loss in losses])
    detailed = [loss for loss in losses if loss.detail]
    for loss in detailed[:MOST_DETAILS]:
        yield Section(f"{capital(loss.at)}: {loss.reason}", [Code(loss.detail or "")], folded=BOTH)
    if (more := len(detailed) - MOST_DETAILS) > 0:
        yield f"The run's folder has the ends of {plural(more, 'more log')}."


def _raised(caveats: Caveats[Any, Any], doubt: Doubt[Any]) -> Section:
    """Return a concern: where it was raised, what it means and what to do."""
    explained = doubt.explained
    table = caveats.where(doubt)
    label = f"{caveats.subject.noun.capitalize()}s with the concern {explained.concern}"
    return Section(
        f"`{explained.concern}`",
        [f"{explained.means} What to do: {explained.advice}", Shown(table, label)],
        id=f"doubt-{explained.concern}",
        gist=doubt.counted,
        folded=BOTH if len(doubt.cases) > LONG else ("html",),
    )
