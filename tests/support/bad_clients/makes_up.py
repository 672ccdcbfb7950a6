"""Asks once and gives that answer for ever."""

import urllib.request

TITLE = "makes up answers"
REQUIRES = ("pip",)
KIND = "sync"
HTTP = ("1.1",)
LOCK = "clients"

known = {}


def opened(pool, timeout, ca, http):
    return timeout


def get(session, url):
    if url not in known:
        with urllib.request.urlopen(url, timeout=session) as response:
            known[url] = response.status, response.read()
    return known[url]


def closed(session):
    pass
