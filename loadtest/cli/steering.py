"""The agents of a run, awaited at the address where it listens; none where none were asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace

from loadtest.bench.load.agents import linked, master, shared, signing
from loadtest.bench.load.agents.linked import Address
from loadtest.cli.output import say
from loadtest.measure.servers.session import HERE, MadeBy
from loadtest.records.errors import UserError
from loadtest.records.measured import Agent, Launcher
from loadtest.records.text import plural
from loadtest.system import listening


class Awaited(NamedTuple):
    """Who came."""

    agents: tuple[Agent, ...] = ()
    """They make the loads."""
    server: Agent | None = None
    """It starts the servers."""


@dataclass
class Steered:
    """What makes the loads of a run."""

    at: Address
    made_by: MadeBy = HERE
    _held: ExitStack = field(default_factory=ExitStack)

    def agents(self, count: int, launcher: Launcher) -> Awaited:
        """Return that many agents, and with the launcher `agent` one that serves, once they joined.

        Raises UserError where they cannot be used.
        """
        if not count:
            return Awaited()
        served = launcher == "agent"
        linked.check_installed()
        secret = signing.secret_of(os.environ)
        steers = self._held.enter_context(
            master.steering(self.at, secret, linked.version(), count, say, served=served)
        )
        awaited = plural(count, "agent")
        say(f"waiting for {awaited}; on each machine type `loadtest agent --master {self.at}`")
        if self.at.host == listening.HOST:
            say(
                f"no other machine reaches {self.at.host}; with --listen, name an address for those"
            )
        if served:
            say(f"on the machine of the servers type `loadtest agent --serves --master {self.at}`")
        members = steers.await_all()
        elsewhere = [member.name for member in members if not member.here]
        if elsewhere and self.at.host == listening.HOST:
            raise UserError(
                f"{elsewhere[0]} is another machine, which cannot reach servers at"
                f" {self.at.host}; name an address of this machine with --listen"
            )
        self.made_by = MadeBy(shared.Generators(steers), self.at.host, steers)
        makers = tuple(
            replace(member.record, here=steers.beside_servers(member)) for member in members[:count]
        )
        return Awaited(makers, members[count].record if served else None)


@contextmanager
def steering(at: tuple[str, int]) -> Iterator[Steered]:
    """Give what awaits agents at an address, and lets them go at the end of the block."""
    with ExitStack() as held:
        yield Steered(Address(*at), _held=held)
