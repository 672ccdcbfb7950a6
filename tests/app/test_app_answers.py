"""Every declared endpoint answers what its contract says, on every interface it supports."""

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from urllib.request import urlopen

import brotli
import pytest
import redis
from app_calls import Answer, Fetch, by_asgi, by_wsgi, declared

RECORDS = declared()
PAIRS = [
    pytest.param(record, interface, id=f"{record['style']}-{record['name']}-{interface}")
    for record in RECORDS
    for interface in ("wsgi", "asgi")
    if interface not in record["unsupported"]
]
POOLED = [pair for pair in PAIRS if pair.values[0]["contract"]["pooled"]]
WAITING = [pair for pair in PAIRS if pair.values[0]["contract"]["delay_s"] and pair not in POOLED]
INSTANT = [pair for pair in PAIRS if pair not in WAITING]
CROWDED = ("json", "json_query", "cache_hit", "requests", "httpx", "aiohttp")


def check(answer: Answer, contract: dict[str, Any]) -> None:
    assert answer.status == contract["status"]
    assert answer.headers["content-type"].partition(";")[0] == contract["content_type"]
    assert answer.headers.get("content-encoding") == contract["content_encoding"]
    assert int(answer.headers["content-length"]) == len(answer.body)
    body = brotli.decompress(answer.body) if contract["content_encoding"] else answer.body
    assert len(body) == contract["body_bytes"]
    assert hashlib.sha256(body).hexdigest() == contract["body_sha256"]


@pytest.mark.parametrize(("record", "interface"), INSTANT)
def test_answer_is_the_contract(
    record: dict[str, Any], interface: str, fetch: Mapping[str, Fetch]
) -> None:
    check(fetch[interface](record["path"]), record["contract"])


@pytest.mark.parametrize(("record", "interface"), POOLED)
def test_a_slow_query_takes_its_time_in_postgres(
    record: dict[str, Any], interface: str, fetch: Mapping[str, Fetch]
) -> None:
    from django.db import connection

    delay_s = record["contract"]["delay_s"]
    before = time.monotonic()
    check(fetch[interface](record["path"]), record["contract"])
    assert time.monotonic() - before >= delay_s
    # Postgres itself says what it was asked: once for the one row, not for each of 30.
    from myapp.views.database import _slept

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {_slept().query}")
        (plan,) = cursor.fetchone()[0]
    assert plan["Plan"]["Actual Rows"] == 1
    assert plan["Execution Time"] / 1000 >= delay_s


