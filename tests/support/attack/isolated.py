"""Tries many inputs in child processes: one that hangs, takes all memory or aborts is a failure."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import resource
import selectors
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LIMIT_S = 10.0
"""For one input."""

LIMIT_BYTES = 1_000_000_000
"""Of memory, beyond what the process has before."""

GRACE_S = 50.0
"""Beyond the limit, on a machine that has other things to do: it is the CPU time that counts."""

Check = Callable[[int], "str | None"]
"""Try an input by its number; returns what was wrong, None where nothing was."""


@dataclass
class _Child:
    pid: int
    fd: int
    numbers: Sequence[int]
    heard_at_s: float
    text: bytes = b""
    at: int | None = None


def faults(check: Check, numbers: Sequence[int], jobs: int) -> list[tuple[int, str]]:
    """Return which inputs failed, and why, in the order of their numbers."""
    separated: list[tuple[int, str]] = []
    waiting = [part for job in range(jobs) if (part := numbers[job::jobs])]
    running: dict[int, _Child] = {}
    with selectors.DefaultSelector() as selector:

        def begin(part: Sequence[int]) -> None:
            child = _begin(check, part)
            running[child.fd] = child
            selector.register(child.fd, selectors.EVENT_READ)

        def end(child: _Child, why: str | None) -> None:
            """Reap a child; it begins again behind the input that it did not survive."""
            selector.unregister(child.fd)
            del running[child.fd]
            os.close(child.fd)
            if why is not None:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child.pid, signal.SIGKILL)
            _, state = os.waitpid(child.pid, 0)
            status = os.waitstatus_to_exitcode(state)
            if why is None and status:
                why = f"it ended the process with status {status}"
            if why is not None and child.at is not None:
                separated.append((child.at, why))
                if rest := child.numbers[child.numbers.index(child.at) + 1 :]:
                    begin(rest)

        for part in waiting:
            begin(part)
        while running:
            for key, _ in selector.select(timeout=0.2):
                child = running[key.fd]
                data = os.read(child.fd, 1 << 16)
                if not data:
                    end(child, None)
                    continue
                child.heard_at_s = time.monotonic()
                *lines, child.text = (child.text + data).split(b"\n")
                for line in lines:
                    number, _, why = line.partition(b" ")
                    child.at = int(number)
                    if why:
                        separated.append((child.at, json.loads(why)))
            for child in list(running.values()):
                if time.monotonic() - child.heard_at_s > LIMIT_S + GRACE_S:
                    end(child, f"no answer within {LIMIT_S + GRACE_S:.0f} s")
    return sorted(separated)


def _begin(check: Check, numbers: Sequence[int]) -> _Child:
    sys.stdout.flush()
    sys.stderr.flush()
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return _Child(pid, read, numbers, time.monotonic())
    try:
        os.close(read)
        _limit()
        for number in numbers:
            os.write(write, b"%d\n" % number)
            before_s = time.process_time()
            why = check(number)
            took_s = time.process_time() - before_s
            if why is None and took_s > LIMIT_S:
                why = f"{took_s:.1f} s of CPU time"
            if why is not None:
                os.write(write, b"%d %s\n" % (number, json.dumps(why[:2_000]).encode()))
        os._exit(0)
    finally:
        os._exit(70)


def _limit() -> None:
    faulthandler.disable()  # of pytest, which would tell of an abort at length
    with open(os.devnull, "wb") as nowhere:  # what a library says as it aborts
        os.dup2(nowhere.fileno(), 2)
    with open("/proc/self/statm", encoding="ascii") as statm:
        has = int(statm.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (has + LIMIT_BYTES, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
