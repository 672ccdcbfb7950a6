"""Starts, says so, and never does anything."""

import os
import signal

os.write(1, b"thinking about it\n")
while True:
    signal.pause()
