"""What a load used, also of processes that came and went in it."""

from __future__ import annotations

import subprocess
import sys

import psutil

from loadtest.system.sampling import sampling

PARENT = """
import subprocess, sys
input()
child = "import time; end = time.process_time() + 0.2\\nwhile time.process_time() < end: pass"
for _ in range(3):
    subprocess.run([sys.executable, "-S", "-c", child])
print(flush=True)
input()
"""


def test_what_ended_workers_used_counts_though_nobody_looked_in_time() -> None:
    with subprocess.Popen(
        [sys.executable, "-S", "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdin
        assert parent.stdout
        process = psutil.Process(parent.pid)

        def members() -> list[psutil.Process]:
            return [process, *process.children(recursive=True)]

        with sampling({"server": members, "generator": list}, "server", "generator") as sampled:
            parent.stdin.write(b"\n")
            parent.stdin.flush()
            parent.stdout.readline()
        parent.stdin.write(b"\n")
    assert sampled.usage["server"].cpu_s >= 0.6 - 3 * 0.01
