"""The answer: what it claims, what it must not, and the words for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec
import pytest
from builders import endpoint, outcome, plan, run, server
from hypothesis import given, settings
from hypothesis import strategies as st
from sample_run import histograms, loaded, sample

from loadtest.judge.servers.answer.records import Answer
from loadtest.judge.servers.summary import Summary, summarise
from loadtest.records.measured import Histogram, Loaded, Outcome, Run
from loadtest.records.planned import Endpoint, Interface, Server
from loadtest.report.servers.sentences import claims, headline

INTERFACES: dict[str, Interface] = {"fast": "wsgi", "slow": "wsgi", "loop": "asgi"}


def none(path: str) -> Histogram:
    raise AssertionError(path)


def made(
    rates: Mapping[tuple[str, str], Sequence[float]],
    endpoints: Sequence[Endpoint],
    second: Sequence[float] = (),
    broken: str = "",
) -> Summary:
    """Return the summary of a run with these rates by server and endpoint, a number a round.

    `again` are the rates of a second arm of `fast` at the first endpoint. `broken` is a server that
    answers as many errors beside.
    """
    servers: list[Server] = [
        server(name, interface=interface)
        for name, interface in INTERFACES.items()
        if any(of == name for of, _ in rates)
    ]
    reference = servers[0].name
    if second:
        servers.append(server("fast-again", duplicate_of="fast", interface="wsgi"))
    rounds = max(map(len, rates.values()))
    of = run(plan(servers=tuple(servers), endpoints=tuple(endpoints), rounds=rounds))
    of = _referring(of, reference)
    outcomes: list[Outcome] = []
    for cell in of.plan.cells:
        twin = cell.server == "fast-again"
        if twin and cell.endpoint != endpoints[0]:
            continue
        each = second if twin else rates.get((cell.server, cell.endpoint.id), ())
        outcomes += [
            outcome(
                cell.id,
                number,
                loaded=_loaded(rate, wrong=cell.server == broken),
            )
            for number, rate in enumerate(each)
        ]
    return summarise(of, outcomes, none)


def _loaded(rate: float, wrong: bool) -> Loaded:
    answers = round(rate * 100)
    sample = loaded(answers * 2, status_errors=answers) if wrong else loaded(answers)
    return msgspec.structs.replace(sample, duration_us=100_000_000)


def _referring(of: Run, reference: str) -> Run:
    return msgspec.structs.replace(of, plan=msgspec.structs.replace(of.plan, reference=reference))


def said(answer: Answer) -> str:
    return " ".join(sentence.plain for sentence in headline.headline(answer))


JSON = endpoint("json", kind="cpu")
STEADY = (1.0, 1.02, 0.98, 1.01, 0.99)


def times(rate: float) -> list[float]:
    return [rate * each for each in STEADY]


def test_the_leader_is_named_with_its_lead() -> None:
    summary = made(
        {("fast", "json-sync"): times(2_000), ("slow", "json-sync"): times(1_000)},
        [JSON],
        times(2_010),
    )
    (kind,) = summary.answer.kinds
    (claim,) = kind.claims
    assert [arm.server for arm in claim.leaders] == ["fast"]
    assert [arm.server for arm in claim.followers] == ["slow"]
    assert claim.separated
    assert claim.lead
    assert claim.lead.ratio == pytest.approx(2)
    assert claim.limits == ()
    assert "fast" in said(summary.answer)
    (within,) = summary.answer.within
    assert (within.interface, within.separated, within.cells) == ("wsgi", 1, ("fast.json-sync",))
    assert [(led.server, led.at) for led in within.leaders] == [("fast", ("cpu",))]
    assert claims.claim(claim).plain.startswith(
        "fast leads, at 2,000 requests/s: 2.00x (2.00 to 2.00) the rate of slow, the runner-up."
    )


def test_servers_that_were_not_told_apart_share_the_lead() -> None:
    summary = made(
        {
            ("fast", "json-sync"): [1_000, 1_100, 900, 1_050, 950],
            ("slow", "json-sync"): [1_050, 950, 1_000, 900, 1_100],
        },
        [JSON],
        [1_000, 1_000, 1_000, 1_000, 1_000],
    )
    claim = summary.answer.kinds[0].claims[0]
    assert len(claim.leaders) == 2
    assert claim.lead is None
    assert not claim.separated
    assert claim.limits == ("tied",)
    assert said(summary.answer).startswith("This run cannot say what to deploy")


def test_one_round_tells_nothing() -> None:
    summary = made({("fast", "json-sync"): [9_000], ("slow", "json-sync"): [10]}, [JSON])
    claim = summary.answer.kinds[0].claims[0]
    assert not claim.separated
    assert claim.limits == ("one-round", "no-noise-floor")
    assert "one round" in said(summary.answer)
    assert "fast" not in said(summary.answer)


def test_a_difference_within_the_noise_is_none() -> None:
    rates = {("fast", "json-sync"): times(1_100), ("slow", "json-sync"): times(1_000)}
    assert made(rates, [JSON], times(1_105)).answer.kinds[0].separated
    noisy = made(rates, [JSON], [1_100, 1_400, 800, 1_300, 900])
    assert noisy.noise_floor
    assert noisy.noise_floor > 0.1
    assert not noisy.answer.kinds[0].separated


def test_the_fastest_leads_nothing_if_its_number_is_invalid() -> None:
    rates = {
        ("fast", "json-sync"): times(9_000),
        ("slow", "json-sync"): times(1_000),
        ("loop", "json-sync"): times(500),
    }
    answer = made(rates, [JSON], broken="fast").answer
    assert [arm.server for arm in answer.kinds[0].claims[0].leaders] == ["slow"]
    assert answer.numberless == ("fast",)
    assert said(answer).startswith("Deploy slow: it leads at CPU-bound JSON")
    assert "fast has no number anywhere, so nothing is said of it." in said(answer)
    assert "9,000" not in said(answer)


def test_one_server_alone_is_compared_with_nothing() -> None:
    summary = made({("fast", "json-sync"): times(1_000)}, [JSON])
    assert "alone" in summary.answer.kinds[0].claims[0].limits
    assert said(summary.answer) == (
        "No endpoint has the numbers of two servers, so there is nothing to compare."
    )


def test_who_swings_widely_leads_nothing_by_that() -> None:
    """It is tied with all that come near, as noise tells it from nobody."""
    rates = {
        ("fast", "json-sync"): times(2_000),
        ("slow", "json-sync"): [3_000.0, 900.0, 2_800.0, 1_000.0, 2_900.0],
        ("loop", "json-sync"): times(10),
    }
    summary = made(rates, [JSON], times(2_010))
    (kind,) = summary.answer.kinds
    assert [arm.server for arm in kind.claims[0].leaders] == ["slow", "fast"]
    assert [led.server for led in kind.leaders] == ["fast"]
    (within,) = summary.answer.within
    # Nobody leads of the two alone, which their rows show.
    assert (within.separated, within.cells) == (0, ("slow.json-sync", "fast.json-sync"))
    assert said(summary.answer) == "Deploy fast: it leads at CPU-bound JSON, tied with slow."


def test_each_server_is_judged_by_the_style_that_serves_it_best() -> None:
    both = [JSON, endpoint("json", "async", kind="cpu")]
    summary = made(
        {
            ("fast", "json-sync"): times(4_000),
            ("fast", "json-async"): times(400),
            ("loop", "json-sync"): times(900),
            ("loop", "json-async"): times(1_000),
        },
        both,
        times(4_010),
    )
    (kind,) = summary.answer.kinds
    (claim,) = kind.claims
    assert [(arm.server, arm.style) for arm in (*claim.leaders, *claim.followers)] == [
        ("fast", "sync"),
        ("loop", "async"),
    ]
    assert [(style.interface, style.servers[0].finding) for style in kind.styles] == [
        ("wsgi", "lower"),
        ("asgi", "higher"),
    ]
    (interfaces,) = kind.interfaces
    assert interfaces.difference.ratio == pytest.approx(4)
    text = " ".join(sentence.plain for sentence in claims.kind(kind))
    assert "Under WSGI, async views serve 0.10x the requests of sync ones." in text
    assert "Under ASGI, async views serve 1.11x the requests of sync ones." in text
    assert "The fastest WSGI server, fast, serves 4.00x" in text


def test_the_bare_callable_shows_what_is_djangos() -> None:
    bare = endpoint("raw", "control", kind="control")
    summary = made(
        {
            ("fast", "json-sync"): times(5_000),
            ("fast", "raw-control"): times(10_000),
            ("loop", "json-sync"): times(1_000),
            ("loop", "raw-control"): times(20_000),
        },
        [JSON, bare],
        times(5_010),
    )
    shares = {share.server: share for share in summary.answer.shares}
    assert shares["fast"].share == pytest.approx(0.5)
    assert shares["loop"].share == pytest.approx(0.95)
    assert [kind.kind for kind in summary.answer.kinds] == ["cpu"]
    control = " ".join(sentence.plain for sentence in claims.control(summary.answer))
    assert (
        "Under WSGI, Django's own overhead is 50 % of the time of its cheapest request" in control
    )
    assert "Under ASGI, Django's own overhead is 95 % of the time" in control


def test_a_control_of_other_bytes_is_no_pair() -> None:
    bare = endpoint("raw", "control", kind="control")
    other = msgspec.structs.replace(
        bare, contract=msgspec.structs.replace(bare.contract, body_sha256="1" * 64)
    )
    rates = {("fast", "json-sync"): times(5_000), ("fast", "raw-control"): times(10_000)}
    assert made(rates, [JSON, bare]).answer.shares
    assert not made(rates, [JSON, other]).answer.shares


def test_an_invalid_number_is_in_no_claim() -> None:
    run_, outcomes, segments = sample()
    summary = summarise(run_, outcomes, histograms, segments)
    invalid = {
        row.cell for ranking in summary.rankings for row in ranking.rows if row.verdict == "invalid"
    }
    assert invalid
    assert not invalid & set(cells(summary.answer))


def cells(answer: Answer) -> list[str]:
    """Return all rows that an answer rests on."""
    return [
        cell
        for kind in answer.kinds
        for part in (*kind.claims, *kind.styles, *kind.interfaces)
        for cell in part.cells
    ] + [cell for part in (*answer.within, *answer.shares) for cell in part.cells]


RATE = st.floats(100, 10_000)


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 4).flatmap(
        lambda rounds: st.fixed_dictionaries(
            {
                (name, f"json-{style}"): st.lists(RATE, min_size=rounds, max_size=rounds)
                for name in INTERFACES
                for style in ("sync", "async")
            }
        )
    )
)
def test_every_claim_has_its_rows_and_none_is_within_noise(
    rates: dict[tuple[str, str], list[float]],
) -> None:
    summary = made(rates, [JSON, endpoint("json", "async", kind="cpu")], rates["fast", "json-sync"])
    ranks = {row.cell: row.rank for ranking in summary.rankings for row in ranking.rows}
    rows = set(ranks)
    answer = summary.answer
    assert set(cells(answer)) <= rows
    assert {share.interface for share in answer.within} == {"wsgi"}  # one ASGI server leads nothing
    for sentence in headline.headline(answer):
        assert set(sentence.cells) <= rows
    for kind in answer.kinds:
        for claim in kind.claims:
            assert claim.separated == bool(claim.followers) == (claim.lead is not None)
            if claim.lead:
                # Beyond the floor, and the interval leaves no doubt which is ahead.
                assert claim.lead.ratio > 1 + (summary.rankings[0].noise_floor or 0)
                assert claim.lead.low
                assert claim.lead.low > 1
            assert len({arm.server for arm in claim.leaders}) == len(claim.leaders)
        for said_ in claims.kind(kind):
            assert set(said_.cells) <= rows
            assert said_.plain.endswith(".")
