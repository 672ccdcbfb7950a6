"""Runs a management command of the project's: `loadtest_manage.py COMMAND [ARGUMENT]...`."""

from __future__ import annotations

import importlib
import importlib.util
import random
import sys

import django
from django.core.management import execute_from_command_line


def set_up() -> None:
    """Set Django up, and have chance make the same rows in each database.

    As far as it is Python's or Faker's. What is imported on the way may draw from it as well.
    """
    django.setup()
    random.seed(0)
    if importlib.util.find_spec("faker"):
        importlib.import_module("faker").Faker.seed(0)


if __name__ == "__main__":
    set_up()
    execute_from_command_line(sys.argv)
