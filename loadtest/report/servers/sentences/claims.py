"""What a run says of an endpoint, of a kind of work, and of Django against the server."""

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
from loadtest.report.sentence import Name, Said, Words
from loadtest.report.servers.sentences.phrases import (
    between,
    listed,
    memory_size,
    names,
    ratio,
    times,
)
from loadtest.report.units import latency, share, significant
from loadtest.stats.significance import LEAST_MARGIN, Finding

ONE_ROUND = "one round tells nothing from noise"

AT_CEILING = "connection-limited"
"""The concern of a row that shows how many requests were let in."""

NOISE = "noise is as large as what they differ by"

UNTOLD = "not told apart"


def kind(kind: Kind) -> list[Said]:
    """Return what a run says of one kind of work: who leads, by how much, at what cost."""
    if len(kind.claims) == 1:
        leading = [claim(kind.claims[0])]
    else:
        differing = _differing(kind)
        leading = [
            *_most(kind),
            *(claim(one, named=True) for one in differing if one.separated),
            *_untold_together([one for one in differing if not one.separated]),
        ]
    return [*leading, *_styles(kind.styles), *_interfaces(kind.interfaces)]


def claim(claim: Claim, *, named: bool = False) -> Said:
    """Return who leads at one endpoint; `named` where it isn't clear from the place which."""
    at: Words = ("At ", Name(claim.endpoint), ", ") if named else ()
    if not claim.separated:
        return Said((*at, *_untold(claim, capital=not named)), claim.cells)
    one = len(claim.leaders) == 1
    rates = between((arm.goodput for arm in claim.leaders), significant)
    words = [
        *at,
        *names([arm.server for arm in claim.leaders]),
        " leads" if one else " lead and were not told apart",
        *_with_style(claim.leaders),
        f", {rates} answers/s",
    ]
    if claim.lead:
        words += [": ", *((Name(claim.leaders[0].server), " has ") if not one else ())]
        words += [times(claim.lead), " those of ", Name(claim.followers[0].server), ", the next"]
        if claim.lead.finding != "higher":
            words += [f" (less than {share(LEAST_MARGIN)} more: too little to decide by)"]
    words += ["."]
    if limited := [arm.server for arm in claim.leaders if AT_CEILING in arm.doubts]:
        those = (
            ["That is"]
            if len(limited) == len(claim.leaders)
            else ["For ", *names(limited), ", that is"]
        )
        words += [" ", *those]
        words += [
            f" what waves of {claim.connections:,} connections come to: it shows how many requests"
            " are let in, not how fast the server is."
        ]
    if costs := _costs(claim.leaders):
        words += [f" {'It takes' if one else 'They take'} {costs}."]
    next_ = [arm for arm in claim.followers[:1] if claim.lead and arm.doubts]
    words += suspects([(claim.endpoint, arm) for arm in (*claim.leaders, *next_)], AT_CEILING)
    return Said(tuple(words), claim.cells)


def suspects(arms: Sequence[tuple[str, Arm]], besides: str | None = None) -> Words:
    """Return whose numbers have doubts, and which; empty where none has any.

    `arms` come with their endpoints; `besides` is a doubt of which something is said already.
    """
    found = [
        (at, arm.server, doubts)
        for at, arm in arms
        if (doubts := [one for one in arm.doubts if one != besides])
    ]
    if not found:
        return ()
    many = len(found) > 1
    of: dict[str, list[str]] = {}
    for _, server, doubts in found:
        of.setdefault(server, []).extend(doubts)
    concerns = list(dict.fromkeys(doubt for doubts in of.values() for doubt in doubts))
    if len({arm.server for _, arm in arms}) == 1:
        endpoints = list(dict.fromkeys(at for at, _, _ in found))
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


