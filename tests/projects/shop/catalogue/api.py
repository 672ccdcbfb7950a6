"""What programs and forms send: with a key, a body, or the session of who is logged in."""

import json
import time

from django.contrib.auth.decorators import login_required
from django.http import JsonResponse
from django.shortcuts import redirect
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from catalogue.models import ApiKey, Order, Product


def with_key(view):
    """Let in who has a key, and tell the view whose it is."""

    def checked(request, **arguments):
        sent = request.headers.get("Authorization", "").removeprefix("Api-Key ")
        key = ApiKey.objects.filter(key=sent).first()
        if key is None:
            return JsonResponse({"detail": "no such key"}, status=401)
        return view(request, key.owner, **arguments)

    return checked


@with_key
def stock(request, owner, number):
    """Answer with a row, to one of several who have a key, and with the time."""
    name = Product.objects.get(pk=number).name
    return JsonResponse({"owner": owner, "name": name, "at": time.time()})


@csrf_exempt
@require_http_methods(["PUT"])
@with_key
def reserve(request, owner, number):
    """Take JSON, and answer with an id that grows."""
    count = json.loads(request.body)["count"]
    order = Order.objects.create(product_id=number, count=count, owner=owner)
    return JsonResponse({"id": order.pk, "product": number, "count": count}, status=201)


@require_POST
@login_required
def order(request, number):
    """Take a form, and redirect to the page of what it made; a forged request is refused."""
    order = Order.objects.create(
        product_id=number, count=request.POST["count"], owner=request.user.username
    )
    return redirect(f"/api/orders/{order.pk}/")


urlpatterns = [
    path("stock/<int:number>/", stock),
    path("reserve/<int:number>/", reserve),
    path("order/<int:number>/", order),
]
