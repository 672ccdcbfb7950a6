"""What to deploy and why, in the few sentences that a reader of ten seconds reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.answer import Answer, Arm, Kind, Share
from loadtest.findings import LEAST_MARGIN
from loadtest.report.format import latency, share
from loadtest.report.words.claims import cheapest, suspects, taken
from loadtest.report.words.phrases import (
    Name,
    Said,
    between,
    joined,
    kind_of_work,
    names,
    ratio,
    sentence,
)

MOSTLY_USELESS = 0.5
"""A share of cells without a number above which that is the first thing to say."""
WAITING = "waiting"
"""The kind of work at which servers differ most, and for another reason than elsewhere."""
NAMED = 3
"""Kinds of work that are named; where a server leads at more, the others are."""
PARTLY = "This run tells little; what it tells speaks for "
"""Where servers were told apart at no more than half of the kinds of work."""
SLIGHTLY = f"No lead is as large as {share(LEAST_MARGIN)}; ahead by less is "
"""Where servers were told apart, and by too little to decide between them."""


def headline(answer: Answer) -> list[Said]:
    """Return what to deploy and why, for ten seconds' reading; the first sentence says most."""
    return [
        *_useless(answer),
        *_deploy(answer),
        *_elsewhere(answer),
        *_unmeasured(answer),
        *_numberless(answer),
        *_styles(answer),
        *_django(answer),
    ]


def _useless(answer: Answer) -> Iterator[Said]:
    missing = answer.cells - answer.usable
    if missing > MOSTLY_USELESS * answer.cells:
        yield Said(
            (
                f"Most of this run means nothing: {missing} of {answer.cells} cells are invalid or"
                " failed, and show no number.",
            )
        )


def _deploy(answer: Answer) -> Iterator[Said]:
    if not answer.leaders:
        yield Said((_nothing_told(answer),))
        return
    first, *_ = answer.leaders
    same = [one for one in answer.leaders if one.at == first.at]
    claims = [
        claim
        for kind in answer.kinds
        if kind.kind in first.at
        for claim in kind.claims
        if any(arm.server == first.server for arm in claim.leaders)
    ]
    words: list[str] = [
        _beginning(answer),
        *joined([(Name(one.server),) for one in same], " or "),
    ]
    styles = {
        arm.style
        for claim in claims
        for arm in claim.leaders
        if arm.server == first.server and arm.over_other_style == "higher"
    }
    if len(styles) == 1:
        words += [f" with {styles.pop()} views"]
    pronoun = "it leads" if len(same) == 1 else "they lead"
    everywhere = len(first.at) == len(answer.kinds)
    of = len(answer.kinds)
    where = f"all {of}" if everywhere else f"{len(first.at)} of {of}"
    where = "both" if everywhere and of == 2 else where
    words += [f": {pronoun}, alone or tied, at {where} kinds of work"]
    if len(answer.kinds) == 1:
        words[-1] = f": {pronoun} at {kind_of_work(first.at[0])}"
    elif len(first.at) <= NAMED:
        words += [f" ({', '.join(map(kind_of_work, first.at))})"]
    servers = {one.server for one in same}
    # Where another of the group has the higher median, the lead is that one's.
    leads = [
        claim.lead.ratio for claim in claims if claim.lead and claim.leaders[0].server in servers
    ]
    if range_ := between(leads, ratio):
        tied = any(len(claim.leaders) > len(same) for claim in claims)
        next_ = f"first not tied with {'it' if len(same) == 1 else 'them'}" if tied else "next"
        words += [f", with {range_} times the answers of the {next_}"]
    own = [
        (claim.endpoint, arm) for claim in claims for arm in claim.leaders if arm.server in servers
    ]
    if took := taken([arm for _, arm in own]):
        words += [f"; {'it takes' if len(same) == 1 else 'they take'} {took}"]
    yield Said((*sentence(*words), ".", *suspects(own)), tuple(arm.cell for _, arm in own))
    if untold := [kind.kind for kind in answer.kinds if not kind.told]:
        yield Said(
            (
                *("For ", *joined([(kind_of_work(one),) for one in untold])),
                ": no server was shown to lead.",
            ),
            tuple(
                cell
                for kind in answer.kinds
                if not kind.told
                for claim in kind.claims
                for cell in claim.cells
            ),
        )


def _beginning(answer: Answer) -> str:
    leads = [claim.lead for kind in answer.kinds for claim in kind.claims if claim.lead]
    # Told apart and no higher: the difference is real, and within the margin.
    if not any(lead.finding == "higher" for lead in leads):
        return SLIGHTLY
    return "Deploy " if 2 * answer.told > len(answer.kinds) else PARTLY


def _elsewhere(answer: Answer) -> Iterator[Said]:
    """Yield who leads where the first does not."""
    if not answer.leaders:
        return
    first = answer.leaders[0].at
    for kind in answer.kinds:
        if kind.told and kind.kind not in first:
            yield Said(
                (
                    f"For {kind_of_work(kind.kind)}: ",
                    *names([one.server for one in kind.leaders]),
                    _let_in(kind),
                    *suspects(_leading(kind)),
                ),
                tuple(cell for claim in kind.claims for cell in claim.cells),
            )


