"""Leaves a worker behind that ignores TERM, when its leader ends: `leaves_worker.py [END]`.

END: `term`, the leader ends at TERM; `kill`, it is killed; `exit`, it exits by itself.
"""

import os
import signal
import sys

end = sys.argv[1] if len(sys.argv) > 1 else "term"
separated, tell = os.pipe()
if os.fork() == 0:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    os.write(tell, b"x")
    while True:
        signal.pause()
os.read(separated, 1)
os.write(1, b"ready\n")
if end == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if end == "term":
    signal.pause()
