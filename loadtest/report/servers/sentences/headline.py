"""What to deploy and why, in the few sentences that a reader of ten seconds reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from loadtest.judge.servers.answer.records import Answer, Share
from loadtest.report.sentences import Sentence, between, names
from loadtest.report.servers.sentences.claims import cheapest
from loadtest.report.servers.sentences.deploy import among_the_others, deploy, elsewhere
from loadtest.report.units import latency, ratio

MOSTLY_USELESS = 0.5
"""A share of cells without a number above which that is the first thing to say."""


def headline(answer: Answer) -> list[Sentence]:
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


def _useless(answer: Answer) -> Iterator[Sentence]:
    missing = answer.cells - answer.usable
    if missing > MOSTLY_USELESS * answer.cells:
        yield Sentence(
            (
                f"Most of this run means nothing: {missing} of {answer.cells} cells are invalid or"
                " failed, and show no number.",
            )
        )


def _unmeasured(answer: Answer) -> Iterator[Sentence]:
    """Yield what a run of several workloads must not be taken for."""
    kinds = answer.kinds
    if answer.leaders and len(kinds) > 1 and not any(kind.waits for kind in kinds):
        yield Sentence(
            (
                "No slow endpoints in this run. For those, what matters is how many requests a"
                " server can hold open; the order may be the reverse.",
            )
        )


def _numberless(answer: Answer) -> Iterator[Sentence]:
    of = answer.numberless
    if of and answer.usable:
        alone = len(of) == 1
        yield Sentence(
            (
                *names(of),
                f" {'has' if alone else 'have'} no number anywhere, so nothing is said of"
                f" {'it' if alone else 'them'}.",
            )
        )


def _styles(answer: Answer) -> Iterator[Sentence]:
    """Yield what async views cost or gain, over all endpoints, where most of them agree."""
    for interface in ("wsgi", "asgi"):
        # Where a view waits, a load has room for a few whole waves: no rate to compare styles by.
        of = [
            each
            for kind in answer.kinds
            for each in kind.styles
            if each.interface == interface and not kind.waits
        ]
        pairs = [pair for each in of for pair in each.servers]
        for finding, more in (("lower", "fewer"), ("higher", "more")):
            separated = [pair for pair in pairs if pair.finding == finding]
            if 2 * len(separated) > len(pairs):
                range_ = between((pair.ratio for pair in separated), ratio)
                yield Sentence(
                    (
                        f"Under {interface.upper()}, async views serve {more} requests than sync"
                        f" ones: {range_} as many, in {len(separated)} of {len(pairs)} pairs"
                        " of views.",
                    ),
                    tuple(cell for pair in separated for cell in (pair.cell, pair.over)),
                )


def _django(answer: Answer) -> Iterator[Sentence]:
    separated = cheapest(answer.shares)
    by = {
        interface: [each for each in separated if each.interface == interface]
        for interface in ("wsgi", "asgi")
    }
    if not by["wsgi"] or not by["asgi"]:
        return
    lowest = min(each.low or 0.0 for each in by["asgi"])
    beyond_noise = lowest > max(each.high or 1.0 for each in by["wsgi"])
    if beyond_noise and _more_than_servers_differ(by["wsgi"], by["asgi"]):
        wsgi, asgi = (
            between((each.django_cpu_us for each in by[key]), latency) for key in ("wsgi", "asgi")
        )
        bare = between((each.raw_cpu_us for each in separated), latency)
        yield Sentence(
            (
                "Whether WSGI or ASGI is cheaper is decided in Django, not in the server: Django's"
                f" own overhead per trivial request is {asgi} of CPU time under ASGI and {wsgi}"
                f" under WSGI; the servers' own is {bare}.",
            ),
            tuple(cell for each in separated for cell in each.cells),
        )


def _more_than_servers_differ(wsgi: Sequence[Share], asgi: Sequence[Share]) -> bool:
    """Say whether Django's own CPU time parts the interfaces by more than any two servers differ.

    A larger share under ASGI alone may as well come from a server that takes less.
    """
    bare_us = [each.raw_cpu_us for each in (*wsgi, *asgi) if each.raw_cpu_us is not None]
    under_wsgi_us = [each.django_cpu_us for each in wsgi if each.django_cpu_us is not None]
    under_asgi_us = [each.django_cpu_us for each in asgi if each.django_cpu_us is not None]
    if not under_wsgi_us or not under_asgi_us:
        return False
    return min(under_asgi_us) - max(under_wsgi_us) > max(bare_us) - min(bare_us)
