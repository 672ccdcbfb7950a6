"""Requests as they are sent: what becomes of placeholders, sessions, keys and forged requests."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.plan.servers import requests
from loadtest.plan.servers.requests import Csrf, Data, Prepared, Template, named, prepare
from loadtest.records.errors import UserError

DATA = Data(
    cookies={"": [""], "alice": ["sessionid=of-alice"]},
    csrf=Csrf(
        cookie="csrftoken",
        header="X-Csrftoken",
        token="t" * 64,
        secure=("X-Forwarded-Proto", "https"),
    ),
    values={"shop.Product.pk": [1, 2, 3], "shop.Key.key": ["one", "two"], "1..1": ["é"]},
    another="sessionid=of-bob",
)
SOURCES = {"product": "shop.Product.pk", "key": "shop.Key.key", "odd": "1..1"}


def template(path: str = "/", **more: Any) -> Template:
    return Template(path=path, sources=SOURCES, **more)


def test_a_plain_request_is_a_get_with_a_host() -> None:
    assert prepare(template(), DATA) == (Prepared("/", headers={"Host": "localhost"}),)
    own_host = template(headers={"host": "shop.example.org"})
    assert prepare(own_host, DATA)[0].headers == {"host": "shop.example.org"}


def test_each_request_has_other_values() -> None:
    of = template("/products/{product}/", headers={"X-Key": "Api-Key {key}"})
    assert [(each.path, each.headers["X-Key"]) for each in prepare(of, DATA)] == [
        ("/products/1/", "Api-Key one"),
        ("/products/2/", "Api-Key two"),
        ("/products/3/", "Api-Key one"),
    ]


def test_each_request_has_another_session_where_there_are_several() -> None:
    data = Data(cookies={"alice": ["s=1", "s=2"]}, csrf=DATA.csrf, values=DATA.values)
    sent = prepare(template(user="alice"), data)
    assert [each.headers["Cookie"] for each in sent] == ["s=1", "s=2"]
    sent = prepare(template("/{product}", user="alice"), data)
    assert [(each.path, each.headers["Cookie"]) for each in sent] == [
        ("/1", "s=1"),
        ("/2", "s=2"),
        ("/3", "s=1"),
    ]


def test_values_in_json_are_themselves() -> None:
    (first, *_) = prepare(
        template(method="POST", json={"of": ["{product}", "n{product}"], "more": 1.5}), DATA
    )
    assert first.body == b'{"of":[1,"n1"],"more":1.5}'
    assert first.headers["Content-Type"] == "application/json"


def test_a_form_is_encoded() -> None:
    (first,) = prepare(template(method="PUT", form={"a": "x&y", "b": "é"}), DATA)
    assert first.body == b"a=x%26y&b=%C3%A9"
    assert first.headers["Content-Type"] == "application/x-www-form-urlencoded"


@given(st.text(max_size=20))
def test_no_value_leaves_its_place_in_a_path(value: str) -> None:
    data = Data(cookies={}, csrf=DATA.csrf, values={"s": [value]})
    (of,) = prepare(Template(path="/a/{v}?b={v}", sources={"v": "s"}), data)
    assert of.path.isascii()
    assert of.path.isprintable()
    assert not set(of.path) & set(" #\\")
    assert of.path.count("?") == 1
    assert of.path.count("&") == 0


def test_a_value_that_no_header_can_have() -> None:
    with pytest.raises(UserError, match="the header X-Odd: a value of the data is not of ASCII"):
        prepare(template(headers={"X-Odd": "{odd}"}), DATA)


@pytest.mark.parametrize(
    ("headers", "origin"),
    [
        ({}, "http://localhost"),
        ({"x-forwarded-proto": "https"}, "https://localhost"),
        ({"X-Forwarded-Proto": "http"}, "http://localhost"),
        ({"Host": "a.example.org", "X-Forwarded-Proto": "https"}, "https://a.example.org"),
    ],
)
def test_what_writes_is_no_forged_request(headers: dict[str, str], origin: str) -> None:
    (of,) = prepare(template(method="POST", user="alice", headers=headers), DATA)
    assert of.headers["Cookie"] == f"sessionid=of-alice; csrftoken={'t' * 64}"
    assert of.headers["X-Csrftoken"] == "t" * 64
    assert of.headers["Origin"] == origin
    assert of.headers["Referer"] == f"{origin}/"
    (nobody,) = prepare(template(method="POST"), DATA)
    assert nobody.headers["Cookie"] == f"csrftoken={'t' * 64}"
    assert "Cookie" not in prepare(template(), DATA)[0].headers


def test_a_request_over_the_wire() -> None:
    of = Prepared("/a", "DELETE", {"Cookie": "b"})
    assert of.encoded("h:80") == (
        b"DELETE /a HTTP/1.1\r\nHost: h:80\r\nCookie: b\r\nContent-Length: 0\r\n\r\n"
    )
    of = Prepared("/a", "POST", {"host": "b"}, b"cd")
    assert of.encoded("h:80") == b"POST /a HTTP/1.1\r\nhost: b\r\nContent-Length: 2\r\n\r\ncd"
    assert Prepared("/").encoded("h") == b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


def test_no_secret_is_shown() -> None:
    """As in the traceback of a test, or of a bug."""
    shown = repr(Prepared("/of-alice", "POST", {"Cookie": "of-alice"}, b"of-alice"))
    assert "of-alice" not in shown


def test_what_a_contract_has_to_refuse() -> None:
    of = template(
        "/products/{product}/", user="alice", headers={"Authorization": "Api-Key {key}", "X": "1"}
    )
    wrong = requests.others(of, DATA)
    assert list(wrong) == [
        "nobody logged in",
        "another user",
        "no key",
        "a wrong key",
        "a page that is not there",
    ]
    assert "Cookie" not in wrong["nobody logged in"].headers
    assert wrong["another user"].headers["Cookie"] == "sessionid=of-bob"
    assert "Authorization" not in wrong["no key"].headers
    key = wrong["a wrong key"].headers["Authorization"]
    assert key.startswith("Api-Key ")
    assert key not in ("Api-Key one", "Api-Key two")
    assert all(each.headers["X"] == "1" for each in wrong.values())
    assert list(requests.others(template(), DATA)) == ["a page that is not there"]


@pytest.mark.parametrize(
    ("header", "is_key"),
    [
        ("Authorization", True),
        ("X-Api-Key", True),
        ("X-Auth-Token", True),
        ("X-Credential", True),
        ("X-CSRFToken", False),
        ("Accept", False),
    ],
)
def test_which_headers_are_keys(header: str, is_key: bool) -> None:
    of = template(headers={header: "Bearer abc"})
    assert of.keys == ([header] if is_key else [])
    if is_key:
        spoiled = named(requests.others(of, DATA)["a wrong key"].headers, header)
        assert spoiled is not None
        assert spoiled.startswith("Bearer ")
        assert spoiled != "Bearer abc"
