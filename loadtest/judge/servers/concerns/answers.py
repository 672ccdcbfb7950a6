"""Concerns about what came back: errors, too little, the wrong thing, work that was not done."""

from __future__ import annotations

from loadtest.judge.concern import NOTHING, UNCHECKED, Check, percent
from loadtest.judge.servers.concerns.evidence import (
    ERROR_STATUS,
    NO_ANSWER,
    TOO_EARLY,
    VERIFICATIONS,
    Evidence,
    concern,
)
from loadtest.judge.servers.metrics import wrong
from loadtest.records.measured import Loaded, Outcome, Verified
from loadtest.records.text import plural, significant
from loadtest.stats.latency import SAMPLES_NEEDED

ERRORS_SUSPECT = 0.001
"""One in a thousand: below it not even a p99 moves."""

ERRORS_INVALID = 0.05
"""Answers that break off early free a server for the others: the rate is no longer of the work."""

WIRE_SHARE = 0.02
"""Answers of one endpoint differ by their Date alone, which has a fixed length; this leaves room
for a header that some of them carry."""

WIRE_BYTES = 16
"""And for the framing of a chunk, which a client that reads the body does not see."""

WORK_MISSING = 0.01
"""Counters are read a moment before and after; the answers in flight then are within this."""

RECORDED_MISSING = 0.2
"""Of work that nobody declared: what was recorded is of a few answers."""

FEWEST_WAVES, FEWEST_ANSWERS = 10, 200
"""Of each load, and of all of them together."""


def _errors(cell: Evidence) -> Check:
    for outcome in cell.failed:
        # A check of a few answers that meets an error has met more than a few in a hundred.
        if outcome.stage in VERIFICATIONS and (
            ERROR_STATUS.search(outcome.reason or "") or _broke_off(cell, outcome)
        ):
            return Check("invalid", f"in the check at {outcome.stage}: {outcome.reason}")
    if not cell.loads:
        return UNCHECKED
    share, of, what = wrong(cell.loads, cell.cell.load.connections)
    raised = sum((each.work and each.work.exceptions) or 0 for each in cell.measured)
    if share <= ERRORS_SUSPECT:
        # As of clients that left: nobody but the project sees these.
        if not cell.answers or raised <= ERRORS_SUSPECT * cell.answers:
            return NOTHING
        seen = sum(loaded.errors for loaded in cell.loads)
        return Check(
            "suspect",
            f"{plural(raised, 'exception')} in the project's views in {cell.answers:,} responses;"
            f" the client saw {plural(seen, 'error')}",
        )
    kinds = {
        "of status 4xx or 5xx": sum(loaded.status_errors for loaded in cell.loads),
        "connecting": sum(loaded.connect_errors for loaded in cell.loads),
        "reading": sum(loaded.read_errors for loaded in cell.loads),
        "writing": sum(loaded.write_errors for loaded in cell.loads),
        "too slow for the generator": sum(loaded.timeouts for loaded in cell.loads),
        "exceptions in the project's views": raised,
    }
    named = ", ".join(f"{count:,} {kind}" for kind, count in kinds.items() if count)
    return Check(
        "invalid" if share > ERRORS_INVALID else "suspect",
        f"{percent(share)} of {of:,} {what} went wrong: {named}",
    )


def _broke_off(cell: Evidence, outcome: Outcome) -> bool:
    """Say whether a server that is up gave no answer; one that ended is named first."""
    return (outcome.reason or "").startswith(f"{cell.cell.endpoint.path}: {NO_ANSWER}")


def _no_samples(cell: Evidence) -> Check:
    if not cell.loads:
        return UNCHECKED
    if not cell.answers:
        return Check("invalid", f"not one request was answered in {cell.load_s:.3g} s of load")
    least = SAMPLES_NEEDED[50]
    if cell.answers < least:
        # A percentile that lacks samples is not shown; below this not even a median is.
        return Check("suspect", f"{cell.answers} responses in all: no percentile can be shown")
    return NOTHING


def _contract(cell: Evidence) -> Check:
    known = False
    for outcome in (*cell.failed, *cell.measured):
        during, loaded, verified = outcome.during, outcome.loaded, outcome.verified
        if outcome.status == "failed" and outcome.stage in VERIFICATIONS:
            known = True
            when = "before" if outcome.stage == "verify" else "after"
            if _wrong_answer(reason := outcome.reason or "a wrong answer"):
                return Check("invalid", f"{when} the load: {reason}")
        if during and during.broken and _wrong_answer(during.broken):
            return Check("invalid", f"during the load: {during.broken}")
        known = known or verified is not None or (during is not None and during.checked > 0)
        # What was under way at the end of each load has come in part.
        under_way = cell.cell.load.connections * len(outcome.loads)
        if loaded and verified and (unlike := _wrong_size(loaded, verified, under_way)):
            return Check("invalid", unlike)
    return NOTHING if known else UNCHECKED


