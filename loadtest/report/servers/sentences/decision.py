"""Picks what is said of a run's decision and with which facts; the words are `decision.jinja`'s."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from loadtest.judge.servers.control import Share
from loadtest.judge.servers.decision import (
    AtRate,
    Cost,
    Decision,
    Holds,
    Place,
    Searched,
    ServerAtRate,
    Sureness,
    Waiting,
)
from loadtest.judge.servers.within import Search
from loadtest.judge.summary import Counts
from loadtest.records.planned import Interface, Shape
from loadtest.report.sentences import Paragraph, between, wording
from loadtest.report.servers.sentences.phrases import goal, reached
from loadtest.report.units import latency, plural, share
from loadtest.stats.search import LEAST_RATE

NEAR = 4
"""Servers whose cost is compared by name; of more, the range is said."""

MANY = 0.5
"""A share of the most requests held at once from which a server is as good as the best."""

SEARCHED = 4
"""Endpoints of a search, or of steps, that have a paragraph; all have a table."""

WHY_LIMITED = {"connections": "its connections ran out", "generator": "the load generator was late"}

MOSTLY = 0.9
"""Of what a site's requests take: where so much is its own, the server is no lever."""

FILL = wording(Path(__file__).with_suffix(".jinja"))

MOST = 5
"""Paragraphs that a reader of a minute reads; what else there is to say stands below the tables."""

IMPORTANT = (
    *("deploy", "undecided", "alone", "no_number", "no_cost", "searched", "at_rates", "sure"),
    *("lever", "safe", "stepped", "waiting", "probable", "nothing_waits", "staying", "async_views"),
)
"""The macros, what decides most first."""

DOUBTFUL = 2
"""Servers whose doubts are counted by name."""


@dataclass(frozen=True)
class Setting:
    """What sentences need beside the decision."""

    counts: Counts
    again: str
    """The command that made the run."""
    more: str
    """That which measures more; empty for a report of others."""
    imported: bool = False
    running: bool = False
    """The servers were running before; nobody knows what they used."""
    timed: bool = False
    """There are CPU times."""
    most_rounds: int = 0
    """That it might have had; 0 where there is no such number."""
    ended: str = ""
    """Why it has fewer, or fewer tries; empty where it has them all."""


class Said(NamedTuple):
    """A paragraph: a macro of the template, its facts, and the cells that they rest on."""

    macro: str
    facts: dict[str, Any]
    cells: tuple[str, ...] = ()


class Group(NamedTuple):
    """Servers by name, and interfaces all of whose servers belong to it."""

    servers: list[str]
    whole: list[str]


def paragraphs(decision: Decision, setting: Setting) -> list[Paragraph]:
    """Return what a reader of a minute reads, at most five paragraphs, the decision first."""
    return [FILL(*sentence) for sentence, at_top in _weighed(decision, setting) if at_top]


def further(decision: Decision, setting: Setting) -> list[Paragraph]:
    """Return what else there is to say."""
    return [FILL(*sentence) for sentence, at_top in _weighed(decision, setting) if not at_top]


def _weighed(decision: Decision, setting: Setting) -> list[tuple[Said, bool]]:
    """Return all that is said, in order, and whether it is among what decides most."""
    sentences = picked(decision, setting)
    by_weight = sorted(range(len(sentences)), key=lambda at: IMPORTANT.index(sentences[at].macro))
    return [(each, at in by_weight[:MOST]) for at, each in enumerate(sentences)]


def overhead(shares: Sequence[Share]) -> Paragraph | None:
    """Return what is Django's and what the server's; None where noise hides it."""
    # One a server, with the style that costs less: the largest share comes first.
    shown = list({each.server: each for each in shares if each.finding == "higher"}.values())
    parts = []
    for interface in ("wsgi", "asgi"):
        of = [each for each in shown if each.interface == interface]
        own = between((each.django_cpu_us for each in of), latency)
        if own:
            of_request = between((each.share for each in of), share)
            parts.append({"interface": interface.upper(), "own": own, "shares": of_request})
    bare = between((each.raw_cpu_us for each in shown), latency)
    if not parts or not bare:
        return None
    held = [each.server for each in shown if each.at_least]
    cells = tuple(cell for each in shown for cell in each.cells)
    return FILL("overhead", {"parts": parts, "bare": bare, "at_least": held}, cells)


