"""The command line in this process: what is typed, and what comes back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from loadtest.cli import main


class Done(msgspec.Struct):
    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        assert "Traceback" not in self.err
        return self.err.splitlines()

    @property
    def words(self) -> str:
        """What was printed, wherever a table breaks its lines."""
        return " ".join(self.out.split())


Type = Callable[..., Done]


def typing(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Type:
    """Return a function that runs the command line in this process, which stays as it is."""
    monkeypatch.setattr("signal.signal", lambda *arguments: None)
    monkeypatch.setattr("loadtest.system.network.enter", lambda beside: None)

    def type_(*arguments: str | Path) -> Done:
        for name in ("stdout", "stderr", "unraisablehook"):
            monkeypatch.setattr(sys, name, getattr(sys, name))  # put back at the end
        monkeypatch.setattr(sys, "argv", ["loadtest", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            main.main()
        printed = capfd.readouterr()
        return Done(status=ended.value.code or 0, out=printed.out, err=printed.err)  # type: ignore[arg-type]

    return type_
