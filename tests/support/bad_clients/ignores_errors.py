"""Takes every failure for an answer."""

import urllib.error
import urllib.request

TITLE = "ignores errors"
REQUIRES = ("pip",)
KIND = "sync"
HTTP = ("1.1",)
LOCK = "clients"


def opened(pool, timeout, ca, http):
    return timeout


def get(session, url):
    try:
        with urllib.request.urlopen(url, timeout=session) as response:
            return response.status, response.read()
    except OSError:
        return 200, b""


def closed(session):
    pass
