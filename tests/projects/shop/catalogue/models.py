"""What the shop sells, and who came."""

from django.db import models


class Product(models.Model):
    """A thing."""

    name = models.CharField(max_length=100)
    seen = models.DateTimeField(auto_now_add=True)


class Visit(models.Model):
    """Somebody came."""

    at = models.DateTimeField(auto_now_add=True)
