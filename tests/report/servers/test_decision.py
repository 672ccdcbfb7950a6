"""Which sentences are said of a decision, with which facts, and how they read."""

from __future__ import annotations

import dataclasses
import os
from typing import Any

import decisions
import msgspec
import pytest
from decisions import (
    NOISY,
    QUIET,
    async_views,
    at_rate,
    cost,
    counts,
    holds,
    noisy,
    place,
    quiet,
    searched,
    stepped,
    sureness,
    versus,
)
from msgspec.structs import replace
from paths import GOLD

from loadtest.judge.servers.decision import Cost, Decision, LeftOut, Own, Waiting
from loadtest.records.measured import Site
from loadtest.report.servers.cost import narrow_table
from loadtest.report.servers.sentences.decision import (
    IMPORTANT,
    MOST,
    Setting,
    about,
    further,
    paragraphs,
    picked,
)

SETTING = Setting(
    counts=counts(),
    again="loadtest run quick",
    more="loadtest run quick --budget 15m",
)
ALONE = quiet(
    ["uwsgi"], chosen="alone", likely=(), cost=cost({"uwsgi": 0.5}, ["uwsgi"]), waiting=None
)
ONE_ROUND = noisy(
    chosen="nothing",
    likely=(),
    gap=None,
    cost=cost(NOISY, noise_floor=None),
    async_views=(async_views("wsgi", 0, 0, 5),),
    sure=sureness(rounds=1, doubts=()),
)
ASGI_CHEAPER = {"uvicorn": 0.5, "granian-asgi": 0.7, "uwsgi": 0.9, "bjoern": 1.0}
LIMITED = Waiting(endpoints=("g",), holds=(holds("uwsgi", 8, 8), holds("waitress", 8, 8)))
ONE_ENDPOINT = cost(NOISY, endpoints=("json-sync",))
RATES = quiet(
    at_rates=(
        at_rate(
            200,
            ("granian-wsgi", 0.104, 6_120),
            ("uvicorn", 0.5, 21_300),
            ("gunicorn-sync", None, None),
        ),
    )
)
SEARCH = noisy(
    cost=None,
    searched=(
        searched(
            ("granian-wsgi", 1, 3_012.0, 3_145.0, "generator"),
            ("gunicorn-sync", 1, 3_056.0, 3_143.0, "server"),
            ("uvicorn", 3, 612.0, 640.0, "server"),
            ("gunicorn-gthread", None, None, 1.0, "server"),
            apart=1.09,
        ),
    ),
    sure=sureness(tries=42, busy=0, cells=4, suspect=0, doubts=()),
)
STEPS = quiet(
    stepped=(
        stepped(
            ("granian-wsgi", 4_410.0, None, None),
            ("gunicorn-sync", 2_000.0, 2_400.0, "connections"),
            ("uvicorn", 610.0, 700.0, "generator"),
            ("gunicorn-gthread", None, 120.0, "server"),
        ),
    ),
    sure=sureness(rounds=1, tries=36),
)
TODAY = "gunicorn-gthread"


def against_today(**changes: Any) -> Cost:
    """Return a quiet cost that is a site's, against what it runs on today."""
    of = cost(QUIET, ["granian-wsgi"], mix="stated", today=TODAY)
    places = tuple(
        msgspec.structs.replace(
            each,
            versus_today=None
            if each.server == TODAY
            else versus(
                QUIET[each.server] / QUIET[TODAY],
                finding="lower" if QUIET[each.server] < 0.6 else "inconclusive",
            ),
        )
        for each in of.places
    )
    return msgspec.structs.replace(of, places=places, **changes)


SITE = quiet(
    ["granian-wsgi"],
    cost=against_today(),
    waiting=None,
    async_views=(),
    own=Own(server=TODAY, endpoint="ping-sync", share=0.9699),
    site=Site(reconnects=True, driver="python", asynchronous=False, blocks="shop.Slow"),
)
LITTLE = Own(server=TODAY, endpoint="ping-sync", share=0.6)
UNKNOWN: dict[str, Any] = {
    "cost": None,
    "chosen": "nothing",
    "likely": (),
    "gap": None,
    "async_views": (),
}
IMPORTED = Setting(counts(measured=103, valid=10, suspect=8, invalid=85), "", "", imported=True)


