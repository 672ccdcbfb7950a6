"""Reports of wrk in Markdown, the real one and blocks to make others of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from test_wrk_text import printed

from loadtest.measure.servers.imported import report
from loadtest.measure.servers.imported.report import Imported
from loadtest.records.measured import Loaded

REPORT = Path(__file__).parent / "data" / "wrk-reports" / "django_workers.md"
"""The report this project grows out of: five servers, 23 endpoints, one run of wrk each."""
LINES = REPORT.read_text().split("\n")
CREATED_AT = "2026-01-02T03:04:05+00:00"


def imported(text: str, file: str = "a report.md") -> Imported:
    return report.convert(text.encode(), file, CREATED_AT)


def loads(of: Imported) -> dict[str, Loaded]:
    return {one.cell: one.loaded for one in of.outcomes if one.loaded}


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
