"""Sends each request again, as a client does that retries without a word."""

import urllib3

TITLE = "asks twice"
REQUIRES = ("urllib3",)
KIND = "sync"
HTTP = ("1.1",)
LOCK = "clients"


def opened(pool, timeout, ca, http):
    return urllib3.PoolManager(maxsize=pool, timeout=timeout)


def get(session, url):
    session.request("GET", url)
    response = session.request("GET", url)
    return response.status, response.data


def closed(session):
    session.clear()