def _wrong_answer(reason: str) -> bool:
    """Say whether an answer came that is wrong; one too early or an error is another concern."""
    return not (TOO_EARLY in reason or NO_ANSWER in reason or ERROR_STATUS.search(reason))


def _wrong_size(loaded: Loaded, verified: Verified, under_way: int) -> str | None:
    if not (wire_bytes := verified.wire_bytes):
        return None
    slack = wire_bytes * WIRE_SHARE + WIRE_BYTES + verified.wire_spread_bytes
    # What is under way, or broke off, has come in part and is no answer.
    partial = under_way + loaded.read_errors
    right = loaded.answers - loaded.status_errors
    least = right * (wire_bytes - slack)
    most = (loaded.answers + partial) * (wire_bytes + slack)
    # An error page may have any size, so with some among the answers there is no upper limit.
    if not loaded.answers:
        return None
    if least <= loaded.received_bytes and (
        loaded.status_errors > 0 or loaded.received_bytes <= most
    ):
        return None
    mean = loaded.received_bytes / loaded.answers
    return f"a response had {mean:,.0f} bytes on average, the verified one {wire_bytes:,}"


def _work_not_done(cell: Evidence) -> Check:
    contract = cell.cell.endpoint.contract
    views = "the project's database layer"
    # It was recorded of the project as it is: a variant may do with less.
    as_it_is = cell.server.variant is None
    statements = contract.statements if as_it_is else None
    changes = contract.changes if as_it_is else None
    needs = {
        "postgres": ("PostgreSQL", contract.postgres, WORK_MISSING),
        "redis": ("Valkey", contract.redis, WORK_MISSING),
        "upstream": ("the upstream", contract.upstream, WORK_MISSING),
        "statements": (views, statements, RECORDED_MISSING),
        "changes": (views, changes, RECORDED_MISSING),
    }
    declared = (contract.postgres, contract.redis, contract.upstream)
    if all(each == 0 for each in declared) and not (statements or changes):
        return NOTHING
    known = False
    for field, (name, each, missing) in needs.items():
        counted = [
            (count, outcome.work.answers)
            for outcome in cell.measured
            if outcome.work and (count := getattr(outcome.work, field)) is not None
        ]
        if not each or not counted:
            continue
        known = True
        seen = sum(count for count, _ in counted)
        needed = each * sum(answers for _, answers in counted)
        if seen < needed * (1 - missing):
            work = "statements that change rows" if field == "changes" else "operations"
            return Check("invalid", f"{name} saw {seen:,} {work}, the responses need {needed:,}")
    return NOTHING if known else UNCHECKED


def _few_waves(cell: Evidence) -> Check:
    load = cell.cell.load
    if not cell.loads:
        return UNCHECKED
    # A load at a rate has connections to spare.
    if cell.cell.endpoint.cost_s is None or load.rate is not None or load.explores:
        return NOTHING
    waves = cell.answers / load.connections / len(cell.loads)
    if waves >= FEWEST_WAVES and cell.answers >= FEWEST_ANSWERS:
        return NOTHING
    return Check(
        "suspect",
        f"{significant(waves)} responses for each connection in a load, {cell.answers:,} in all",
    )


def _lost_rounds(cell: Evidence) -> Check:
    if not cell.measured:
        return UNCHECKED
    # A wrong answer is a concern of its own.
    lost = [
        outcome
        for outcome in cell.failed
        if outcome.stage not in VERIFICATIONS
        or (NO_ANSWER in (outcome.reason or "") and not _broke_off(cell, outcome))
    ]
    if not lost:
        return NOTHING
    tried = len(cell.measured) + len(cell.failed)
    reason = lost[0].reason or "no usable result"
    return Check("suspect", f"{len(lost)} of {tried} rounds have no number: {reason}")


ERRORS = concern("errors", _errors, invalidates=True)
NO_SAMPLES = concern("no-samples", _no_samples, invalidates=True)
CONTRACT = concern("contract", _contract, invalidates=True)
WORK_NOT_DONE = concern("work-not-done", _work_not_done, invalidates=True)
FEW_WAVES = concern("few-waves", _few_waves)
LOST_ROUNDS = concern("lost-rounds", _lost_rounds)
