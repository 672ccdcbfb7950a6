"""What to deploy and why, in the few sentences that a reader of ten seconds reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.judge.servers.answer.records import Answer, Share
from loadtest.report.sentence import Said
from loadtest.report.servers.sentences.claims import cheapest
from loadtest.report.servers.sentences.deploy import among_the_others, deploy, elsewhere
from loadtest.report.servers.sentences.phrases import between, names, ratio
from loadtest.report.units import latency

MOSTLY_USELESS = 0.5
"""A share of cells without a number above which that is the first thing to say."""


def headline(answer: Answer) -> list[Said]:
    """Return what to deploy and why, for ten seconds' reading; the first sentence says most."""
    return [
        *_useless(answer),
        *deploy(answer),
        *elsewhere(answer),
        *among_the_others(answer),
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


def _unmeasured(answer: Answer) -> Iterator[Said]:
    """Yield what a run of several kinds of work must not be taken for."""
    kinds = answer.kinds
    if answer.leaders and len(kinds) > 1 and not any(kind.waits for kind in kinds):
        yield Said(
            (
                "Nothing that waits was measured, as for a slow API: there it counts how many"
                " requests a server works on at once, and these servers may come in quite another"
                " order.",
            )
        )


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


def _styles(answer: Answer) -> Iterator[Said]:
    """Yield what async views cost or gain, over all endpoints, where most of them agree."""
    for interface in ("wsgi", "asgi"):
        # Where a view waits, a load has room for a few whole waves: no rate to compare styles by.
        of = [
            one
            for kind in answer.kinds
            for one in kind.styles
            if one.interface == interface and not kind.waits
        ]
        all_ = [one for each in of for one in each.servers]
        for finding, said in (("lower", "fewer"), ("higher", "more")):
            separated = [one for one in all_ if one.finding == finding]
            if 2 * len(separated) > len(all_):
                range_ = between((one.ratio for one in separated), ratio)
                yield Said(
                    (
                        f"Under {interface.upper()}, async views serve {said} requests than sync"
                        f" ones: {range_} times as many, in {len(separated)} of {len(all_)} pairs"
                        " of views.",
                    ),
                    tuple(cell for one in separated for cell in (one.cell, one.over)),
                )


def _django(answer: Answer) -> Iterator[Said]:
    separated = cheapest(answer.shares)
    by = {
        interface: [one for one in separated if one.interface == interface]
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
        bare = between((one.raw_cpu_us for one in separated), latency)
        yield Said(
            (
                "WSGI against ASGI is decided in Django, not in the server: Django takes"
                f" {asgi} of CPU time for its cheapest answer under ASGI and {wsgi} under WSGI,"
                f" the servers by themselves {bare}.",
            ),
            tuple(cell for one in separated for cell in one.cells),
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