def facts(decision: Decision, macro: str, setting: Setting = SETTING) -> dict[str, Any]:
    (sentence,) = (each for each in picked(decision, setting) if each.macro == macro)
    return sentence.facts


FULL = noisy(
    cost=msgspec.structs.replace(against_today(), first=()),
    own=Own(server=TODAY, endpoint="ping-sync", share=0.9699),
    site=Site(asynchronous=False),
    at_rates=RATES.at_rates,
    waiting=LIMITED,
    sure=sureness(busy=0),
)
"""A site of which all is to be said that can be: seven paragraphs."""


@pytest.mark.parametrize(
    ("decision", "macros"),
    [
        (quiet(), "deploy waiting staying async_views sure"),
        (quiet(["granian-wsgi"]), "deploy waiting staying async_views sure"),
        (quiet(waiting=None), "deploy nothing_waits staying async_views sure"),
        (quiet(within=(), async_views=()), "deploy waiting sure"),
        (noisy(), "undecided safe probable nothing_waits sure"),
        (noisy(likely=()), "undecided safe nothing_waits sure"),
        (ONE_ROUND, "undecided nothing_waits sure"),
        (ALONE, "alone async_views sure"),
        (noisy(**UNKNOWN), "no_cost sure"),
        (RATES, "deploy at_rates waiting sure"),
        (noisy(**UNKNOWN, at_rates=RATES.at_rates), "at_rates sure"),
        (SEARCH, "searched sure"),
        (STEPS, "deploy stepped waiting sure"),
        (replace(SITE, site=None, within=()), "lever deploy sure"),
        (replace(SITE, own=None, site=Site(), within=()), "deploy sure"),
        (replace(SITE, own=LITTLE, site=Site(driver="c"), within=()), "deploy sure"),
        (
            replace(SITE, own=LITTLE, site=Site(driver="python"), within=()),
            "lever deploy sure",
        ),
        (
            replace(SITE, own=None, site=Site(asynchronous=False), within=()),
            "deploy staying sure",
        ),
        (SITE, "lever deploy staying sure"),
    ],
)
def test_which_sentences_are_said_of_a_run(decision: Decision, macros: str) -> None:
    assert [each.macro for each in picked(decision, SETTING)] == macros.split()
    assert len(macros.split()) <= MOST


def test_five_paragraphs_decide_and_the_rest_is_below_the_tables() -> None:
    """The answer about a site had eight."""
    macros = [each.macro for each in picked(FULL, SETTING)]
    assert macros == [
        "lever",
        "undecided",
        "safe",
        "probable",
        "at_rates",
        "waiting",
        "staying",
        "sure",
    ]
    assert set(macros) <= set(IMPORTANT)
    leads = [each.lead for each in paragraphs(FULL, SETTING)]
    assert len(leads) == MOST
    assert [lead.partition(" ")[0] for lead in leads] == ["The", "This", "Safe,", "At", "Next:"]
    below = [each.lead for each in further(FULL, SETTING)]
    assert [lead.partition(" ")[0] for lead in below] == ["Likely,", "If", "Under"]
    assert further(quiet(), SETTING) == []


