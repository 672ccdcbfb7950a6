"""`manage.py endpoints`: what there is to measure, for the engine to read."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from myapp import views

# 1: the first.
FORMAT = 1


class Command(BaseCommand):
    """Print every declared route with its contract as JSON; no service is asked."""

    help = "Print the endpoints and their contracts as JSON."
    requires_system_checks = ()

    def handle(self, **options: Any) -> None:
        """Write one record for each endpoint and style, in the order of declaration."""
        records = [route.record() for route in views.routes()]
        self.stdout.write(json.dumps({"format": FORMAT, "endpoints": records}, indent=2))
