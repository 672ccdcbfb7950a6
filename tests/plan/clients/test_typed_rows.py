"""What is typed after `loadtest clients`, and the presets: rows that are what they say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest
from paths import ROOT

from loadtest.plan.clients import catalogue, presets, typed_rows
from loadtest.plan.clients.environments import Environment
from loadtest.plan.clients.own_server import true_of
from loadtest.plan.clients.typed_rows import Typed
from loadtest.records.clients import Interpreter, Plan, Row
from loadtest.records.errors import UserError

CLIENTS = catalogue.clients()
HERE = Interpreter(path="/python", version="3.11.7", implementation="CPython", versions={})
PLACE = {
    "clients": Environment(key="3.11.7-clients", interpreter=HERE, missing={}),
    "niquests": Environment(key=None, interpreter=None, missing={"niquests": "install it"}),
}


def planned(*words: str, **options: Any) -> Plan:
    asked = typed_rows.chosen(Typed(words=words, **options), CLIENTS)
    return presets.plan(asked, CLIENTS, [("", PLACE)], seed=1)


def rows(*words: str, **options: Any) -> list[Row]:
    return [row for row in planned(*words, **options).rows if row.duplicate_of is None]


def refused(*words: str, **options: Any) -> tuple[str, ...]:
    with pytest.raises(UserError) as error:
        planned(*words, **options)
    return error.value.lines


def what(row: Row) -> tuple[object, ...]:
    return row.label, row.client, row.mode, row.requests, row.batch, row.chunk


def test_the_first_document() -> None:
    """1,000 requests, one and ten in flight, by aiohttp and by httpx."""
    assert [what(row) for row in rows("asyncio-clients")] == [
        ("aiohttp --count 1000 --batch 1", "aiohttp", "sequential", 1000, 1, None),
        ("httpx_async --count 1000 --batch 1", "httpx_async", "sequential", 1000, 1, None),
        ("aiohttp --count 1000 --batch 10", "aiohttp", "async-for", 1000, 10, None),
        ("httpx_async --count 1000 --batch 10", "httpx_async", "async-for", 1000, 10, None),
    ]


def test_the_second_document() -> None:
    """Every client, its session kept and a new one for each call, under the right heading."""
    chosen = rows("reuse")
    assert {(row.client, row.reuse, row.answer.tls) for row in chosen} == {
        (name, reuse, tls)
        for name in CLIENTS
        for reuse in ("kept", "each-call")
        for tls in (False, True)
    }
    assert all(row.label == f"{row.client}, {row.reuse}" for row in chosen)
    assert {row.mode for row in chosen} == {"sequential"}


def test_the_third_document() -> None:
    """Each row runs the mode that it is called by: there `async-map` ran `async-for`."""
    chosen = rows("threads-vs-asyncio")
    assert [what(row) for row in chosen] == [
        ("threads-recreate -r 1000 -c 100", "requests", "threads-recreate", 1000, 100, 100),
        ("threads-reuse -r 1000 -c 100", "requests", "threads-reuse", 1000, 100, 100),
        ("threads-map -r 1000", "requests", "threads-map", 1000, 1000, None),
        ("async-for -r 1000", "aiohttp", "async-for", 1000, 100, None),
        ("async-map -r 1000", "aiohttp", "async-map", 1000, 100, None),
        ("async-taskgroup -r 1000", "aiohttp", "async-taskgroup", 1000, 100, None),
    ]
    assert all(row.label.startswith(row.mode) for row in chosen)


@pytest.mark.parametrize("name", presets.names())
def test_each_preset(name: str) -> None:
    plan = planned(name)
    assert plan.rounds >= 5
    assert len({row.id for row in plan.rows}) == len(plan.rows)
    for group in plan.groups:
        duplicates = [row for row in plan.rows if row.group == group.name and row.duplicate_of]
        assert [duplicate.duplicate_of for duplicate in duplicates] == [group.reference]
        skips = {row.id: row.skip for row in plan.rows}
        assert skips[duplicates[0].duplicate_of or ""] is None


@pytest.mark.parametrize(
    ("name", "tls", "titles"),
    [
        ("reuse", False, ["plain"]),
        ("reuse", True, ["tls"]),
        ("default", False, ["clients"]),
        ("threads-vs-asyncio", False, ["threads-vs-asyncio"]),
        ("threads-vs-asyncio", True, ["threads-vs-asyncio"]),
    ],
)
def test_titles_are_true_of_a_server_of_ones_own(name: str, tls: bool, titles: list[str]) -> None:
    assert [table.name for table in true_of(presets.read(name).group, tls, print)] == titles


def test_nothing_typed_is_the_default() -> None:
    assert planned().preset == "default"
    assert planned("default") == planned()


def test_the_short_names_of_the_documents() -> None:
    (short,) = rows("aiohttp", requests=(1000,), batch=(10,))
    (same,) = [
        row for row in rows("asyncio-clients") if row.client == "aiohttp" and row.batch == 10
    ]
    unnamed = {"id": "", "group": "", "label": ""}
    assert msgspec.structs.replace(short, **unnamed) == msgspec.structs.replace(same, **unnamed)
    (short,) = rows("threads-reuse", requests=(1000,), chunk=(100,))
    same = rows("threads-vs-asyncio")[1]
    assert what(short)[1:] == what(same)[1:]


@pytest.mark.parametrize(
    ("words", "options", "clients", "modes"),
    [
        (("httpx",), {}, {"httpx_async", "httpx_sync"}, {"async-for", "threads-reuse"}),
        (("httpx",), {"batch": (1,)}, {"httpx_async", "httpx_sync"}, {"sequential"}),
        (("async-map",), {}, {"aiohttp"}, {"async-map"}),
        (("threads-map", "async-map"), {}, {"requests", "aiohttp"}, {"threads-map", "async-map"}),
        (("sequential",), {}, set(CLIENTS), {"sequential"}),
        (("threads-map", "urllib3"), {}, {"urllib3"}, {"threads-map"}),
        ((), {"tls": (True,)}, set(CLIENTS), {"threads-reuse", "async-for"}),
    ],
)
def test_words(
    words: tuple[str, ...], options: dict[str, Any], clients: set[str], modes: set[str]
) -> None:
    chosen = rows(*words, **options)
    assert {row.client for row in chosen} == clients
    assert {row.mode for row in chosen} == modes


def test_several_values_are_several_rows() -> None:
    chosen = rows("urllib3", requests=(100, 200), batch=(5, 10), delay_ms=(0.0, 10.0))
    assert len(chosen) == 8
    assert len({row.label for row in chosen}) == 8


@pytest.mark.parametrize(
    ("words", "options", "line"),
    [
        (("aiohtp",), {}, "unknown client, mode or preset 'aiohtp'; did you mean aiohttp?"),
        (("reus",), {}, "unknown client, mode or preset 'reus'; did you mean reuse"),
        (("async-mop",), {}, "did you mean async-map"),
        (("reuse", "aiohttp"), {}, "reuse is a preset, which stands alone; leave out the other"),
        (("reuse",), {"batch": (2,)}, "leave out --batch, or name clients in its place"),
        (("aiohttp", "threads-map"), {}, "aiohttp is async and cannot be driven by threads-map;"),
        (("aiohttp", "async-for", "threads-map"), {}, "name httpx_sync or niquests or requests or"),
        (("aiohttp",), {"requests": (5,), "batch": (10,)}, "ask for --batch 5 or less"),
        (("sequential",), {"batch": (2,)}, "one at a time: leave out --batch 2, or name a mode"),
        (("threads-map",), {"chunk": (5,)}, "threads-map has no chunks; leave out --chunk"),
        (("threads-recreate",), {"batch": (5,)}, "and there is none: add --chunk 5"),
        (("async-map",), {"requests": (5,), "batch": (5,), "chunk": (6,)}, "at most --chunk 5"),
        (("async-map",), {"batch": (6,), "chunk": (5,)}, "ask for --batch 5, or a larger --chunk"),
        (("httpx",), {"http": ("2",)}, "HTTP/2 is spoken over TLS here; add --tls"),
    ],
)
def test_a_mistake_says_what_to_type(
    words: tuple[str, ...], options: dict[str, Any], line: str
) -> None:
    assert any(line in message for message in refused(*words, **options))


def test_what_a_client_cannot_speak_is_skipped() -> None:
    skips = {row.client: row.skip for row in rows(tls=(True,), http=("2",))}
    assert skips["aiohttp"] == "aiohttp does not speak HTTP/2; httpx and niquests do"
    assert skips["niquests"] == "install it"
    assert skips["httpx_async"] is None


def test_two_pythons_are_two_rows() -> None:
    asked = typed_rows.chosen(Typed(words=("aiohttp",)), CLIENTS)
    newer = {
        "clients": Environment(
            key="made",
            interpreter=msgspec.structs.replace(HERE, version="3.13.0"),
            missing={},
        )
    }
    places = [("Python 3.11.7", PLACE), ("Python 3.13.0", newer)]
    chosen = presets.plan(asked, CLIENTS, places, seed=1).rows
    assert [row.label for row in chosen if not row.duplicate_of] == [
        "aiohttp (Python 3.11.7)",
        "aiohttp (Python 3.13.0)",
    ]
    assert [row.python for row in chosen if not row.duplicate_of] == ["3.11.7-clients", "made"]


def test_a_preset_with_a_row_twice_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the documents has rows that are the same but for their name."""
    text = """
        title = "Twice"
        rounds = 5
        warmup_requests = 0
        [[group]]
        name = "twice"
        title = "Twice"
        about = "Twice?"
        [[group.rows]]
        label = "one"
        client = ["aiohttp"]
        requests = [10]
        [[group.rows]]
        label = "{label}"
        client = ["aiohttp"]
        requests = [{requests}]
    """
    monkeypatch.setattr(presets, "PRESETS", tmp_path)
    for label, requests, message in (("two", 10, "the same row"), ("one", 20, "are called 'one'")):
        preset = text.replace("{label}", label).replace("{requests}", str(requests))
        (tmp_path / "twice.toml").write_text(preset)
        with pytest.raises(UserError, match=message):
            presets.plan(presets.read("twice"), CLIENTS, [("", PLACE)], seed=1)
    (tmp_path / "twice.toml").write_text(text.replace("requests = [{requests}]", "reqests = [1]"))
    with pytest.raises(UserError, match="'reqests'; did you mean requests"):
        presets.read("twice")
    with pytest.raises(UserError, match="unknown preset 'nowhere'"):
        presets.read("nowhere")


def test_a_client_that_declares_too_little_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text('TITLE = "mine"\nKIND = "both"\n')
    with pytest.raises(UserError, match=r"mine\.py: "):
        catalogue.clients(tmp_path)


def test_the_locks_hold_one_version_of_each() -> None:
    """A client's environment and the project's own have the same versions."""

    def pins(path: Path) -> set[str]:
        lines = path.read_text().splitlines()
        return {line.split(" ")[0] for line in lines if "==" in line and line[0].isalpha()}

    assert pins(catalogue.FOLDER / "clients.lock") <= pins(ROOT / "requirements.lock")
    niquests = {pin.partition("==")[0] for pin in pins(catalogue.FOLDER / "niquests.lock")}
    assert {"niquests", "urllib3-future"} <= niquests
    assert "urllib3" not in niquests
    for lock in catalogue.FOLDER.glob("*.lock"):
        assert "://" not in lock.read_text()
        assert "--hash=sha256:" in lock.read_text()
