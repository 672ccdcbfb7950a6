"""Looks at the status and never reads the body, as one of the documents did."""

import http.client
import urllib.parse

TITLE = "skips the body"
REQUIRES = ("pip",)
KIND = "sync"
HTTP = ("1.1",)
LOCK = "clients"


def opened(pool, timeout, ca, http):
    return timeout


def get(session, url):
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=session)
    connection.request("GET", parts.path)
    status = connection.getresponse().status
    connection.close()
    return status, b""


def closed(session):
    pass
