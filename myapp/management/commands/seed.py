"""`manage.py seed`: what the endpoints read from Postgres and Redis."""

import json
from typing import Any

from django.core.cache import cache
from django.core.management.base import BaseCommand
from django.db import transaction

from myapp.contract import expected
from myapp.models import Row
from myapp.views.cache import SEEDED, VALUE


class Command(BaseCommand):
    """Make the rows and the cached value that the contracts promise, as often as you like."""

    help = "Make the 30 rows in Postgres and the cached value in Redis."

    def handle(self, **options: Any) -> None:
        """Replace rows that differ, and leave the right ones untouched."""
        rows = json.loads(expected("json_query.json"))
        with transaction.atomic():
            if list(Row.objects.order_by("value").values("name", "value")) != rows:
                Row.objects.all().delete()
                Row.objects.bulk_create(Row(**row) for row in rows)
        cache.set(SEEDED, VALUE, timeout=None)  # no expiry: a run may take hours
        self.stdout.write(f"{len(rows)} rows and the key {SEEDED!r} are in place.")
