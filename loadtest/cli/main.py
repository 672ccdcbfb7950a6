"""The command line; `loadtest --help` lists its commands.

Exit status: 0 all well; 1 it ran and the answer is no; 2 the user's mistake; 3 the runs that
were compared cannot tell; 130 interrupted.

`--help` and `--version` have to answer at once: a command's module is imported when the command is
called, and what measures, judges or draws is imported by the function that needs it.
"""

from __future__ import annotations

import copy
import re
import shlex
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, TypeVar

import click

from loadtest.cli import interruption, streams
from loadtest.cli.commands import COMMANDS
from loadtest.cli.output import say
from loadtest.cli.spelling import as_typed, program
from loadtest.records.errors import LoadtestError, UserError, either
from loadtest.records.text import printable


def main() -> None:
    """Run the command line and exit with its status."""
    interruption.take()
    streams.prepare()
    try:
        sys.exit(_run(sys.argv[1:]))
    except UserError as error:
        for line in error.lines:
            say(line)
        sys.exit(2)
    except LoadtestError as error:
        say(str(error))
        if error.detail:
            click.echo(printable(error.detail), err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(interruption.say_so())


def _run(words: Sequence[str]) -> Any:
    """Run the command that was typed and return its exit status."""
    _check_words(words)
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    group = _spelled(cli)
    try:
        # Not `cli.main`, which adds a line of its own to an interruption.
        with group.make_context(program(), list(words)) as context:
            return group.invoke(context)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
    except click.NoSuchOption as error:
        say(_misplaced(error, words) or _complaint(error))
    except click.ClickException as error:
        say(_complaint(error))
    return 2


def _complaint(error: click.ClickException) -> str:
    """Return what is wrong, and what to type: what it was taken for, an example, or the help."""
    # click's own lines name the option; its usage block would hide them.
    at = error.ctx if isinstance(error, click.UsageError) else None
    see = f"see `{at.command_path if at else program()} --help`"
    if isinstance(error, click.NoSuchOption) and error.possibilities:
        close = either(f"'{name}'" for name in sorted(error.possibilities))
        return f"No such option '{error.option_name}'. Did you mean {close}? {see.capitalize()}"
    message = error.format_message().rstrip(".")
    if message.endswith("?"):
        return f"{message} {see.capitalize()}"
    if isinstance(error, click.MissingParameter) and at:
        example = re.search(r"Example: (.+)", at.command.help or "")
        see = f"type it as in `{example[1]}`, or {see}" if example else see
    return f"{message}; {see}"


def _misplaced(error: click.NoSuchOption, words: Sequence[str]) -> str | None:
    """Return what to type in place of an option that stands before its command, if one does."""
    command = next((word for word in words if word in COMMANDS), None)
    if command is None or (error.ctx and error.ctx.parent):
        return None
    options = Deferred(command).load().params
    if not any(error.option_name in option.opts for option in options):
        return None
    rest = list(words)
    rest.remove(command)
    again = shlex.join(["loadtest", command, *rest])
    return f"{error.option_name} stands before its command; type `{again}`"


Command = TypeVar("Command", bound=click.Command)


def _spelled(command: Command) -> Command:
    """Return a command whose help can be typed as it is read."""
    command = copy.copy(command)
    command.help = as_typed(command.help or "")
    return command


def _check_words(words: Sequence[str]) -> None:
    """Raise UserError for what was typed and is no text: no file of ours could hold it."""
    for word in words:
        try:
            word.encode()
        except UnicodeEncodeError:
            raise UserError(
                f"{word}: no text in the encoding of this terminal, {sys.getfilesystemencoding()};"
                " name it otherwise, or set PYTHONUTF8=1"
            ) from None


class Deferred(click.Command):
    """A command whose module is imported when it is called or its own help is asked for."""

    def load(self) -> click.Command:
        """Import the command and return it."""
        module = import_module(f"loadtest.cli.{COMMANDS[str(self.name)][0]}")
        command: click.Command = getattr(module, f"{self.name}_command")
        return _spelled(command)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **more: Any,
    ) -> click.Context:
        """Return a context of the command itself."""
        command = self.load()
        try:
            return command.make_context(info_name, args, parent, **more)
        except click.UsageError as error:
            # The parser leaves it out where an option lacks its value.
            error.ctx = error.ctx or click.Context(command, parent, info_name)
            raise


class InOrder(click.Group):
    """Lists its commands in the order in which they were added, the one in which they are used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self.commands)


@click.group(
    cls=InOrder,
    commands=[Deferred(name, short_help=about) for name, (_, about) in COMMANDS.items()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="loadtest", prog_name="loadtest")
def cli() -> None:
    """Which server should this Django app be deployed on, and can the answer be believed?

    Example: loadtest run quick
    """


if __name__ == "__main__":
    main()
