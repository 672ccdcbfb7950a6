"""Servers that are checked side by side: which processes answer what, and how much at once."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from builders import endpoint, server

from loadtest.bench.servers import checking
from loadtest.bench.servers.checking import AT_ONCE, SLOW_AT_ONCE, check_all
from loadtest.records.errors import CellError
from loadtest.records.planned import Shape

WAITS = endpoint("gateway", delay_s=10.0, isolated=True)
HOME = endpoint("home")
SYNC = server("sync", in_flight="workers")


@dataclass
class Bench:
    """Where servers are launched, and what is asked of each of them."""

    wrong: Collection[str] = ()
    """Endpoints, by their ids."""
    asked: list[list[tuple[str, int]]] = field(default_factory=list)
    """By launch: the endpoint, and how often at once."""
    stopped: int = 0
    shape: Shape = field(default_factory=Shape)

    def launch(self, profile: Any, name: str) -> Any:
        if profile.name == "down":
            raise CellError("launch", "down exited with status 1", "Traceback\nImportError: x")
        asked: list[tuple[str, int]] = []
        self.asked.append(asked)

        def verify(of: Any, *, concurrency: int, seconds: float, stage: str) -> None:
            asked.append((of.id, concurrency))
            if of.id in self.wrong:
                raise CellError("verify", f"{of.path}: status 500 instead of 200")

        def stop() -> None:
            self.stopped += 1

        return SimpleNamespace(verify=verify, stop=stop)


def check(bench: Any, *todo: Any, at_once: int = 1) -> list[Any]:
    return check_all(bench, todo, at_once)


def test_alone_then_several_at_once() -> None:
    bench = Bench()
    assert check(bench, (SYNC, [HOME])) == [{"home-sync": None}]
    assert bench.asked == [[("home-sync", 1), ("home-sync", AT_ONCE)]]
    assert bench.stopped == 1


def test_of_what_waits_no_more_is_asked_than_is_worked_on() -> None:
    """The others would stand in a queue for longer than an answer may take."""
    bench = Bench()
    assert check(bench, (SYNC, [HOME, WAITS])) == [{"home-sync": None, "gateway-sync": None}]
    # Nothing is left of it then, and the same process answers the rest.
    gateway, home = ("gateway-sync", 2), ("home-sync", AT_ONCE)
    assert bench.asked == [[("gateway-sync", 1), gateway, ("home-sync", 1), home]]


def test_what_fails_while_it_waits_spoils_nothing_else() -> None:
    bench = Bench(wrong=["gateway-sync"])
    (checked,) = check(bench, (SYNC, [WAITS, HOME]))
    assert checked == {
        "gateway-sync": "/myapp/sync/gateway: status 500 instead of 200",
        "home-sync": None,
    }
    assert [asked[0][0] for asked in bench.asked] == ["gateway-sync", "home-sync"]


def test_a_style_that_is_right_hides_no_other() -> None:
    both = [endpoint("json", "sync"), endpoint("json", "async")]
    (checked,) = check(Bench(wrong=["json-sync"]), (SYNC, both))
    assert checked["json-sync"]
    assert checked["json-async"] is None


def test_what_can_spoil_the_next_has_processes_of_its_own() -> None:
    bench = Bench()
    order = endpoint("order", isolated=True)
    check(bench, (SYNC, [order, HOME]))
    assert [{of for of, _ in asked} for asked in bench.asked] == [{"home-sync"}, {"order-sync"}]
    assert bench.stopped == 2


def test_one_that_does_not_come_up_is_told_among_the_others() -> None:
    failed, right = check(Bench(), (server("down"), [HOME]), (SYNC, [HOME]))
    assert str(failed) == "down exited with status 1"
    assert right == {"home-sync": None}


def test_those_that_wait_leave_their_place_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "LAUNCHES_AT_ONCE", 1)
    both = threading.Barrier(2, timeout=20)

    class Waiting(Bench):
        def launch(self, profile: Any, name: str) -> Any:
            # Each comes this far only if the other does.
            return SimpleNamespace(verify=lambda *_, **__: both.wait(), stop=lambda: None)

    todo = [(server(name), [WAITS]) for name in ("alpha", "beta")]
    results = check(Waiting(), *todo, at_once=2)
    assert results == [{"gateway-sync": None}] * 2


def test_an_interruption_waits_for_no_answer() -> None:
    stopped = threading.Event()

    class Slow(Bench):
        def launch(self, profile: Any, name: str) -> Any:
            if profile.name == "down":
                return super().launch(profile, name)

            def verify(*_: Any, **__: Any) -> None:
                assert stopped.wait(20)
                raise CellError("verify", "no answer")

            return SimpleNamespace(verify=verify, stop=stopped.set)

    def interrupt(of: Any) -> None:
        raise KeyboardInterrupt

    todo = [(server("down"), [HOME]), (SYNC, [WAITS, HOME])]
    with pytest.raises(KeyboardInterrupt):
        check_all(Slow(), todo, 2, interrupt)  # type: ignore[arg-type]


def test_of_what_waits_no_more_is_asked_than_four_at_once() -> None:
    bench = Bench()
    threads = server("threads", in_flight="workers * threads")
    check(bench, (threads, [WAITS]))
    assert bench.asked == [[("gateway-sync", 1), ("gateway-sync", SLOW_AT_ONCE)]]
