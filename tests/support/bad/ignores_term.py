"""Refuses every polite request to end, and says so."""

import os
import signal

for number in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    signal.signal(number, lambda number, frame: os.write(1, b"no\n"))
os.write(1, b"ready\n")
while True:
    signal.pause()
