"""Tries in child processes, several beside each other.

Of many inputs, one that hangs, takes all memory or aborts is a failure. What takes its time, as a
run that is killed, has a child of its own.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import json
import os
import resource
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
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


def faults(
    check: Check, numbers: Sequence[int], jobs: int, *, limited: bool = True
) -> list[tuple[int, str]]:
    """Return which inputs failed, and why, in the order of their numbers.

    Those that are not `limited` may take what they need, each in a child of its own.
    """
    separated: list[tuple[int, str]] = []
    parts = jobs if limited else len(numbers)
    waiting = [part for at in range(parts) if (part := numbers[at::parts])]
    running: dict[int, _Child] = {}
    with selectors.DefaultSelector() as selector, _ended_with_us(running):

        def begin(part: Sequence[int]) -> None:
            child = _begin(check, part, limited)
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

        while running or waiting:
            while waiting and len(running) < jobs:
                begin(waiting.pop(0))
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
            for child in list(running.values()) if limited else ():
                if time.monotonic() - child.heard_at_s > LIMIT_S + GRACE_S:
                    end(child, f"no answer within {LIMIT_S + GRACE_S:.0f} s")
    return sorted(separated)


@contextlib.contextmanager
def _ended_with_us(running: Mapping[int, _Child]) -> Iterator[None]:
    """Interrupt whoever still runs in the end, and wait: each clears away what it has started."""
    try:
        yield
    finally:
        for child in running.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(child.pid, signal.SIGINT)
        for child in running.values():
            os.waitpid(child.pid, 0)


def _begin(check: Check, numbers: Sequence[int], limited: bool) -> _Child:
    sys.stdout.flush()
    sys.stderr.flush()
    read, write = os.pipe()
    pid = os.fork()
    if pid:
        os.close(write)
        return _Child(pid, read, numbers, time.monotonic())
    try:
        os.close(read)
        os.setsid()  # Ctrl-C comes from us alone: a second one would interrupt the clearing away
        signal.signal(signal.SIGINT, signal.default_int_handler)
        gc.freeze()  # what it has from us is not looked through again and again
        if limited:
            _keep_quiet()
        for number in numbers:
            os.write(write, b"%d\n" % number)
            if limited:
                _limit_memory()
            before_s = time.process_time()
            try:
                why = check(number)
            except Exception as error:
                why = f"{type(error).__name__}: {str(error)[:300]}"
            took_s = time.process_time() - before_s
            if limited and why is None and took_s > LIMIT_S:
                why = f"{took_s:.1f} s of CPU time"
            if why is not None:
                os.write(write, b"%d %s\n" % (number, json.dumps(why[:2_000]).encode()))
        os._exit(0)
    finally:
        os._exit(70)


def _keep_quiet() -> None:
    faulthandler.disable()  # of pytest, which would tell of an abort at length
    with open(os.devnull, "wb") as nowhere:  # what a library says as it aborts
        os.dup2(nowhere.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_memory() -> None:
    """Leave so much for the next input: what the ones before it have left is none of its own."""
    with open("/proc/self/statm", encoding="ascii") as statm:
        has = int(statm.read().split()[0]) * resource.getpagesize()
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (has + LIMIT_BYTES, hard))
