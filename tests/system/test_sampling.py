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


def test_of_a_service_the_busiest_process_is_noted_alone_and_no_socket() -> None:
    """A database has hundreds of them, and what is noted is one line after each load."""
    argv = [sys.executable, "-I", "-S", "-c", "input()"]
    with (
        subprocess.Popen(argv, stdin=subprocess.PIPE) as first,
        subprocess.Popen(argv, stdin=subprocess.PIPE) as second,
    ):
        both = [psutil.Process(first.pid), psutil.Process(second.pid)]
        groups = {"server": lambda: both, "postgres": lambda: both, "generator": list}
        with sampling(groups, "server", "generator") as sampled:
            pass
        first.communicate(b"\n")
        second.communicate(b"\n")
    server, postgres = sampled.usage["server"], sampled.usage["postgres"]
    assert [len(server.each_cpu_s), len(postgres.each_cpu_s)] == [2, 1]
    assert server.processes == postgres.processes == 2
    assert postgres.connections is None
