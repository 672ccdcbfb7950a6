"""What the app does with its services: seeding, misses, kept and fresh clients."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.request import urlopen

import pytest
from app_calls import Fetch, by_wsgi


@pytest.fixture
def seeded() -> Iterator[None]:
    """Put everything back in place after a test that breaks it."""
    from django.core.management import call_command

    yield
    call_command("seed", verbosity=0)


def rows() -> list[dict[str, Any]]:
    from myapp.models import Row

    return list(Row.objects.order_by("value").values("id", "name", "value"))


def test_seeding_again_changes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    from django.core.management import call_command

    before = rows()
    call_command("seed")
    assert rows() == before
    assert len(before) == 30
    assert capsys.readouterr().out == "30 rows and the key 'seeded' are in place.\n"


@pytest.mark.usefixtures("seeded")
def test_seeding_puts_wrong_rows_right() -> None:
    from django.core.management import call_command

    from myapp.models import Row

    right = [(row["name"], row["value"]) for row in rows()]
    Row.objects.filter(value=3).delete()
    Row.objects.filter(value=4).update(name="wrong")
    Row.objects.create(name="extra", value=1000)
    call_command("seed", verbosity=0)
    assert [(row["name"], row["value"]) for row in rows()] == right


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("style", ["sync", "async"])
def test_a_miss_is_a_failure(style: str, fetch: Mapping[str, Fetch]) -> None:
    from django.core.cache import cache

    cache.delete("seeded")
    for interface in ("wsgi", "asgi"):
        assert fetch[interface](f"/myapp/{style}/cache_hit").status == 500


def test_the_seeded_value_never_expires() -> None:
    from django.core.cache import cache

    client = cache._cache.get_client()
    assert client.ttl(cache.make_key("seeded")) == -1


def test_a_set_writes_the_value() -> None:
    from django.core.cache import cache

    from myapp.views.cache import VALUE, WRITTEN

    for style in ("sync", "async"):
        cache.delete(WRITTEN)
        assert by_wsgi(f"/myapp/{style}/cache_set").status == 200
        assert cache.get(WRITTEN) == VALUE


def test_all_cache_objects_share_one_pool() -> None:
    from concurrent.futures import ThreadPoolExecutor

    from django.core.cache import cache

    def pool() -> object:
        return cache._cache.get_client().connection_pool

    with ThreadPoolExecutor(1) as other:
        assert other.submit(pool).result() is pool()


@pytest.mark.parametrize(
    ("path", "interface", "opened"),
    [
        ("sync/requests", "wsgi", 0),
        ("async/requests", "asgi", 0),
        ("sync/httpx", "wsgi", 0),
        ("async/httpx", "asgi", 0),
        ("async/aiohttp", "asgi", 0),
        ("sync/requests_fresh", "wsgi", 3),
        ("async/requests_fresh", "asgi", 3),
        ("sync/httpx_fresh", "wsgi", 3),
        ("async/httpx_fresh", "wsgi", 3),
        ("async/httpx_fresh", "asgi", 3),
        ("async/aiohttp_fresh", "wsgi", 3),
        ("async/aiohttp_fresh", "asgi", 3),
    ],
)
def test_a_kept_client_keeps_its_connection(
    path: str,
    interface: str,
    opened: int,
    fetch: Mapping[str, Fetch],
    addresses: Mapping[str, str],
) -> None:
    def connections() -> int:
        with urlopen(f"{addresses['LOADTEST_UPSTREAM']}/count") as count:
            return json.load(count)["connections"]

    fetch[interface](f"/myapp/{path}")
    before = connections()
    for _ in range(3):
        assert fetch[interface](f"/myapp/{path}").status == 200
    assert connections() - before == opened


@pytest.mark.parametrize("name", ["httpx", "aiohttp"])
def test_what_is_declared_unsupported_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from myapp import clients

    attribute = {"httpx": "kept_async_httpx", "aiohttp": "kept_aiohttp"}[name]
    make = getattr(clients, attribute)._make
    monkeypatch.setattr(clients, attribute, clients.Kept(make))
    answers = [by_wsgi(f"/myapp/async/{name}").status for _ in range(3)]
    assert 500 in answers


@pytest.mark.parametrize("name", ["requests", "httpx", "requests_fresh", "httpx_fresh"])
def test_a_dead_upstream_is_a_failure(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.conf import settings

    monkeypatch.setattr(settings, "UPSTREAM_URL", "http://127.0.0.1:9")
    assert by_wsgi(f"/myapp/sync/{name}").status == 500


@pytest.mark.parametrize("name", ["requests", "httpx"])
def test_an_answer_that_is_no_success_is_a_failure(
    name: str, monkeypatch: pytest.MonkeyPatch, addresses: Mapping[str, str]
) -> None:
    from django.conf import settings

    monkeypatch.setattr(settings, "UPSTREAM_URL", f"{addresses['LOADTEST_UPSTREAM']}/none")
    assert by_wsgi(f"/myapp/sync/{name}").status == 500


def test_proxies_of_the_environment_are_ignored(
    fetch: Mapping[str, Fetch], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for path in ("sync/requests_fresh", "sync/httpx_fresh", "async/aiohttp_fresh", "sync/requests"):
        assert fetch["asgi"](f"/myapp/{path}").status == 200
