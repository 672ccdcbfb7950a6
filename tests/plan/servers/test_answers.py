"""The contract of answers: the strictest that all of them keep, and what it refuses."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.servers import answers
from loadtest.plan.servers.answers import misplaced, place, problem, strictest, words
from loadtest.records.planned import Body

HTML, JSON, TEXT = "text/html", "application/json", "text/plain"

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=12,
)

PAGES = st.lists(st.sampled_from([b"<p>", b"</p>", b"a", b"12", b" ", b"\xc3\xa9", b"-", b"\x00"]))


@given(st.lists(PAGES.map(b"".join), min_size=1, max_size=4), st.sampled_from([HTML, JSON, TEXT]))
def test_all_that_was_recorded_is_right(bodies: list[bytes], content_type: str) -> None:
    contract = strictest(bodies, content_type)
    assert [problem(contract, body) for body in bodies] == [None] * len(bodies)


@given(st.lists(VALUES.map(lambda value: json.dumps(value).encode()), min_size=1, max_size=4))
def test_all_json_that_was_recorded_is_right(bodies: list[bytes]) -> None:
    contract = strictest(bodies, JSON)
    assert [problem(contract, body) for body in bodies] == [None] * len(bodies)


@given(st.lists(PAGES.map(b"".join), min_size=1, max_size=4), PAGES.map(b"".join))
def test_the_order_of_recording_is_no_matter(bodies: list[bytes], another: bytes) -> None:
    forward, backward = strictest(bodies, HTML), strictest(bodies[::-1], HTML)
    assert forward == backward
    # What was heard once more never makes a contract stricter.
    if problem(strictest([*bodies, another], HTML), another) is not None:
        pytest.fail("what was recorded is refused")


@given(VALUES, st.randoms())
def test_no_order_of_keys_or_lists_is_a_difference(value: Any, random: Any) -> None:
    def shuffled(of: Any) -> Any:
        if isinstance(of, list):
            inner = [shuffled(each) for each in of]
            random.shuffle(inner)
            return inner
        if isinstance(of, dict):
            keys = list(of)
            random.shuffle(keys)
            return {key: shuffled(of[key]) for key in keys}
        return of

    bodies = [json.dumps(each, indent=indent).encode() for each, indent in ((value, 1), (value, 2))]
    contract = strictest(bodies, JSON)
    if contract.level == "json":
        again = json.dumps(shuffled(value), indent=2).encode()
        assert problem(contract, again) is None


PAGE = """<!doctype html><h1>Shop</h1><form action="/buy/">
<input name="csrfmiddlewaretoken" value="{token}"></form>
<ul><li>Tea, {price} EUR, seen {ago} ago</li></ul><p>Welcome, {name}</p>"""


def page(**changed: str) -> bytes:
    words = {"token": "aZ09" * 16, "price": "4.20", "ago": "2 minutes", "name": "alice"}
    return PAGE.format(**(words | changed)).encode()


HEARD = [page(), page(token="q7" * 32), page(token="k3" * 32, ago="3 minutes")]
API = [
    {"at": 1.5, "items": [{"id": 1, "name": "Tea"}, {"id": 2, "name": "Cake"}]},
    {"at": 2.5, "items": [{"id": 2, "name": "Cake"}, {"id": 1, "name": "Tea"}]},
]


def encoded(*values: Any) -> list[bytes]:
    return [json.dumps(value).encode() for value in values]


@pytest.mark.parametrize(
    ("bodies", "content_type", "level", "holes"),
    [
        ([b"OK", b"OK"], TEXT, "exact", 0),
        (HEARD, HTML, "text", 2),
        (encoded(*API), JSON, "json", 1),
        (encoded(API[0]["items"], API[1]["items"]), JSON, "json", 0),
        (encoded({"n": [1, 2]}, {"n": [3, 4]}), JSON, "shape", 0),
        (encoded({"n": [1, 2]}, {"n": [1]}), JSON, "length", 0),
        ([b"<p>one</p>", b"<p>one and two</p>"], HTML, "tags", 0),
        ([b"<p>one</p>", b"<p>one</p><b>two</b>"], HTML, "length", 0),
        ([b"a b c d", b"e f g h"], TEXT, "length", 0),
    ],
)
def test_the_level_is_the_strictest(
    bodies: list[bytes], content_type: str, level: str, holes: int
) -> None:
    contract = strictest(bodies, content_type)
    assert (contract.level, len(contract.holes)) == (level, holes)


@pytest.mark.parametrize(
    ("bodies", "content_type", "wrong"),
    [
        (HEARD, HTML, page(name="bob")),
        (HEARD, HTML, page(price="9.99")),
        (HEARD, HTML, page().replace(b"<h1>", b"<h2>")),
        (HEARD, HTML, b"<h1>Server Error (500)</h1>"),
        (HEARD, HTML, page()[:-9]),
        (encoded(*API), JSON, encoded({**API[0], "items": API[0]["items"][:1]})[0]),
        (encoded(*API), JSON, encoded({**API[0], "more": 1})[0]),
        (encoded(*API), JSON, b'{"detail": "Not found."}'),
        (encoded(*API), JSON, b"<h1>Server Error (500)</h1>"),
        (encoded({"n": [1, 2]}, {"n": [3, 4]}), JSON, encoded({"n": [1, 2, 3]})[0]),
        ([b"OK", b"OK"], TEXT, b"KO"),
        ([b"OK", b"OK"], TEXT, b"OK\n"),
    ],
)
def test_other_answers_are_refused(bodies: list[bytes], content_type: str, wrong: bytes) -> None:
    assert problem(strictest(bodies, content_type), wrong) is not None


@pytest.mark.parametrize(
    ("first", "second", "third", "hole"),
    [
        ('<i name="csrfmiddlewaretoken" value="{}">', "a" * 64, "B9" * 32, "CSRF tokens"),
        ('{"csrfToken": "{}"}', "a" * 32, "b" * 32, "CSRF tokens"),
        ('<script nonce="{}">', "c2VjcmV0MQ==", "bm9uY2Uy", "nonces"),
        ("id {}", f"{1:08x}-0000-4000-8000-{1:012x}", f"{2:08x}-0000-4000-8000-{2:012x}", "UUIDs"),
        ("at {}", "2026-01-02", "2026-01-02T03:04:05.678+01:00", "dates"),
        ("at {} o'clock", "9:59", "10:00", "dates"),
        ("on {} or so", "Nov. 30, 2026, 11:59 p.m.", "Dec. 1, 2026, midnight", "dates"),
        ("on {}", "Sept. 9, 2026", "November 10, 2026", "dates"),
        ("until {}.", "31 May 2026", "1 June 2026", "dates"),
        ("at {}", "9:59 a.m.", "10 a.m.", "dates"),
        ("seen {} ago", "59 minutes", "1 hour, 3 minutes", "times ago"),
        ("seen {} ago", "0.5 s", "12 ms", "times ago"),
        ("sid={};", "alice:1vNabc:" + "x" * 43, "alice:1vNabd:" + "y" * 43, "signatures"),
    ],
)
def test_what_differs_by_its_nature_is_left_open(
    first: str, second: str, third: str, hole: str
) -> None:
    """Wherever it stands, and however many words it has."""
    bodies = [first.replace("{}", of).encode() for of in (second, third)]
    contract = strictest(bodies, TEXT)
    assert (contract.level, contract.holes) == ("text", (hole,))
    assert problem(contract, bodies[0] + b" ") is not None


def test_no_more_is_left_open_than_differs() -> None:
    """A page has a date in it that stays."""
    bodies = [f"since 2026-01-02, seen {ago} ago".encode() for ago in ("2 days", "3 days")]
    contract = strictest(bodies, TEXT)
    assert contract.holes == ("times ago",)
    assert problem(contract, b"since 2026-01-03, seen 2 days ago") is not None


ROWS = [b"<h1>Tea</h1>", b"<h1>Green cake</h1>"]


@pytest.mark.parametrize("content_type", [HTML, JSON, TEXT])
def test_each_value_has_an_answer_of_its_own(content_type: str) -> None:
    rows = (
        encoded({"name": "Tea", "at": 1}, {"name": "Cake", "at": 1})
        if (content_type == JSON)
        else ROWS
    )
    contract = strictest([*rows, *rows], content_type, [0, 1, 0, 1])
    assert contract.sha256 is None
    assert len(contract.each) == 2
    assert [problem(contract, row, at) for at, row in enumerate(rows)] == [None, None]
    assert problem(contract, rows[0], 1) is not None
    assert problem(contract, rows[0], 2) is not None


def test_what_passes_is_open_in_the_answers_to_all_values() -> None:
    bodies = encoded(*({"name": name, "at": at} for at in (1, 2) for name in ("Tea", "Cake")))
    contract = strictest(bodies, JSON, [0, 1, 0, 1])
    assert (contract.level, contract.holes, len(contract.each)) == ("json", ("$.at",), 2)
    (later,) = encoded({"name": "Cake", "at": 3})
    assert problem(contract, later, 1) is None
    assert problem(contract, later, 0) is not None


@given(st.lists(st.tuples(PAGES.map(b"".join), st.integers(0, 2)), min_size=1, max_size=6))
def test_all_that_was_recorded_of_each_value_is_right(heard: list[tuple[bytes, int]]) -> None:
    values = sorted({of for _, of in heard})
    of = [values.index(of) for _, of in heard]
    bodies = [body for body, _ in heard]
    contract = strictest(bodies, HTML, of)
    assert [problem(contract, body, at) for body, at in zip(bodies, of, strict=True)] == (
        [None] * len(bodies)
    )


@pytest.mark.parametrize(
    ("location", "right"),
    [
        ("/orders/17/", True),
        ("/orders/18/?new=1", True),
        ("https://shop.example.org/orders/19/", True),
        ("/login/?next=/orders/", False),
        (None, False),
    ],
)
def test_where_an_answer_redirects_to(location: str | None, right: bool) -> None:
    contract = Body(level="length", location_sha256=place("/orders/1/"))
    assert (misplaced(contract, location, ()) is None) == right


def test_which_cookies_an_answer_sets() -> None:
    contract = Body(level="length", cookies=("sessionid",))
    assert misplaced(contract, None, ("csrftoken", "sessionid")) is None
    assert misplaced(contract, None, ("csrftoken",)) == "it does not set the cookie sessionid"


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ([b"<p>Hello alice"], b"<p>Hello bob", (("alice",), True)),
        ([b"Hello alice", b"Hello alicia"], b"Hello", ((), False)),
        ([b"<p>Error"], b"<h1 class=Trouble>Server Error", (("Server",), False)),
        ([b"<script>var orders</script>Hello"], b"Hello", ((), False)),
    ],
)
def test_words_that_tell_a_wrong_answer(
    right: list[bytes], wrong: bytes, told: tuple[tuple[str, ...], bool]
) -> None:
    assert words(right, wrong) == told


def test_no_text_of_an_answer_is_kept() -> None:
    """A contract is stored with a run, and mailed with its report."""
    contract = strictest([page(name="alice secret"), page(name="alice hidden")], HTML)
    assert not {"alice", "secret", "hidden"} & set(map(str, contract.holes))
    assert all(hole.isdecimal() for hole in contract.holes)


def test_deep_json_is_no_json() -> None:
    deep = b"[" * 5_000 + b"1" + b"]" * 5_000
    assert problem(strictest([deep, deep + b" "], JSON), deep) is None


def test_half_a_surrogate_is_kept_nowhere() -> None:
    """JSON may hold it, and no text or file can."""
    bodies = [b'{"\\ud800": 1, "\\udfff": "\\ud800"}', b'{"\\ud800": 2, "\\udfff": "a"}']
    contract = strictest(bodies, JSON)
    assert msgspec.json.encode(contract)
    assert [problem(contract, body) for body in bodies] == [None, None]


def test_a_hole_that_is_no_place_is_none() -> None:
    bodies = [b"one two 3", b"one two 4"]
    contract = strictest(bodies, TEXT)
    other = msgspec.structs.replace(contract, holes=("x", "-1", "\u0663", *contract.holes))
    assert [problem(other, body) for body in bodies] == [None, None]


def test_of_a_long_answer_that_differs_its_length_is_fixed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """To compare what tens of megabytes have in common takes hours."""
    monkeypatch.setattr(answers, "MOST_COMPARED_BYTES", 10)
    long = [json.dumps({"now": number, "rows": [1, 2, 3]}).encode() for number in (1, 2)]
    assert strictest(long, JSON).level == "length"
    assert strictest(long[:1] * 2, JSON).level == "exact"
    assert words([long[0]], b"another page") == ((), False)


@pytest.mark.parametrize("part", [b"0", b"5 ", b"csrf", b"nonce", b"a:", b"<", b"1.", b"&nbsp;"])
def test_an_answer_of_one_thing_without_end_is_recorded(part: bytes) -> None:
    """What a pattern tries anew from each place would take hours here, and not a moment."""
    bodies = [part * 100_000 + end for end in (b" x 1", b" x 2")]
    contract = strictest(bodies, HTML)
    assert [problem(contract, body) for body in bodies] == [None, None]


def test_a_place_that_is_no_address_is_one_all_the_same() -> None:
    assert place("http://[x") == place("http://[x") != place("http://[y")
    assert place(None) is None


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"<script " * 60_000, "text/html"),
        (b"a." * 300_000, "text/plain"),
        (json.dumps({"k" * 1_000_000: [1] * 100_000}).encode(), "application/json"),
    ],
)
def test_an_answer_without_end_is_recorded(body: bytes, content_type: str) -> None:
    """What looks at all of it anew from each place would take minutes here, and not a moment."""
    of = strictest([body, body + b" "], content_type)
    assert problem(of, body) is None
    words([body], b"another")