@pytest.mark.parametrize(("record", "interface"), WAITING)
def test_each_gateway_waits_its_own_time(
    record: dict[str, Any],
    interface: str,
    fetch: Mapping[str, Fetch],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from myapp.views import waiting

    slept: list[tuple[str, float]] = []

    async def asleep(seconds: float) -> None:
        slept.append(("async", seconds))

    asleep_sync = SimpleNamespace(sleep=lambda seconds: slept.append(("sync", seconds)))
    monkeypatch.setattr(waiting, "time", asleep_sync)
    monkeypatch.setattr(waiting, "asyncio", SimpleNamespace(sleep=asleep))
    check(fetch[interface](record["path"]), record["contract"])
    assert slept == [(record["style"], record["contract"]["delay_s"])]
    assert record["name"] == f"gateway_{slept[0][1]:.0f}s"


def test_the_waits_are_real(loop: asyncio.Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """And neither view keeps the other from waiting: each begins when both have come so far."""
    from myapp.views import waiting

    both_there = threading.Barrier(2)

    def sleep(seconds: float) -> None:
        both_there.wait(60)
        time.sleep(seconds)

    async def asleep(seconds: float) -> None:
        await asyncio.to_thread(both_there.wait, 60)
        await asyncio.sleep(seconds)

    async def both() -> None:
        await asyncio.gather(*(by_asgi(f"/myapp/{style}/gateway_1s") for style in styles))

    monkeypatch.setattr(waiting, "time", SimpleNamespace(sleep=sleep))
    monkeypatch.setattr(waiting, "asyncio", SimpleNamespace(sleep=asleep))
    styles = ("sync", "async")
    started = time.monotonic()
    loop.run(both())
    assert time.monotonic() - started >= 1.0


@pytest.mark.parametrize(("record", "interface"), INSTANT)
def test_declared_operations_are_made(
    record: dict[str, Any],
    interface: str,
    fetch: Mapping[str, Fetch],
    addresses: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from django.db.backends.utils import CursorWrapper

    queries: list[str] = []
    execute = CursorWrapper.execute

    def counted(self: CursorWrapper, sql: str, params: Any = None) -> Any:
        queries.append(sql)
        return execute(self, sql, params)

    def operations() -> dict[str, int]:
        with redis.Redis.from_url(addresses["LOADTEST_REDIS"]) as client:
            commands = client.info("commandstats")
        with urlopen(f"{addresses['LOADTEST_UPSTREAM']}/count") as count:
            requests = json.load(count)["requests"]
        keys = ("cmdstat_get", "cmdstat_set")
        used = sum(commands.get(key, {"calls": 0})["calls"] for key in keys)
        return {"postgres": len(queries), "redis": used, "upstream": requests}

    fetch[interface](record["path"])  # what a first request sets up is not the request's
    monkeypatch.setattr(CursorWrapper, "execute", counted)
    before = operations()
    fetch[interface](record["path"])
    counts = {name: count - before[name] for name, count in operations().items()}
    assert counts == {name: record["contract"][name] for name in counts}


@pytest.mark.parametrize("record", [record for record in RECORDS if record["name"] in CROWDED])
def test_answers_hold_when_many_are_in_flight(record: dict[str, Any], loop: asyncio.Runner) -> None:
    async def together() -> list[Answer]:
        return await asyncio.gather(*(by_asgi(record["path"]) for _ in range(64)))

    answers = loop.run(together())
    if "wsgi" not in record["unsupported"]:
        with ThreadPoolExecutor(16) as threads:
            answers += threads.map(by_wsgi, [record["path"]] * 64)
    for answer in answers:
        check(answer, record["contract"])


def test_the_control_answers_the_bytes_of_json(fetch: Mapping[str, Fetch]) -> None:
    for interface in ("wsgi", "asgi"):
        control, django = (fetch[interface](path) for path in ("/raw", "/myapp/sync/json"))
        assert control.body == django.body
        assert control.headers["content-type"] == django.headers["content-type"]
        assert "x-frame-options" in django.headers
        assert "x-frame-options" not in control.headers


def test_lifespan_is_answered(loop: asyncio.Runner) -> None:
    from myproject.asgi import application

    inbox = [{"type": "lifespan.shutdown"}, {"type": "lifespan.startup"}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return inbox.pop()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    loop.run(application({"type": "lifespan"}, receive, send))
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]


@pytest.mark.parametrize("style", ["sync", "async"])
@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("name=name7", [{"name": "name7", "value": 7}]),
        ("value=29", [{"name": "name29", "value": 29}]),
        ("name=name7&value=7", [{"name": "name7", "value": 7}]),
        ("name=name7&value=8", []),
        ("name=", []),
        ("value=-1", []),
        ("value=9999999999", []),  # beyond the column's range
        ("name='%20OR%201=1", []),
    ],
)
def test_filters(style: str, query: str, rows: list[dict[str, Any]]) -> None:
    answer = by_wsgi(f"/myapp/{style}/json_query?{query}")
    assert answer.status == 200
    assert json.loads(answer.body) == rows


@pytest.mark.parametrize("style", ["sync", "async"])
@pytest.mark.parametrize(
    "query",
    [
        "id=1",
        "name__startswith=n",
        "name=name1&other=",
        "value=",
        "value=one",
        "value=1.0",
        "value=%201",
        "value=1_0",
        "value=%D9%A1",  # a digit one of another script
        "value=99999999999",
        "name=%00",
        "name=name1&name=name2",
    ],
)
def test_anything_else_is_a_bad_request(style: str, query: str) -> None:
    assert by_wsgi(f"/myapp/{style}/json_query?{query}").status == 400


def test_other_paths_are_not_found(fetch: Mapping[str, Fetch]) -> None:
    for interface in ("wsgi", "asgi"):
        assert fetch[interface]("/myapp/sync/json/").status == 404
        assert fetch[interface]("/myapp/sync/raw").status == 404
