"""What the pages show."""

from catalogue.models import Product
from django.contrib.auth import get_user_model

get_user_model().objects.create_user("alice", "alice@example.org", "secret")
Product.objects.bulk_create(Product(name=f"Thing {number}") for number in range(20))
