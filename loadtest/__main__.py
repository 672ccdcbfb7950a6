"""`python -m loadtest`."""

from loadtest.cli.main import main

main()