def test_what_matters_more_than_the_server_is_said_first() -> None:
    lever, deploy, staying, *_ = paragraphs(SITE, SETTING)
    # At least so much: it is not rounded up.
    assert lever.lead == (
        "The server is not the lever: at least 96 % of the CPU time is your project's own."
    )
    assert "takes 33.2x as much as one to `ping-sync`, your cheapest endpoint" in lever.text
    assert "`CONN_MAX_AGE` is 0" in lever.text
    assert "psycopg runs in pure Python" in lever.text
    assert deploy.lead == (
        "Run it on `granian-wsgi` (WSGI) for your traffic: it takes 0.64 (95 % interval 0.58 to"
        " 0.70) of the CPU time of what you run today (`gunicorn-gthread`)."
    )
    assert deploy.text.startswith("`uwsgi` takes 0.79 (0.72 to 0.87) of it. Cheapest over your mix")
    assert "`shop.Slow` cannot be awaited" in staying.text
    lever, *_ = paragraphs(replace(SITE, own=LITTLE), SETTING)
    assert lever.lead == (
        "May matter more than the server: a new database connection for each request and psycopg"
        " in pure Python."
    )


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"sure": sureness(busy=400)},
            "Nothing was shown to take less CPU time than what you run today (`gunicorn-gthread`)."
            " By the medians alone, `granian-wsgi` takes 0.64 (0.58 to 0.70) of its CPU time, `uw",
        ),
        (
            {
                "chosen": "interface",
                "cost": against_today(first=("granian-wsgi", "uwsgi", "gunicorn-gthread")),
            },
            "By the medians alone, `granian-wsgi` takes 0.64 (0.58 to 0.70) of the CPU time of what"
            " you run today (`gunicorn-gthread`)",
        ),
        (
            {"chosen": "group", "cost": against_today(first=("granian-wsgi", "uwsgi"))},
            "`granian-wsgi` takes 0.64 (0.58 to 0.70) of the CPU time of what you run today"
            " (`gunicorn-gthread`) and `uwsgi` 0.79 (0.72 to 0.87).",
        ),
    ],
)
def test_nothing_is_said_against_today_that_was_not_shown(
    changes: dict[str, Any], text: str
) -> None:
    _, deploy, *_ = paragraphs(replace(SITE, **changes), SETTING)
    assert "today" not in deploy.lead
    assert text in deploy.text


def test_who_runs_one_of_the_cheapest_is_told_to_stay() -> None:
    first = ("granian-wsgi", TODAY)
    stays = replace(SITE, chosen="group", cost=against_today(first=first), own=None, site=None)
    deploy = paragraphs(stays, SETTING)[0]
    assert deploy.lead == (
        "Stay on what you run today (`gunicorn-gthread`): nothing was shown to cost less for your"
        " traffic."
    )
    assert "(`granian-wsgi` and `gunicorn-gthread`), which this run cannot separate" in deploy.text


def test_one_round_promises_no_interval() -> None:
    """Brackets were explained that no number had."""
    places = tuple(
        replace(each, versus=each.versus and replace(each.versus, low=None, high=None))
        for each in cost(NOISY).places
    )
    pairs = tuple(replace(each, low=None, high=None) for each in cost(NOISY).pairs)
    once = cost(NOISY, noise_floor=None, places=places, pairs=pairs)
    decision = replace(ONE_ROUND, cost=once, likely=("granian-wsgi",))
    shown = [*paragraphs(decision, SETTING), *further(decision, SETTING)]
    text = " ".join(f"{each.lead} {each.text}" for each in shown)
    assert "One round shows roughly what each server costs" in text
    for promised in ("95 %", "interval"):
        assert promised not in text + about(once)
        assert promised in about(cost(NOISY))
    assert not any("95 %" in column.title for column in narrow_table(decision).columns)


def test_those_that_noise_may_have_put_in_order_are_named_together() -> None:
    of = cost(NOISY, noise_floor=None, apart=1.58)
    single, both = (
        [
            f"{each.lead} {each.text}"
            for each in paragraphs(replace(ONE_ROUND, cost=of, likely=likely), SETTING)
        ]
        for likely in (("granian-wsgi",), ("granian-wsgi", "gunicorn-sync"))
    )
    copies = "Two copies of one server came out 1.58x apart"
    assert [copies in text for text in single[:2]] == [True, False]
    assert [copies in text for text in both[:2]] == [False, True]
    assert "`granian-wsgi` or `gunicorn-sync`. They cost the least overall" in both[1]
    assert "`gunicorn-sync` 1." not in both[1]


def test_ties_are_explained_where_an_interval_seems_to_deny_one() -> None:
    assert "a tie even if its interval does not contain 1" in about(cost(QUIET, ["uwsgi", *QUIET]))
    assert "can be a tie" not in about(cost(QUIET))


def test_a_mix_says_how_its_shares_are_known() -> None:
    text = about(against_today())
    assert "the mean over 3 endpoints by their shares of your traffic; today's: `gun" in text
    assert "`def` views" not in text
    assert "taken to be equal, as loadtest.toml gives none;" in about(against_today(mix="equal"))
    assert "those without one divide what is left;" in about(against_today(mix="rest"))


