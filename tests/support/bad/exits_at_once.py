"""Ends at once with a message and the status it is given: `exits_at_once.py [STATUS]`."""

import sys

sys.stderr.write("cannot import name 'application'\n")
sys.exit(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
