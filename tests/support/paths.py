"""Where things lie: the one place that counts folders."""

from __future__ import annotations

from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
ROOT = TESTS.parent
"""The repository, which is also the project under test."""
ENGINE = ROOT / "loadtest"
DOCS = ROOT / "docs"
GOLD = TESTS / "gold"
"""What the formats looked like; `UPDATE_GOLD=1 pytest` writes them anew."""
DATA = TESTS / "data"
"""What other programs have printed, and what real runs measured."""
BAD = TESTS / "support" / "bad"
"""Servers, each with a fault of its own."""
BAD_CLIENTS = TESTS / "support" / "bad_clients"
FAULTY = TESTS / "support" / "faulty"
"""Servers that answer well, each with a fault that a concern has to find."""
