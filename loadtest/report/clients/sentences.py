"""What a run of HTTP clients answers: which facts go into which macro of `sentences.jinja`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

from loadtest.judge.clients.decision import BreakEven
from loadtest.judge.clients.pairs import Question
from loadtest.judge.clients.rows import Ranking, Standing
from loadtest.judge.clients.summary import Summary
from loadtest.judge.rows import Versus
from loadtest.records.clients import MEASURES, Measure, Run
from loadtest.records.planned import Record
from loadtest.report import sentences
from loadtest.report.sentences import Facts
from loadtest.report.units import latency, share
from loadtest.stats.noise_floor import MOST

MACROS = sentences.macros(Path(__file__).with_suffix(".jinja"))

says, states = partial(sentences.says, MACROS), partial(sentences.states, MACROS)
"""What a macro says, as sentences or as facts."""

CALLS_S = 100
"""For which the price in CPU time is worked out."""


class Point(Record, frozen=True, kw_only=True):
    """One question a reader has, with what this run says to it."""

    question: str
    says: tuple[str, ...]
    """Sentences; names that are typed stand in backticks."""
    rows: tuple[str, ...]
    """The ids of the rows it follows from."""
    separated: bool
    """False where the run cannot tell."""


class Pair(NamedTuple):
    """Two rows that differ in one thing, for a sentence."""

    base: Standing
    new: Standing
    versus: Versus
    cpu: Versus | None
    name: str

    @property
    def how(self) -> str:
        """How the server is asked, whatever the client, to begin a sentence with."""
        row = self.base.row
        words = ["Over TLS" if row.answer.tls else "Over plain HTTP"]
        if row.answer.delay_s:
            words.append(f"of a server that takes {latency(row.answer.delay_s * 1e6)}")
        words.append(f"{row.batch} at a time" if row.batch > 1 else "one after the other")
        return ", ".join(words)

    @property
    def more_us(self) -> float:
        """What the second takes more, of a call or a process."""
        return (time_us(self.new) or 0.0) - (time_us(self.base) or 0.0)

    @property
    def mixed(self) -> bool:
        """Whether they are of two clients."""
        return self.base.row.client != self.new.row.client

    @property
    def limited(self) -> bool:
        """Whether the server set the pace of both."""
        return all(
            any(raised.concern == "upstream-limited" for raised in row.concerns)
            for row in (self.base, self.new)
        )


def time_us(row: Standing) -> float | None:
    """Return what a row is ranked by, in microseconds: a warm call, or a whole process."""
    if row.warm:
        return row.warm.call_us
    return row.cold.median_s * 1e6 if row.cold else None


def advice(summary: Summary) -> Iterator[Point]:
    """Yield the questions that the run is about, each with its answer."""
    decision = summary.decision
    several = len(decision.leads) > 1
    if leads := decision.leads:
        yield Point(
            question="Which client?",
            says=says("client", decision, several),
            rows=tuple(row.row for lead in leads for row in lead.rows),
            separated=any(lead.rest for lead in leads),
        )
    asked: dict[Question, str] = {
        "reuse": "When does reuse matter?",
        "driving": "Threads or asyncio?",
        "python": "Which Python?",
    }
    for question, text in asked.items():
        if pairs := _pairs(summary, question):
            yield Point(
                question=text,
                says=says(question, pairs),
                rows=tuple(dict.fromkeys(row.name for pair in pairs for row in pair[:2])),
                separated=any(
                    of is not None and of.finding != "inconclusive"
                    for pair in pairs
                    for of in (pair.versus, pair.cpu if question == "driving" else None)
                ),
            )
    if cpu := decision.cpu:
        yield Point(
            question="What does it cost in CPU time?",
            says=says("cpu", cpu, several, CALLS_S),
            rows=tuple(row.row for row in cpu.rows),
            separated=bool(cpu.rest),
        )
    if start := decision.start:
        yield Point(
            question="What does it cost at the start?",
            says=says("start", start, start.break_even and _calls(start.break_even)),
            rows=start.rows,
            separated=True,
        )


def _pairs(summary: Summary, question: Question) -> list[Pair]:
    """Return the pairs of one question: warm where there are any, or else cold."""
    pairs = [pair for pair in summary.contrasts if pair.question == question]
    pairs = [pair for pair in pairs if pair.measure == "warm"] or pairs
    rows = {(of.measure, row.name): row for of in summary.rankings for row in of.reportable}

    def pair_of(base: Standing, new: Standing, versus: Versus, cpu: Versus | None) -> Pair:
        name = new.row.label if question == "python" else base.row.client
        return Pair(base, new, versus, cpu, name)

    return [
        pair_of(rows[of.measure, of.base], rows[of.measure, of.new], of.versus, of.cpu)
        for of in pairs
    ]


def doubt(summary: Summary) -> tuple[str, ...]:
    """Return what is to be said first of a run that others disturbed; nothing of a quiet one."""
    decision = summary.decision
    return says("noisy", decision, _floors(summary)) if decision.noisy else ()


def noise(summary: Summary) -> str:
    """Return what a difference has to exceed to count."""
    return says("noise", _floors(summary))[0]


def _floors(summary: Summary) -> list[tuple[Measure, str]]:
    def apart(floor: float) -> str:
        if floor >= MOST:
            return "more than ten times"
        return share(floor) if floor < 1 else f"{1 + floor:.2g}x"

    known = [(of.measure, of.noise_floor) for of in summary.rankings]
    return [
        (measure, span)
        for measure in MEASURES
        if (span := sentences.between((floor for of, floor in known if of == measure), apart))
    ]


def notes(ranking: Ranking) -> tuple[str, ...]:
    """Return why a table has no ranks, and which of its times stand apart."""
    apart = [
        (row.row.label, outlier)
        for row in ranking.reportable
        if row.cold
        for outlier in row.cold.outliers
    ]
    return says("notes", ranking.unranked, apart)


def facts(run: Run, summary: Summary) -> Facts:
    """Return what a run was made of."""
    versions = [
        (f"{python.implementation} {python.version}", sentences.versions(python.versions))
        for _, python in sorted(run.interpreters.items())
    ]
    before, after = states("made", run, summary.rounds), states("ceilings", summary.ceilings)
    return [*sentences.machine(run.machine), *before, *versions, *after]


def _calls(even: BreakEven) -> str:
    """Return a number of calls with no more digits than its interval allows: `about 5 to 40`."""

    def rounded(value: float, digits: int) -> str:
        return f"{float(f'{value:.{digits}g}'):,.0f}"

    if even.high < 1.1 * even.low:
        return f"about {rounded((even.low + even.high) / 2, 2)}"
    digits = 2 if even.high < 2 * even.low else 1
    return f"about {rounded(even.low, digits)} to {rounded(even.high, digits)}"
