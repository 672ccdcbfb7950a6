"""Drives a synchronous client: one call after the other, or from a pool of threads.

Runs in the worker: it imports the standard library alone, and thread pools only for their modes.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from typing import Any

    from loadtest.bench.clients.worker.main import Account, Result


def drive(client: Any, options: dict[str, str], account: Account) -> None:
    """Open, warm up, work and close as the options say."""
    mode, batch, requests = options["mode"], int(options["batch"]), int(options["requests"])
    chunk = int(options.get("chunk") or requests)
    settings = (float(options["timeout_s"]), options.get("ca"), options["http"])
    url, kept = options["url"], options["reuse"] == "kept"
    clock = time.perf_counter_ns
    if mode != "sequential":
        import concurrent.futures.thread  # noqa: F401  its time belongs to the imports

        account.phase("imported_at_s", "set-up")
    session = client.opened(batch, *settings) if kept else None
    pool = _pool(batch) if mode in ("threads-reuse", "threads-map") else None

    def call(_number: int) -> Result:
        if not account.may_call():
            return None
        began = clock()
        try:
            if kept:
                status, body = client.get(session, url)
            else:
                own = client.opened(1, *settings)  # as who makes one call would
                try:
                    status, body = client.get(own, url)
                finally:
                    client.closed(own)
        except Exception as error:
            return account.raised(error)
        return account.answered((clock() - began) // 1000, status, body)

    def work(count: int) -> list[Result]:
        if mode == "sequential":
            return [call(number) for number in range(count)]
        if mode == "threads-map":
            assert pool is not None
            return list(pool.map(call, range(count)))
        results: list[Result] = []
        for begin in range(0, count, chunk):
            own = pool or _pool(batch)
            futures = [
                own.submit(call, number) for number in range(begin, min(begin + chunk, count))
            ]
            results += [future.result() for future in futures]
            if own is not pool:
                own.shutdown()
        return results

    account.phase("ready_at_s", "warm-up")
    account.warmed(work(int(options["warmup"])))
    account.worked(work(requests))
    if pool is not None:
        pool.shutdown()
    if kept:
        client.closed(session)


def _pool(threads: int) -> ThreadPoolExecutor:
    from concurrent.futures.thread import ThreadPoolExecutor

    return ThreadPoolExecutor(max_workers=threads)
