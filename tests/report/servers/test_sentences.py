"""Each sentence of an answer, read whole, for every branch that says something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from claims import against, answer, arm, claim, difference, kind, share, styles

from loadtest.judge.servers.answer.records import Answer, Claim
from loadtest.report.sentences import Name, Sentence
from loadtest.report.servers.sentences import claims
from loadtest.report.servers.sentences.headline import headline as written

FAST, SLOW, OTHER = arm(), arm("slow", 1_000.0), arm("other", 1_900.0)
COSTS = (
    "It takes 120 us of CPU time per request and 181 MB of memory; 99 % of responses come within"
    " 12.0 ms."
)
THEIRS = COSTS.replace("It takes", "They take")


def plain(sentences: Sequence[Sentence]) -> list[str]:
    return [sentence.plain for sentence in sentences]


def headline(of: Answer) -> list[str]:
    return plain(written(of))


def of_kind(*given: Claim, **changes: Any) -> list[str]:
    return plain(claims.kind(kind(given, **changes)))


# One endpoint ------------------------------------------------------------------------------------

SENTENCES = {
    "one leads": (
        claim(),
        "fast leads, at 2,000 requests/s: 2.00x (1.80 to 2.20) the rate of slow, the runner-up."
        f" {COSTS}",
    ),
    "with the style that serves it better": (
        claim([arm(over_other_style="higher", style="async")]),
        "fast leads with async views, at 2,000 requests/s: 2.00x (1.80 to 2.20) the rate of slow,"
        f" the runner-up. {COSTS}",
    ),
    "no style where only one of two does better with it": (
        claim([arm(over_other_style="higher"), OTHER]),
        "fast and other lead, tied, at 1,900 to 2,000 requests/s: fast has 2.00x (1.80 to 2.20) the"
        f" rate of slow, the runner-up. {THEIRS}",
    ),
    "two lead": (
        claim([FAST, OTHER]),
        "fast and other lead, tied, at 1,900 to 2,000 requests/s: fast has 2.00x (1.80 to 2.20) the"
        f" rate of slow, the runner-up. {THEIRS}",
    ),
    "four lead": (
        claim([FAST, OTHER, arm("third"), arm("fourth")]),
        "fast, other and 2 more lead, tied, at 1,900 to 2,000 requests/s: fast has 2.00x (1.80 to"
        f" 2.20) the rate of slow, the runner-up. {THEIRS}",
    ),
    "too little to decide by": (
        claim(ratio=1.02),
        "fast leads, at 2,000 requests/s: 1.02x (0.92 to 1.12) the rate of slow, the runner-up"
        f" (less than 5 % more: too little to decide by). {COSTS}",
    ),
    "an interval that nobody knows": (
        claim(lead=difference(low=None, high=None)),
        f"fast leads, at 2,000 requests/s: 2.00x the rate of slow, the runner-up. {COSTS}",
    ),
    "costs that nobody knows": (
        claim([arm(cpu_us=None, memory_bytes=None)]),
        "fast leads, at 2,000 requests/s: 2.00x (1.80 to 2.20) the rate of slow, the runner-up.",
    ),
    "memory alone": (
        claim([arm(cpu_us=None, p99_us=None)]),
        "fast leads, at 2,000 requests/s: 2.00x (1.80 to 2.20) the rate of slow, the runner-up. It"
        " takes 181 MB of memory.",
    ),
    "CPU time alone, of several": (
        claim([arm(memory_bytes=None), arm("other", 1_900, memory_bytes=None, cpu_us=1_500.0)]),
        "fast and other lead, tied, at 1,900 to 2,000 requests/s: fast has 2.00x (1.80 to 2.20) the"
        " rate of slow, the runner-up. They take 120 us to 1.50 ms of CPU time per request; 99 %"
        " of responses come within 12.0 ms.",
    ),
    "a suspect leader": (
        claim([arm(doubts=("unstable", "noisy-host"))]),
        "fast leads, at 2,000 requests/s: 2.00x (1.80 to 2.20) the rate of slow, the runner-up."
        f" {COSTS} Its number is suspect (unstable and noisy-host).",
    ),
    "one suspect of two leaders": (
        claim([FAST, arm("other", 1_900, doubts=("unstable",))]),
        "fast and other lead, tied, at 1,900 to 2,000 requests/s: fast has 2.00x (1.80 to 2.20) the"
        f" rate of slow, the runner-up. {THEIRS} The number of other is suspect (unstable).",
    ),
    "two suspects": (
        claim([arm(doubts=("errors",)), arm("other", 1_900, doubts=("unstable",))]),
        "fast and other lead, tied, at 1,900 to 2,000 requests/s: fast has 2.00x (1.80 to 2.20) the"
        f" rate of slow, the runner-up. {THEIRS} The numbers of fast (errors) and other (unstable)"
        " are suspect.",
    ),
    "two suspects of the same": (
        claim([arm(doubts=("unstable",)), arm("other", 1_900, doubts=("unstable",))]),
        "fast and other lead, tied, at 1,900 to 2,000 requests/s: fast has 2.00x (1.80 to 2.20) the"
        f" rate of slow, the runner-up. {THEIRS} The numbers of fast and other are suspect"
        " (unstable).",
    ),
    "a suspect next": (
        claim(followers=[arm("slow", 1_000, doubts=("unstable",))]),
        "fast leads, at 2,000 requests/s: 2.00x (1.80 to 2.20) the rate of slow, the runner-up."
        f" {COSTS} The number of slow is suspect (unstable).",
    ),
    "all that was let in": (
        claim([arm(goodput=500, doubts=("connection-limited",))], connections=500),
        "fast leads, at 500 requests/s: 2.00x (1.80 to 2.20) the rate of slow, the runner-up. That"
        " rate is what the load's 500 connections allow: it shows how many requests are let in,"
        f" not how fast the server is. {COSTS}",
    ),
    "all that was let in, by one of two": (
        claim([arm(goodput=500, doubts=("connection-limited",)), arm("other", 480)]),
        "fast and other lead, tied, at 480 to 500 requests/s: fast has 2.00x (1.80 to 2.20) the"
        " rate of slow, the runner-up. For fast, that rate is what the load's 64 connections allow:"
        f" it shows how many requests are let in, not how fast the server is. {THEIRS}",
    ),
    "nobody leads": (
        claim([FAST, OTHER], []),
        "No clear leader among 2 servers (1,900 to 2,000 requests/s): the servers' differences are"
        " within noise.",
    ),
    "one round": (
        claim([FAST, OTHER], [], limits=("one-round", "no-noise-floor")),
        "No clear leader among 2 servers (1,900 to 2,000 requests/s): one round cannot separate a"
        " real difference from noise.",
    ),
    "one alone": (
        claim([FAST], []),
        "Only fast has a number (2,000 requests/s): nothing to compare.",
    ),
    "none": (claim([], [], limits=("no-number",)), "No server has a number that may be shown."),
}


@pytest.mark.parametrize("case", SENTENCES)
def test_one_endpoint(case: str) -> None:
    facts, text = SENTENCES[case]
    assert claims.claim(facts).plain == text
    assert claims.claim(facts).cells == facts.cells


def test_a_place_is_named_where_it_isnt_clear() -> None:
    assert claims.claim(claim(), named=True).plain.startswith(
        "At json, fast leads, at 2,000 requests/s"
    )
    assert claims.claim(claim([FAST], []), named=True).plain == (
        "At json, only fast has a number (2,000 requests/s): nothing to compare."
    )


def test_names_are_told_from_words() -> None:
    """A format sets them as code, and escapes them."""
    (sentence,) = written(answer([kind([claim([arm(doubts=("unstable",))])])]))[:1]
    assert [part for part in sentence.words if isinstance(part, Name)] == ["fast", "unstable"]


# One kind of work --------------------------------------------------------------------------------


def test_one_that_leads_at_all_endpoints() -> None:
    assert of_kind(claim(), claim(endpoint="query", ratio=1.5)) == [
        "fast leads at both endpoints, with 1.50x to 2.00x the requests/s of the runner-up."
        f" {COSTS}"
    ]
    assert of_kind(claim(), claim(endpoint="query"), claim(endpoint="third"))[0].startswith(
        "fast leads at all 3 endpoints, with 2.00x the requests/s of the runner-up."
    )


def test_a_suspect_number_of_one_that_leads_a_kind_is_called_so() -> None:
    sentences = of_kind(claim(), claim([arm(doubts=("unstable",))], endpoint="query"))
    assert sentences[0].endswith(f"{COSTS} Its number at query is suspect (unstable).")


def test_one_that_leads_at_most_endpoints() -> None:
    sentences = of_kind(claim(), claim(endpoint="a"), claim([OTHER], endpoint="b"))
    assert sentences == [
        "fast leads at 2 of 3 endpoints (json and a), with 2.00x the requests/s of the runner-up."
        f" {COSTS}",
        "At b, other leads, at 1,900 requests/s: 2.00x (1.80 to 2.20) the rate of slow, the"
        f" runner-up. {COSTS}",
    ]


def test_each_leads_somewhere_else() -> None:
    sentences = of_kind(claim(), claim([OTHER], endpoint="b"))
    assert sentences[0] == f"fast and other lead at 1 of 2 endpoints each. {THEIRS}"


def test_one_endpoint_told_and_others_not() -> None:
    sentences = of_kind(
        claim(),
        claim([FAST, OTHER], [], endpoint="a"),
        claim([FAST, OTHER], [], endpoint="b"),
        claim([FAST], [], endpoint="c"),
        claim([], [], endpoint="d", limits=("no-number",)),
    )
    assert sentences == [
        f"fast leads at json, with 2.00x the requests/s of the runner-up. {COSTS}",
        "At d, no server has a number that may be shown.",
        "At a and b, there is no clear leader: the servers' differences are within noise.",
        "At c, only fast has a number (2,000 requests/s): nothing to compare.",
    ]


@pytest.mark.parametrize(
    ("ratios", "unknown", "text"),
    [
        ((0.5, 0.3), 0, "async views serve 0.30x to 0.50x the requests of sync ones."),
        ((1.2,), 0, "async views serve 1.20x the requests of sync ones."),
        ((1.01, 0.99), 0, "async views serve as many requests as sync ones (0.99x to 1.01x)."),
        (
            (0.5, 1.0),
            0,
            "async views serve 0.50x to 1.00x the requests of sync ones: it depends on server and"
            " endpoint.",
        ),
        (
            (0.5,),
            1,
            "async views serve 0.50x the requests of sync ones; 1 of 2 pairs was within noise of"
            " each other.",
        ),
        (
            (0.5,),
            2,
            "sync and async views were within noise of each other in 2 of 3 pairs; in the other,"
            " at json, async views serve 0.50x the requests of sync ones.",
        ),
        ((), 2, "sync and async views were within noise of each other."),
    ],
)
def test_sync_against_async(ratios: tuple[float, ...], unknown: int, text: str) -> None:
    sentences = of_kind(claim(), styles=[styles("asgi", ratios, unknown)])
    assert sentences[1:] == [f"Under ASGI, {text}"]


@pytest.mark.parametrize(
    ("interfaces", "text"),
    [
        (
            [against(4)],
            "The fastest WSGI server, wsgi-one, serves 4.00x (3.60 to 4.40) the requests of the"
            " fastest ASGI server, asgi-one.",
        ),
        (
            [against(0.5)],
            "The fastest ASGI server, asgi-one, serves 2.00x (1.82 to 2.22) the requests of the"
            " fastest WSGI server, wsgi-one.",
        ),
        (
            [against(4), against(2, "query")],
            "The fastest WSGI server serves 2.00x to 4.00x the requests of the fastest ASGI"
            " server, at json and query.",
        ),
        (
            [against(1.0)],
            "The fastest WSGI and the fastest ASGI server serve equally many requests.",
        ),
        (
            [against(1.3, finding="inconclusive")],
            "The fastest WSGI and the fastest ASGI server are within noise of each other.",
        ),
    ],
)
def test_wsgi_against_asgi(interfaces: list[Any], text: str) -> None:
    assert of_kind(claim(), interfaces=interfaces)[1:] == [text]


@pytest.mark.parametrize("absent", ["wsgi", "asgi"])
def test_an_interface_that_took_no_part_is_not_mentioned(absent: str) -> None:
    present = "asgi" if absent == "wsgi" else "wsgi"
    of = answer(
        [kind([claim([arm(interface=present)])], styles=[styles(present, (0.5, 0.4))])],
        [share("fast", present, 0.8, 500.0)],
    )
    text = " ".join(
        headline(of)
        + plain(claims.control(of))
        + [sentence.plain for sentence in claims.kind(of.kinds[0])]
    )
    assert present.upper() in text
    assert absent.upper() not in text


# Django and the server ---------------------------------------------------------------------------


def test_without_the_bare_callable_nothing_is_said_of_django() -> None:
    of = answer([kind([claim()])])
    assert claims.control(of) == []
    assert "Django" not in " ".join(headline(of))


def test_what_is_djangos() -> None:
    of = answer(
        [kind([claim()])],
        [
            share("loop", "asgi", 0.95, 1_500.0),
            share("fast", "wsgi", 0.8, 110.0, at_least=True),
            share("slow", "wsgi", 0.5, 180.0),
            share("unclear", "wsgi", 0.4, 100.0, finding="inconclusive"),
        ],
    )
    assert plain(claims.control(of)) == [
        "Under WSGI, Django's own overhead is 50 to 80 % of the time of its cheapest request (110"
        " to 180 us of CPU time), on fast and slow; the rest is the server's and the load"
        " generator's. With fast it is at least that: the generator could not ask"
        " the bare callable faster.",
        "Under ASGI, Django's own overhead is 95 % of the time of its cheapest request (1.50 ms of"
        " CPU time), on loop; the rest is the server's and the load generator's.",
    ]
    assert headline(of)[-1] == (
        "Whether WSGI or ASGI is cheaper is decided in Django, not in the server: Django's own"
        " overhead per trivial request is 1.50 ms of CPU time under ASGI and 110 to 180 us under"
        " WSGI; the servers' own is 20.0 us."
    )


@pytest.mark.parametrize(
    "shares",
    [
        pytest.param([share("fast", "wsgi", 0.8, 110.0)], id="one interface"),
        pytest.param(
            [share("loop", "asgi", 0.81, 500.0), share("fast", "wsgi", 0.8, 110.0)],
            id="shares that overlap",
        ),
        pytest.param(
            [
                share("loop", "asgi", 0.95, 200.0, raw_cpu_us=10.0),
                share("fast", "wsgi", 0.5, 180.0, raw_cpu_us=100.0),
            ],
            id="servers differ by more",
        ),
        pytest.param(
            [share("loop", "asgi", 0.95, None), share("fast", "wsgi", 0.5, None)],  # type: ignore[arg-type]
            id="CPU time unknown",
        ),
    ],
)
def test_what_django_does_not_decide(shares: list[Any]) -> None:
    assert "decided in Django" not in " ".join(headline(answer([kind([claim()])], shares)))
