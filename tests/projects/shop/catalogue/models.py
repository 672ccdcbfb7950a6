"""What the shop sells, and who came."""

from django.db import models


class Product(models.Model):
    """A thing."""

    name = models.CharField(max_length=100)
    seen = models.DateTimeField(auto_now_add=True)


class Visit(models.Model):
    """Somebody came."""

    at = models.DateTimeField(auto_now_add=True)


class ApiKey(models.Model):
    """Who may ask as a program."""

    key = models.CharField(max_length=100)
    owner = models.CharField(max_length=100)


class Order(models.Model):
    """What was taken of a thing."""

    product = models.ForeignKey(Product, models.CASCADE)
    count = models.IntegerField()
    owner = models.CharField(max_length=100)
