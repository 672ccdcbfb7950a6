"""The WSGI entry point: the raw control, and Django for everything else."""

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

from myproject import raw

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "myproject.settings")
_django = get_wsgi_application()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer one request."""
    if environ["PATH_INFO"] == raw.PATH:
        return raw.wsgi(environ, start_response)
    return _django(environ, start_response)
