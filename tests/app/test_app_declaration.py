"""One declaration for each endpoint: no name twice, no view shared, golden files that add up."""

import json
import subprocess
import sys
from typing import Any

import brotli
import pytest
from app_calls import declared, manage
from paths import ROOT

RECORDS = declared()


def test_the_listing_is_complete_and_ordered() -> None:
    keys = [(record["name"], record["style"]) for record in RECORDS]
    both = ["json", "json_query", "template_query", "slow_query"]
    both += ["gateway_1s", "gateway_3s", "gateway_10s"]
    both += ["brotli", "brotli_q4", "cache_hit", "cache_set", "requests", "httpx"]
    expected = [(name, style) for name in both for style in ("sync", "async")]
    expected.append(("aiohttp", "async"))
    for name in ("requests_fresh", "httpx_fresh"):
        expected += [(name, "sync"), (name, "async")]
    expected += [("aiohttp_fresh", "async"), ("raw", "control")]
    assert keys == expected


def test_the_shape_of_a_record() -> None:
    (raw,) = [record for record in RECORDS if record["style"] == "control"]
    assert raw == {
        "name": "raw",
        "style": "control",
        "path": "/raw",
        "title": raw["title"],
        "kind": "control",
        "summary": raw["summary"],
        "isolated": False,
        "note": raw["note"],
        "unsupported": {},
        "contract": {
            "status": 200,
            "content_type": "application/json",
            "content_encoding": None,
            "body_bytes": 30,
            "body_sha256": RECORDS[0]["contract"]["body_sha256"],
            "delay_s": 0.0,
            "pooled": False,
            "postgres": 0,
            "redis": 0,
            "upstream": 0,
        },
    }


def test_what_can_poison_the_next_is_isolated() -> None:
    isolated = {(record["name"], record["style"]) for record in RECORDS if record["isolated"]}
    gateways = {
        (f"gateway_{seconds}s", style) for seconds in (1, 3, 10) for style in ("sync", "async")
    }
    blocking = {("requests", "async"), ("requests_fresh", "async")}
    assert isolated == gateways | blocking
    noted = {
        (record["name"], record["style"])
        for record in RECORDS
        if "anti-pattern" in (record["note"] or "")
    }
    assert noted == blocking
    unsupported = {(record["name"], record["style"]) for record in RECORDS if record["unsupported"]}
    assert unsupported == {("httpx", "async"), ("aiohttp", "async")}


def test_no_two_routes_share_a_view_or_a_path() -> None:
    from django.urls import resolve

    from myapp import views

    routes = [route for route in views.routes() if route.view]
    resolved = [resolve(route.path).func for route in routes]
    assert resolved == [route.view for route in routes]
    assert len(set(resolved)) == len(routes)
    assert len({record["path"] for record in RECORDS}) == len(RECORDS)


def test_a_name_declared_twice_is_refused() -> None:
    from myapp import contract

    second = contract.Endpoint(
        name="json", title="", kind="cpu", summary="", contract=contract.ok()
    )
    before = contract.declared()
    with pytest.raises(ValueError, match="'json' already has a async view"):

        @second.view()
        async def view(request: Any) -> None: ...

    assert contract.declared() == before


def test_every_module_of_views_is_a_topic() -> None:
    from myapp import views

    modules = {path.stem for path in (ROOT / "myapp" / "views").glob("[!_]*.py")}
    assert modules == set(views.TOPICS)


def test_the_golden_files_are_what_they_are_meant_to_be() -> None:
    from myapp.contract import expected
    from myapp.management.commands.posts import posts

    assert json.loads(expected("json_query.json")) == [
        {"name": f"name{value}", "value": value} for value in range(30)
    ]
    assert len(expected("json_query.json")) == 970
    assert 2700 < len(expected("template_query.html")) < 2900
    assert len(json.loads(expected("cache_hit.json"))["value"]) == 1024
    body = expected("posts.json")
    assert abs(len(body) - 27_500) <= 100
    assert len(json.loads(body)) == 100
    assert json.dumps(posts()).encode() == body
    assert len(brotli.compress(body)) < len(body) / 3


def test_the_models_have_their_migrations() -> None:
    from django.core.management import call_command

    call_command("makemigrations", "--check", "--dry-run", verbosity=0)


def test_a_missing_secret_key_is_one_clear_line() -> None:
    done = manage("endpoints")
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "DJANGO_SECRET_KEY is not set. Type: export DJANGO_SECRET_KEY=" in line


@pytest.mark.parametrize("size", ["0", "-1", "many", ""])
def test_a_pool_size_that_is_none_is_refused(size: str) -> None:
    done = manage("endpoints", DJANGO_SECRET_KEY="tests", DATABASE_POOL_SIZE=size)
    assert done.returncode == 2
    assert "DATABASE_POOL_SIZE" in done.stderr


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (
            "postgresql://postgres@/postgres?host=/tmp/x",
            {"NAME": "postgres", "USER": "postgres", "HOST": "/tmp/x", "PORT": ""},
        ),
        (
            "postgresql://user:p%40w@host:5432/name?sslmode=require",
            {"NAME": "name", "USER": "user", "PASSWORD": "p@w", "HOST": "host", "PORT": "5432"},
        ),
    ],
)
def test_database_urls(url: str, expected: dict[str, str]) -> None:
    from myproject.settings import _database

    database = _database(url)
    assert {key: database[key] for key in expected} == expected
    assert ("sslmode" in database["OPTIONS"]) == ("sslmode" in url)


def test_errors_are_logged_a_few_times_only() -> None:
    import logging

    from myproject.logs import FirstFew

    few = FirstFew(2)
    record = logging.makeLogRecord({})
    assert [few.filter(record) for _ in range(4)] == [True, True, False, False]


def test_the_upstream_imports_no_django() -> None:
    code = "import sys, myproject.upstream; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