def _unmeasured(answer: Answer) -> Iterator[Said]:
    """Yield what a run of several kinds of work must not be taken for."""
    kinds = {kind.kind for kind in answer.kinds}
    if answer.leaders and len(kinds) > 1 and WAITING not in kinds:
        yield Said(
            (
                "Nothing that waits was measured, as for a slow API: there it counts how many"
                " requests a server works on at once, and these servers may come in quite another"
                " order.",
            )
        )


def _leading(kind: Kind) -> list[tuple[str, Arm]]:
    """Return the numbers with which the leaders of a kind lead, each with its endpoint."""
    servers = {one.server for one in kind.leaders}
    return [
        (claim.endpoint, arm)
        for claim in kind.claims
        if claim.told
        for arm in claim.leaders
        if arm.server in servers
    ]


def _numberless(answer: Answer) -> Iterator[Said]:
    of = answer.numberless
    if of and answer.usable:
        one = len(of) == 1
        yield Said(
            (
                *names(of),
                f" {'has' if one else 'have'} no number anywhere, so nothing is said of"
                f" {'it' if one else 'them'}.",
            )
        )


def _let_in(kind: Kind) -> str:
    """Return how many more requests the leaders work on at once, where that is why they lead."""
    ceilings = [
        (claim.leaders[0].ceiling, claim.followers[0].ceiling)
        for claim in kind.claims
        if claim.told
    ]
    more = [first / next_ for first, next_ in ceilings if first and next_ and first > next_]
    if not more or len(more) < len(ceilings):
        return "."
    works = "works" if len(kind.leaders) == 1 else "work"
    return f", which {works} on {between(more, ratio)} times as many requests at once as the next."


def _styles(answer: Answer) -> Iterator[Said]:
    """Yield what async views cost or gain, over all endpoints, where most of them agree."""
    for interface in ("wsgi", "asgi"):
        of = [one for kind in answer.kinds for one in kind.styles if one.interface == interface]
        all_ = [one for each in of for one in each.servers]
        for finding, said in (("lower", "fewer"), ("higher", "more")):
            told = [one for one in all_ if one.finding == finding]
            if 2 * len(told) > len(all_):
                range_ = between((one.ratio for one in told), ratio)
                yield Said(
                    (
                        f"Under {interface.upper()}, async views serve {said} requests than sync"
                        f" ones: {range_} times as many, in {len(told)} of {len(all_)} pairs of"
                        " views.",
                    ),
                    tuple(cell for one in told for cell in (one.cell, one.over)),
                )


def _django(answer: Answer) -> Iterator[Said]:
    told = cheapest(answer.shares)
    by = {
        interface: [one for one in told if one.interface == interface]
        for interface in ("wsgi", "asgi")
    }
    if not by["wsgi"] or not by["asgi"]:
        return
    lowest = min(one.low or 0.0 for one in by["asgi"])
    beyond_noise = lowest > max(one.high or 1.0 for one in by["wsgi"])
    if beyond_noise and _more_than_servers_differ(by["wsgi"], by["asgi"]):
        wsgi, asgi = (
            between((one.django_cpu_us for one in by[key]), latency) for key in ("wsgi", "asgi")
        )
        bare = between((one.raw_cpu_us for one in told), latency)
        yield Said(
            (
                "WSGI against ASGI is decided in Django, not in the server: Django takes"
                f" {asgi} of CPU time for its cheapest answer under ASGI and {wsgi} under WSGI,"
                f" the servers by themselves {bare}.",
            ),
            tuple(cell for one in told for cell in one.cells),
        )


def _more_than_servers_differ(wsgi: Sequence[Share], asgi: Sequence[Share]) -> bool:
    """Say whether Django's own CPU time parts the interfaces by more than any two servers differ.

    A larger share under ASGI alone may as well come from a server that takes less.
    """
    bare_us = [one.raw_cpu_us for one in (*wsgi, *asgi) if one.raw_cpu_us is not None]
    under_wsgi_us = [one.django_cpu_us for one in wsgi if one.django_cpu_us is not None]
    under_asgi_us = [one.django_cpu_us for one in asgi if one.django_cpu_us is not None]
    if not under_wsgi_us or not under_asgi_us:
        return False
    return min(under_asgi_us) - max(under_wsgi_us) > max(bare_us) - min(bare_us)


def _nothing_told(answer: Answer) -> str:
    if "no-number" in answer.limits:
        return "This run has no number that may be shown: read what to distrust."
    limits = {limit for kind in answer.kinds for claim in kind.claims for limit in claim.limits}
    if "one-round" in answer.limits:
        return (
            "This run cannot say what to deploy: it has one round, which tells nothing from noise."
            " Measure more `--rounds`."
        )
    if limits & {"alone"} and not limits & {"tied"}:
        return "No endpoint has the numbers of two servers, so there is nothing to compare."
    return (
        "This run cannot say what to deploy: no server was told apart from another."
        " Measure more `--rounds`, with nothing else on the machine."
    )
