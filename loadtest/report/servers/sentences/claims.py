"""What a run says of an endpoint, of a workload, and of Django against the server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.judge.servers.answer.records import (
    Answer,
    Arm,
    Claim,
    Interfaces,
    Kind,
    Share,
    Styles,
)
from loadtest.report import sentences
from loadtest.report.sentences import Name, Sentence, Words, between, capital, listed, names
from loadtest.report.servers.sentences.phrases import times
from loadtest.report.units import latency, ratio, share, significant, size
from loadtest.stats.significance import LEAST_MARGIN, Finding

AT_CEILING = "connection-limited"
"""The concern of a row that shows how many requests were let in."""

NOISE = "the servers' differences are within noise"

TIED = "within noise of each other"


def kind(kind: Kind) -> list[Sentence]:
    """Return what a run says of one workload: who leads, by how much, at what cost."""
    if len(kind.claims) == 1:
        leading = [claim(kind.claims[0])]
    else:
        differing = _differing(kind)
        leading = [
            *_most(kind),
            *(claim(each, named=True) for each in differing if each.separated),
            *_tied_together([each for each in differing if not each.separated]),
        ]
    return [*leading, *_styles(kind.styles), *_interfaces(kind.interfaces)]


def claim(claim: Claim, *, named: bool = False) -> Sentence:
    """Return who leads at one endpoint; `named` where it isn't clear from the place which."""
    at: Words = ("At ", Name(claim.endpoint), ", ") if named else ()
    if not claim.separated:
        return Sentence((*at, *_tied(claim, first=not named)), claim.cells)
    alone = len(claim.leaders) == 1
    rates = between((arm.goodput for arm in claim.leaders), significant)
    words = [
        *at,
        *names([arm.server for arm in claim.leaders]),
        " leads" if alone else " lead, tied",
        *_with_style(claim.leaders),
        f", at {rates} requests/s",
    ]
    if claim.lead:
        words += [": ", *((Name(claim.leaders[0].server), " has ") if not alone else ())]
        words += [
            times(claim.lead),
            " the rate of ",
            Name(claim.followers[0].server),
            ", the runner-up",
        ]
        if claim.lead.finding != "higher":
            words += [f" (less than {share(LEAST_MARGIN)} more: too little to decide by)"]
    words += ["."]
    if limited := [arm.server for arm in claim.leaders if AT_CEILING in arm.doubts]:
        those = (
            ["That rate is"]
            if len(limited) == len(claim.leaders)
            else ["For ", *names(limited), ", that rate is"]
        )
        words += [" ", *those]
        words += [
            f" what the load's {claim.connections:,} connections allow: it shows how many requests"
            " are let in, not how fast the server is."
        ]
    if costs := _costs(claim.leaders):
        words += [f" {'It takes' if alone else 'They take'} {costs}."]
    next_ = [arm for arm in claim.followers[:1] if claim.lead and arm.doubts]
    words += suspects([(claim.endpoint, arm) for arm in (*claim.leaders, *next_)], AT_CEILING)
    return Sentence(tuple(words), claim.cells)


def suspects(arms: Sequence[tuple[str, Arm]], besides: str | None = None) -> Words:
    """Return whose numbers have doubts, and which; empty where none has any.

    `arms` come with their endpoints; `besides` is a doubt of which something is said already.
    """
    doubted = [
        (at, arm.server, doubts)
        for at, arm in arms
        if (doubts := [doubt for doubt in arm.doubts if doubt != besides])
    ]
    if not doubted:
        return ()
    many = len(doubted) > 1
    of: dict[str, list[str]] = {}
    for _, server, doubts in doubted:
        of.setdefault(server, []).extend(doubts)
    concerns = list(dict.fromkeys(doubt for doubts in of.values() for doubt in doubts))
    if len({arm.server for _, arm in arms}) == 1:
        endpoints = list(dict.fromkeys(at for at, _, _ in doubted))
        at = len({at for at, _ in arms}) > 1
        whose: Words = (
            f" Its number{'s' if many else ''}",
            *((" at ", *names(endpoints)) if at else ()),
        )
    elif all(set(doubts) == set(concerns) for doubts in of.values()):
        whose = (f" The number{'s' if many else ''} of ", *names(list(of)))
    else:
        each = [
            (Name(server), " (", *names(list(dict.fromkeys(doubts))), ")")
            for server, doubts in of.items()
        ]
        return (" The numbers of ", *listed(each), " are suspect.")
    return (*whose, f" {'are' if many else 'is'} suspect (", *names(concerns), ").")


