"""Who lacks the secret can neither write a message, nor send one again, nor read into ours."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtest.bench.load.agents import messages, signing
from loadtest.bench.load.agents.messages import TO_AGENT, TO_MASTER, Bye, Order, Ping, Pong
from loadtest.bench.load.agents.signing import Channel, ForgedError
from loadtest.records.errors import UserError

SECRET = signing.secret_of({signing.VARIABLE: "a secret of some length"})


def session(key: bytes = SECRET, of: str = "") -> tuple[Channel, Channel]:
    shared = signing.session_key(key, of or signing.nonce(), of or signing.nonce())
    return Channel(shared, "master"), Channel(shared, "agent")


def test_what_one_end_signs_the_other_reads_in_order() -> None:
    master, agent = session()
    packets = [master.sign(Ping(number=n)) for n in range(3)]
    assert [agent.open(packet, TO_AGENT) for packet in packets] == [
        Ping(number=n) for n in range(3)
    ]
    pong = Pong(number=1, came_us=2, left_us=3)
    assert master.open(agent.sign(pong), TO_MASTER) == pong


def test_a_message_counts_once() -> None:
    master, agent = session()
    first, second = master.sign(Ping(number=1)), master.sign(Bye())
    agent.open(second, TO_AGENT)
    for packet in (second, first):  # again, and one that was held back
        with pytest.raises(ForgedError, match="came before"):
            agent.open(packet, TO_AGENT)


def test_a_message_of_another_session_role_or_secret_is_nobodys() -> None:
    master, agent = session()
    others, _ = session()
    forged, _ = session(signing.secret_of({signing.VARIABLE: "another of some length"}))
    for packet in (
        others.sign(Ping(number=1)),
        forged.sign(Ping(number=1)),
        agent.sign(Bye()),  # its own, sent back to it
        signing.sign(SECRET, "master", 1, Ping(number=1)),  # of the greeting's key
    ):
        with pytest.raises(ForgedError, match="not signed"):
            agent.open(packet, TO_AGENT)
    assert agent.open(master.sign(Ping(number=1)), TO_AGENT)


@given(data=st.data())
def test_not_one_character_can_be_changed(data: st.DataObject) -> None:
    master, agent = session(of="0" * 32)
    packet = master.sign(Ping(number=7))
    at = data.draw(st.integers(0, len(packet) - 1))
    other = data.draw(st.characters(exclude_characters=packet[at], exclude_categories=["Cs"]))
    with pytest.raises(ValueError, match=r"no message of ours|not signed"):
        agent.open(packet[:at] + other + packet[at + 1 :], TO_AGENT)


@given(packet=st.text() | st.binary().map(lambda data: data.decode("utf-8", "surrogateescape")))
def test_hostile_bytes_end_in_one_line(packet: str) -> None:
    _, agent = session()
    with pytest.raises(ValueError, match=r"no message of ours|not signed") as raised:
        agent.open(packet, TO_AGENT)
    assert "\n" not in str(raised.value)
    assert agent.came == 0


@given(text=st.text() | st.sampled_from(['{"kind":"order"}', '{"kind":"ping","number":1,"x":2}']))
def test_what_was_signed_is_parsed_strictly_all_the_same(text: str) -> None:
    with pytest.raises(ValueError, match="no message of ours"):
        messages.read(text, TO_AGENT)


@pytest.mark.parametrize("environment", [{}, {signing.VARIABLE: ""}, {signing.VARIABLE: "short"}])
def test_without_a_secret_nobody_is_obeyed(environment: dict[str, str]) -> None:
    with pytest.raises(UserError, match="openssl rand") as raised:
        signing.secret_of(environment)
    assert len(raised.value.lines) == 1


def test_any_bytes_of_an_environment_can_be_a_secret() -> None:
    assert signing.secret_of({signing.VARIABLE: os.fsdecode(b"\xff" * 16)})


def order(**changes: object) -> Order:
    fields: dict[str, object] = {
        "load": 0,
        "address": "127.0.0.1",
        "port": 8000,
        "path": "/",
        "connections": 1,
        "duration_s": 1.0,
        "delay_s": 0.0,
    }
    return messages.msgspec.convert(fields | changes, Order)


@pytest.mark.parametrize(
    ("address", "near"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("172.31.0.9", True),
        ("192.168.4.4", True),
        ("169.254.1.1", True),
        ("::1", True),
        ("fd00::7", True),
        ("8.8.8.8", False),
        ("172.32.0.1", False),
        ("2600::1", False),
        ("::ffff:8.8.8.8", False),
    ],
)
def test_a_public_address_is_loaded_only_where_that_was_allowed(address: str, near: bool) -> None:
    assert (order(address=address).problem(anywhere=False) is None) == near
    assert order(address=address).problem(anywhere=True) is None


@pytest.mark.parametrize("address", ["0.0.0.0", "224.0.0.1", "1.2.3", "::", "ff02::1"])
def test_what_is_no_machine_is_never_loaded(address: str) -> None:
    assert order(address=address).problem(anywhere=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"address": "example.org"},
        {"address": "fe80::1%eth0"},
        {"path": "/a b"},
        {"path": "x"},
        {"path": "/\n"},
        {"port": 0},
        {"connections": 0},
        {"duration_s": 1e9},
        {"rate": -1.0},
        {"argv": ["sh"]},
    ],
)
def test_an_order_is_numbers_and_an_address_and_nothing_more(changes: dict[str, object]) -> None:
    with pytest.raises(messages.msgspec.ValidationError):
        order(**changes)


def test_where_an_order_goes_to() -> None:
    assert order(path="/a?b=c").url == "http://127.0.0.1:8000/a?b=c"
    assert order(address="fd00::7").url == "http://[fd00::7]:8000/"
