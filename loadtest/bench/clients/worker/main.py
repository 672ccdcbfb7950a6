"""Runs one row in an interpreter of its own: `python -I main.py key=value ...`, JSON out.

It needs the standard library and one client, and imports nothing before that client that would
make the client's own import look cheaper than it is. So the options are words and not JSON.
"""

from __future__ import annotations

import sys
import time

FIRST_S = time.monotonic()  # the interpreter has started; who started it reads the same clock

TYPE_CHECKING = False  # as `typing` has it, without importing that

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    Result = int | str | None
    """Of a call: microseconds, or what went wrong, or None where it was not made."""

MOST_ERRORS = 20

ERRORS_FOR_S = 5.0
"""A row with an error has failed. Beyond these it makes no more calls, for the others' sake."""


def main() -> None:
    """Import, open, warm up, work, close; print what came of it."""
    options = dict(word.split("=", 1) for word in sys.argv[1:])
    account = Account(options)
    facts = account.facts
    try:
        _end_after(float(options["limit_s"]))
        facts["import_at_s"] = time.monotonic()
        client = _load("client", options["client"])
        driving = _load("driving", options["driving"])
        account.phase("imported_at_s", "set-up")
        driving.drive(client, options, account)
    except BaseException as error:  # whatever it was, it is told
        import traceback

        facts["error"] = (str(error).splitlines() or [""])[0]
        facts["error_kind"] = type(error).__name__
        facts["detail"] = traceback.format_exc()
    account.report()


def _end_after(limit_s: float) -> None:
    """End this process when its time is over, also if nobody else does; stderr then says where."""
    import faulthandler

    faulthandler.dump_traceback_later(limit_s, exit=True)


def _load(name: str, path: str) -> Any:
    """Run a file as a module, from its cached code where there is some.

    By its path, since `requests` names both the file and the client; and without `importlib.util`,
    whose imports would be gone from the client's bill.
    """
    from importlib.machinery import SourceFileLoader

    module = type(sys)(name)
    module.__file__ = path
    sys.modules[name] = module
    code = SourceFileLoader(name, path).get_code(name)
    assert code is not None
    exec(code, module.__dict__)
    return module


class Account:
    """Checks each answer, and notes when each phase was over and what came of the calls."""

    def __init__(self, options: dict[str, str]) -> None:
        """Take what an answer has to be from the options; no length or digest: any will do."""
        self.facts: dict[str, Any] = {"first_at_s": FIRST_S, "stage": "import"}
        self._status = int(options["status"])
        self._length = int(options["length"]) if options.get("length") else None
        self._sha256 = options.get("sha256")
        self._known: bytes | None = None
        self._errors = 0
        self._until_s = 0.0

    def phase(self, over: str, then: str) -> None:
        """Note that a phase is over, and the name of the next one."""
        self.facts[over] = time.monotonic()
        self.facts["stage"] = then

    def may_call(self) -> bool:
        """Return whether another call is worth making."""
        return self._errors == 0 or (
            self._errors < MOST_ERRORS and time.monotonic() < self._until_s
        )

    def answered(self, took_us: int, status: int, body: object) -> Result:
        """Return the result of a call that got an answer.

        The digest is taken of the first body; one that is the very same bytes needs none.
        """
        if status != self._status:
            return self.failed(f"status {status}")
        if self._known is not None and body == self._known:
            return took_us
        if not isinstance(body, bytes):
            return self.failed("no body")
        if self._length is not None and len(body) != self._length:
            return self.failed("wrong length", f"{len(body)} bytes instead of {self._length}")
        if self._sha256:
            import hashlib

            if hashlib.sha256(body).hexdigest() != self._sha256:
                return self.failed("wrong digest")
            self._known = body
        return took_us

    def raised(self, error: Exception) -> Result:
        """Return the result of a call that raised an exception: its name."""
        return self.failed(type(error).__name__, str(error))

    def failed(self, kind: str, detail: str = "") -> Result:
        """Return the result of a call that failed; what the first one says is kept."""
        if self._errors == 0:
            self._until_s = time.monotonic() + ERRORS_FOR_S
            self.facts["detail"] = f"{kind}: {detail}" if detail else kind
        self._errors += 1
        return kind

    def warmed(self, results: Sequence[Result]) -> None:
        """Note the end of the warm-up; from here on the clocks count."""
        self.facts["warmup_calls"] = sum(result is not None for result in results)
        self.facts["warmup_errors"] = _errors(results)
        self._before = _used()
        self.phase("warmed_at_s", "work")
        self._began_s = time.perf_counter()

    def worked(self, results: Sequence[Result]) -> None:
        """Note what the timed calls came to."""
        facts = self.facts
        facts["seconds"] = time.perf_counter() - self._began_s
        after = _used()
        self.phase("worked_at_s", "end")
        facts["user_s"] = after.ru_utime - self._before.ru_utime
        facts["system_s"] = after.ru_stime - self._before.ru_stime
        latencies: dict[int, int] = {}
        for result in results:
            if isinstance(result, int):
                shown = result if result < 1000 else int(float(f"{result:.3g}"))
                latencies[shown] = latencies.get(shown, 0) + 1
        facts["latencies_us"] = sorted(latencies.items())
        facts["errors"] = _errors(results)
        facts["calls"] = sum(result is not None for result in results)

    def report(self) -> None:
        """Print the account."""
        import json

        self.facts["peak_rss_bytes"] = _peak_rss_bytes()
        sys.stdout.write(json.dumps(self.facts) + "\n")


def _errors(results: Sequence[Result]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for result in results:
        if isinstance(result, str):
            counts[result] = counts.get(result, 0) + 1
    return counts


def _used() -> Any:
    import resource

    return resource.getrusage(resource.RUSAGE_SELF)


def _peak_rss_bytes() -> int:
    """Return the most memory this process had; on Linux not by getrusage.

    That counts what the process was before it became this interpreter: a copy of who started it.
    """
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024
    except OSError:
        return int(_used().ru_maxrss)  # bytes on macOS


if __name__ == "__main__":
    main()
