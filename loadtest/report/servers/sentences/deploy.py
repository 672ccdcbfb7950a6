"""Who to deploy: who leads at most workloads, who elsewhere, who of the other interface."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from loadtest.judge.servers.answer.records import Answer, Arm, Kind
from loadtest.report.sentences import Name, Sentence, Words, between, joined, names
from loadtest.report.servers.sentences.claims import suspects, taken
from loadtest.report.servers.sentences.phrases import workload
from loadtest.report.units import ratio, share
from loadtest.stats.significance import LEAST_MARGIN

EQUALS = 2
"""Servers that are named as tied with the first."""

NAMED = 3
"""Workloads that are named; where a server leads at more, the others are."""

PARTLY = "This run shows little; what it shows favours "
"""Where servers were separated at no more than half of the workloads."""

SLIGHTLY = f"No lead is as large as {share(LEAST_MARGIN)}; slightly ahead is "
"""Where servers were separated, and by too little to decide between them."""


def deploy(answer: Answer) -> Iterator[Sentence]:
    """Yield what to deploy, or why that cannot be said, and where no server is ahead."""
    if not answer.leaders:
        yield Sentence((_nothing_shown(answer),))
        return
    first, *_ = answer.leaders
    same = [each for each in answer.leaders if each.at == first.at]
    claims = [
        claim
        for kind in answer.kinds
        if kind.kind in first.at
        for claim in kind.claims
        if any(arm.server == first.server for arm in claim.leaders)
    ]
    words: list[str] = [
        _beginning(answer),
        *joined([(Name(each.server),) for each in same], " or "),
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
    words += [f": {pronoun} at {where} workloads"]
    if len(answer.kinds) == 1:
        words[-1] = f": {pronoun} at {workload(first.at[0])}"
    elif len(first.at) <= NAMED:
        words += [f" ({', '.join(map(workload, first.at))})"]
    servers = {each.server for each in same}
    words += _alone_or_tied(answer, first.at, servers)
    own = [
        (claim.endpoint, arm) for claim in claims for arm in claim.leaders if arm.server in servers
    ]
    if took := taken([arm for _, arm in own]):
        words += [f"; {'it takes' if len(same) == 1 else 'they take'} {took}"]
    yield Sentence((*filter(None, words), ".", *suspects(own)), tuple(arm.cell for _, arm in own))
    if tied := [kind.kind for kind in answer.kinds if not kind.separated]:
        yield Sentence(
            (
                *("For ", *joined([(workload(kind),) for kind in tied])),
                ": no clear leader.",
            ),
            tuple(
                cell
                for kind in answer.kinds
                if not kind.separated
                for claim in kind.claims
                for cell in claim.cells
            ),
        )


def elsewhere(answer: Answer) -> Iterator[Sentence]:
    """Yield who leads where the first does not."""
    if not answer.leaders:
        return
    first = answer.leaders[0].at
    for kind in answer.kinds:
        if kind.separated and kind.kind not in first:
            yield Sentence(
                (
                    f"For {workload(kind.kind)}: ",
                    *names([each.server for each in kind.leaders]),
                    *_let_in(kind),
                    *suspects(_leading(kind)),
                ),
                tuple(cell for claim in kind.claims for cell in claim.cells),
            )


def among_the_others(answer: Answer) -> Iterator[Sentence]:
    """Yield who leads among the servers of the interface that the first does not have."""
    arms = [arm for kind in answer.kinds for claim in kind.claims for arm in claim.leaders]
    leading = {each.server for each in answer.leaders[:1]}
    interfaces = {arm.interface for arm in arms if arm.server in leading}
    for within in answer.within:
        if not interfaces or within.interface in interfaces:
            continue
        name = within.interface.upper()
        if not within.separated:
            words: Words = (
                f"Among the {name} servers alone, there is no clear leader at any workload.",
            )
        else:
            most = len(within.leaders[0].at)
            best = [led.server for led in within.leaders if len(led.at) == most]
            words = (
                f"Among the {name} servers alone, ",
                *names(best),
                f" {'leads' if len(best) == 1 else 'lead'}, alone or tied, at"
                f" {'all' if most == within.separated else most} of the {within.separated}"
                " workloads with a clear leader.",
            )
        yield Sentence(words, within.cells)


def _alone_or_tied(answer: Answer, at: Sequence[str], servers: set[str]) -> Iterator[str]:
    """Yield where the leaders lead without others and by how much, and with whom elsewhere."""
    alone: list[str] = []
    leads: list[float] = []
    equals: Counter[str] = Counter()
    for kind in answer.kinds:
        if kind.kind not in at:
            continue
        claims = [
            claim
            for claim in kind.claims
            if claim.separated and any(arm.server in servers for arm in claim.leaders)
        ]
        with_ = {arm.server for claim in claims for arm in claim.leaders} - servers
        equals.update(sorted(with_))
        if not with_:
            alone.append(kind.kind)
            leads += [claim.lead.ratio for claim in claims if claim.lead]
    range_ = between(leads, ratio)
    lead = f"{range_} the requests/s of the runner-up" if range_ else ""
    if not equals:
        yield f", with {lead}" if lead else ""
        return
    if alone:
        where = ", ".join(map(workload, alone)) if len(alone) <= NAMED else f"{len(alone)}"
        yield f", alone at {where}{f' ({lead})' if lead else ''}"
    often = f"{'elsewhere' if alone else 'everywhere'} tied, most often with "
    yield f", {often if len(at) > 1 else 'tied with '}"
    yield from names([server for server, _ in equals.most_common(EQUALS)])


def _beginning(answer: Answer) -> str:
    leads = [claim.lead for kind in answer.kinds for claim in kind.claims if claim.lead]
    # Separated and no higher: the difference is real, and within the margin.
    if not any(lead.finding == "higher" for lead in leads):
        return SLIGHTLY
    return "Deploy " if 2 * answer.separated > len(answer.kinds) else PARTLY


def _let_in(kind: Kind) -> Words:
    """Return how many more requests the leaders work on at once, where that is why they lead."""
    more: dict[str, float] = {}
    for claim in kind.claims:
        if claim.separated:
            first, next_ = claim.leaders[0], claim.followers[0]
            if first.ceiling and next_.ceiling and first.ceiling > next_.ceiling:
                more[next_.server] = first.ceiling / next_.ceiling
    if not more:
        return (".",)
    works = "works" if len(kind.leaders) == 1 else "work"
    return (
        f", which {works} on {between(more.values(), ratio)} as many requests at once as ",
        *names(list(more)),
        f", which {'its' if len(more) == 1 else 'their'} workers and threads limit.",
    )


def _leading(kind: Kind) -> list[tuple[str, Arm]]:
    """Return the numbers with which the leaders of a kind lead, each with its endpoint."""
    servers = {each.server for each in kind.leaders}
    return [
        (claim.endpoint, arm)
        for claim in kind.claims
        if claim.separated
        for arm in claim.leaders
        if arm.server in servers
    ]


def _nothing_shown(answer: Answer) -> str:
    if "no-number" in answer.limits:
        return "This run has no number that may be shown: read the caveats."
    limits = {limit for kind in answer.kinds for claim in kind.claims for limit in claim.limits}
    if "one-round" in answer.limits:
        return (
            "This run cannot say what to deploy: it has one round, which cannot separate a real"
            " difference from noise. Measure more `--rounds`."
        )
    if limits & {"alone"} and not limits & {"tied"}:
        return "No endpoint has the numbers of two servers, so there is nothing to compare."
    return (
        "This run cannot say what to deploy: no server is clearly ahead."
        " Measure more `--rounds`, with nothing else on the machine."
    )