@pytest.mark.parametrize(
    ("views", "lead"),
    [
        (async_views("asgi", 2, 0, 7, 1.1, 1.6), "`async def` views cost more under some servers."),
        (async_views("asgi", 0, 2, 7, 0.7, 0.9), "`async def` views cost less under some servers."),
        (async_views("asgi", 0, 0, 7), "`async def` views: no difference in cost was shown."),
    ],
)
def test_async_views_are_called_cheaper_or_dearer_where_one_was_shown(
    views: Any, lead: str
) -> None:
    assert lead in [each.lead for each in paragraphs(quiet(async_views=(views,)), SETTING)]


def test_a_run_of_what_waits_alone_is_not_said_to_lack_cpu_times() -> None:
    timed = dataclasses.replace(SETTING, timed=True)
    (text,) = (each.text for each in paragraphs(noisy(**UNKNOWN), timed)[:1])
    assert text.startswith("All that was measured waits, bypasses the app, or lacks the CPU time")
    nothing = dataclasses.replace(SETTING, counts=counts(measured=0, valid=0, suspect=0, invalid=0))
    (text,) = (each.text for each in paragraphs(noisy(**UNKNOWN), nothing)[:1])
    assert text == "Nothing was measured; the caveats say why."


def test_nobody_is_named_to_run_on_who_was_not_separated() -> None:
    """A tie group is named whole, however far its first is ahead; of a busy run nobody is."""
    assert facts(quiet(), "deploy")["first"] == ["granian-wsgi", "uwsgi"]
    assert facts(quiet(["granian-wsgi"]), "deploy")["first"] == ["granian-wsgi"]
    undecided = paragraphs(noisy(), SETTING)[0]
    assert not any(server in undecided.lead + undecided.text for server in NOISY)


def test_what_the_others_cost_is_said_by_name_or_for_a_whole_interface() -> None:
    others = facts(quiet(["granian-wsgi"]), "deploy")["others"]
    assert [each.server for each in others["near"]] == [
        server for server in QUIET if "wsgi" in server or "gunicorn-" in server
    ][1:5]
    assert others["interface"] == "ASGI"
    assert [round(ratio, 2) for ratio in others["far"]] == [5.02, 5.25, 6.05]
    many = cost({f"server-{n}": 0.5 + n / 10 for n in range(8)}, ["server-0"])
    others = facts(quiet(["server-0"], cost=many), "deploy")["others"]
    assert (len(others["near"]), len(others["more"]), others["far"]) == (3, 4, [])


def test_no_interface_is_dearer_of_which_a_server_is_among_the_first() -> None:
    mixed = quiet(cost=cost({"uwsgi": 0.5, "uvicorn": 0.6, "a-asgi": 0.9}, ["uwsgi", "uvicorn"]))
    others = facts(mixed, "deploy")["others"]
    assert ([each.server for each in others["near"]], others["far"]) == (["a-asgi"], [])


def test_where_the_first_is_the_cheapest_by_itself() -> None:
    deploy = facts(quiet(["granian-wsgi"]), "deploy")
    assert (deploy["tied_at"], deploy["alone_at"]) == (2, ["json"])
    assert facts(quiet(), "deploy")["tied_at"] == 0
    assert facts(quiet(), "deploy")["likely"] == "granian-wsgi"


@pytest.mark.parametrize(
    ("held", "unless"),
    [
        (decisions.WAITING.holds, True),
        ((holds("granian-wsgi", 500), holds("uvicorn", 500)), False),
        ((holds("granian-wsgi", 8, 8),), False),
    ],
)
def test_a_server_that_holds_few_is_not_for_requests_that_wait(held: Any, unless: bool) -> None:
    decision = quiet(waiting=Waiting(endpoints=("gateway_1s-sync",), holds=held))
    assert facts(decision, "deploy")["unless_waiting"] is unless