def control(answer: Answer) -> list[Sentence]:
    """Return what is Django's and what the server's, and WSGI against ASGI in Django itself."""
    separated = cheapest(answer.shares)
    overheads = []
    for interface in ("wsgi", "asgi"):
        of = [each for each in separated if each.interface == interface]
        if not of:
            continue
        took = between((each.django_cpu_us for each in of), latency)
        held = [each.server for each in of if each.at_least]
        overheads.append(
            Sentence(
                (
                    f"Under {interface.upper()}, Django's own overhead is"
                    f" {between((each.share for each in of), share)} of the time of its cheapest"
                    f" request{f' ({took} of CPU time)' if took else ''}, on ",
                    *names([each.server for each in of]),
                    "; the rest is the server's and the load generator's.",
                    *((" With ", *names(held), " it is at least that: ") if held else ()),
                    "the generator could not ask the bare callable faster." if held else "",
                ),
                tuple(cell for each in of for cell in each.cells),
            )
        )
    return overheads


def cheapest(shares: Sequence[Share]) -> list[Share]:
    """Return one share a server, with the style that costs less, where it is beyond noise."""
    by_server: dict[str, Share] = {}
    for each in shares:  # the largest first
        if each.finding == "higher":
            by_server[each.server] = each
    return list(by_server.values())


def _most(kind: Kind) -> Iterator[Sentence]:
    if not kind.separated:
        return
    separated = [each for each in kind.claims if each.separated]
    servers = [each.server for each in kind.leaders]
    at = kind.leaders[0].at
    claims = [each for each in separated if each.endpoint in at]
    verb = "leads" if len(servers) == 1 else "lead"
    if any(len(each.leaders) > len(servers) for each in claims):
        verb = f"{'is' if len(servers) == 1 else 'are'} among the leaders"
    # Where another of the group has the higher median, the lead is that one's.
    own = [each.lead for each in claims if each.lead and each.leaders[0].server in servers]
    range_ = between((lead.ratio for lead in own), ratio)
    arms = [
        (each.endpoint, arm) for each in claims for arm in each.leaders if arm.server in servers
    ]
    costs = _costs([arm for _, arm in arms])
    if len({each.at for each in kind.leaders}) > 1:
        where: Words = (f" at {len(at)} of {len(separated)} endpoints each",)
        range_ = None
    elif len(at) == len(separated):
        all_ = "both" if len(separated) == 2 else f"all {len(separated)}"
        where = (f" at {all_} endpoints",) if len(separated) > 1 else (" at ", Name(at[0]))
    else:
        where = (f" at {len(at)} of {len(separated)} endpoints (", *names(at, 4), ")")
    yield Sentence(
        (
            *names(servers),
            f" {verb}",
            *where,
            f", with {range_} the requests/s of the runner-up." if range_ else ".",
            f" {'It takes' if len(servers) == 1 else 'They take'} {costs}." if costs else "",
            *suspects(arms),
        ),
        tuple(cell for each in claims for cell in each.cells),
    )


def _differing(kind: Kind) -> list[Claim]:
    """Return the claims that the sentence on the whole kind does not cover."""
    most = {each.server for each in kind.leaders}
    return [
        each
        for each in kind.claims
        if not each.separated or {arm.server for arm in each.leaders} != most
    ]


def _tied(claim: Claim, *, first: bool) -> Words:
    arms = claim.leaders
    if len(arms) == 1:
        return (
            "Only " if first else "only ",
            Name(arms[0].server),
            f" has a number ({significant(arms[0].goodput)} requests/s): nothing to compare.",
        )
    text = "no server has a number that may be shown."
    if arms:
        rates = between((arm.goodput for arm in arms), significant)
        why = sentences.ONE_ROUND if "one-round" in claim.limits else NOISE
        no = "no" if first else "there is no"
        text = f"{no} clear leader among {len(arms)} servers ({rates} requests/s): {why}."
    return (capital(text) if first else text,)


def _tied_together(claims: Sequence[Claim]) -> Iterator[Sentence]:
    """Yield one sentence for all claims that say the same."""
    for limit, text in (
        ("no-number", "no server has a number that may be shown"),
        ("one-round", f"there is no clear leader: {sentences.ONE_ROUND}"),
        ("tied", f"there is no clear leader: {NOISE}"),
    ):
        of = [each for each in claims if limit in each.limits]
        if len(of) == 1:
            yield claim(of[0], named=True)
        elif of:
            cells = tuple(cell for each in of for cell in each.cells)
            yield Sentence(("At ", *names([each.endpoint for each in of], 6), f", {text}."), cells)
    yield from (claim(each, named=True) for each in claims if "alone" in each.limits)


