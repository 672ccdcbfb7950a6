"""CPU time of a process, to the microsecond where the system has a clock for it.

What `/proc` tells is cut to hundredths of a second, for each process anew: thirty backends of a
database that worked for 9 ms each would have done nothing, and others would seem to keep it busy.
"""

from __future__ import annotations

import ctypes
import time

import psutil

_clock_of = getattr(ctypes.CDLL(None), "clock_getcpuclockid", None)
"""POSIX.1-2008; macOS lacks it, where psutil counts finely enough."""


def cpu_s(process: psutil.Process) -> float:
    """Return the user and system seconds of a process and its ended threads, not of its children.

    Raises psutil.Error where it is gone.
    """
    if _clock_of is not None:
        clock = ctypes.c_int()
        if _clock_of(process.pid, ctypes.byref(clock)) == 0:
            try:
                return time.clock_gettime(clock.value)
            except OSError:
                pass  # it ended in between, and psutil says so
    times = process.cpu_times()
    return float(times.user + times.system)
