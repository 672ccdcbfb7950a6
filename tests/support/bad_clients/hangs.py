"""Never comes back from its first call."""

import time

TITLE = "hangs"
REQUIRES = ("pip",)
KIND = "sync"
HTTP = ("1.1",)
LOCK = "clients"


def opened(pool, timeout, ca, http):
    return None


def get(session, url):
    time.sleep(600)


def closed(session):
    pass
