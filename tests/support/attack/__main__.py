"""Runs attacks and prints what was tried and what failed; exit status 1 if anything did."""

from __future__ import annotations

import os
import secrets
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence

import click

from attack import arguments, environments, processes, readers
from attack.tally import Tally

INPUTS = 20_000
"""Of each reader."""

KILLS = 100
"""Of each command."""

PARTS = ("readers", "arguments", "kills", "environments")

SHOWN = 5
"""Failures of each attack."""


@click.command()
@click.argument("parts", nargs=-1, type=click.Choice([*PARTS, *(r.name for r in readers.READERS)]))
@click.option("--seed", type=int, help="Of all that is random. Default: a new one, which is said.")
@click.option("--share", type=float, default=1.0, help="How much of it, as in 0.01. Default: 1.")
@click.option("--only", help="Attacks whose name holds this. Default: all.")
@click.option("--number", type=int, help="The one try of this number. Default: all.")
@click.option("--jobs", type=int, default=os.cpu_count(), help="At once, where that is possible.")
def main(
    parts: Sequence[str],
    seed: int | None,
    share: float,
    only: str | None,
    number: int | None,
    jobs: int,
) -> None:
    """Attack the tool: readers, arguments, kills, environments, or all of it."""
    # What it has started ends with it, as at Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    seed = secrets.randbelow(2**31) if seed is None else seed
    click.echo(f"seed {seed}")

    def numbers(count: int) -> Sequence[int]:
        return range(max(1, round(count * share))) if number is None else (number,)

    failed = 0
    began_at = time.monotonic()
    for tally in _tallies(parts or PARTS, seed, numbers, jobs, only or ""):
        failed += len(tally.failed)
        click.echo(f"{tally}   {time.monotonic() - began_at:6.0f} s")
        for again, why in tally.failed[:SHOWN]:
            click.echo(f"    {again}\n        {why[:1_500]!r}")
    sys.exit(1 if failed else 0)


def _tallies(
    parts: Sequence[str], seed: int, numbers: Callable[[int], Sequence[int]], jobs: int, only: str
) -> Iterator[Tally]:
    """Yield what came of each attack, as it ends."""
    for reader in readers.READERS:
        if only in reader.name and {"readers", reader.name} & set(parts):
            yield readers.attack(reader, seed, numbers(INPUTS), jobs)
    if "arguments" in parts:
        yield arguments.attack(seed, numbers(INPUTS), jobs)
    for command in processes.COMMANDS if "kills" in parts else ():
        if only in command.name:
            yield processes.attack(command, seed, numbers(KILLS))
    if "environments" in parts:
        known = [each for each in environments.environments() if only in each.name]
        most = len(numbers(len(known)))
        yield environments.attack(known[:: max(1, len(known) // most)][:most])


if __name__ == "__main__":
    main()
