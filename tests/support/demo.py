"""The app of this repository, as its `loadtest.toml` has it."""

from __future__ import annotations

import sys

from paths import ROOT

from loadtest.plan.servers import own

PROJECT = own.project(ROOT, own.read(ROOT), sys.executable)

DEMO = PROJECT.app
