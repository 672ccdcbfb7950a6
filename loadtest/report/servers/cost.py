"""What each server costs, the figure to decide by: a table, and what a page draws of it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from loadtest.judge.servers.decision import Between, Cost, Decision, Place
from loadtest.report.columns import versus_text
from loadtest.report.servers.sentences.phrases import title
from loadtest.report.table import Column, Table, name, number, words
from loadtest.report.units import UNKNOWN, asked, significant, size

MARGIN = 1.1
"""How far the axis goes on beyond what stands on it."""


def table(decision: Decision) -> Table[Place]:
    """Return a row for each server, the cheapest first."""
    server, cores, *others = _columns(decision)
    ends = words("cheapest to dearest endpoint", _ends, "ends")
    return Table((server, cores, ends, *others), _places(decision)).filled(server)


def narrow_table(decision: Decision) -> Table[Place]:
    """Return the same for 80 columns."""
    columns = _columns(decision)
    times = {"times": f"x {base(decision.cost)}{in_brackets(decision.cost)}"}
    return Table(columns, _places(decision)).filled(columns[0]).titled(NARROW | times)


NARROW = {"held": "held", "memory": "memory"}
"""Titles of columns where there is little room."""


def base(cost: Cost | None, article: str = "") -> str:
    """Return whose cost the others' are times of: `today's`, or `cheapest`."""
    return "today's" if cost and cost.today else f"{article}cheapest"


def in_brackets(cost: Cost | None) -> str:
    """Return what a head says of the brackets below it."""
    return " (95 %)" if cost and cost.has_intervals else ""


def _places(decision: Decision) -> tuple[Place, ...]:
    return decision.cost.places if decision.cost else ()


def _columns(decision: Decision) -> tuple[Column[Place], ...]:
    holds = decision.waiting.holds if decision.waiting else ()
    held = {each.server: each.measured if each.free else each.configured for each in holds}
    launched = any(place.memory_launched_bytes for place in _places(decision))
    cost = decision.cost

    def times(place: Place) -> str:
        over = cost.over_base(place) if cost else None
        return versus_text(over) if over else "1" if place.cores else UNKNOWN

    return (
        name("server", "server", lambda place: place.server),
        number("cores", lambda place: place.cores, significant),
        words(f"times {base(cost, 'the ')}{in_brackets(cost)}", times, "times"),
        number("requests/s", lambda place: place.goodput, significant, "rate"),
        number("held at once", lambda place: held.get(place.server), "{:,}".format, "held"),
        # An old run did not look when a server was just launched.
        number(f"memory, {'just launched' if launched else 'at most'}", _memory, size, "memory"),
        words("in doubt", doubts, "doubt"),
    )


def _ends(place: Place) -> str:
    if not place.cheapest or not place.dearest or len(place.cells) == 1:
        return UNKNOWN
    return f"{significant(place.cheapest.cores)} to {significant(place.dearest.cores)}"


def _memory(place: Place) -> int | None:
    return place.memory_launched_bytes or place.memory_bytes


def doubts(place: Place) -> str:
    """Return how many of its cells are suspect."""
    return f"{place.suspect} of {len(place.cells)}" if place.cells else UNKNOWN


class Choice(NamedTuple):
    """A cost that a reader can choose."""

    key: str
    """In the page's address."""
    text: str
    cost: Cost


Groups = tuple[tuple[str, tuple[Choice, ...]], ...]
"""Choices under their headings; first all endpoints, without one."""


@dataclass(frozen=True)
class Figure:
    """What a page draws: the cost over all endpoints, and those that a reader can choose."""

    cost: Cost
    columns: Sequence[Column[Place]]
    """Of the figures beside the drawing."""
    loads: Sequence[tuple[str, str]]
    """Of which there are costs, by key and text; the first is that of `cost`."""
    groups: Groups
    further: Mapping[str, Groups]
    """Likewise under the other loads, by their key."""
    low: float
    """Where the axis begins: it has room for all of them, and stays as it is."""
    high: float

    def at(self, cores: float) -> str:
        """Return where a cost stands on the logarithmic axis."""
        return f"{100 * math.log(cores / self.low) / math.log(self.high / self.low):.1f}%"

    @property
    def ticks(self) -> list[float]:
        """The numbers at the axis."""
        decades = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)))
        ticks = (float(f"{mantissa}e{decade}") for decade in decades for mantissa in (1, 2, 5))
        return [tick for tick in ticks if self.low <= tick <= self.high]

    @property
    def intervals(self) -> bool:
        """Whether the ratios have any."""
        return self.cost.has_intervals

    @property
    def parted(self) -> str | None:
        """The first server of the second interface, where one interface is before the other."""
        return parted([place for place in self.cost.places if place.cores is not None])

    def data(self) -> dict[str, Any]:
        """Return what the page's script needs, in short."""
        numbers = {place.server: number for number, place in enumerate(self.cost.places)}
        loads = {"": self.groups, **{f"@{key}": groups for key, groups in self.further.items()}}
        return {
            "low": self.low,
            "high": self.high,
            "interfaces": [place.interface for place in self.cost.places],
            "servers": list(numbers),
            "costs": {
                f"{choice.key}{load}": _short(choice.cost, numbers)
                for load, groups in loads.items()
                for _, group in groups
                for choice in group
            },
        }


def figure(decision: Decision, kinds: Collection[str]) -> Figure | None:
    """Return the figure of a run with these workloads; None where no server has a cost."""
    cost = decision.cost
    if cost is None or not any(place.cores for place in cost.places):
        return None
    costs = [cost, *decision.costs]
    ends = [
        end.cores
        for each in costs
        for place in each.places
        for end in (place.cheapest, place.dearest)
        if end and end.cores > 0
    ]
    by_rate: dict[float | None, list[Cost]] = {cost.rate: []}
    by_rate |= {at.rate: [] for at in decision.at_rates}
    for each in costs:
        if each.rate in by_rate:
            by_rate[each.rate].append(each)
    groups = {rate: _groups(of_rate, kinds) for rate, of_rate in by_rate.items()}
    return Figure(
        cost,
        [each for each in table(decision).columns if each.key not in ("server", "ends")],
        [(_load(rate), _under(rate)) for rate in by_rate],
        groups[cost.rate],
        {_load(rate): of_rate for rate, of_rate in groups.items() if rate != cost.rate},
        min(ends) / MARGIN,
        max(ends) * MARGIN,
    )


def _load(rate: float | None) -> str:
    return f"{rate:g}" if rate else "closed"


def _under(rate: float | None) -> str:
    return f"{asked(rate)} requests/s" if rate else "as fast as each can be driven"


def _groups(costs: Sequence[Cost], kinds: Collection[str]) -> Groups:
    groups: dict[str, list[Choice]] = {"": [], "A workload": [], "One endpoint": []}
    for each in costs:
        with_ = "async def views" if each.style == "async" else "def views"
        if each.over == "all":
            several = len(each.endpoints) > 1
            all_ = (
                f"all {len(each.endpoints)} endpoints that count" if several else "all that counts"
            )
            text = "your traffic" if each.mix else f"{all_}, {with_}"
            groups[""].append(Choice(f"all-{each.style}", text, each))
        elif each.over in kinds and len(each.endpoints) + len(each.left_out) > 1:
            # An endpoint may be called like a workload.
            key = f"{each.over}-{each.style}-workload"
            groups["A workload"].append(Choice(key, f"{title(each.over)}, {with_}", each))
        else:
            groups["One endpoint"].append(
                Choice(f"{each.over}-{each.style}", f"{each.over}, {with_}", each)
            )
    return tuple((heading, tuple(choices)) for heading, choices in groups.items() if choices)


def parted(places: Sequence[Place]) -> str | None:
    """Return the first server after the only change of interface."""
    changes = [
        after.server for before, after in pairwise(places) if before.interface != after.interface
    ]
    return changes[0] if len(changes) == 1 else None


def _short(cost: Cost, numbers: dict[str, int]) -> dict[str, Any]:
    return {
        "places": list(_short_places(cost, numbers)),
        "pairs": [
            [numbers[pair.server], numbers[pair.over], _digits(pair.ratio), *_interval(pair)]
            for pair in cost.pairs
            if pair.server in numbers and pair.over in numbers
        ],
    }


def _short_places(cost: Cost, numbers: dict[str, int]) -> Iterator[list[Any]]:
    for place in cost.places:
        if place.cores is not None and place.server in numbers:
            ends = [end.cores if end else None for end in (place.cheapest, place.dearest)]
            figures = (place.cores, place.cores_with_databases, *ends, place.goodput)
            yield [numbers[place.server], *map(_digits, figures), doubts(place)]


def _digits(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else float(f"{value:.{digits}g}")


def _interval(pair: Between) -> list[float | None]:
    """Return the ends of an interval, with as many digits as tell them apart."""
    short, long = ([_digits(end, digits) for end in (pair.low, pair.high)] for digits in (3, 4))
    return short if short[0] != short[1] else long
