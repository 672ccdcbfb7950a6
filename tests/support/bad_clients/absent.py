"""Needs what nobody has."""

import a_client_that_nobody_has

TITLE = "absent"
REQUIRES = ("pip",)
KIND = "sync"
HTTP = ("1.1",)
LOCK = "clients"


def opened(pool, timeout, ca, http):
    return None


def get(session, url):
    return a_client_that_nobody_has.get(url)


def closed(session):
    pass
