"""The command line; `loadtest --help` lists its commands.

Exit status: 0 all well; 1 it ran and the answer is no; 2 the user's mistake; 130 interrupted.
"""

from __future__ import annotations

import signal
import sys

import click

from loadtest.cli.clients import clients_command
from loadtest.cli.compare import compare_command
from loadtest.cli.doctor import doctor_command
from loadtest.cli.import_ import import_command
from loadtest.cli.list_ import list_command
from loadtest.cli.output import say
from loadtest.cli.plan import plan_command
from loadtest.cli.report import report_command
from loadtest.cli.run import INTERRUPTED, run_command
from loadtest.cli.serve import serve_command, services_command
from loadtest.records.errors import CellError, UserError
from loadtest.system.process import CommandError

COMMANDS = (
    doctor_command,
    list_command,
    plan_command,
    run_command,
    report_command,
    compare_command,
    import_command,
    clients_command,
    serve_command,
    services_command,
)


def main() -> None:
    """Run the command line and exit with its status."""
    # A script's background job starts with interruptions ignored; ours stops at one all the same.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # A polite end from outside is an interruption too: stop everything, keep what was measured.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        sys.exit(cli.main(prog_name="loadtest", standalone_mode=False))
    except UserError as error:
        for line in error.lines:
            say(line)
        sys.exit(2)
    except (CommandError, CellError) as error:
        say(error.reason)
        if said := error.tail if isinstance(error, CommandError) else error.detail:
            click.echo(said, err=True)
        sys.exit(1)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        sys.exit(2)
    except click.ClickException as error:
        # click's own lines name the option; its usage block would hide them.
        context = error.ctx if isinstance(error, click.UsageError) else None
        command = context.command_path if context else "loadtest"
        say(f"{error.format_message().rstrip('.')}; `{command} --help`")
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(INTERRUPTED)


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="loadtest")
def cli() -> None:
    """Which server should this Django app be deployed on, and can the answer be believed?

    Example: loadtest run quick
    """


for _command in COMMANDS:
    cli.add_command(_command)

if __name__ == "__main__":
    main()
