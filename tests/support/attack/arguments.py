"""Commands typed at random: an answer, or a line that can be read; nothing is started."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from random import Random

import click

from attack import isolated, seeds
from attack.commands import asked_once, declared, versions, wrong
from attack.mutations import NUMBERS, TEXTS
from attack.readers import shared
from attack.tally import Tally

REFUSED = {
    "run": ("--rounds", "0"),
    "clients": ("--rounds", "0"),
    **dict.fromkeys(("init", "env", "record", "check"), ("--project", "nowhere")),
    "serve": ("--port", "0"),
    "services": ("--allow-redis", "127.0.0.1/0"),
}
"""What makes commands that would start something end before."""

SLOW = {"doctor"}
"""It watches the machine for half a second: seldom enough."""

WORDS = (
    "quick", "standard", "json", "uvicorn", "granian-*", "sync", "async", "servers", "endpoints",
    "local", "5%", "0.5", "20m", "nans", "infh", "1e308s", "-5", "aiohttp", "requests", ".", "/",
    "*", "[", "127.0.0.1/app", "http://127.0.0.1:9/?token=hunter2", "http://u:hunter2@127.0.0.1/",
)  # fmt: skip


def attack(seed: int, numbers: Sequence[int], jobs: int) -> Tally:
    """Type random arguments."""
    import_module("loadtest.cli.kinds")
    declared()
    versions()
    with tempfile.TemporaryDirectory(prefix="attack-", dir=shared()) as name:

        def check(number: int) -> str | None:
            folder = Path(name) / str(os.getpid())
            if not folder.exists():
                folder.mkdir()
                seeds.servers_folder(folder, "servers")
                seeds.clients_folder(folder, "clients")
            words = _words(Random(f"{seed} arguments {number}"), folder)
            with asked_once():
                why = wrong(words)
            return f"{why}; typed {words!r}"[:900] if why else None

        faults = isolated.faults(check, numbers, jobs)
    again = f"arguments --seed {seed} --number"
    return Tally("arguments", len(numbers), [(f"{again} {number}", why) for number, why in faults])


def _words(chance: Random, folder: Path) -> list[str]:
    from loadtest.cli.commands import COMMANDS
    from loadtest.cli.main import Deferred, cli

    name = chance.choice([name for name in COMMANDS if name not in SLOW or chance.random() < 0.02])
    command = cli.commands[name]
    assert isinstance(command, Deferred)
    options = [param for param in command.load().params if isinstance(param, click.Option)]
    words = [name]
    for _ in range(chance.choice((0, 1, 1, 2, 3, 6))):
        if chance.random() < 0.6 and options:
            option = chance.choice(options)
            words.append(chance.choice((*option.opts, *option.secondary_opts)))
            if not option.is_flag or chance.random() < 0.05:
                words.append(_word(chance, folder))
        else:
            words.append(_word(chance, folder))
    # What is written goes where it is cleared away.
    words = [word for word in words if word != "--html"]
    if name in ("report", "import", "run", "clients", "plan", "doctor") and "--out" not in words:
        words += ["--out", str(folder / "out")] if name not in ("plan",) else []
    return [*words, *REFUSED.get(name, ())]


def _word(chance: Random, folder: Path) -> str:
    runs = [str(path.parent) for path in folder.glob("*/*/outcomes.jsonl")]
    # A NUL can be no argument of a process.
    text = chance.choice((*WORDS, *WORDS, *TEXTS, *NUMBERS, *runs, *runs, str(folder)))
    return text.replace("\0", "").encode("utf-8", "surrogateescape").decode("utf-8", "replace")
