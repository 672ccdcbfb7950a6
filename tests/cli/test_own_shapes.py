"""Somebody's own project in several shapes, under a variant, by its traffic, against today's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Type
from own_shop import HEAD, short_run

from loadtest.plan.servers import own

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("no_addresses")]

REFERENCE = 'reference = "gunicorn-gthread"'
TODAY = f'{REFERENCE}\nreference_shape = "2x2"'

SHAPES = f"""
shapes = ["1x1", "1x2"]
{HEAD.replace(REFERENCE, TODAY)}
[variants.bare]
without = ["shop.settings.plain_middleware"]
settings.SESSION_COOKIE_AGE = 60
unsupported = {{ asgi = "not tried" }}

[[endpoint]]
name = "home"
path = "/"
share = 0.9
[endpoint.answer]
has = ["Thing 7"]
[[endpoint]]
name = "slow"
path = "/slow/"
"""


@pytest.fixture(autouse=True)
def _declared(shop: Path) -> None:
    """Declare shapes, variants and shares, under which the same is answered."""
    (shop / own.FILE).write_text(SHAPES)


def test_shapes_variants_shares_and_what_runs_today(type_: Type, shop: Path) -> None:
    stored = short_run(type_, shop, "--server", "gunicorn-gthread", "--server", "uvicorn")
    folder = stored.folder
    plan, rows = stored.run.plan, {each.name: each for each in stored.run.plan.servers}
    assert set(rows) == {
        "gunicorn-gthread-1x1", "gunicorn-gthread-1x1-bare", "gunicorn-gthread-1x2",
        "gunicorn-gthread-1x2-bare", "gunicorn-gthread-2x2", "gunicorn-gthread-2x2-again",
        "uvicorn-1", "uvicorn-1-bare",
    }  # fmt: skip
    assert (plan.today, plan.reference, plan.mix) == (*("gunicorn-gthread-2x2",) * 2, "rest")
    status = {(each.cell.partition(".")[0], each.status) for each in stored.outcomes}
    assert {name for name, of in status if of == "skipped"} == {"uvicorn-1-bare"}
    assert {of for _, of in status} == {"measured", "skipped"}
    for name, words in {"1x2-bare": ("1", "2"), "2x2": ("2", "2")}.items():
        argv = stored.run.argv[f"gunicorn-gthread-{name}"]
        given = tuple(argv[argv.index(option) + 1] for option in ("--workers", "--threads"))
        assert given == words
    assert stored.run.site is not None
    assert (stored.run.site.asynchronous, stored.run.site.reconnects) == (False, False)
    assert stored.run.site.blocks == "shop.settings.plain_middleware"
    # What is told to a variant is in no result.
    assert "SESSION_COOKIE_AGE" not in (folder / "run.json").read_text()
    report = (folder / "report.md").read_text()
    assert "times today's" in report
    assert "by their shares of your traffic" in report
    decision = json.loads((folder / "summary.json").read_text())["decision"]
    assert decision["cost"]["today"] == "gunicorn-gthread-2x2"
    assert decision["cost"]["endpoints"] == ["home-sync", "slow-sync"]

    done = type_("run", "--project", shop, "--resume", folder)
    assert done.status in (0, 1), done.err
    with (shop / "loadtest.toml").open("a") as file:
        file.write("[variants.other]\n")
    broken = (shop / "loadtest.toml").read_text().replace("[variants.bare]", "[variants.gone]")
    (shop / "loadtest.toml").write_text(broken)
    done = type_("run", "--project", shop, "--resume", folder)
    assert done.status == 2
    assert "server gunicorn-gthread-1x1-bare is declared differently now" in done.err


@pytest.mark.usefixtures("two_servers")
def test_a_server_is_checked_under_each_variant(type_: Type, shop: Path) -> None:
    path = shop / "loadtest.toml"
    # Without sessions nobody is logged in, and without a token there is no form.
    changed = '["django.contrib.sessions.middleware.SessionMiddleware"]'
    path.write_text(path.read_text().replace('["shop.settings.plain_middleware"]', changed))
    done = type_("check", "--project", shop, "--json")
    assert done.status == 1
    results = {row["name"]: row["result"] for row in json.loads(done.out)}
    assert results.pop("network")
    assert results == {
        "gunicorn-gthread-1x1": "ok",
        "gunicorn-gthread-1x1-bare": "NO",
        "gunicorn-gthread-2x2": "ok",
        "uvicorn-1": "ok",
    }

    done = type_("serve", "uvicorn", "--project", shop, "--variant", "bear")
    assert done.err.splitlines() == ["loadtest: unknown variant 'bear'; did you mean bare?"]


def test_a_variant_names_middleware_that_is_there(type_: Type, shop: Path) -> None:
    path = shop / "loadtest.toml"
    path.write_text(path.read_text().replace("plain_middleware", "plain_middlewear"))
    done = type_("plan", "--project", shop)
    assert done.status == 2
    assert "[variants.bare]: unknown middleware 'shop.settings.plain_middlewear'" in done.err
