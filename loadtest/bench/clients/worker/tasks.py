"""Drives an asynchronous client: one call after the other, or as tasks of one event loop.

Runs in the worker: it imports the standard library alone.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import nullcontext

TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from loadtest.bench.clients.worker.main import Account, Result


def drive(client: Any, options: dict[str, str], account: Account) -> None:
    """Open, warm up, work and close as the options say, in one event loop."""
    asyncio.run(_drive(client, options, account))


async def _drive(client: Any, options: dict[str, str], account: Account) -> None:
    mode, batch, requests = options["mode"], int(options["batch"]), int(options["requests"])
    chunk = int(options.get("chunk") or requests)
    settings = (float(options["timeout_s"]), options.get("ca"), options["http"])
    url, kept = options["url"], options["reuse"] == "kept"
    clock = time.perf_counter_ns
    session = await client.opened(batch, *settings) if kept else None
    # Where more tasks begin than may be in flight, each waits its turn before its time begins.
    turn = asyncio.Semaphore(batch) if min(chunk, requests) > batch else nullcontext()

    async def call(_number: int) -> Result:
        async with turn:
            if not account.may_call():
                return None
            began = clock()
            try:
                if kept:
                    status, body = await client.get(session, url)
                else:
                    own = await client.opened(1, *settings)  # as who makes one call would
                    try:
                        status, body = await client.get(own, url)
                    finally:
                        await client.closed(own)
            except Exception as error:
                return account.raised(error)
            return account.answered((clock() - began) // 1000, status, body)

    async def by_loop(numbers: Sequence[int]) -> list[Result]:
        tasks = []
        for number in numbers:
            tasks.append(asyncio.create_task(call(number)))
        return await asyncio.gather(*tasks)

    async def by_map(numbers: Sequence[int]) -> list[Result]:
        return await asyncio.gather(*map(asyncio.create_task, map(call, numbers)))

    async def by_group(numbers: Sequence[int]) -> list[Result]:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call(number)) for number in numbers]
        return [task.result() for task in tasks]

    begun = {"async-for": by_loop, "async-map": by_map, "async-taskgroup": by_group}

    async def work(count: int) -> list[Result]:
        if mode == "sequential":
            return [await call(number) for number in range(count)]
        results: list[Result] = []
        for begin in range(0, count, chunk):
            results += await begun[mode](range(begin, min(begin + chunk, count)))
        return results

    account.phase("ready_at_s", "warm-up")
    account.warmed(await work(int(options["warmup"])))
    account.worked(await work(requests))
    if kept:
        await client.closed(session)
