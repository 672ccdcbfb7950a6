"""`python -m loadtest`, and what the command `loadtest` calls."""

from __future__ import annotations

import sys

try:
    from loadtest.cli import interruption
except KeyboardInterrupt:
    sys.stderr.write("loadtest: interrupted\n")
    sys.exit(130)


def main() -> None:
    """Run the command line and exit with its status; an interruption is one line from here on."""
    interruption.take()
    try:
        from loadtest.cli.main import main as command_line

        command_line()
    except KeyboardInterrupt:
        sys.exit(interruption.say_so())
    finally:
        interruption.over()


if __name__ == "__main__":
    main()
