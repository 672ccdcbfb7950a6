"""Runs the load generator once and keeps what it printed."""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Protocol

import msgspec
import psutil
from msgspec import Meta

from loadtest.bench.load import wrk
from loadtest.bench.load.wrk import Share
from loadtest.records import files
from loadtest.records.errors import CellError
from loadtest.records.measured import Loaded, Part, Placement
from loadtest.records.planned import Load, Record
from loadtest.records.run_folder import check_room, writing
from loadtest.system import clock, process

MOST_TEXT = 100_000
"""Characters of wrk's own text, which has a page of them."""

SPARE_S = 15.0
"""wrk keeps to its duration; one that does not is not waited for much longer."""


class Printed(Record, frozen=True, kw_only=True):
    """What one load gave: the counts, and where the evidence is inside the run's folder."""

    loaded: Loaded
    raw: str | None
    """None where each of its parts has its own, as `histogram`."""
    histogram: str | None
    parts: tuple[Part, ...] = ()
    """Of a load that several agents made."""


class Generating(Protocol):
    """A load that is being made."""

    def tree(self) -> list[psutil.Process]:
        """Return the processes of this machine that make it."""

    def finish(self) -> Printed:
        """Wait for its end and return what was counted; raises CellError where nothing was."""

    def stop(self) -> None:
        """End it, if it has not ended."""


class Generators(Protocol):
    """What makes loads: wrk on this machine, or on several others."""

    def __call__(
        self,
        load: Load,
        url: str,
        delay_s: float,
        folder: Path,
        name: str,
        placement: Placement | None,
        seed: int = 0,
        requests: Sequence[bytes] = (),
    ) -> Generating:
        """Begin a load, as `Generator` does; raises CellError where it cannot be begun."""


class Ended(Record, frozen=True, kw_only=True):
    """wrk as it ended."""

    status: int
    out: Annotated[str, Meta(max_length=MOST_TEXT)]
    """Its own text."""
    errors: str
    """With the line of numbers."""


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
        share: Share | None = None,
        go: int | None = None,
    ) -> None:
        """Start it; what it prints goes to files in `raw/` called `name`.

        `seed` is of the arrivals, where they are random. The `requests` are sent as they are, one
        after the other and again; without them it is a GET of the URL. `share` is of a schedule
        that several have; `go` is a descriptor, see `wrk.GO`.
        """
        self.since = clock.read()
        """From which on nobody may set the clock, by which wrk measures."""
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
                wrk.argv(load, url, delay_s, seed, share),
                log=self._raw,
                errors=self._errors,
                env=({wrk.REQUESTS: path} if requests else {})
                | ({} if go is None else {wrk.GO: str(go)}),
                fds=[*([fd] if requests else []), *([] if go is None else [go])],
                grace_s=1.0,
                cpus=placement.generator if placement else (),
            )

    def tree(self) -> list[psutil.Process]:
        """Return its processes, its warden's aside."""
        return self.process.tree()

    def stop(self) -> None:
        """End it, if it has not ended."""
        self.process.stop()

    def ended(self) -> Ended:
        """Wait for its end; raises CellError where that does not come, or the clock was set."""
        status = None
        with process.running(self.process), contextlib.suppress(subprocess.TimeoutExpired):
            status = self.process.wait(self._limit_s)
        if problem := clock.problem(self.since):
            raise CellError("load", problem)
        if status is None:
            raise CellError("load", f"wrk did not end within {self._limit_s:.0f} s")
        return Ended(status=status, out=_text(self._raw), errors=_text(self._errors))

    def finish(self) -> Printed:
        """Return what it counted; raises CellError where it measured nothing."""
        printed = read(self.ended(), self._folder, self._raw)
        self._errors.unlink()
        return printed


def read(ended: Ended, folder: Path, raw: Path) -> Printed:
    """Return what wrk counted, its histogram in a file beside its own text at `raw`.

    Raises CellError where it measured nothing.
    """
    try:
        loaded, histogram = wrk.parse(ended.out, ended.errors)
    except ValueError as error:
        check_room(folder)  # it may have had nowhere to write to
        complaint = ended.errors.strip() or ended.out.strip()
        printed = "\n".join(complaint[-16_384:].splitlines()[-3:])
        raise CellError("load", f"wrk ended with status {ended.status}: {error}", printed) from None
    path, latencies = raw.with_suffix(".json"), msgspec.json.encode(histogram)
    # Of a load of an hour there may be more than any report reads, which then has none of it.
    whole = len(latencies) <= files.MOST_BYTES
    if whole:
        with writing(path, measuring=True):
            files.write(path, latencies)
    return Printed(
        loaded=loaded,
        raw=str(raw.relative_to(folder)),
        histogram=str(path.relative_to(folder)) if whole else None,
    )


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
