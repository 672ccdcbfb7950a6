"""An agent: makes its part of each load with its own wrk, for whoever knows the secret.

Nothing that comes over the network is run: an order is a number of connections, an address and what
to send there, and the command is this installation's.
"""

from __future__ import annotations

import contextlib
import queue
import re
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, Protocol

import msgspec

from loadtest.bench.load.agents import clocks, messages, network, signing
from loadtest.bench.load.agents.linked import Address, Link, LostError, linked
from loadtest.bench.load.agents.messages import (
    TO_AGENT,
    Armed,
    Ask,
    Bye,
    Failed,
    Go,
    Halt,
    Hello,
    Joining,
    Order,
    Ping,
    Pong,
    Refused,
    Result,
    Told,
    Unable,
    Welcome,
)
from loadtest.bench.load.agents.signing import Channel
from loadtest.bench.load.generator import Generator
from loadtest.bench.load.wrk import Share
from loadtest.records.errors import CellError, LoadtestError
from loadtest.records.measured import Machine
from loadtest.records.planned import Load, Record
from loadtest.records.privacy import public_log
from loadtest.records.text import message
from loadtest.records.values import MOST_DETAIL
from loadtest.system import clock, machine, process, sampling
from loadtest.system.clock import Reading

MASTER = "master"
"""What a link calls the machine that steers."""

LOST_AFTER_S = 4.0
"""Without a message: the other has gone, or the network. It is asked every second."""

WELCOME_WITHIN_S = 10.0

AGAIN_AFTER_S = 2.0
"""Before the next attempt to join."""

ARMED_WITHIN_S = 15.0
"""Of wrk: until it is up and waits."""

GO_WITHIN_S = 30.0
"""Of the machine that steers: as long as the slowest agent may take."""

POLL_S = 0.2


def now_us() -> int:
    """Return the Unix time in microseconds."""
    return time.time_ns() // 1000


