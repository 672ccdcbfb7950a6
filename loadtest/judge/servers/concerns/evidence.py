"""The facts of a cell that a concern is found in.

A check knows three ends: something was found, nothing was found, or the facts it needs were not
recorded. The last is no clean bill: it is listed as unchecked beside the number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from loadtest.judge.concern import wording
from loadtest.judge.servers.metrics import (
    Figures,
    Histograms,
    Latencies,
    Unanswered,
    figures,
    latencies,
    unanswered,
    waves,
)
from loadtest.records.measured import DISTURBED, Ceiling, Histogram, Loaded, Outcome, Part
from loadtest.records.planned import Cell, Plan, Server, Shape


@dataclass(frozen=True)
class Evidence:
    """The stored facts of one cell: what became of it in each round, the last outcome of each."""

    plan: Plan
    cell: Cell
    server: Server
    measured: tuple[Outcome, ...]
    """Rounds that gave a number."""
    failed: tuple[Outcome, ...]
    """Rounds that were tried and gave none."""
    histograms: Histograms
    """Read when a concern asks for latencies."""
    ceilings: Sequence[Ceiling] = ()
    system: str | None = None
    """Of the generator's machine, as in `Linux-6.1`; None where it is unknown."""

    @cached_property
    def pooled(self) -> Latencies:
        """The latencies of the measured rounds, merged."""
        return latencies(self.cell, self.measured, self.histograms)

    @property
    def latencies(self) -> Histogram | None:
        """As measured, without back-fill; None where none was stored."""
        return self.pooled.raw if self.pooled.rounds else None

    @cached_property
    def figures(self) -> Figures | None:
        """None without a measured round."""
        if not self.measured:
            return None
        return figures(self.plan, self.cell, self.server, self.measured, self.pooled)

    @property
    def loads(self) -> tuple[Loaded, ...]:
        """What was counted in each load of the measured rounds, or else of the failed ones."""
        outcomes = self.measured or self.failed
        return tuple(each.loaded for outcome in outcomes for each in outcome.loads if each.loaded)

    @cached_property
    def unanswered(self) -> Unanswered | None:
        """Requests at a rate that got no response; None where nobody noted what was sent."""
        if self.latencies is None or not any(loaded.sent for loaded in self.loads):
            return None
        return unanswered(self.loads, self.latencies, self.cell.endpoint.contract.longest_s)

    @property
    def answers(self) -> int:
        """Of any status, in all of `loads`."""
        return sum(loaded.answers for loaded in self.loads)

    @property
    def right_answers(self) -> int:
        """Those of 2xx."""
        return sum(loaded.answers - loaded.status_errors for loaded in self.loads)

    @property
    def load_s(self) -> float:
        """How long all of `loads` took together."""
        return sum(loaded.duration_us for loaded in self.loads) / 1e6

    @property
    def shape(self) -> Shape:
        """How much of the machine the server gets."""
        return self.server.sized(self.plan.shape)

    @property
    def capacity(self) -> int:
        """How many of the connections the server works on at once."""
        return self.server.capacity(
            self.plan.shape, self.cell.load.connections, self.cell.endpoint.contract
        )

    @property
    def turn_s(self) -> float:
        """How often a connection gets an answer, on average; infinite without answers."""
        return self.cell.load.connections * self.load_s / self.answers if self.answers else math.inf

    @property
    def takes_turns(self) -> bool:
        """Whether a load was long enough for each connection to get an answer.

        If it was not, its first answers are those of the first in the queue, and come early
        however fairly the server takes them.
        """
        return self.turn_s * len(self.loads) <= self.load_s

    @property
    def silent(self) -> float | None:
        """Share of the tenths of a second of all loads in which nobody got an answer."""
        known = [loaded for loaded in self.loads if loaded.windows]
        if not known:
            return None
        silent = sum(loaded.silent_windows or 0 for loaded in known)
        return silent / sum(loaded.windows or 0 for loaded in known)

    @property
    def parts(self) -> tuple[Part, ...]:
        """What each agent had in each of `loads`; empty where this machine made them."""
        outcomes = self.measured or self.failed
        return tuple(part for outcome in outcomes for load in outcome.loads for part in load.parts)

    @property
    def generator_busy(self) -> float | None:
        """Share of its processor that the generator used; None where nobody measured.

        Of several, that of the busiest: one at its limit is late with its part of the load.
        """
        if self.parts:
            agents = dict.fromkeys(part.agent for part in self.parts)
            return max(map(self._busy, agents))
        used = [
            (usage.cpu_s, outcome.load_s)
            for outcome in self.measured
            if (usage := outcome.usage.get("generator")) and usage.cpu_s > 0 and outcome.load_s > 0
        ]
        if not used:
            return None
        return sum(cpu_s for cpu_s, _ in used) / sum(s for _, s in used) / GENERATOR_PROCESSORS

    def _busy(self, agent: str) -> float:
        parts = [part for part in self.parts if part.agent == agent]
        used_s = sum(part.usage.cpu_s for part in parts)
        return used_s * 1e6 / sum(part.loaded.duration_us for part in parts) / GENERATOR_PROCESSORS

    @property
    def services_sampled(self) -> bool:
        """Whether the CPU time of all services that the endpoint needs is known.

        It is not of those that the environment names.
        """
        contract = self.cell.endpoint.contract
        needed = {
            "postgres": contract.postgres,
            "valkey": contract.redis,
            "upstream": contract.upstream,
        }
        groups = {name for name, each in needed.items() if each}
        return all(groups <= outcome.usage.keys() for outcome in self.measured)

    @cached_property
    def taken(self) -> dict[str, float] | None:
        """Shares of the machine that were not the run's to use, by who took them; None: not known.

        Without `other processes` where a service that is not of the run cannot be told from them.
        """
        hosts = [outcome.host for outcome in self.measured if outcome.host]
        window_s = sum(host.window_s for host in hosts)
        if not window_s:
            return None
        each = [(host.window_s / window_s, host.taken(self.services_sampled)) for host in hosts]
        return {who: sum(weight * taken[who] for weight, taken in each) for who in each[0][1]}

    @property
    def disturbed(self) -> bool:
        """Whether others took so much of the machine that the number is in doubt."""
        return sum((self.taken or {}).values()) > DISTURBED

    @property
    def disturbed_by_host(self) -> bool:
        """Whether most of that went to the host, or to a limit that it set, not to programs."""
        taken = self.taken or {}
        programs = taken.get("other processes", 0.0)
        return self.disturbed and 2 * programs < sum(taken.values())

    def waves(self, delay_s: float) -> int:
        """Return how often one connection can be answered in all of `loads`."""
        return waves(self.loads, delay_s)


concern = wording(Path(__file__).with_name("concerns.toml"))

GENERATOR_PROCESSORS = 1
"""wrk runs with one thread."""

SILENT = 0.10
"""Of the load's tenths of a second, without any answer: from here on the server stands still."""

TOO_EARLY = "declared to wait"
"""In what a verification says of an answer that came too soon."""

NO_ANSWER = "no answer"
"""In what it says where none came."""

ERROR_STATUS = re.compile(r"\bstatus [45]\d\d instead of ")
"""In what it says of an answer that is an error."""

VERIFICATIONS = ("verify", "verify-after")
"""The stages that compare whole answers with the contract."""
