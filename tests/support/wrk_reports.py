"""Reports of wrk in Markdown, the real one and blocks to make others of."""

from __future__ import annotations

from typing import Any

from paths import DATA

from loadtest.measure.servers.imported import report
from loadtest.measure.servers.imported.report import Imported
from loadtest.records.measured import Loaded

REPORT = DATA / "wrk-reports" / "django_workers.md"
"""The report this project grows out of: five servers, 23 endpoints, one run of wrk each."""
LINES = REPORT.read_text().split("\n")
CREATED_AT = "2026-01-02T03:04:05+00:00"


def imported(text: str, file: str = "a report.md") -> Imported:
    return report.convert(text.encode(), file, CREATED_AT)


def loads(of: Imported) -> dict[str, Loaded]:
    return {outcome.cell: outcome.loaded for outcome in of.outcomes if outcome.loaded}


def units(n: float, scale: int, base: str, names: str, digits: int = 2) -> str:
    """`format_units` of wrk's `src/units.c`: the last name stands there and is never used."""
    unit = base
    for name in names.split()[:-1]:
        if n < scale * 0.85:
            break
        n, unit = n / scale, name
    return f"{n:.{digits}f}{unit}"


def time_us(n: float) -> str:
    return units(n / 1e6, 60, "s", "m h -") if n >= 1e6 else units(n, 1000, "us", "ms s")


def binary(n: float) -> str:
    return units(n, 1024, "", "K M G T P")


def metric(n: float) -> str:
    return units(n, 1000, "", "k M G T P")


def padded(text: str, width: int) -> str:
    pad = 2 - text[-1].isalpha() - text[-2:-1].isalpha()
    return text.rjust(width - pad) + " " * pad


def spread(name: str, of: list[str], within: str) -> str:
    mean, stdev, most = of
    return f"    {name:<10}{padded(mean, 8)}{padded(stdev, 10)}{padded(most, 9)}{within:>8}%"


def printed(run: dict[str, Any]) -> list[str]:
    """Return what wrk 4 prints of a run: `main` of its `src/wrk.c`."""
    some = run["requests"] > run["timeout"]
    seconds = run["duration_us"] / 1e6
    latency = [time_us(run[key] if some else 0) for key in ("mean", "stdev", "max")]
    lines = [
        f"Running {units(run['declared_s'], 60, 's', 'm h -', 0)} test @ {run['url']}",
        f"  {run['threads']} threads and {run['connections']} connections",
        "  Thread Stats   Avg      Stdev     Max   +/- Stdev",
        spread("Latency", latency, "83.64" if some else "-nan"),
        spread("Req/Sec", [metric(run[key]) for key in ("mean", "stdev", "max")], "68.19"),
    ]
    if run["percentiles"]:
        lines.append("  Latency Distribution")
        lines += [
            f"{p:7.0f}%" + padded(time_us(us if some else 0), 10)
            for p, us in zip((50, 75, 90, 99), run["percentiles"], strict=True)
        ]
    lines.append(
        f"  {run['requests']} requests in {time_us(run['duration_us'])},"
        f" {binary(run['bytes'])}B read"
    )
    if run["connect"] or run["read"] or run["write"] or run["timeout"]:
        lines.append(
            f"  Socket errors: connect {run['connect']}, read {run['read']},"
            f" write {run['write']}, timeout {run['timeout']}"
        )
    if run["status"]:
        lines.append(f"  Non-2xx or 3xx responses: {run['status']}")
    lines.append(f"Requests/sec: {run['requests'] / seconds:9.2f}")
    lines.append(f"Transfer/sec: {binary(run['bytes'] / seconds):>10}B")
    return lines


RUN = {
    "url": "http://localhost:8000/myapp/sync/json",
    "declared_s": 10,
    "threads": 2,
    "connections": 100,
    "requests": 50_000,
    "duration_us": 10_000_000,
    "bytes": 10_000_000,
    "connect": 0,
    "read": 0,
    "write": 0,
    "status": 0,
    "timeout": 0,
    "mean": 19_000,
    "stdev": 1_000,
    "max": 30_000,
    "percentiles": [],
}


def block(above: str = "", **changes: Any) -> str:
    return f"```\n{above}" + "\n".join(printed(RUN | changes)) + "\n```\n"


def under(*blocks: str, server: str = "WSGI One") -> str:
    return f"## {server}\n\n### JSON\n#### Sync\n\n" + "\n".join(blocks)