def about(cost: Cost) -> str:
    """Return what a cost is the mean of, and what is not in it."""
    left_out = {
        why: [each.endpoint for each in cost.left_out if each.why == why]
        for why in ("waits", "dominated", "incomplete")
    }
    facts = {
        "endpoints": len(cost.endpoints),
        "rate": cost.rate,
        "style": cost.style,
        "mix": cost.mix,
        "today": cost.today,
        "intervals": cost.has_intervals,
        "by_chance": any(
            pair.finding == "inconclusive" and pair.low is not None and pair.low > 1
            for pair in cost.pairs
        ),
        **left_out,
    }
    return FILL("about", facts).text


def picked(decision: Decision, setting: Setting) -> list[Said]:
    """Return what is said, in order."""
    cost, chosen = decision.cost, decision.chosen
    rated = bool(decision.at_rates or decision.stepped)
    if decision.searched:
        searched = [_searched(decision, at) for at in decision.searched[:SEARCHED]]
        return [*searched, _sure(decision, setting)]
    if cost is None and not rated:
        return list(_without_cost(decision, setting))
    stepped = map(_stepped, decision.stepped[: SEARCHED // 2])
    if cost is None:
        return [*_at_rates(decision), *stepped, _sure(decision, setting)]
    return [
        *_lever(decision, cost),
        *_choice(decision, cost),
        *_at_rates(decision),
        *stepped,
        *_waits(decision, cost),
        *_staying(decision, cost, other=chosen in ("server", "group") and not rated),
        *(_async_views(decision) if chosen != "interface" and not rated else ()),
        _sure(decision, setting),
    ]


def _lever(decision: Decision, cost: Cost) -> Iterator[Said]:
    """Yield what may matter more than the server, where anything is known to."""
    own, site = decision.own, decision.site
    if own and own.share < MOSTLY:
        own = None
    facts = {
        "reconnects": bool(site and site.reconnects),
        "pure": bool(site and site.driver == "python"),
    }
    if own or any(facts.values()):
        yield Said(
            "lever",
            {
                "own": own,
                # At least so much: never rounded up.
                "percent": math.floor(100 * own.share) if own else 0,
                **facts,
            },
            _cells(place for place in cost.places if own and place.server == own.server),
        )


def _today(decision: Decision, cost: Cost) -> dict[str, Any] | None:
    """Return what others would bring against what the site runs on today; None without that."""
    others = [(place, place.versus_today) for place in cost.places if place.versus_today]
    if not cost.today or not others:
        return None
    less = [(place, versus) for place, versus in others if versus.ratio < 1]
    # A busy machine shows nothing, and of the cheapest none was shown to cost less than another.
    stays = cost.today in cost.first
    known = not stays and not decision.sure.busy_machine
    shown = [place for place, versus in less if known and versus.finding == "lower"]
    gain = shown[0] if shown and decision.chosen == "server" else None
    return {
        "server": cost.today,
        "stays": stays,
        "gain": gain,
        "shown": [place for place in shown[:NEAR] if place is not gain],
        "open": [] if shown else [place for place, _ in less[:NEAR]],
    }


def _without_cost(decision: Decision, setting: Setting) -> Iterator[Said]:
    counts = setting.counts
    usable = counts.valid + counts.suspect
    if not usable:
        facts = {"failed": counts.failed, "invalid": counts.invalid}
        yield Said("no_number", facts)
        return
    cells = counts.measured + counts.failed
    yield Said(
        "no_cost",
        {
            "what": "report" if setting.imported else "run",
            "running": setting.running,
            "timed": setting.timed,
            "useless": cells - usable,
            "cells": cells,
        },
    )
    yield from _waits(decision, None)
    yield _sure(decision, setting)


def _choice(decision: Decision, cost: Cost) -> Iterator[Said]:
    ranked = [place for place in cost.places if place.cores is not None]
    cells = _cells(ranked)
    if decision.chosen == "alone":
        (only,) = ranked
        yield Said(
            "alone",
            {
                "server": only.server,
                "style": cost.style,
                "mix": cost.mix,
                "least": [only.cores],
                "range": (only.cheapest, only.dearest) if len(cost.endpoints) > 1 else None,
            },
            cells,
        )
        return
    if decision.chosen in ("server", "group"):
        yield Said("deploy", _deploy(decision, cost, ranked), cells)
        return
    gap = decision.gap if decision.chosen == "interface" else None
    yield Said(
        "undecided",
        {
            "interface": gap.cheaper.upper() if gap else None,
            "busy": decision.sure.busy if decision.sure.busy_machine else 0,
            "takers": _takers(decision.sure),
            "likely": decision.likely,
            "cells": decision.sure.cells,
            "rounds": decision.sure.rounds,
            "floor": cost.noise_floor,
            "apart": cost.apart if len(decision.likely) < 2 else None,
            "range": None if gap or decision.likely else (ranked[0], ranked[-1]),
            "today": _today(decision, cost),
        },
        cells,
    )
    if gap:
        ends = [gap.low, gap.high]
        yield Said(
            "safe",
            {
                "cheaper": gap.cheaper.upper(),
                "dearer": gap.dearer.upper(),
                "style": cost.style,
                "mix": cost.mix,
                "ratios": [gap.least, gap.most],
                "ends": [] if None in ends else ends,
            },
            cells,
        )
    likely = [place for place in ranked if place.server in decision.likely]
    if likely:
        same = [place for place in ranked if not gap or place.interface == gap.cheaper]
        yield Said(
            "probable",
            {
                "servers": [*decision.likely],
                "least": [place.cores for place in likely],
                "endpoints": len(cost.endpoints),
                "apart": cost.apart,
                "others": _others(same, likely),
            },
            _cells(same),
        )


def _deploy(decision: Decision, cost: Cost, ranked: Sequence[Place]) -> dict[str, Any]:
    first = [place for place in ranked if place.server in cost.first]
    interfaces = {place.interface for place in first}
    interface = interfaces.pop() if len(interfaces) == 1 else None
    alone_at = {(id_,) for id_ in cost.endpoints}
    at = [
        each
        for each in decision.costs
        if (cost.mix or each.style == cost.style)
        and each.endpoints in alone_at
        # A workload of one endpoint is no endpoint more.
        and each.endpoints[0].removesuffix(f"-{each.style}") == each.over
    ]
    server = first[0].server
    alone = decision.chosen == "server"
    best = _best(decision.waiting) if decision.waiting else []
    return {
        "first": [place.server for place in first],
        "interface": interface.upper() if interface else None,
        "style": cost.style,
        "mix": cost.mix,
        "unless_waiting": bool(best) and not {each.server for each in best} & set(cost.first),
        "endpoints": len(cost.endpoints),
        "rate": cost.rate,
        "least": [place.cores for place in first],
        "others": _others(ranked, first),
        "likely": decision.likely[0] if len(decision.likely) == 1 else None,
        "tied_at": sum(server in each.first for each in at) if alone else 0,
        "alone_at": [each.over for each in at if each.first == (server,)],
        "today": _today(decision, cost),
    }


def _others(ranked: Sequence[Place], first: Sequence[Place]) -> dict[str, Any]:
    """Return what the others cost against the first place: near by name, far as a range.

    Far are the servers of the other interface, if none of them is among the first.
    """
    interfaces = {place.interface for place in first}
    rest = [place for place in ranked if place not in first and place.versus]
    far = [place for place in rest if len(interfaces) == 1 and place.interface not in interfaces]
    near = [place for place in rest if place not in far or len(far) == 1]
    by_name = near if len(near) <= NEAR else near[: NEAR - 1]
    return {
        "near": by_name,
        "more": _ratios(near[len(by_name) :]),
        "far": _ratios(far) if len(far) > 1 else [],
        "interface": (far[0].interface or "other").upper() if far else None,
    }


def _ratios(places: Iterable[Place]) -> list[float]:
    return [place.versus.ratio for place in places if place.versus]


def _cells(places: Iterable[Place]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(cell for place in places for cell in place.cells))


def _takers(sure: Sureness) -> str:
    """Return who took CPU time, as the subject of a sentence."""
    if not sure.by_host:
        return "Other programs"
    if sure.by_host == sure.busy:
        return "The host of this machine"
    return "Other programs, or the host,"


def _searched(decision: Decision, at: Searched) -> Said:
    """Return who takes most within the goal at an endpoint."""
    assert at.goal
    reach = [place for place in at.places if place.rank]
    limited: dict[str, list[str]] = {}
    for place in reach:
        if place.search.why and place.search.why in WHY_LIMITED:
            limited.setdefault(WHY_LIMITED[place.search.why], []).append(place.server)
    without = [place for place in at.places if place.search.low is None]
    unable = [place.server for place in without if _is_unable(place.search)]
    return Said(
        "searched",
        {
            "endpoint": at.endpoint,
            "goal": goal(at.goal),
            "busy": decision.sure.busy_machine,
            "first": [place.server for place in reach if place.rank == 1],
            "reach": [(place, reached(place.search)) for place in reach[:NEAR]],
            "more": [place.search.low for place in reach[NEAR:]],
            "unable": unable,
            "missed": [
                place.server
                for place in without
                if place.search.high is not None and place.server not in unable
            ],
            "untried": [place.server for place in without if place.search.high is None],
            "limited": limited,
            "apart": at.apart,
        },
        tuple(place.cell for place in at.places),
    )


def _is_unable(search: Search) -> bool:
    """Say whether a server missed a goal even at the lowest rate that a search tries."""
    return search.low is None and search.most <= LEAST_RATE


def _stepped(at: Searched) -> Said:
    """Return with which rates the servers keep up at an endpoint."""
    known = [place for place in at.places if place.search.low is not None]
    unknown = [place for place in at.places if place.search.why == "generator"]
    return Said(
        "stepped",
        {
            "endpoint": at.endpoint,
            "places": known[:NEAR],
            "more": len(known[NEAR:]),
            "unable": [
                place.server for place in at.places if place not in known and place not in unknown
            ],
            "unknown": [place.server for place in unknown],
        },
        tuple(place.cell for place in at.places),
    )


def _at_rates(decision: Decision) -> Iterator[Said]:
    if not decision.at_rates:
        return
    places = [place for at in decision.at_rates for place in at.places]
    yield Said(
        "at_rates",
        {
            "rates": list(map(_at_rate, decision.at_rates)),
            "mix": decision.at_rates[0].mix,
            "endpoints": max(len(at.endpoints) for at in decision.at_rates),
            "generator": [place.generator_cpu_us for place in places if place.generator_cpu_us],
        },
        tuple(cell for place in places for cell in place.cells),
    )


def _at_rate(at: AtRate) -> dict[str, Any]:
    kept = [place for place in at.places if not place.short]
    # In a report of others, and of a server that was running, nobody knows what any of them took.
    keeps = [place for place in kept if place.cores is not None] or kept
    timed = [place for place in keeps if not place.late]

    def slowest(place: ServerAtRate) -> int | None:
        return place.p99_us if rare else place.p90_us

    # All by the same percentile, that which all have.
    rare = all(place.p99_us is not None for place in timed)
    known = bool(timed) and all(slowest(place) is not None for place in timed)
    bare = [] if known else [place.server for place in timed if place.cores is None]
    timed = [] if bare else timed
    if timed and timed[0].cores is None:
        timed.sort(key=lambda place: slowest(place) or 0)
    shown = timed if len(timed) <= NEAR else [*timed[: NEAR - 1], timed[-1]]
    return {
        "rate": at.rate,
        "share": "99 %" if rare else "90 %",
        "keeps": [(place, slowest(place) if known else None) for place in shown],
        "bare": bare,
        "more": len(timed) - len(shown),
        "short": [place.server for place in at.places if place.short],
        "late": [place.server for place in keeps if place.late],
    }


def _waits(decision: Decision, cost: Cost | None) -> Iterator[Said]:
    waiting = decision.waiting
    if waiting is None or not waiting.holds:
        if cost and decision.chosen != "alone" and not cost.mix:
            yield Said("nothing_waits", {})
        return
    best = _best(waiting)
    by_limit: dict[tuple[int, str], list[Holds]] = {}
    for each in waiting.holds:
        if not each.free:
            limit = each.configured or 0
            by_limit.setdefault((limit, _how(limit, each.shape)), []).append(each)
    limited = []
    for (limit, how), of in sorted(by_limit.items(), reverse=True):
        limited.append(
            {"group": _group(of, waiting.holds), "single": len(of) == 1, "limit": limit, "how": how}
        )
    yield Said(
        "waiting",
        {
            "best": _group(best, waiting.holds) if best else None,
            "measured": [each.measured for each in best],
            "connections": max(each.connections for each in waiting.holds),
            "lesser": [each for each in waiting.holds if each.free and each not in best],
            "limited": limited,
        },
        tuple(each.cell for each in waiting.holds),
    )


def _best(waiting: Waiting) -> list[Holds]:
    """Return who held the most of all, where nothing but the load limited it."""
    least = MANY * max((each.measured for each in waiting.holds), default=0)
    return [each for each in waiting.holds if each.free and each.measured >= least]


def _how(limit: int, shape: Shape) -> str:
    if not shape.known or limit not in (shape.workers, shape.workers * shape.threads):
        return ""
    threads = f" x {plural(shape.threads, 'thread')}" if limit > shape.workers else ""
    return plural(shape.workers, "worker") + threads


def _group(of: Sequence[Holds], all_: Sequence[Holds]) -> Group:
    """Return servers by name, and interfaces of which all servers, two or more, are among them."""
    names = [each.server for each in of]
    whole: list[Interface] = []
    for interface in ("wsgi", "asgi"):
        theirs = [each.server for each in all_ if each.interface == interface]
        if len(theirs) > 1 and set(theirs) <= set(names):
            whole.append(interface)
            names = [name for name in names if name not in theirs]
    return Group(names, [interface.upper() for interface in whole])


def _staying(decision: Decision, cost: Cost, *, other: bool) -> Iterator[Said]:
    """Yield who is cheapest of the interface that was not chosen, and how ASGI runs a site."""
    asgi = [place for place in cost.places if place.interface == "asgi" and place.cores is not None]
    site = decision.site
    threads = {"blocks": site.blocks} if site and not site.asynchronous and asgi else None
    chosen = {place.interface for place in cost.places if place.server in cost.first}
    for interface, first in decision.within if other else ():
        theirs = [
            place
            for place in cost.places
            if place.interface == interface and place.cores is not None
        ]
        if interface not in chosen and theirs:
            yield Said(
                "staying",
                {
                    "interface": interface.upper(),
                    "first": first,
                    "all": len(first) == len(theirs),
                    "least": [place.cores for place in theirs],
                    "threads": threads,
                },
                _cells(theirs),
            )
            return
    if threads:
        alone = dict.fromkeys(("interface", "first", "all", "least"))
        yield Said("staying", {**alone, "threads": threads}, _cells(asgi))


def _async_views(decision: Decision) -> Iterator[Said]:
    views = decision.async_views
    dearer = [each for each in views if 2 * each.dearer > each.servers]
    cheaper = [each for each in views if 2 * each.cheaper > each.servers]
    if decision.sure.rounds < 2 or not any(each.servers for each in views):
        return
    shown = dearer or cheaper
    yield Said(
        "async_views",
        {
            "dearer": [each.interface.upper() for each in dearer],
            "cheaper": [each.interface.upper() for each in cheaper],
            "always": all(each.servers in (each.dearer, each.cheaper) for each in shown),
            "views": [(each, each.dearer + each.cheaper) for each in views if each.servers],
        },
        tuple(cell for each in views for cell in each.cells),
    )


def _sure(decision: Decision, setting: Setting) -> Said:
    sure: Sureness = decision.sure
    cost = decision.cost
    open_ = decision.chosen in ("interface", "nothing") and cost is not None
    open_ |= bool(decision.searched) and sure.busy_machine
    missing: dict[str, list[str]] = {}
    for place in cost.places if cost else ():
        if place.missing:
            missing.setdefault(place.missing, []).append(place.server)
    again = setting.again if sure.busy_machine else setting.more
    return Said(
        "sure",
        {
            "again": again if open_ else "",
            "busy": _busy(sure) if open_ and sure.busy_machine else "",
            "tied": len(cost.first) if cost and decision.chosen in ("server", "group") else 0,
            "searched": bool(decision.searched),
            "tries": sure.tries,
            "rounds": sure.rounds,
            "most": setting.most_rounds if setting.ended else 0,
            "ended": setting.ended,
            "processors": sure.processors,
            "cells": sure.cells,
            "suspect": sure.suspect,
            "doubts": () if decision.chosen == "alone" else sure.doubts[:DOUBTFUL],
            "floor": cost.noise_floor if cost and not open_ else None,
            "repeated": sure.repeated,
            "disturbed": sure.busy,
            "missing": missing,
            "more": setting.more if decision.chosen == "group" else "",
        },
    )


def _busy(sure: Sureness) -> str:
    """Return who mostly kept the machine busy: `host` or `programs`."""
    return "host" if 2 * sure.by_host > sure.busy else "programs"
