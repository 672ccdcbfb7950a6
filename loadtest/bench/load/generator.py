"""Runs the load generator once and keeps what it printed."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec

from loadtest.bench.load import wrk
from loadtest.records import files
from loadtest.records.errors import CellError
from loadtest.records.measured import Loaded, Placement
from loadtest.records.planned import Load, Record
from loadtest.records.run_folder import check_room, writing
from loadtest.system import process

SPARE_S = 15.0
"""wrk keeps to its duration; one that does not is not waited for much longer."""


class Printed(Record, frozen=True, kw_only=True):
    """What one load gave: the counts, and where the evidence is inside the run's folder."""

    loaded: Loaded
    raw: str
    histogram: str


class Generator:
    """wrk at work from the moment this is made; `finish` waits for it."""

    def __init__(
        self,
        load: Load,
        url: str,
        delay_s: float,
        folder: Path,
        name: str,
        placement: Placement | None,
        seed: int = 0,
        requests: Sequence[bytes] = (),
    ) -> None:
        """Start it; what it prints goes to files in `raw/` called `name`.

        `seed` is of the arrivals, where they are random. The `requests` are sent as they are, one
        after the other and again; without them it is a GET of the URL.
        """
        self._folder = folder
        self._raw = folder / "raw" / f"{name}.txt"
        self._errors = folder / "raw" / f"{name}.err"
        self._limit_s = load.duration_s + delay_s + SPARE_S
        for stale in (self._raw, self._errors):  # of a run that was interrupted in this cell
            stale.unlink(missing_ok=True)
        # They have cookies and keys, which a command line shows to everybody on this machine.
        with process.handed(wrk.handed(requests)) as (fd, path):
            self.process = process.start(
                wrk.TOOL,
                wrk.argv(load, url, delay_s, seed),
                log=self._raw,
                errors=self._errors,
                env={wrk.REQUESTS: path} if requests else {},
                fds=(fd,) if requests else (),
                grace_s=1.0,
                cpus=placement.generator if placement else (),
            )

    def finish(self) -> Printed:
        """Return what it counted; raises CellError where it measured nothing."""
        with process.running(self.process):
            try:
                status = self.process.wait(self._limit_s)
            except subprocess.TimeoutExpired:
                raise CellError("load", f"wrk did not end within {self._limit_s:.0f} s") from None
        try:
            loaded, histogram = wrk.parse(_text(self._raw), _text(self._errors))
        except ValueError as error:
            check_room(self._folder)  # it may have had nowhere to write to
            printed = process.tail(self._errors, 3) or process.tail(self._raw, 3)
            raise CellError("load", f"wrk ended with status {status}: {error}", printed) from None
        self._errors.unlink()
        path = self._raw.with_suffix(".json")
        with writing(path, measuring=True):
            files.write(path, msgspec.json.encode(histogram))
        return Printed(
            loaded=loaded,
            raw=str(self._raw.relative_to(self._folder)),
            histogram=str(path.relative_to(self._folder)),
        )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
