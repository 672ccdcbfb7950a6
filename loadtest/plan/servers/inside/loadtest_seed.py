"""Runs a script of the project's own once Django is set up: `loadtest_seed.py SCRIPT`."""

import runpy
import sys

import django

if __name__ == "__main__":
    django.setup()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
