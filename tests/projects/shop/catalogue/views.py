"""Views, each with a surprise."""

import socket
import time

from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.core.mail import send_mail
from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.templatetags.static import static
from django.utils import timezone

from catalogue.models import Product, Visit


def home(request):
    """Answer with a token that differs each time, times that pass, and links."""
    lines = [
        f'<li><a href="/products/{product.pk}/">{product.name}</a>,'
        f" seen {(timezone.now() - product.seen).total_seconds():.3f} s ago</li>"
        for product in Product.objects.all()
    ]
    token = f'<input name="csrfmiddlewaretoken" value="{get_token(request)}">'
    return HttpResponse(f"<h1>Shop</h1><form>{token}</form><ul>{''.join(lines)}</ul>")


def products(request):
    """Answer with a list in no order, and the time."""
    rows = list(Product.objects.order_by("?").values("id", "name"))
    return JsonResponse({"products": rows, "at": time.time()})


def product(request, number):
    """Answer the same each time."""
    name = cache.get_or_set(f"{number}", lambda: Product.objects.get(pk=number).name)
    return HttpResponse(f"<h1>{name}</h1>")


@login_required
def account(request):
    """Answer to who is logged in."""
    return HttpResponse(f"<h1>Hello {request.user.username}</h1>")


def login(request):
    """Need the manifest of static files."""
    return HttpResponse(f'<h1>Log in</h1><link href="{static("shop.css")}">')


def visit(request):
    """Write, though it is a GET."""
    Visit.objects.create()
    return HttpResponse("Welcome")


def invite(request):
    """Send mail."""
    send_mail("Come in", "We are open", "shop@example.org", ["bob@example.org"])
    return HttpResponse("Sent")


def rates(request):
    """Ask somebody else."""
    with socket.create_connection(("203.0.113.1", 80), timeout=1):
        return HttpResponse("1.08")


asked = 0


def code(request):
    """Be used up after a few requests."""
    global asked
    asked += 1
    return HttpResponse("1234", status=200 if asked < 5 else 429)


def broken(request):
    """Fail."""
    raise LookupError("nothing here")


def slow(request):
    """Take 10 ms of computing, as real views do."""
    began = time.thread_time()
    while time.thread_time() - began < 0.01:
        pass
    return HttpResponse("Done")