def test_what_workers_and_threads_limit_is_said_to_be_configuration() -> None:
    waiting = facts(quiet(), "waiting")
    assert waiting["best"] == (["gunicorn-gevent"], ["ASGI"])
    assert [(each["limit"], each["how"], each["group"].servers) for each in waiting["limited"]] == [
        (8, "2 workers x 4 threads", ["granian-wsgi", "uwsgi", "gunicorn-gthread"]),
        (2, "2 workers", ["gunicorn-sync"]),
    ]


def test_who_held_fewer_than_nothing_but_the_load_explains_is_not_among_the_best() -> None:
    held = (holds("uvicorn", 500), holds("daphne", 60), holds("uwsgi", 8, 8))
    waiting = facts(quiet(waiting=Waiting(endpoints=("g",), holds=held)), "waiting")
    assert waiting["best"].servers == ["uvicorn"]
    assert [each.server for each in waiting["lesser"]] == ["daphne"]


def test_a_limit_above_the_load_is_none() -> None:
    held = (holds("a-wsgi", 490, 1_024), holds("c-wsgi", 60, 1_024), holds("b-wsgi", 8, 8))
    waiting = facts(quiet(waiting=Waiting(endpoints=("g",), holds=held)), "waiting")
    assert waiting["best"].servers == ["a-wsgi"]
    assert [each.server for each in waiting["lesser"]] == ["c-wsgi"]
    assert [each["group"].servers for each in waiting["limited"]] == [["b-wsgi"]]


def test_none_is_the_best_for_requests_that_wait_who_held_fewer_than_those_that_are_limited() -> (
    None
):
    held = (holds("uvicorn", 2), holds("uwsgi", 8, 8))
    assert facts(quiet(waiting=Waiting(endpoints=("g",), holds=held)), "waiting")["best"] is None


def test_what_comes_next_depends_on_why_nothing_was_decided() -> None:
    assert facts(noisy(), "sure")["again"] == "loadtest run quick"
    assert facts(ONE_ROUND, "sure")["again"] == SETTING.more
    assert facts(quiet(), "sure")["more"] == SETTING.more
    settled = facts(quiet(["granian-wsgi"]), "sure")
    assert (settled["again"], settled["more"]) == ("", "")


def test_what_the_host_took_is_no_fault_of_programs_here() -> None:
    host = noisy(sure=sureness(cells=71, suspect=43, busy=38, by_host=30))
    first, *_, last = paragraphs(host, SETTING)
    assert first.text.startswith("Other programs, or the host, took CPU time")
    assert last.lead.startswith("Next: measure again when the host of this machine has time")
    alone = noisy(sure=sureness(cells=71, suspect=43, busy=38, by_host=38))
    assert paragraphs(alone, SETTING)[0].text.startswith("The host of this machine took CPU time")
    programs = noisy(sure=sureness(cells=71, suspect=43, busy=38, by_host=0))
    first, *_, last = paragraphs(programs, SETTING)
    assert first.text.startswith("Other programs took CPU time")
    assert last.lead.startswith("Next: stop other programs")


def test_of_one_endpoint_nothing_is_said_of_most_of_them() -> None:
    """It was the cheapest "at most of the endpoints", of which there was one."""
    for decision in (
        noisy(cost=ONE_ENDPOINT),
        quiet(cost=cost(QUIET, ["granian-wsgi", "uwsgi"], endpoints=("json-sync",))),
    ):
        text = " ".join(f"{each.lead} {each.text}" for each in paragraphs(decision, SETTING))
        assert "most of the endpoints" not in text
        assert "`granian-wsgi`" in text


@pytest.mark.parametrize(
    ("ended", "rounds", "text"),
    [
        ("", 3, "3 rounds on 2 processors"),
        ("the order by cost is decided", 3, "3 of 5 rounds (the order by cost is decided) on"),
        ("it was interrupted", 5, "5 rounds (it was interrupted) on 2 processors"),
    ],
)
def test_a_run_that_ended_early_says_why(ended: str, rounds: int, text: str) -> None:
    setting = dataclasses.replace(SETTING, most_rounds=5, ended=ended)
    paragraph = paragraphs(quiet(["granian-wsgi"], sure=sureness(rounds=rounds)), setting)[-1]
    assert paragraph.text.startswith(text)


