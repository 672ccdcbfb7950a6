"""The headline: what to deploy and why, read whole, for every branch that says something else."""

from __future__ import annotations

import pytest
from claims import against, answer, arm, claim, kind, share, styles

from loadtest.judge.servers.answer.records import Answer, Kind, Led, Within
from loadtest.report.sentence import Name
from loadtest.report.servers.sentences import claims
from loadtest.report.servers.sentences.headline import headline as written

FAST, OTHER = arm(), arm("other", 1_900.0)


def headline(of: Answer) -> list[str]:
    return [one.plain for one in written(of)]


OTHERS = [kind([claim()], name) for name in ("database", "template", "cache")]


def test_what_to_deploy_at_one_kind_of_work() -> None:
    assert headline(answer([kind([claim()])])) == [
        "Deploy fast: it leads at CPU-bound JSON, with 2.00 times the answers of the next; it takes"
        " 120 us of CPU time an answer and 181 MB of memory."
    ]


def test_what_to_deploy_at_all_kinds_of_work() -> None:
    assert headline(answer(OTHERS[:2]))[0].startswith(
        "Deploy fast: it leads at both kinds of work (database, template), with 2.00 times the"
    )
    assert headline(answer(OTHERS))[0].startswith(
        "Deploy fast: it leads at all 3 kinds of work (database, template, cache), with"
    )
    more = [*OTHERS, kind([claim()])]
    assert headline(answer(more))[0].startswith(
        "Deploy fast: it leads at all 4 kinds of work, with 2.00 times the answers of the next; it"
    )


def test_what_to_deploy_elsewhere() -> None:
    said = headline(answer([*OTHERS, kind([claim([OTHER])], "waiting")]))
    assert said[0].startswith("Deploy fast: it leads at 3 of 4 kinds of work (")
    assert said[1] == "For waiting on something slow: other."


def test_more_requests_at_once_are_why_some_lead_where_a_view_waits() -> None:
    waiting = claim(
        [arm("other", 480, ceiling=500.0, doubts=("connection-limited",))],
        [arm("slow", 8, ceiling=8.0)],
    )
    assert headline(answer([*OTHERS, kind([waiting], "waiting")]))[1] == (
        "For waiting on something slow: other, which works on 62.5 times as many requests at once"
        " as slow, whose workers and threads let in no more. Its number is suspect"
        " (connection-limited)."
    )


def test_where_a_leader_is_alone_and_with_whom_it_is_tied_elsewhere() -> None:
    tied = [kind([claim([FAST, OTHER], ratio=3.5)], name) for name in ("database", "cache")]
    assert headline(answer([kind([claim()]), *tied]))[0].startswith(
        "Deploy fast: it leads at all 3 kinds of work (CPU-bound JSON, database, cache), alone at"
        " CPU-bound JSON (2.00 times the answers of the next), elsewhere tied, most often with"
        " other; it takes 120 us"
    )
    third = kind([claim([FAST, OTHER, arm("third")], ratio=3.5)], "template")
    assert headline(answer([third, kind([claim([OTHER, FAST])], "cache")]))[0].startswith(
        "Deploy fast or other: they lead at both kinds of work (template, cache), alone at cache"
        " (2.00 times the answers of the next), elsewhere tied, most often with third; they take"
    )
    assert headline(answer([third, kind([claim()], "waiting")]))[0].startswith(
        "Deploy fast: it leads at both kinds of work (template, waiting on something slow), alone"
    )
    tied = [kind([claim([FAST, one])], name) for one, name in ((OTHER, "a"), (arm("third"), "b"))]
    assert headline(answer(tied))[0].startswith(
        "Deploy fast: it leads at both kinds of work (a, b), everywhere tied, most often with other"
        " and third; it takes 120 us"
    )


def test_who_leads_of_the_other_interface() -> None:
    def among(*leaders: tuple[str, int], separated: int = 3) -> list[str]:
        of = tuple(Led(server=server, at=("cpu",) * times) for server, times in leaders)
        found = [
            Within(interface="wsgi", leaders=(), separated=0, cells=()),
            Within(interface="asgi", leaders=of, separated=separated, cells=("a.json-async",)),
        ]
        return headline(answer([kind([claim()])], within=tuple(found)))[1:]

    assert among(("a", 2), ("b", 1)) == [
        "Of the ASGI servers alone, a leads, alone or tied, at 2 of the 3 kinds of work at which"
        " they were told apart."
    ]
    assert among(("a", 3), ("b", 3)) == [
        "Of the ASGI servers alone, a and b lead, alone or tied, at all of the 3 kinds of work"
        " at which they were told apart."
    ]
    assert among(separated=0) == [
        "Of the ASGI servers alone, none was shown to lead at any kind of work."
    ]


