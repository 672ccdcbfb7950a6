"""Joins pairs of TAP devices: each frame is held for a time, and a share of them is lost.

    python slow_link.py DELAY_S LOSS FD FD [FD FD ...]

It ends with its standard input: with whoever started it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import random
import select
import struct
import sys
import time
from collections import deque
from collections.abc import Mapping

FRAME = 65_536

AT_ONCE = 64
"""Frames that are read of an end before others have their turn."""

TUNSETIFF, TAP_WITHOUT_INFORMATION = 0x4004_54CA, 0x0002 | 0x1000


def tap(name: str) -> int:
    """Return the descriptor of a new device, which is there as long as that is open."""
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    try:
        asked = struct.pack("16sH22x", name.encode(), TAP_WITHOUT_INFORMATION)
        fcntl.ioctl(end, TUNSETIFF, asked)
    except OSError:
        os.close(end)
        raise
    return end


def carry(others: Mapping[int, int], delay_s: float, loss: float) -> None:
    """Pass on what comes from each end to its other, until standard input ends."""
    # In the order in which they are due, as all are held for the same time.
    held: deque[tuple[float, int, bytes]] = deque()
    while True:
        wait_s = max(0.0, held[0][0] - time.monotonic()) if held else None
        ready, _, _ = select.select([0, *others], [], [], wait_s)
        if 0 in ready:
            return
        for end in ready:
            with contextlib.suppress(BlockingIOError):
                for _ in range(AT_ONCE):
                    frame = os.read(end, FRAME)
                    if random.random() >= loss:
                        held.append((time.monotonic() + delay_s, others[end], frame))
        while held and held[0][0] <= time.monotonic():
            _, end, frame = held.popleft()
            with contextlib.suppress(OSError):  # of a link that is down
                os.write(end, frame)


if __name__ == "__main__":
    ends = list(map(int, sys.argv[3:]))
    others = dict(zip(ends[::2], ends[1::2], strict=True))
    carry(others | {there: here for here, there in others.items()}, *map(float, sys.argv[1:3]))
