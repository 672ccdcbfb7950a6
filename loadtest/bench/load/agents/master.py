"""The machine that steers: knows its agents, compares their clocks, notices when one is gone."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from loadtest.bench.load.agents import clocks, messages, signing
from loadtest.bench.load.agents.agent import LOST_AFTER_S
from loadtest.bench.load.agents.clocks import Exchange
from loadtest.bench.load.agents.linked import Address, Came, Link, LostError, linked
from loadtest.bench.load.agents.messages import (
    TO_MASTER,
    Bye,
    Hello,
    Joining,
    Ping,
    Pong,
    Refused,
    Told,
    Unable,
    Welcome,
)
from loadtest.bench.load.agents.signing import Channel
from loadtest.records.errors import CellError, UserError
from loadtest.records.measured import Agent, Clock
from loadtest.records.planned import Record
from loadtest.records.text import message
from loadtest.system import machine, process
from loadtest.system.clock import steady_us

COMPARED_WITHIN_S = 5.0

ASKED_EVERY_S = 1.0

POLL_S = 0.1

MOST_PENDING = 64
"""That said hello and nothing more yet; whoever knows no secret cannot even do that."""

MOST_ANSWERS = 2
"""Of an agent to a load: that it is ready, and what it came to."""

BACK_WITHIN_S = 30.0
"""Of an agent that was lost, before a load is given up for it."""


@dataclass
class Member:
    """An agent that has joined."""

    who: str
    """As Locust names it."""
    joining: Joining
    channel: Channel
    name: str
    here: bool
    heard: float
    """When, on the monotonic clock."""
    clock: Clock | None = None
    """None until it was compared."""
    round_trip_us: int = 0
    lost: str | None = None
    """In words, why nothing is expected of it any more."""
    answers: dict[int, list[Record]] = field(default_factory=dict)
    """What it said of each load that is waited for."""
    exchanges: list[Exchange] = field(default_factory=list)
    to_exchange: int = 0
    asked_us: dict[int, int] = field(default_factory=dict)
    """When each ping left that is not answered yet."""
    asked: float = 0.0

    @property
    def record(self) -> Agent:
        """What a run says of it."""
        assert self.clock is not None
        return Agent(
            name=self.name,
            machine=self.joining.machine,
            clock=self.clock,
            round_trip_us=self.round_trip_us,
            here=self.here,
        )


@dataclass
class Master:
    """What agents obey for the time of a run."""

    link: Link
    secret: bytes
    version: str
    """Of loadtest; agents have to have the same."""
    wanted: int
    """As many agents make the load."""
    say: Callable[[str], None]
    served: bool = False
    """One more starts the servers."""
    places: list[Member] = field(default_factory=list)
    """In the order in which they came; one that comes back has its own again."""
    begun: bool = False
    """All were there once: from then on no other machine takes a place."""
    failed: str | None = None
    """In words, why nobody is reached any more."""
    _pending: dict[str, Channel] = field(default_factory=dict)
    _changed: threading.Condition = field(default_factory=threading.Condition)
    _over: threading.Event = field(default_factory=threading.Event)
    _numbers: int = 0
    _told: set[str] = field(default_factory=set)
    _given_up: set[bool] = field(default_factory=set)
    """Lost agents were waited for once, in vain: those that serve, or those that do not."""

    def run(self) -> None:
        """Listen until it is over, in a thread of its own."""
        try:
            while not self._over.is_set():
                came = self.link.receive(POLL_S)
                with self._changed:
                    if came is not None:
                        self._take(came)
                    self._ask_each()
        except LostError as error:
            self._fail(str(error))
        except BaseException as error:
            self._fail(repr(error))
            raise

    def _fail(self, why: str) -> None:
        with self._changed:
            self.failed = f"agents cannot be reached any more: {why}"
            self._changed.notify_all()

    def close(self) -> None:
        """Let the agents go."""
        with self._changed, contextlib.suppress(LostError):
            for member in self._present(False) + self._present(True):
                self._tell(member, Bye())
        self._over.set()

    # What others ask of it ------------------------------------------------------------------------

    def await_all(self, within_s: float | None = None) -> list[Member]:
        """Return the agents once all are there that are wanted, the one that serves last.

        Raises CellError where that does not come within the time, or can never come.
        """
        with self._changed:
            self._changed.wait_for(
                lambda: self.failed or (self._complete(False) and self._complete(True)), within_s
            )
            self._check()
            self.begun = True
            return self._present(False) + self._present(True)

    def ready(self, *, serves: bool = False) -> list[Member]:
        """Return all agents that make loads, or the one that `serves`, waiting for the lost.

        Raises CellError without them. Waited for once: where they stay away, what comes next fails
        at once.
        """
        with self._changed:
            patience_s = 0.0 if serves in self._given_up else BACK_WITHIN_S
            there = self._changed.wait_for(
                lambda: self.failed or self._complete(serves), patience_s
            )
            self._check()
            if there:
                self._given_up.discard(serves)
                return self._present(serves)
            self._given_up.add(serves)
            lost = [f"{each.name}: {each.lost}" for each in self._all(serves) if each.lost]
            raise CellError(
                "load",
                f"{len(lost)} of {self._wanted(serves)} agents are missing ({'; '.join(lost)})",
            )

    def beside_servers(self, member: Member) -> bool:
        """Say whether an agent is on the machine that servers run on."""
        with self._changed:
            where = next((each.joining.system_id for each in self._all(True)), machine.system_id())
        return where is not None and where == member.joining.system_id

    def to_server_us(self) -> int:
        """Return how long a message to the agent that serves and back took at most; 0 without."""
        with self._changed:
            exchanges = [each for member in self._all(True) for each in member.exchanges]
        return max((each.round_trip_us for each in exchanges), default=0)

    def compare_clocks(self, members: Sequence[Member]) -> None:
        """Compare the clocks of some agents anew; raises CellError where one does not answer."""
        with self._changed:
            for member in members:
                self._begin_to_compare(member)
            self._changed.wait_for(
                lambda: self.failed or all(m.lost or not m.to_exchange for m in members),
                COMPARED_WITHIN_S,
            )
            self._check()
            for member in members:
                if member.lost or member.to_exchange:
                    raise CellError("load", f"{member.name}: {member.lost or 'no time from it'}")

    def tell(self, member: Member, told: Record) -> None:
        """Send a message to an agent; raises CellError where nobody can be reached."""
        with self._changed:
            self._check()
            try:
                self._tell(member, told)
            except LostError as error:
                raise CellError("load", f"agents cannot be reached any more: {error}") from None

    def expect(self, member: Member, load: int) -> None:
        """Keep from now on what an agent says of a load."""
        with self._changed:
            member.answers[load] = []

    def forget(self, member: Member, load: int) -> None:
        """Keep nothing more of a load."""
        with self._changed:
            member.answers.pop(load, None)

    def answered(self, members: Sequence[Member], load: int, at: int, deadline: float) -> list[Any]:
        """Return the `at`th that each of some agents said of a load, in their order.

        Raises CellError where one of them is lost, or says nothing until the deadline of the
        monotonic clock.
        """

        def late() -> Member | None:
            each = (m for m in members if len(m.answers.get(load, ())) <= at)
            return next(each, None)

        with self._changed:
            self._changed.wait_for(
                lambda: self.failed or late() is None or any(m.lost for m in members),
                max(0.0, deadline - time.monotonic()),
            )
            self._check()
            if member := next((m for m in members if m.lost), late()):
                raise CellError(
                    "load", f"agent {member.name}: {member.lost or 'it did not answer in time'}"
                )
            return [member.answers[load][at] for member in members]

    # What comes -----------------------------------------------------------------------------------

    def _check(self) -> None:
        if self.failed:
            raise CellError("load", self.failed)

    def _all(self, serves: bool) -> list[Member]:
        return [member for member in self.places if member.joining.serves == serves]

    def _present(self, serves: bool) -> list[Member]:
        return [member for member in self._all(serves) if not member.lost and member.clock]

    def _wanted(self, serves: bool) -> int:
        return int(self.served) if serves else self.wanted

    def _complete(self, serves: bool) -> bool:
        return len(self._present(serves)) >= self._wanted(serves)

    def _take(self, came: Came) -> None:
        member = next((each for each in self.places if each.who == came.who), None)
        channel = member.channel if member else self._pending.get(came.who)
        try:
            if channel is None:
                self._welcome(came)
                return
            told = channel.open(came.text, TO_MASTER)
            if member is None:
                self._join(came.who, channel, told)
            else:
                self._hear(member, told)
        except ValueError as error:
            self._note(f"somebody at the port of the agents: {message(str(error), 200)}")

    def _note(self, text: str) -> None:
        """Say what a stranger did, once of each kind."""
        if text not in self._told and len(self._told) < MOST_PENDING:
            self._told.add(text)
            self.say(text)

    def _welcome(self, came: Came) -> None:
        _, text = signing.unsign(self.secret, "agent", came.text, -1)
        hello = messages.read(text, Hello)
        if hello.protocol != messages.PROTOCOL:
            raise ValueError(f"an agent that speaks protocol {hello.protocol}, and not ours")
        while len(self._pending) >= MOST_PENDING:
            del self._pending[next(iter(self._pending))]
        welcome = Welcome(nonce=signing.nonce(), of=hello.nonce)
        key = signing.session_key(self.secret, hello.nonce, welcome.nonce)
        self._pending[came.who] = Channel(key, "master")
        self.link.send(came.who, signing.sign(self.secret, "master", 0, welcome))

    def _join(self, who: str, channel: Channel, told: Any) -> None:
        if not isinstance(told, Joining):
            raise ValueError("an agent that does not say who it is")
        del self._pending[who]
        member = Member(
            who=who,
            joining=told,
            channel=channel,
            name=self._name(told),
            here=told.system_id is not None and told.system_id == machine.system_id(),
            heard=time.monotonic(),
        )
        own = next((at for at, m in enumerate(self.places) if _same(m, told)), None)
        if problem := self._problem(told, own):
            self.say(f"{told.host} cannot take part: {problem}")
            self._tell(member, Refused(reason=problem))
            return
        if own is None:
            self.places.append(member)
        else:
            before, self.places[own] = self.places[own], member
            member.name = before.name
            before.lost = before.lost or "it has begun anew"
            self._changed.notify_all()
        self._begin_to_compare(member)

    def _problem(self, told: Joining, own: int | None) -> str | None:
        """Return why an agent cannot take part; `own` is its place, if it has one."""
        if told.version != self.version:
            return (
                f"its loadtest is not that of this run ({told.version} there, {self.version} here);"
                " install the same commit or wheel on both"
            )
        if told.serves and not self.served:
            return "this run starts its servers itself; leave out --serves"
        others = [
            m.joining
            for at, m in enumerate(self.places)
            if at != own and m.joining.serves == told.serves
        ]
        wrk = told.machine.versions.get("wrk")
        if others and (has := others[0].machine.versions.get("wrk")) != wrk:
            return f"it has wrk {wrk}, and {others[0].host} has {has}; install the same on all"
        if own is None and len(others) >= self._wanted(told.serves):
            if told.serves:
                return f"{others[0].host} starts the servers of this run"
            return f"the run has its {self.wanted} agents; ask for more with --agents"
        return None

    def _name(self, told: Joining) -> str:
        """Return a name for an agent: its host's, with a number where another has that."""
        taken = {member.name for member in self._all(told.serves)}
        names = (f"{told.host}-{n}" if n > 1 else told.host for n in range(1, 1000))
        return next(name for name in names if name not in taken)

    def _hear(self, member: Member, told: Any) -> None:
        member.heard = time.monotonic()
        if isinstance(told, Pong):
            self._exchanged(member, told)
        elif isinstance(told, Bye):
            member.lost = "it has ended"
        elif not isinstance(told, Joining):
            # One that serves is asked by number, and makes no load.
            number = told.number if isinstance(told, Told | Unable) else told.load
            answers = member.answers.get(number)
            if answers is not None and len(answers) < MOST_ANSWERS:
                answers.append(told)
        self._changed.notify_all()

    def _exchanged(self, member: Member, told: Pong) -> None:
        left_us = member.asked_us.pop(told.number, None)
        if left_us is None or not member.to_exchange:
            return
        member.exchanges.append(Exchange(left_us, told.came_us, told.left_us, steady_us()))
        member.to_exchange -= 1
        if member.to_exchange:
            self._ask(member)
        else:
            first = member.clock is None
            member.clock, member.round_trip_us = clocks.compared(member.exchanges)
            if first:
                self._greet(member)

    def _greet(self, member: Member) -> None:
        of, clock = member.joining.machine, member.clock
        assert clock is not None
        wrk = f"wrk {of.versions.get('wrk') or 'of an unknown version'}"
        does = "starts the servers" if member.joining.serves else wrk
        self.say(
            f"agent {member.name}: {of.processors} processors, {does}, its clock"
            f" {clock.offset_us / 1e3:+.1f} ms (within {clock.within_us / 1e3:.1f}), round trip"
            f" {member.round_trip_us / 1e3:.1f} ms"
        )

    # What is sent ---------------------------------------------------------------------------------

    def _tell(self, member: Member, told: Record) -> None:
        self.link.send(member.who, member.channel.sign(told))

    def _begin_to_compare(self, member: Member) -> None:
        member.exchanges, member.to_exchange = [], clocks.EXCHANGES
        self._ask(member)

    def _ask(self, member: Member) -> None:
        self._numbers += 1
        # One that is never answered is no loss to keep: others follow.
        member.asked_us = {self._numbers: steady_us()}
        member.asked = time.monotonic()
        self._tell(member, Ping(number=self._numbers))

    def _ask_each(self) -> None:
        """Ask those that were not asked for a second; note who has not answered for long."""
        now = time.monotonic()
        for member in self.places:
            if member.lost:
                continue
            if now - member.heard > LOST_AFTER_S:
                member.lost = f"nothing came from it for {LOST_AFTER_S:.0f} s"
                self.say(f"agent {member.name} is lost: {member.lost}")
                self._changed.notify_all()
            elif now - member.asked > ASKED_EVERY_S:
                self._ask(member)
        if not self.begun:
            self.places = [member for member in self.places if not member.lost]


def _same(member: Member, told: Joining) -> bool:
    """Say whether an agent is one that had joined: its process, or another of its machine."""
    again = member.lost is not None and member.joining.host == told.host
    return member.joining.id == told.id or (again and member.joining.serves == told.serves)


@contextlib.contextmanager
def steering(
    at: Address,
    secret: bytes,
    version: str,
    wanted: int,
    say: Callable[[str], None],
    *,
    served: bool = False,
) -> Iterator[Master]:
    """Give a master that listens at an address for the block; raises UserError where it cannot."""
    with process.folder("loadtest-master-") as folder, _listening(at, folder.path) as link:
        master = Master(link, secret, version, wanted, say, served)
        listener = threading.Thread(target=master.run, daemon=True)
        listener.start()
        try:
            yield master
        finally:
            master.close()
            listener.join()


@contextlib.contextmanager
def _listening(at: Address, folder: Path) -> Iterator[Link]:
    with contextlib.ExitStack() as stack:
        try:
            link = stack.enter_context(linked("master", at, folder / "link.log"))
        except LostError as error:
            raise UserError(
                f"no agent can be waited for at {at}: {error}; name another address of this machine"
                " with --listen"
            ) from None
        yield link
