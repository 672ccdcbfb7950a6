"""Runs a script of the project's own once Django is set up: `loadtest_seed.py SCRIPT`."""

import importlib
import runpy
import sys

if __name__ == "__main__":
    importlib.import_module("loadtest_manage").set_up()
    sys.argv = sys.argv[1:]
    runpy.run_path(sys.argv[0], run_name="__main__")
