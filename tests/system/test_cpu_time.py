"""CPU time of processes, finer than a clock tick."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from loadtest.system.cpu_time import cpu_s

# Says when it has burned what it was asked for, by its own clock, in two threads of which one ends.
BURNER = """
import sys, threading, time
def burn(seconds):
    end = time.thread_time() + seconds
    while time.thread_time() < end:
        pass
began = time.process_time()
thread = threading.Thread(target=burn, args=(float(sys.argv[1]) / 2,))
thread.start(); thread.join()
burn(float(sys.argv[1]) / 2)
print(time.process_time(), flush=True)
sys.stdin.read()
"""


@contextmanager
def burning(seconds: float) -> Iterator[tuple[psutil.Process, float]]:
    argv = [sys.executable, "-I", "-S", "-c", BURNER, str(seconds)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        yield psutil.Process(child.pid), float(child.stdout.readline())
        assert child.stdin is not None
        child.stdin.close()


@pytest.mark.parametrize("seconds", [0.003, 0.05])
def test_it_tells_what_the_process_itself_measured(seconds: float) -> None:
    with burning(seconds) as (process, own_s):
        assert own_s <= cpu_s(process) <= own_s + 0.009


def test_one_that_is_gone() -> None:
    with burning(0.001) as (process, _):
        pass
    with pytest.raises(psutil.NoSuchProcess):
        cpu_s(process)
