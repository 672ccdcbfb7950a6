"""What keeps a project's own services, secrets and pages out of a run, as its file is read."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from loadtest.plan.servers import facts, own
from loadtest.plan.servers.project import Project

LEAST = """
format = 1
[project]
python = "python"
settings = "shop.settings"
[database]
kind = "sqlite"
"""


def written(folder: Path, text: str = LEAST) -> Path:
    (folder / own.FILE).write_text(text)
    return folder


def test_no_command_line_has_the_headers_of_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, str] = {}

    def run(project: Project, *words: str, env: Mapping[str, str], **options: Any) -> str:
        assert "hunter2" not in str(words)
        told.update(env)
        return '{"probed": [], "user": true}'

    monkeypatch.setattr(Project, "run", run)
    project = own.project_at(written(tmp_path))
    facts.probe(project, [("/", {"Authorization": "hunter2"})], {"A": "1"}, "alice")
    assert told == {"A": "1", own.QUESTIONS: '[["/",{"Authorization":"hunter2"}]]'}
