"""Burns one processor in bursts, half of the time, until it is killed: `python burner.py SEED`."""

from __future__ import annotations

import random
import sys
import time

SHORTEST_S, LONGEST_S = 0.2, 3.0
"""Of a burst, and of the rest after it."""


def burn(seed: int) -> None:
    """Burn until killed."""
    lengths = random.Random(seed)
    while True:
        ends = time.monotonic() + lengths.uniform(SHORTEST_S, LONGEST_S)
        while time.monotonic() < ends:
            pass
        time.sleep(lengths.uniform(SHORTEST_S, LONGEST_S))


if __name__ == "__main__":
    burn(int(sys.argv[1]))