def test_at_a_rate_all_are_said_by_the_same_percentile() -> None:
    """99 % within 6 ms stood beside 90 % within 5 ms, as if the one were slower."""
    few = at_rate(50, ("granian-wsgi", 0.05, 6_000), ("uvicorn", 0.1, None))
    places = (few.places[0], msgspec.structs.replace(few.places[1], p90_us=9_000))
    few = msgspec.structs.replace(few, places=places)
    paragraph = paragraphs(quiet(at_rates=(few,)), SETTING)[1]
    assert (
        "needs 0.0500 cores and answers 90 % within 3.00 ms; `uvicorn` 0.100 cores"
        in paragraph.text
    )
    late = (few.places[0], msgspec.structs.replace(few.places[1], late=("json-sync@50",)))
    late = msgspec.structs.replace(few, places=late)
    paragraph = paragraphs(quiet(at_rates=(late,)), SETTING)[1]
    assert "answers 99 % within 6.00 ms; how fast `uvicorn` answers is not known" in paragraph.text


@pytest.mark.parametrize(
    ("high", "why", "lead", "text"),
    [
        (1.0, "server", "no server keeps that", "`uwsgi` cannot keep it at any rate."),
        (700.0, "server", "not known", "; lower rates were not tried."),
        (1.0, "generator", "not known", "did not keep it at any rate that was tried"),
        (None, None, "not known", "Of `uwsgi` no rate was tried."),
    ],
)
def test_a_goal_that_was_missed_is_out_of_reach_only_at_the_lowest_rate(
    high: float | None, why: str | None, lead: str, text: str
) -> None:
    """A search that ended after a try had its server called unable to keep the goal at all."""
    of = searched(("uwsgi", None, None, high, why))
    paragraph = paragraphs(noisy(cost=None, searched=(of,), sure=sureness(busy=0)), SETTING)[0]
    assert paragraph.lead.endswith(f"{lead}.")
    assert text in paragraph.text


@pytest.mark.parametrize(
    ("unknown", "text"),
    [
        ((), "`uwsgi` answers 99 % within 6.00 ms; `bjoern` within 21.0 ms; `daphne` cannot."),
        (("p90_us", "p99_us"), "`bjoern` and `uwsgi` keep that rate; `daphne` cannot."),
    ],
)
def test_at_a_rate_without_cores_all_else_is_said(unknown: tuple[str, ...], text: str) -> None:
    """Of a report of wrk2 it said nothing but `At 200 requests/s.`"""
    at = at_rate(200, ("bjoern", 0.5, 21_000), ("uwsgi", 0.1, 6_000), ("daphne", None, None))
    nothing: dict[str, Any] = dict.fromkeys(("cores", "cpu_us", "generator_cpu_us", *unknown))
    places = tuple(msgspec.structs.replace(each, **nothing) for each in at.places)
    rated = (msgspec.structs.replace(at, places=places),)
    paragraph = paragraphs(noisy(**UNKNOWN, at_rates=rated), IMPORTED)[0]
    assert (paragraph.lead, paragraph.text) == ("At 200 requests/s.", text)


def test_a_server_without_a_number_is_named_with_the_reason() -> None:
    of = cost(QUIET, ["granian-wsgi"])
    places = (*of.places, place("daphne", None, None))
    broken = quiet(["granian-wsgi"], cost=cost(QUIET, ["granian-wsgi"], places=places))
    assert paragraphs(broken, SETTING)[-1].text.endswith(
        "`daphne` has no cost (all 3 of its cells failed)."
    )


def test_the_evidence_is_of_the_winner_and_of_all_it_is_compared_with() -> None:
    deploy = picked(quiet(["granian-wsgi"]), SETTING)[0]
    assert {cell.split(".")[0] for cell in deploy.cells} == set(QUIET)


