"""A moving target: each process forks the next and ends, `forks.py [leave]` out of the group."""

import os
import signal
import sys
import time

if os.fork():
    os.write(1, b"ready\n")
    while True:
        signal.pause()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "leave" in sys.argv:
    os.setsid()
while True:
    time.sleep(0.005)
    if os.fork():
        os._exit(0)