def control(answer: Answer) -> list[Said]:
    """Return what is Django's and what the server's, and WSGI against ASGI in Django itself."""
    separated = cheapest(answer.shares)
    said = []
    for interface in ("wsgi", "asgi"):
        of = [one for one in separated if one.interface == interface]
        if not of:
            continue
        took = between((one.django_cpu_us for one in of), latency)
        held = [one.server for one in of if one.at_least]
        said.append(
            Said(
                (
                    f"Under {interface.upper()}, {between((one.share for one in of), share)} of"
                    " the time of Django's cheapest answer is Django's own, and the rest that"
                    " of server and generator (",
                    *names([one.server for one in of]),
                    f"){f'; Django takes {took} of CPU time for it' if took else ''}.",
                    *((" With ", *names(held), " it is at least that: ") if held else ()),
                    "the generator could not ask the bare callable faster." if held else "",
                ),
                tuple(cell for one in of for cell in one.cells),
            )
        )
    return said


def cheapest(shares: Sequence[Share]) -> list[Share]:
    """Return one share a server, with the style that costs less, where it was told from none."""
    found: dict[str, Share] = {}
    for one in shares:  # the largest first
        if one.finding == "higher":
            found[one.server] = one
    return list(found.values())


def _most(kind: Kind) -> Iterator[Said]:
    if not kind.separated:
        return
    separated = [one for one in kind.claims if one.separated]
    servers = [one.server for one in kind.leaders]
    at = kind.leaders[0].at
    claims = [one for one in separated if one.endpoint in at]
    verb = "leads" if len(servers) == 1 else "lead"
    # Where another of the group has the higher median, the lead is that one's.
    own = [one.lead for one in claims if one.lead and one.leaders[0].server in servers]
    range_ = between((lead.ratio for lead in own), ratio)
    arms = [(one.endpoint, arm) for one in claims for arm in one.leaders if arm.server in servers]
    costs = _costs([arm for _, arm in arms])
    if len({one.at for one in kind.leaders}) > 1:
        where: Words = (f" at {len(at)} of {len(separated)} endpoints each",)
        range_ = None
    elif len(at) == len(separated):
        all_ = "both" if len(separated) == 2 else f"all {len(separated)}"
        where = (f" at {all_} endpoints",) if len(separated) > 1 else (" at ", Name(at[0]))
    else:
        where = (f" at {len(at)} of {len(separated)} endpoints (", *names(at, 4), ")")
    yield Said(
        (
            *names(servers),
            f" {verb}",
            *where,
            f", with {range_} times the answers of the next." if range_ else ".",
            f" {'It takes' if len(servers) == 1 else 'They take'} {costs}." if costs else "",
            *suspects(arms),
        ),
        tuple(cell for one in claims for cell in one.cells),
    )


def _differing(kind: Kind) -> list[Claim]:
    """Return the claims that the sentence on the whole kind does not cover."""
    most = {one.server for one in kind.leaders}
    return [
        one
        for one in kind.claims
        if not one.separated or {arm.server for arm in one.leaders} != most
    ]


def _untold(claim: Claim, *, capital: bool) -> Words:
    arms = claim.leaders
    if len(arms) == 1:
        return (
            "Only " if capital else "only ",
            Name(arms[0].server),
            f" has a number ({significant(arms[0].goodput)} answers/s): nothing to compare.",
        )
    text = "no server has a number that may be shown."
    if arms:
        rates = between((arm.goodput for arm in arms), significant)
        why = ONE_ROUND if "one-round" in claim.limits else NOISE
        text = f"the {len(arms)} servers were not told apart ({rates} answers/s): {why}."
    return (text[:1].upper() + text[1:] if capital else text,)


def _untold_together(claims: Sequence[Claim]) -> Iterator[Said]:
    """Yield one sentence for all claims that say the same."""
    for limit, said in (
        ("no-number", "no server has a number that may be shown"),
        ("one-round", f"the servers were not told apart: {ONE_ROUND}"),
        ("tied", f"the servers were not told apart: {NOISE}"),
    ):
        of = [one for one in claims if limit in one.limits]
        if len(of) == 1:
            yield claim(of[0], named=True)
        elif of:
            cells = tuple(cell for one in of for cell in one.cells)
            yield Said(("At ", *names([one.endpoint for one in of], 6), f", {said}."), cells)
    yield from (claim(one, named=True) for one in claims if "alone" in one.limits)


