"""Signed messages: who lacks the secret can neither write one, nor send one again; pure.

A message is signed with HMAC-SHA256 over the role of its sender, a counter that only grows, and
its text. The key is the secret's for the first two messages of a session, each with a nonce, and
made of the secret and both nonces for all others: a message of another session, or of the other
direction, is nobody's. Nothing is hidden from who can read the network.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from loadtest.bench.load.agents import messages
from loadtest.records.errors import UserError
from loadtest.records.planned import Record

VARIABLE = "LOADTEST_SECRET"

FEWEST = 16
"""Characters of a secret."""

ADVICE = f"type `export {VARIABLE}=$(openssl rand -hex 32)`, and the same value on each machine"

Role = Literal["master", "agent"]

PACKET = re.compile(r"([0-9a-f]{64}) ([0-9]{1,16}) (.*)", re.DOTALL)


class ForgedError(ValueError):
    """A packet that was not signed for this channel, or that came before."""


def secret_of(environment: Mapping[str, str]) -> bytes:
    """Return the secret that an environment names; raises UserError where it names none."""
    secret = environment.get(VARIABLE, "")
    if not secret:
        raise UserError(f"{VARIABLE} is not set, and no agent obeys without; {ADVICE}")
    if len(secret) < FEWEST:
        raise UserError(f"{VARIABLE} has fewer than {FEWEST} characters; {ADVICE}")
    return _hmac(secret.encode("utf-8", "surrogateescape"), b"loadtest")


def nonce() -> str:
    """Return a new one."""
    return secrets.token_hex(16)


def session_key(secret: bytes, of_agent: str, of_master: str) -> bytes:
    """Return the key of a session, which both have that know the secret."""
    return _hmac(secret, f"session {of_agent} {of_master}".encode())


def sign(key: bytes, role: Role, counter: int, message: Record) -> str:
    """Return a message as it is sent by `role`."""
    text = msgspec.json.encode(message).decode()
    return f"{_signature(key, role, counter, text)} {counter} {text}"


def unsign(key: bytes, role: Role, packet: str, after: int) -> tuple[int, str]:
    """Return the counter and the text of a packet of `role`.

    Raises ForgedError where `role` did not sign it with the key, or its counter is not above
    `after`.
    """
    if len(packet) > messages.MOST_BYTES or (parts := PACKET.fullmatch(packet)) is None:
        raise ForgedError("no message of ours")
    signature, counter, text = parts[1], int(parts[2]), parts[3]
    if not hmac.compare_digest(signature, _signature(key, role, counter, text)):
        raise ForgedError(f"a message that was not signed in this run, or with another {VARIABLE}")
    if counter <= after:
        raise ForgedError("a message that came before")
    return counter, text


@dataclass
class Channel:
    """One end of a session."""

    key: bytes
    role: Role
    """Ours."""
    sent: int = 0
    came: int = 0
    """The highest counter of either side."""

    def sign(self, message: Record) -> str:
        """Return the next message as it is sent."""
        self.sent += 1
        return sign(self.key, self.role, self.sent, message)

    def open(self, packet: str, kind: Any) -> Any:
        """Return the message of a packet; raises ValueError for what is none of this session."""
        theirs: Role = "agent" if self.role == "master" else "master"
        self.came, text = unsign(self.key, theirs, packet, self.came)
        return messages.read(text, kind)


def _signature(key: bytes, role: Role, counter: int, text: str) -> str:
    return _hmac(key, f"{role} {counter} {text}".encode("utf-8", "surrogatepass")).hex()


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()
