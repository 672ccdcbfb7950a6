"""The headline: what to deploy and why, read whole, for every branch that says something else."""

from __future__ import annotations

import pytest
from claims import against, answer, arm, claim, kind, share, styles

from loadtest.judge.servers.answer.records import Answer, Kind, Led, Within
from loadtest.report.sentences import Name
from loadtest.report.servers.sentences import claims
from loadtest.report.servers.sentences.headline import headline as written

FAST, OTHER = arm(), arm("other", 1_900.0)


def headline(of: Answer) -> list[str]:
    return [sentence.plain for sentence in written(of)]


OTHERS = [kind([claim()], name) for name in ("database", "template", "cache")]


def test_what_to_deploy_at_one_kind_of_work() -> None:
    assert headline(answer([kind([claim()])])) == [
        "Deploy fast: it leads at CPU-bound JSON, with 2.00x the requests/s of the runner-up; it"
        " takes 120 us of CPU time per request and 181 MB of memory."
    ]


def test_what_to_deploy_at_all_kinds_of_work() -> None:
    assert headline(answer(OTHERS[:2]))[0].startswith(
        "Deploy fast: it leads at both workloads (database, template), with 2.00x the"
    )
    assert headline(answer(OTHERS))[0].startswith(
        "Deploy fast: it leads at all 3 workloads (database, template, cache), with"
    )
    more = [*OTHERS, kind([claim()])]
    assert headline(answer(more))[0].startswith(
        "Deploy fast: it leads at all 4 workloads, with 2.00x the requests/s of the runner-up; it"
    )


def test_what_to_deploy_elsewhere() -> None:
    sentences = headline(answer([*OTHERS, kind([claim([OTHER])], "waiting")]))
    assert sentences[0].startswith("Deploy fast: it leads at 3 of 4 workloads (")
    assert sentences[1] == "For waiting on something slow: other."


def test_more_requests_at_once_are_why_some_lead_where_a_view_waits() -> None:
    waiting = claim(
        [arm("other", 480, ceiling=500.0, doubts=("connection-limited",))],
        [arm("slow", 8, ceiling=8.0)],
    )
    assert headline(answer([*OTHERS, kind([waiting], "waiting")]))[1] == (
        "For waiting on something slow: other, which works on 62.5x as many requests at once as"
        " slow, which its workers and threads limit. Its number is suspect (connection-limited)."
    )


def test_where_a_leader_is_alone_and_with_whom_it_is_tied_elsewhere() -> None:
    tied = [kind([claim([FAST, OTHER], ratio=3.5)], name) for name in ("database", "cache")]
    assert headline(answer([kind([claim()]), *tied]))[0].startswith(
        "Deploy fast: it leads at all 3 workloads (CPU-bound JSON, database, cache), alone at"
        " CPU-bound JSON (2.00x the requests/s of the runner-up), elsewhere tied, most often with"
        " other; it takes 120 us"
    )
    third = kind([claim([FAST, OTHER, arm("third")], ratio=3.5)], "template")
    assert headline(answer([third, kind([claim([OTHER, FAST])], "cache")]))[0].startswith(
        "Deploy fast or other: they lead at both workloads (template, cache), alone at cache"
        " (2.00x the requests/s of the runner-up), elsewhere tied, most often with third; they take"
    )
    assert headline(answer([third, kind([claim()], "waiting")]))[0].startswith(
        "Deploy fast: it leads at both workloads (template, waiting on something slow), alone"
    )
    tied = [
        kind([claim([FAST, follower])], name)
        for follower, name in ((OTHER, "a"), (arm("third"), "b"))
    ]
    assert headline(answer(tied))[0].startswith(
        "Deploy fast: it leads at both workloads (a, b), everywhere tied, most often with other"
        " and third; it takes 120 us"
    )


def test_who_leads_of_the_other_interface() -> None:
    def among(*leaders: tuple[str, int], separated: int = 3) -> list[str]:
        of = tuple(Led(server=server, at=("cpu",) * times) for server, times in leaders)
        leads = [
            Within(interface="wsgi", leaders=(), separated=0, cells=()),
            Within(interface="asgi", leaders=of, separated=separated, cells=("a.json-async",)),
        ]
        return headline(answer([kind([claim()])], within=tuple(leads)))[1:]

    assert among(("a", 2), ("b", 1)) == [
        "Among the ASGI servers alone, a leads, alone or tied, at 2 of the 3 workloads with a"
        " clear leader."
    ]
    assert among(("a", 3), ("b", 3)) == [
        "Among the ASGI servers alone, a and b lead, alone or tied, at all of the 3 workloads with"
        " a clear leader."
    ]
    assert among(separated=0) == [
        "Among the ASGI servers alone, there is no clear leader at any workload."
    ]


def test_two_lead_everywhere() -> None:
    both = [kind([claim([FAST, OTHER])], name) for name in ("database", "cache")]
    assert headline(answer(both))[0] == (
        "Deploy fast or other: they lead at both workloads (database, cache), with 2.00x the"
        " requests/s of the runner-up; they take 120 us of CPU time per request and 181 MB of"
        " memory."
    )