def _styles(styles: Sequence[Styles]) -> Iterator[Sentence]:
    for interface in ("wsgi", "asgi"):
        of = [each for each in styles if each.interface == interface]
        pairs = [pair for each in of for pair in each.servers]
        separated = [pair for pair in pairs if pair.finding != "inconclusive"]
        findings: set[Finding] = {pair.finding for pair in separated}
        if not of:
            continue
        name = interface.upper()
        range_ = between((pair.ratio for pair in separated), ratio)
        serve = f"async views serve {range_} the requests of sync ones"
        if findings == {"equivalent"}:
            serve = f"async views serve as many requests as sync ones ({range_})"
        elif len(findings) > 1:
            serve += ": it depends on server and endpoint"
        tied, total = len(pairs) - len(separated), len(pairs)
        words: Words = (f"Under {name}, {serve}.",)
        if not separated:
            words = (f"Under {name}, sync and async views were {TIED}.",)
        elif len(separated) < tied:
            # What holds for a few is no rule: it is said of them.
            at = [each.endpoint for each in of if any(pair in separated for pair in each.servers)]
            words = (
                f"Under {name}, sync and async views were {TIED} in {tied} of {total} pairs;"
                f" in the other{'s' if len(separated) > 1 else ''}, at ",
                *names(at),
                f", {serve}.",
            )
        elif tied:
            were = "was" if tied == 1 else "were"
            words = (f"Under {name}, {serve}; {tied} of {total} pairs {were} {TIED}.",)
        yield Sentence(words, tuple(cell for each in of for cell in each.cells))


def _interfaces(interfaces: Sequence[Interfaces]) -> Iterator[Sentence]:
    several = len(interfaces) > 1
    for finding in ("higher", "lower"):
        of = [each for each in interfaces if each.difference.finding == finding]
        if not of:
            continue
        differences = [
            each.difference if finding == "higher" else each.difference.turned for each in of
        ]
        ahead, behind = ("WSGI", "ASGI") if finding == "higher" else ("ASGI", "WSGI")
        cells = tuple(cell for each in of for cell in each.cells)
        if len(of) > 1:
            range_ = between((each.ratio for each in differences), ratio)
            words: Words = (
                f"The fastest {ahead} server serves {range_} the requests of the fastest"
                f" {behind} server, at ",
                *names([each.endpoint for each in of]),
                ".",
            )
        else:
            arms = (of[0].wsgi, of[0].asgi)
            first, second = arms if finding == "higher" else arms[::-1]
            words = (
                f"The fastest {ahead} server, ",
                Name(first.server),
                f", serves {times(differences[0])} the requests of the fastest {behind} server, ",
                Name(second.server),
                *((", at ", Name(of[0].endpoint)) if several else ()),
                ".",
            )
        yield Sentence(words, cells)
    alike: tuple[tuple[Finding, str], ...] = (
        ("equivalent", "serve equally many requests"),
        ("inconclusive", f"are {TIED}"),
    )
    for finding, text in alike:
        of = [each for each in interfaces if each.difference.finding == finding]
        if of:
            at = (" at ", *names([each.endpoint for each in of])) if several else ()
            yield Sentence(
                (f"The fastest WSGI and the fastest ASGI server {text}", *at, "."),
                tuple(cell for each in of for cell in each.cells),
            )


def taken(arms: Sequence[Arm]) -> str:
    """Return the CPU time and the memory that leaders take; empty where neither is known."""
    cpu = between((arm.cpu_us for arm in arms), latency)
    memory = between((arm.memory_bytes for arm in arms), size)
    parts = [
        f"{cpu} of CPU time per request" if cpu else "",
        f"{memory} of memory" if memory else "",
    ]
    return " and ".join(part for part in parts if part)


def _costs(arms: Sequence[Arm]) -> str:
    text = taken(arms)
    slow = between((arm.p99_us for arm in arms), latency)
    if not slow:
        return text
    return f"{text}; 99 % of responses come within {slow}" if text else ""


def _with_style(arms: Sequence[Arm]) -> Words:
    """Return the style of view where all do better with it than with the other."""
    styles = {arm.style for arm in arms if arm.over_other_style == "higher"}
    if len(styles) != 1 or any(arm.over_other_style != "higher" for arm in arms):
        return ()
    return (f" with {styles.pop()} views",)