def _styles(styles: Sequence[Styles]) -> Iterator[Said]:
    for interface in ("wsgi", "asgi"):
        of = [one for one in styles if one.interface == interface]
        both = [one for each in of for one in each.servers]
        separated = [one for one in both if one.finding != "inconclusive"]
        found: set[Finding] = {one.finding for one in separated}
        if not of:
            continue
        name = interface.upper()
        range_ = between((one.ratio for one in separated), ratio)
        serve = f"async views serve {range_} times the requests of sync ones"
        if found == {"equivalent"}:
            serve = f"async views serve as many requests as sync ones ({range_} times)"
        elif len(found) > 1:
            serve += ": it depends on server and endpoint"
        untold, pairs = len(both) - len(separated), len(both)
        words: Words = (f"Under {name}, {serve}.",)
        if not separated:
            words = (f"Under {name}, sync and async views were {UNTOLD}.",)
        elif len(separated) < untold:
            # What holds for a few is no rule: it is said of them.
            at = [each.endpoint for each in of if any(one in separated for one in each.servers)]
            words = (
                f"Under {name}, sync and async views were {UNTOLD} in {untold} of {pairs} pairs;"
                f" in the other{'s' if len(separated) > 1 else ''}, at ",
                *names(at),
                f", {serve}.",
            )
        elif untold:
            were = "was" if untold == 1 else "were"
            words = (f"Under {name}, {serve}; {untold} of {pairs} pairs {were} {UNTOLD}.",)
        yield Said(words, tuple(cell for one in of for cell in one.cells))


def _interfaces(interfaces: Sequence[Interfaces]) -> Iterator[Said]:
    several = len(interfaces) > 1
    for finding in ("higher", "lower"):
        of = [one for one in interfaces if one.difference.finding == finding]
        if not of:
            continue
        differences = [
            one.difference if finding == "higher" else one.difference.turned for one in of
        ]
        ahead, behind = ("WSGI", "ASGI") if finding == "higher" else ("ASGI", "WSGI")
        cells = tuple(cell for one in of for cell in one.cells)
        if len(of) > 1:
            range_ = between((one.ratio for one in differences), ratio)
            words: Words = (
                f"The fastest {ahead} server serves {range_} times the requests of the fastest"
                f" {behind} server, at ",
                *names([one.endpoint for one in of]),
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
        yield Said(words, cells)
    alike: tuple[tuple[Finding, str], ...] = (
        ("equivalent", "serve equally many requests"),
        ("inconclusive", f"were {UNTOLD}"),
    )
    for finding, said in alike:
        of = [one for one in interfaces if one.difference.finding == finding]
        if of:
            at = (" at ", *names([one.endpoint for one in of])) if several else ()
            yield Said(
                (f"The fastest WSGI and the fastest ASGI server {said}", *at, "."),
                tuple(cell for one in of for cell in one.cells),
            )


def taken(arms: Sequence[Arm]) -> str:
    """Return the CPU time and the memory that leaders take; empty where neither is known."""
    cpu = between((arm.cpu_us for arm in arms), latency)
    memory = between((arm.memory_bytes for arm in arms), memory_size)
    parts = [f"{cpu} of CPU time an answer" if cpu else "", f"{memory} of memory" if memory else ""]
    return " and ".join(part for part in parts if part)


def _costs(arms: Sequence[Arm]) -> str:
    text = taken(arms)
    slow = between((arm.p99_us for arm in arms), latency)
    if not slow:
        return text
    return f"{text}; 99 % of answers come within {slow}" if text else ""


def _with_style(arms: Sequence[Arm]) -> Words:
    """Return the style of view where all do better with it than with the other."""
    styles = {arm.style for arm in arms if arm.over_other_style == "higher"}
    if len(styles) != 1 or any(arm.over_other_style != "higher" for arm in arms):
        return ()
    return (f" with {styles.pop()} views",)
