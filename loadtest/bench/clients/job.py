"""From a row to the command that runs it, and from what that printed to an outcome; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import msgspec

from loadtest.plan.clients.catalogue import Client
from loadtest.plan.clients.own_server import Expected
from loadtest.records.clients import Cold, Measure, Outcome, Phases, Row, Seen, Stage, Warm
from loadtest.records.measured import Histogram
from loadtest.system.process import Timed

HERE = Path(__file__).parent / "worker"
WORKER = HERE / "main.py"
DRIVING = {"sync": HERE / "threads.py", "async": HERE / "tasks.py"}


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """What the worker prints; clocks are monotonic ones, None where it did not come so far."""

    stage: str
    first_at_s: float
    import_at_s: float | None = None
    imported_at_s: float | None = None
    ready_at_s: float | None = None
    warmed_at_s: float | None = None
    worked_at_s: float | None = None
    warmup_calls: int = 0
    warmup_errors: dict[str, int] = {}
    calls: int = 0
    errors: dict[str, int] = {}
    seconds: float | None = None
    user_s: float = 0.0
    system_s: float = 0.0
    peak_rss_bytes: int = 0
    latencies_us: tuple[tuple[int, int], ...] = ()
    error_kind: str | None = None
    error: str | None = None
    detail: str | None = None


def limit_s(row: Row, warmup: int, timeout_s: float) -> float:
    """Return how long the worker may take: far more than it needs, but not for ever."""
    turns = (row.requests + warmup) / row.batch
    return 60 + 2 * timeout_s + turns * (row.answer.delay_s + 0.1 * row.batch)


def argv(
    row: Row, client: Client, python: str, expected: Expected, warmup: int, timeout_s: float
) -> list[str]:
    """Return the command that runs a row; hyperfine can time it as well."""
    options = {
        "client": client.path,
        "driving": DRIVING[client.kind],
        "limit_s": limit_s(row, warmup, timeout_s),
        "url": expected.url,
        "mode": row.mode,
        "reuse": row.reuse,
        "requests": row.requests,
        "batch": row.batch,
        "chunk": row.chunk,
        "warmup": warmup,
        "timeout_s": timeout_s,
        "http": row.answer.http,
        "ca": expected.ca,
        "status": expected.status,
        "length": expected.body_bytes,
        "sha256": expected.sha256,
    }
    words = [f"{key}={value}" for key, value in options.items() if value is not None]
    return [python, "-I", str(WORKER), *words]


def outcome(
    row: Row,
    round_: int,
    measure: Measure,
    timed: Timed,
    seen: Seen | None = None,
    protocols: Mapping[str, int] = Counter(),
) -> Outcome:
    """Return what a command that ended came to by its own account, beside what the server saw.

    Whether the two agree is judged later, from what is stored.
    """
    bare = Outcome(row=row.id, round=round_, measure=measure, status="measured", seen=seen)
    try:
        account = msgspec.json.decode(timed.output, type=Account)
    except msgspec.MsgspecError:
        return _failed(bare, "result", _ended(timed), timed.errors.strip() or None)
    counted = msgspec.structs.replace(
        bare,
        calls=account.calls,
        answers=sum(count for _, count in account.latencies_us),
        errors=account.errors,
        warmup_calls=account.warmup_calls,
        phases=_phases(account, timed),
        http=_spoken(protocols),
    )
    if wrong := _wrong(row, account, timed):
        return _failed(counted, *wrong, account.detail)
    assert account.seconds is not None
    if measure == "cold":
        cold = Cold(
            wall_s=timed.ended_at_s - timed.began_at_s,
            user_s=timed.user_s,
            system_s=timed.system_s,
            peak_rss_bytes=account.peak_rss_bytes,
        )
        return msgspec.structs.replace(counted, cold=cold)
    warm = Warm(
        seconds=account.seconds,
        user_s=account.user_s,
        system_s=account.system_s,
        peak_rss_bytes=account.peak_rss_bytes,
        latencies=Histogram(
            values_us=tuple(value for value, _ in account.latencies_us),
            counts=tuple(count for _, count in account.latencies_us),
        ),
    )
    return msgspec.structs.replace(counted, warm=warm)


def _failed(counted: Outcome, stage: Stage, reason: str, detail: str | None = None) -> Outcome:
    return msgspec.structs.replace(
        counted, status="failed", stage=stage, reason=reason, detail=detail
    )


def _ended(timed: Timed) -> str:
    if timed.overdue or "Timeout (" in timed.errors:
        return f"did not end within {timed.ended_at_s - timed.began_at_s:.0f} s"
    return f"ended with status {timed.status} and no result"


def _wrong(row: Row, account: Account, timed: Timed) -> tuple[Stage, str] | None:
    stages: dict[str, Stage] = {"import": "import", "set-up": "set-up", "warm-up": "warm-up"}
    if account.error_kind is not None:
        reason = f"{account.error_kind}: {account.error}" if account.error else account.error_kind
        return stages.get(account.stage, "work"), reason
    if account.warmup_errors:
        return "warm-up", _counted(account.warmup_errors, account.warmup_calls)
    if account.errors:
        given_up = "" if account.calls == row.requests else ", then gave up"
        return "work", _counted(account.errors, account.calls) + given_up
    answers = sum(count for _, count in account.latencies_us)
    if account.calls != row.requests or answers != row.requests or account.seconds is None:
        return "result", f"{answers:,} answers to {account.calls:,} of {row.requests:,} calls"
    if timed.status:
        return "result", f"ended with status {timed.status} after its result"
    return None


def _counted(errors: Mapping[str, int], calls: int) -> str:
    kinds = ", ".join(f"{kind} {count:,}" for kind, count in sorted(errors.items()))
    return f"{sum(errors.values()):,} of {calls:,} calls failed: {kinds}"


def _phases(account: Account, timed: Timed) -> Phases:
    def between(begin: float | None, end: float | None) -> float | None:
        return None if begin is None or end is None else max(0.0, end - begin)

    return Phases(
        start_s=between(timed.began_at_s, account.first_at_s),
        import_s=between(account.import_at_s, account.imported_at_s),
        setup_s=between(account.imported_at_s, account.ready_at_s),
        warmup_s=between(account.ready_at_s, account.warmed_at_s),
        work_s=between(account.warmed_at_s, account.worked_at_s),
        end_s=between(account.worked_at_s, timed.ended_at_s),
    )


def _spoken(protocols: Mapping[str, int]) -> str | None:
    """Return the HTTP version that the server saw, or several; None where it saw none."""
    versions = sorted(name.removeprefix("HTTP/").removesuffix(".0") for name in protocols)
    return " and ".join(versions) or None
