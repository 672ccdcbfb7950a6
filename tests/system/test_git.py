"""Which files of a folder are not as they were committed."""

from __future__ import annotations

import subprocess
from pathlib import Path

from loadtest.system import git


def test_what_has_changed_in_a_folder(tmp_path: Path) -> None:
    assert git.changed(tmp_path) is None  # of which git knows nothing
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text("*.log\n")
    (tmp_path / "shop").mkdir()
    for name in ("shop/a.py", "shop/a.log", "b"):
        (tmp_path / name).touch()
    assert git.changed(tmp_path) == {".gitignore", "shop/a.py", "b"}
    assert git.changed(tmp_path / "shop") == {"shop/a.py"}
