"""Runs attacks and prints what was tried and what failed; exit status 1 if anything did."""

from __future__ import annotations

import math
import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import click

from attack import arguments, environments, processes, readers
from attack.tally import Tally

INPUTS = 20_000
"""Of each reader."""

KILLS = 100
"""Of each command."""

OF_USER = 20
"""Of each command, by somebody who is not root."""

PARTS = ("readers", "arguments", "kills", "environments", "user")

SHOWN = 5
"""Failures of each attack."""

AT_ONCE = 4_000
"""Inputs, before the clock is looked at again."""

BESIDE = 3
"""Commands for each processor: for most of their time they wait."""


class Attack(NamedTuple):
    """Tries by their numbers, which tell what is tried, whatever was tried before."""

    name: str
    count: int
    """Of all tries."""
    at_once: int
    """So many are tried before the clock is looked at again."""
    tries: Callable[[Sequence[int]], Tally]


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice([*PARTS, *(r.name for r in readers.READERS)]))
@click.option("--only", help="Attacks whose name holds this, as in `kill run`. Default: all.")
@click.option("--seed", type=int, help="Of all that is random. Default: a new one, which is said.")
@click.option("--begin", type=int, default=0, help="Number of the first try of each. Default: 0.")
@click.option("--times", type=int, help="How many tries of each. Default: all.")
@click.option("--share", type=float, default=1.0, help="How many, as in 0.01 of all. Default: 1.")
@click.option("--minutes", type=float, default=math.inf, help="End after so long. Default: never.")
@click.option("--number", type=int, help="The one try of this number. Default: all.")
@click.option("--jobs", type=int, default=os.cpu_count(), help="At once, where that is possible.")
def main(
    parts: Sequence[str],
    only: str | None,
    seed: int | None,
    begin: int,
    times: int | None,
    share: float,
    minutes: float,
    number: int | None,
    jobs: int,
) -> None:
    """Attack the tool: readers, arguments, kills, environments, as another user, or all of it.

    The whole can be run in pieces, one after the other or beside each other: with the same --seed a
    try of some number is always the same, and each piece says where the next one begins.
    """
    # What it has started ends with it, as at Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # What it starts is to be ended by it, also where `nohup` has this process ignore it.
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    seed = secrets.randbelow(2**31) if seed is None else seed
    click.echo(f"seed {seed}")
    failed = 0
    began_at = time.monotonic()
    for attack in _attacks(parts or PARTS, seed, jobs):
        if only and only not in attack.name:
            continue
        wanted = times or max(1, round(attack.count * share))
        numbers = range(begin, begin + wanted) if number is None else (number,)
        tally = _tried(attack, numbers, wanted, began_at + 60 * minutes)
        failed += len(tally.failed)
        after = f"next --begin {tally.next}" if number is None else ""
        click.echo(f"{tally}   {time.monotonic() - began_at:6.0f} s   {after}")
        for again, why in tally.failed[:SHOWN]:
            click.echo(f"    {again}\n        {why[:1_500]!r}")
        if tally.interrupted:
            sys.exit(130)
    sys.exit(1 if failed else 0)


def _tried(attack: Attack, numbers: Sequence[int], wanted: int, until_s: float) -> Tally:
    """Return what came of an attack, as far as there was time for it, or until it is interrupted.

    What a number stands for may be tried several times, as a run that is killed and goes on.
    """
    tally = Tally(attack.name, next=numbers[0])
    try:
        for at in range(0, len(numbers), attack.at_once):
            if tally.tried >= wanted or time.monotonic() > until_s:
                break
            part = numbers[at : at + attack.at_once]
            tally.take(attack.tries(part))
            tally.next = part[-1] + 1
    except KeyboardInterrupt:
        tally.interrupted = True
    return tally


def _attacks(parts: Sequence[str], seed: int, jobs: int) -> Iterator[Attack]:
    for reader in readers.READERS:
        if {"readers", reader.name} & set(parts):

            def mutated(part: Sequence[int], reader: readers.Reader = reader) -> Tally:
                return readers.attack(reader, seed, part, jobs)

            yield Attack(reader.name, INPUTS, AT_ONCE, mutated)
    if "arguments" in parts:

        def typed(part: Sequence[int]) -> Tally:
            return arguments.attack(seed, part, jobs)

        yield Attack("arguments", INPUTS, AT_ONCE, typed)
    if "kills" in parts:
        yield from _kills(KILLS, seed, jobs)
    if "environments" in parts:
        yield from _environments(seed, jobs)
    if "user" in parts:
        match processes.ordinary():
            case str(why):
                click.echo(f"user: skipped: {why}")
            case user:
                yield from _kills(OF_USER, seed, jobs, user)
                yield from _environments(seed, jobs, user)


def _kills(
    count: int, seed: int, jobs: int, user: processes.User | None = None
) -> Iterator[Attack]:
    for command in processes.COMMANDS:

        def killed(part: Sequence[int], command: processes.Command = command) -> Tally:
            return processes.attack(command, seed, part, BESIDE * jobs, user)

        yield Attack(f"{_as(user)}kill {command.name}", count, 4 * BESIDE * jobs, killed)


def _environments(seed: int, jobs: int, user: processes.User | None = None) -> Iterator[Attack]:
    for group, known in environments.groups(seed).items():

        def lived(
            part: Sequence[int],
            group: str = group,
            known: Sequence[environments.Environment] = known,
        ) -> Tally:
            there = [at for at in part if at < len(known)]
            return environments.attack(group, known, seed, there, BESIDE * jobs, user)

        yield Attack(f"{_as(user)}environments {group}", len(known), 4 * BESIDE * jobs, lived)


def _as(user: processes.User | None) -> str:
    return "user " if user else ""


if __name__ == "__main__":
    main()