def test_two_lead_everywhere() -> None:
    both = [kind([claim([FAST, OTHER])], name) for name in ("database", "cache")]
    assert headline(answer(both))[0] == (
        "Deploy fast or other: they lead at both kinds of work (database, cache),"
        " with 2.00 times the answers of the next; they take 120 us of CPU time an answer and"
        " 181 MB of memory."
    )


def test_the_style_that_serves_the_leader_better() -> None:
    assert headline(answer([kind([claim([arm(over_other_style="higher")])])]))[0].startswith(
        "Deploy fast with sync views: it leads"
    )


def test_a_suspect_leader_is_called_so() -> None:
    one = kind([claim([arm(doubts=("unstable",))])])
    assert headline(answer([one]))[0].endswith(
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
    said = headline(answer([kind([claim()])], numberless=("broken",)))
    assert said[1] == "broken has no number anywhere, so nothing is said of it."
    said = headline(answer([kind([claim()])], numberless=("broken", "wrong")))
    assert said[1] == "broken and wrong have no number anywhere, so nothing is said of them."


def test_most_of_a_run_means_nothing() -> None:
    said = headline(answer([kind([claim()])], usable=4))
    assert said[0] == (
        "Most of this run means nothing: 6 of 10 cells are invalid or failed, and show no number."
    )
    assert said[1].startswith("Deploy fast")


def test_a_run_that_tells_little() -> None:
    tied = [kind([claim([FAST, OTHER], [])], name) for name in ("database", "waiting")]
    said = headline(answer([kind([claim()]), *tied]))
    assert said[0].startswith(
        "This run tells little; what it tells speaks for fast: it leads at 1 of 3 kinds of work"
        " (CPU-bound JSON), with"
    )
    assert said[1] == "For database and waiting on something slow: no server was shown to lead."


def test_a_lead_too_small_to_decide_by() -> None:
    assert headline(answer([kind([claim(ratio=1.02)])]))[0].startswith(
        "No lead is as large as 5 %; ahead by less is fast: it leads at CPU-bound JSON, with 1.02"
    )


@pytest.mark.parametrize(
    ("of", "text"),
    [
        (
            answer([kind([claim([FAST, OTHER], [])])]),
            "This run cannot say what to deploy: no server was told apart from another. Measure"
            " more `--rounds`, with nothing else on the machine.",
        ),
        (
            answer([kind([claim([FAST, OTHER], [])])], limits=("one-round",)),
            "This run cannot say what to deploy: it has one round, which tells nothing from noise."
            " Measure more `--rounds`.",
        ),
        (
            answer([kind([claim([FAST], [])])]),
            "No endpoint has the numbers of two servers, so there is nothing to compare.",
        ),
        (
            answer([kind([claim([], [], limits=("no-number",))])], limits=("no-number",)),
            "This run has no number that may be shown: read what to distrust.",
        ),
    ],
)
def test_nothing_can_be_said(of: Answer, text: str) -> None:
    assert headline(of) == [text]


@pytest.mark.parametrize(
    ("ratios", "text"),
    [
        ((0.5, 0.3), "fewer requests than sync ones: 0.30 to 0.50 times as many, in 2 of 2"),
        ((1.5, 1.3, 1.0), "more requests than sync ones: 1.30 to 1.50 times as many, in 2 of 3"),
        ((0.5, 1.5), None),
        ((1.0, 1.0), None),
    ],
)
def test_what_async_views_cost_where_most_agree(
    ratios: tuple[float, ...], text: str | None
) -> None:
    said = headline(answer([kind([claim()], styles=[styles("wsgi", ratios)])]))[1:]
    assert said == ([f"Under WSGI, async views serve {text} pairs of views."] if text else [])


def test_every_sentence_of_a_whole_answer_ends() -> None:
    of: list[Kind] = [
        kind(
            [claim(), claim([FAST, OTHER], [], endpoint="b")],
            styles=[styles("wsgi", (0.5,), 1)],
            interfaces=[against(4)],
        ),
        *OTHERS,
    ]
    made = answer(of, [share("fast", "wsgi", 0.5, 110.0)], numberless=("broken",))
    for said in [*written(made), *claims.control(made), *claims.kind(of[0])]:
        assert said.plain.endswith((".", ")."))
        assert "  " not in said.plain
        assert said.plain[0].isupper() or isinstance(said.words[0], Name)


def test_a_run_without_anything_that_waits_says_what_it_does_not_tell() -> None:
    said = headline(answer(OTHERS))
    assert said[1].startswith("Nothing that waits was measured, as for a slow API: there it counts")
    assert not any("Nothing that waits" in one for one in headline(answer([kind([claim()])])))
    waiting = [*OTHERS, kind([claim()], "waiting")]
    assert not any("Nothing that waits" in one for one in headline(answer(waiting)))
