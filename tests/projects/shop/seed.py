"""What the pages show."""

from catalogue.models import ApiKey, Product
from django.contrib.auth import get_user_model

for name in ("alice", "bob"):
    get_user_model().objects.create_user(name, f"{name}@example.org", "secret")
    ApiKey.objects.create(key=f"key-of-{name}", owner=name)
Product.objects.bulk_create(Product(name=f"Thing {number}") for number in range(20))
