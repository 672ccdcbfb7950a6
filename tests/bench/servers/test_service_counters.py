"""What services say of themselves, which may be somebody else's."""

from __future__ import annotations

import pytest
from demo import DEMO
from odd_redis import REPLIES, saying

from loadtest.bench.servers import service_counters
from loadtest.bench.servers.service_counters import Counters
from loadtest.system import listening


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (b'{"requests": 7}', 7),
        (b'{"requests": "x"}', None),
        (b'{"requests": 1e999}', None),
        (b'{"requests": null}', None),
        (b'{"others": 1}', None),
        (b"[]", None),
        (b'"\xff"', None),
        (b"[" * 100_000, None),
    ],
    ids=lambda value: str(value)[:24],
)
def test_whatever_an_upstream_says_is_a_count_or_nothing(
    body: bytes, count: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = listening.Response(status=200, server=None, body=body)
    monkeypatch.setattr(listening, "get", lambda *_: answer)
    counters = Counters(DEMO, {"LOADTEST_UPSTREAM": "http://127.0.0.1:9"})
    assert counters._upstream("http://127.0.0.1:9") == count


@pytest.mark.parametrize("reply", REPLIES, ids=lambda reply: str(reply)[:24])
def test_whatever_a_redis_says_is_a_count_or_nothing(
    reply: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service_counters, "TIMEOUT_S", 0.5)
    with saying(reply) as port:
        assert service_counters._redis(f"redis://127.0.0.1:{port}/0") in (None, 0)