def test_the_style_that_serves_the_leader_better() -> None:
    assert headline(answer([kind([claim([arm(over_other_style="higher")])])]))[0].startswith(
        "Deploy fast with sync views: it leads"
    )


def test_a_suspect_leader_is_called_so() -> None:
    suspect = kind([claim([arm(doubts=("unstable",))])])
    assert headline(answer([suspect]))[0].endswith(
        "181 MB of memory. Its number is suspect (unstable)."
    )
    some = kind([claim([arm(doubts=("unstable",))]), claim(endpoint="query")])
    assert headline(answer([some]))[0].endswith(
        "181 MB of memory. Its number at json is suspect (unstable)."
    )
    more = kind(
        [claim([arm(doubts=("unstable",))]), claim([arm(doubts=("errors",))], endpoint="query")]
    )
    assert headline(answer([more]))[0].endswith(
        "Its numbers at json and query are suspect (unstable and errors)."
    )


def test_a_server_without_any_number_is_missing_and_named() -> None:
    sentences = headline(answer([kind([claim()])], numberless=("broken",)))
    assert sentences[1] == "broken has no number anywhere, so nothing is said of it."
    sentences = headline(answer([kind([claim()])], numberless=("broken", "wrong")))
    assert sentences[1] == "broken and wrong have no number anywhere, so nothing is said of them."


def test_most_of_a_run_means_nothing() -> None:
    sentences = headline(answer([kind([claim()])], usable=4))
    assert sentences[0] == (
        "Most of this run means nothing: 6 of 10 cells are invalid or failed, and show no number."
    )
    assert sentences[1].startswith("Deploy fast")


def test_a_run_that_tells_little() -> None:
    tied = [kind([claim([FAST, OTHER], [])], name) for name in ("database", "waiting")]
    sentences = headline(answer([kind([claim()]), *tied]))
    assert sentences[0].startswith(
        "This run shows little; what it shows favours fast: it leads at 1 of 3 workloads"
        " (CPU-bound JSON), with"
    )
    assert sentences[1] == "For database and waiting on something slow: no clear leader."


def test_a_lead_too_small_to_decide_by() -> None:
    assert headline(answer([kind([claim(ratio=1.02)])]))[0].startswith(
        "No lead is as large as 5 %; slightly ahead is fast: it leads at CPU-bound JSON, with 1.02x"
    )


@pytest.mark.parametrize(
    ("of", "text"),
    [
        (
            answer([kind([claim([FAST, OTHER], [])])]),
            "This run cannot say what to deploy: no server is clearly ahead. Measure more"
            " `--rounds`, with nothing else on the machine.",
        ),
        (
            answer([kind([claim([FAST, OTHER], [])])], limits=("one-round",)),
            "This run cannot say what to deploy: it has one round, which cannot separate a real"
            " difference from noise. Measure more `--rounds`.",
        ),
        (
            answer([kind([claim([FAST], [])])]),
            "No endpoint has the numbers of two servers, so there is nothing to compare.",
        ),
        (
            answer([kind([claim([], [], limits=("no-number",))])], limits=("no-number",)),
            "This run has no number that may be shown: read the caveats.",
        ),
    ],
)
def test_nothing_can_be_said(of: Answer, text: str) -> None:
    assert headline(of) == [text]


@pytest.mark.parametrize(
    ("ratios", "text"),
    [
        ((0.5, 0.3), "fewer requests than sync ones: 0.30x to 0.50x as many, in 2 of 2"),
        ((1.5, 1.3, 1.0), "more requests than sync ones: 1.30x to 1.50x as many, in 2 of 3"),
        ((0.5, 1.5), None),
        ((1.0, 1.0), None),
    ],
)
def test_what_async_views_cost_where_most_agree(
    ratios: tuple[float, ...], text: str | None
) -> None:
    sentences = headline(answer([kind([claim()], styles=[styles("wsgi", ratios)])]))[1:]
    assert sentences == ([f"Under WSGI, async views serve {text} pairs of views."] if text else [])


def test_every_sentence_of_a_whole_answer_ends() -> None:
    of: list[Kind] = [
        kind(
            [claim(), claim([FAST, OTHER], [], endpoint="b")],
            styles=[styles("wsgi", (0.5,), 1)],
            interfaces=[against(4)],
        ),
        *OTHERS,
    ]
    whole = answer(of, [share("fast", "wsgi", 0.5, 110.0)], numberless=("broken",))
    for sentence in [*written(whole), *claims.control(whole), *claims.kind(of[0])]:
        assert sentence.plain.endswith((".", ")."))
        assert "  " not in sentence.plain
        assert sentence.plain[0].isupper() or isinstance(sentence.words[0], Name)


def test_a_run_without_anything_that_waits_says_what_it_does_not_tell() -> None:
    sentences = headline(answer(OTHERS))
    assert sentences[1].startswith("No slow endpoints in this run.")
    assert not any(
        "No slow endpoints" in sentence for sentence in headline(answer([kind([claim()])]))
    )
    waiting = [*OTHERS, kind([claim()], "waiting")]
    assert not any("No slow endpoints" in sentence for sentence in headline(answer(waiting)))
