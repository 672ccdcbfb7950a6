"""Static files that lie in a project's own STATIC_ROOT alone: built there, perhaps committed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.finders import BaseFinder
from django.core.files.storage import FileSystemStorage


class Collected(BaseFinder):  # type: ignore[misc]  # Django has no types
    """Finds for `collectstatic` what its manifest names there, by the names without a digest."""

    def list(self, ignore_patterns: Any) -> Iterator[tuple[str, Any]]:
        """Yield each file with the storage that has it."""
        there = FileSystemStorage(location=settings.LOADTEST_COLLECTED)
        manifest = os.path.join(settings.LOADTEST_COLLECTED, "staticfiles.json")
        with open(manifest, encoding="utf-8") as file:
            names = json.load(file)["paths"]
        yield from ((name, there) for name in names if there.exists(name))

    def find(self, path: str, *arguments: Any, **options: Any) -> Sequence[str]:
        """Find nothing: in a run, files are served from where they are collected."""
        return []
