"""The table behind the database endpoints."""

from django.db import models


class Row(models.Model):
    """One of the 30 seeded rows; they are always read in the order of `value`."""

    name = models.CharField(max_length=100)
    value = models.IntegerField(unique=True)

    def __str__(self) -> str:
        """Show both columns."""
        return f"{self.name}={self.value}"
