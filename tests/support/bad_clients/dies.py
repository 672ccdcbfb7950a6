"""Ends its process at the first call."""

import os

TITLE = "dies"
REQUIRES = ("pip",)
KIND = "sync"
HTTP = ("1.1",)
LOCK = "clients"


def opened(pool, timeout, ca, http):
    return None


def get(session, url):
    os._exit(3)


def closed(session):
    pass
