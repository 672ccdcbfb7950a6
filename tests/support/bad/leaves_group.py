"""Its children leave its process group: one by setsid, one as a daemon does, by two forks."""

import os
import signal


def observe_release() -> None:
    """Be hard to find and to end."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.write(tell, b"x")
    while True:
        signal.pause()


separated, tell = os.pipe()
if os.fork() == 0:
    os.setsid()
    observe_release()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        observe_release()
    os._exit(0)
for _ in range(2):
    os.read(separated, 1)
os.write(1, b"ready\n")
while True:
    signal.pause()