PAGES: dict[str, tuple[Decision, Setting]] = {
    "A quiet run": (quiet(), SETTING),
    "One server is the cheapest": (quiet(["granian-wsgi"]), SETTING),
    "A noisy run": (noisy(sure=sureness(cells=71, suspect=43, busy=38, repeated=3)), SETTING),
    "One round": (ONE_ROUND, SETTING),
    "One server": (ALONE, SETTING),
    "ASGI is cheaper, nothing is limited": (
        quiet(
            ["uvicorn"],
            cost=cost(ASGI_CHEAPER, ["uvicorn"], noise_floor=1.5),
            costs=(),
            within=(("wsgi", ("uwsgi",)), ("asgi", ("uvicorn",))),
            waiting=Waiting(
                endpoints=("gateway_1s-sync",), holds=(holds("uvicorn", 480), holds("uwsgi", 470))
            ),
            async_views=(async_views("wsgi", 0, 0, 6), async_views("asgi", 0, 5, 6, 0.7, 0.9)),
            sure=sureness(suspect=0, doubts=(), busy=0, repeated=12),
        ),
        SETTING,
    ),
    "Only limited servers": (
        quiet(
            waiting=Waiting(
                endpoints=("g",), holds=(holds("uwsgi", 8, 8), holds("waitress", 8, 8))
            ),
            async_views=(async_views("wsgi", 2, 1, 6, 0.8, 1.2),),
        ),
        SETTING,
    ),
    "An imported report": (
        noisy(
            **UNKNOWN,
            sure=sureness(rounds=1, processors=None, cells=18, suspect=8, doubts=()),
        ),
        IMPORTED,
    ),
    "A server that was running": (
        noisy(**UNKNOWN),
        Setting(counts(), "", SETTING.more, running=True),
    ),
    "One endpoint of a noisy run": (noisy(cost=ONE_ENDPOINT), SETTING),
    "One endpoint": (
        quiet(cost=cost(QUIET, ["granian-wsgi", "uwsgi"], endpoints=("json-sync",))),
        SETTING,
    ),
    "The host took the time, and the run was interrupted": (
        noisy(sure=sureness(rounds=1, cells=71, suspect=43, busy=38, by_host=38)),
        dataclasses.replace(SETTING, most_rounds=5, ended="it was interrupted"),
    ),
    "At one rate": (RATES, SETTING),
    "At two rates, nothing as fast as it goes": (
        quiet(
            cost=cost(QUIET, ["granian-wsgi", "uwsgi"], rate=50.0),
            at_rates=(
                at_rate(50, *((name, cores * 0.05, None) for name, cores in QUIET.items())),
                at_rate(2_000, ("granian-wsgi", 0.9, 8_000), ("uwsgi", None, None)),
            ),
        ),
        SETTING,
    ),
    "A search": (SEARCH, dataclasses.replace(SETTING, ended="its budget of 5 min was spent")),
    "A search on a busy machine": (
        msgspec.structs.replace(SEARCH, sure=sureness(tries=42, busy=4, cells=4, suspect=4)),
        SETTING,
    ),
    "Steps": (STEPS, SETTING),
    "A site": (SITE, SETTING),
    "A site of which there is more to say than five paragraphs": (FULL, SETTING),
    "A site whose server is the lever, on a busy machine": (
        replace(SITE, own=None, site=Site(), sure=sureness(busy=400)),
        SETTING,
    ),
    "No number at all": (
        noisy(**UNKNOWN),
        Setting(counts(measured=0, failed=20, valid=0, suspect=0, invalid=3), "", ""),
    ),
}


def test_the_wording() -> None:
    text = ""
    for title, (decision, setting) in PAGES.items():
        text += f"# {title}\n\n"
        below = further(decision, setting)
        for paragraph in (*paragraphs(decision, setting), *below):
            text += "Below the tables: " if paragraph in below else ""
            assert paragraph.lead.endswith((".", "?"))
            assert "  " not in paragraph.text
            assert paragraph.text.endswith(".") or not paragraph.text
            text += f"**{paragraph.lead}** {paragraph.text}\n\n"
    left_out = (
        LeftOut(endpoint="gateway_1s-sync", why="waits"),
        LeftOut(endpoint="brotli-sync", why="dominated"),
        LeftOut(endpoint="template-sync", why="incomplete"),
    )
    text += f"# Below the figure\n\n{about(cost(QUIET, left_out=left_out))}\n"
    gold = GOLD / "decision.md"
    if os.environ.get("UPDATE_GOLD"):
        gold.write_text(text)
    assert text == gold.read_text()