def host_name() -> str:
    """Return what this machine is called, as far as it can be a name of ours."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", socket.gethostname())[:60] or "agent"


@dataclass
class _Making:
    """One load that is being made, in a thread of its own."""

    order: Order
    compared: Reading
    """The clock when it began to be compared for this load."""
    told: queue.SimpleQueue[int | None] = field(default_factory=queue.SimpleQueue)
    """When to begin; None: not at all."""
    generator: Generator | None = None
    thread: threading.Thread | None = None
    halted: threading.Event = field(default_factory=threading.Event)

    def halt(self) -> None:
        """End it and wait until nothing of it runs any more."""
        self.halted.set()
        self.told.put(None)
        if self.generator is not None:
            self.generator.stop()
        if self.thread is not None:
            self.thread.join()


class Serving(Protocol):
    """What starts servers here, for the time of one session."""

    def answer(self, text: bytes) -> Any:
        """Do what an `Ask` has, and return what came of it; raises ValueError, LoadtestError."""

    def end(self) -> None:
        """Stop all that was started, and start nothing more."""


@dataclass
class Agent:
    """An agent of this machine."""

    master: Address
    secret: bytes
    machine: Machine
    version: str
    """Of loadtest."""
    folder: Path
    """A temporary one, with `raw` in it."""
    say: Callable[[str], None]
    anywhere: bool = False
    """It may load public addresses."""
    serves: Callable[[], Serving] | None = None
    """What starts the servers of a run; None: it makes loads."""
    id: str = field(default_factory=signing.nonce)
    _making: _Making | None = None
    _compared: deque[Reading] = field(
        default_factory=lambda: deque([clock.read()], maxlen=clocks.EXCHANGES)
    )
    _last_word: str = ""

    def run(self) -> NoReturn:
        """Take part in one run after another, until interrupted."""
        while True:
            self._tell(f"waiting for a run at {self.master}")
            try:
                with linked("agent", self.master, self.folder / "link.log") as link:
                    why = self._session(link)
            except LostError as error:
                why = f"no way to {self.master}: {error}"
            self._tell(why)
            time.sleep(AGAIN_AFTER_S)

    def _tell(self, text: str) -> None:
        """Say something once, until something else is said."""
        if text != self._last_word:
            self.say(text)
        self._last_word = text

    def _session(self, link: Link) -> str:
        """Obey one machine that steers; return in words why that is over."""
        while link.port is None:
            link.receive(POLL_S)
        channel = self._join(link)
        if channel is None:
            return (
                f"{self.master} did not answer; its {signing.VARIABLE} may be another than here,"
                " or its loadtest"
            )
        heard = time.monotonic()
        serving = self.serves() if self.serves else None
        in_order = threading.Lock()
        ours_ends = True  # the other end does not know yet that this session is over

        def answer(told: Record) -> None:
            with in_order:  # else one that was signed later may be sent before
                link.send(MASTER, channel.sign(told))

        try:
            while time.monotonic() - heard < LOST_AFTER_S:
                came = link.receive(POLL_S)
                if came is None:
                    continue
                try:
                    told = channel.open(came.text, TO_AGENT)
                except ValueError as error:
                    self._tell(f"refused: {message(str(error), 200)}")
                    continue
                heard = time.monotonic()
                if isinstance(told, Refused | Bye):
                    ours_ends = False
                    return told.reason if isinstance(told, Refused) else "the run is over"
                self._obey(told, answer, serving)
            return f"nothing came from {self.master} for {LOST_AFTER_S:.0f} s"
        finally:
            self._halt()
            if serving:
                serving.end()
            if ours_ends:
                with contextlib.suppress(LostError):
                    answer(Bye())

    def _join(self, link: Link) -> Channel | None:
        """Say who this is; return the channel, None where nobody with the secret answers."""
        hello = Hello(protocol=messages.PROTOCOL, nonce=signing.nonce())
        link.send(MASTER, signing.sign(self.secret, "agent", 0, hello))
        deadline = time.monotonic() + WELCOME_WITHIN_S
        while (left_s := deadline - time.monotonic()) > 0:
            came = link.receive(left_s)
            if came is None:
                continue
            try:
                _, text = signing.unsign(self.secret, "master", came.text, -1)
                welcome = messages.read(text, Welcome)
            except ValueError:
                continue
            if welcome.of != hello.nonce:  # of a session before, sent again
                continue
            key = signing.session_key(self.secret, hello.nonce, welcome.nonce)
            channel = Channel(key, "agent")
            joining = Joining(
                id=self.id,
                host=host_name(),
                version=self.version,
                machine=self.machine,
                serves=self.serves is not None,
                system_id=machine.system_id(),
            )
            link.send(MASTER, channel.sign(joining))
            self._tell(f"takes part in the run at {self.master}")
            return channel
        return None

    def _obey(self, told: Any, answer: Callable[[Record], None], serving: Serving | None) -> None:
        came_us = now_us()
        match told:
            case Ping():
                self._compared.append(clock.read())
                answer(Pong(number=told.number, came_us=came_us, left_us=now_us()))
            case Order():
                self._halt()
                if problem := told.problem(anywhere=self.anywhere):
                    answer(Failed(load=told.load, reason=problem))
                    return
                making = _Making(told, self._compared[0])
                making.thread = threading.Thread(
                    target=self._make, args=(making, answer), daemon=True
                )
                self._making = making
                making.thread.start()
            case Go():
                if self._making is not None and self._making.order.load == told.load:
                    self._making.told.put(told.at_us)
            case Ask():
                threading.Thread(target=_serve, args=(serving, told, answer), daemon=True).start()
            case Halt():
                if self._making is not None and self._making.order.load == told.load:
                    self._halt()

    def _halt(self) -> None:
        if self._making is not None:
            self._making.halt()
            self._making = None

    def _make(self, making: _Making, answer: Callable[[Record], None]) -> None:
        """Make a load and tell what became of it, in its own thread."""
        load = making.order.load
        result: Record | None
        try:
            result = self._result(making, answer)
        except Exception as error:  # else the machine that steers would wait for it in vain
            reason, detail = _told(error)
            result = Failed(load=load, reason=reason, detail=detail)
        # Where the machine that steers has gone, nobody wants it.
        with contextlib.suppress(LostError):
            if result is not None and not making.halted.is_set():
                answer(result)

    def _result(self, making: _Making, answer: Callable[[Record], None]) -> Record | None:
        order = making.order
        if problem := machine.raise_file_limit(order.connections):
            raise CellError("load", problem)
        way = network.way_to(order.address, order.port)
        load = Load(
            connections=order.connections,
            duration_s=order.duration_s,
            warmup_s=0.0,
            rate=order.rate,
            arrivals=order.arrivals,
        )
        ours, theirs = socket.socketpair()
        with ours:
            with theirs:
                making.generator = generator = Generator(
                    load,
                    order.url,
                    order.delay_s,
                    self.folder,
                    "load",
                    None,
                    order.seed,
                    order.requests,
                    Share(order.number, order.of),
                    theirs.fileno(),
                )
                generator.since = making.compared
            with process.running(generator.process):
                if making.halted.is_set():
                    return None
                if not _says_so(ours, ARMED_WITHIN_S):
                    generator.stop()
                    complaint = generator.ended().errors
                    raise CellError("load", "wrk did not get ready", complaint[-2000:] or None)
                answer(Armed(load=order.load, network=way))
                try:
                    at_us = making.told.get(timeout=GO_WITHIN_S)
                except queue.Empty:
                    raise CellError("load", "nobody said when to begin") from None
                if at_us is None:
                    return None
                with contextlib.suppress(OSError):  # it has ended, which is seen below
                    ours.sendall(b"%d\n" % at_us)
                groups = {"generator": generator.tree}
                with sampling.sampling(groups, holds="", ends="generator") as sampled:
                    ended = generator.ended()
        assert sampled.host is not None
        return Result(
            load=order.load, ended=ended, usage=sampled.usage["generator"], host=sampled.host
        )


def _serve(serving: Serving | None, ask: Ask, answer: Callable[[Record], None]) -> None:
    """Do what is asked of who serves and tell what came of it, in a thread of its own."""
    told: Record
    try:
        if serving is None:
            raise CellError("launch", "it makes loads, and serves nothing")
        came = msgspec.json.encode(serving.answer(bytes(ask.asked)))
        told = Told(number=ask.number, told=msgspec.Raw(came))
    except Exception as error:  # else the machine that steers would wait for it in vain
        reason, detail = _told(error)
        told = Unable(number=ask.number, reason=reason, detail=detail)
    with contextlib.suppress(LostError):
        answer(told)


def _told(error: Exception) -> tuple[str, str | None]:
    """Return the reason and detail of an error that are sent: what a results folder may have."""
    if not isinstance(error, LoadtestError):
        return message(public_log(repr(error))), None
    return message(public_log(error.reason)), public_log(error.detail or "")[-MOST_DETAIL:] or None


def _says_so(ours: socket.socket, within_s: float) -> bool:
    """Say whether something comes over a socket in time, before its other end is closed."""
    readable, _, _ = select.select([ours], [], [], within_s)
    return bool(readable) and bool(ours.recv(16))
