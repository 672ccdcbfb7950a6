"""Has a session to keep, and opens a new connection for each call all the same."""

import urllib.request

TITLE = "reconnects"
REQUIRES = ("pip",)
KIND = "sync"
HTTP = ("1.1",)
LOCK = "clients"


def opened(pool, timeout, ca, http):
    return timeout


def get(session, url):
    with urllib.request.urlopen(url, timeout=session) as response:
        return response.status, response.read()


def closed(session):
    pass
