"""What pairs of rows say: does reuse matter, threads or asyncio, which Python."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.clientbench.contrast import Contrast, Question
from loadtest.clientbench.phrases import (
    Point,
    asked,
    limited,
    manner,
    standings,
    time_us,
    times,
    told,
)
from loadtest.clientbench.standing import Standing
from loadtest.clientbench.summary import Summary
from loadtest.report.format import latency, significant

UNDECIDED = "this run cannot tell, more rounds may"


def reuse(summary: Summary) -> Point | None:
    """Say what a new client for each call costs; None where no row makes one."""
    pairs = _pairs(summary, "reuse")
    if not pairs:
        return None
    rows = standings(summary, pairs[0].measure)
    slower: dict[str, dict[Contrast, float]] = {}
    for pair in pairs:
        before, after = time_us(rows[pair.base]), time_us(rows[pair.new])
        if pair.versus.finding == "higher" and before and after:
            slower.setdefault(manner(rows[pair.base].row), {})[pair] = after - before
    says = []
    for how, more_us in slower.items():
        priced = (
            f"`{rows[pair.base].row.client}` {latency(us)}, {times(pair.versus)}"
            for pair, us in sorted(more_us.items(), key=lambda item: item[1])
        )
        says.append(f"{how}, a new client for each call costs more by: {'; '.join(priced)}.")
    if says:
        says[0] = f"It matters. {says[0]}"
        if pairs[0].measure == "warm":
            says.append(
                "That is the client's own time, so it weighs less the longer the server takes to"
                " answer."
            )
    says += _others(pairs, rows, "A new client for each call", "slower")
    return _point("When does reuse matter?", says, pairs)


def driving(summary: Summary) -> Point | None:
    """Compare the best way with asyncio with the best with threads; None without both."""
    pairs = _pairs(summary, "driving")
    if not pairs:
        return None
    rows = standings(summary, pairs[0].measure)
    says = []
    for pair in pairs:
        threads, tasks = rows[pair.base], rows[pair.new]
        text = f"`{tasks.row.label}` (asyncio) against `{threads.row.label}` (threads): "
        if told(pair.versus):
            text += f"{times(pair.versus)} the time"
        elif pair.versus.finding == "equivalent":
            text += "takes as long"
            text += ", as the server sets the pace of both" * (limited(threads) and limited(tasks))
        else:
            text += f"which is faster {UNDECIDED}"
        if pair.cpu_ratio is not None:
            text += f"; {significant(pair.cpu_ratio)} times the processor time"
        says.append(f"{text}.")
    mixed = any(rows[pair.base].row.client != rows[pair.new].row.client for pair in pairs)
    says.append(
        "Each is the fastest of its way"
        + "; the two use different clients, so part of this is the client's and not the way's"
        * mixed
        + "."
    )
    return _point("Threads or asyncio?", says, pairs)


def python(summary: Summary) -> Point | None:
    """Compare interpreters; None with one alone."""
    pairs = _pairs(summary, "python")
    if not pairs:
        return None
    rows = standings(summary, pairs[0].measure)
    says = [
        f"`{rows[pair.new].row.label}` takes {times(pair.versus)} the time of"
        f" `{rows[pair.base].row.label}`."
        for pair in pairs
        if told(pair.versus)
    ]
    says += _others([p for p in pairs if not told(p.versus)], rows, "Another Python", "slower")
    return _point("Which Python?", says, pairs)


def _pairs(summary: Summary, question: Question) -> list[Contrast]:
    """Return the pairs of one question: warm where there are any, or else cold."""
    pairs = [pair for pair in summary.contrasts if pair.question == question]
    return [pair for pair in pairs if pair.measure == "warm"] or pairs


def _others(
    pairs: Sequence[Contrast], rows: dict[str, Standing], subject: str, worse: str
) -> Iterator[str]:
    """Yield what is no slowdown: pairs that are alike, that cannot be told, that are faster."""

    def of(finding: str) -> str:
        return ", ".join(
            asked(rows[pair.base].row) for pair in pairs if pair.versus.finding == finding
        )

    if names := of("equivalent"):
        yield f"{subject} makes no difference to {names}."
    if names := of("lower"):
        yield f"{subject} is faster with {names}."
    if names := of("inconclusive"):
        yield f"Whether it is {worse} with {names}, {UNDECIDED}."


def _point(question: str, says: Sequence[str], pairs: Sequence[Contrast]) -> Point:
    return Point(
        question=question,
        says=tuple(says),
        rows=tuple(dict.fromkeys(name for pair in pairs for name in (pair.base, pair.new))),
        told=any(pair.versus.finding != "inconclusive" for pair in pairs),
    )
