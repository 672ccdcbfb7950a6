"""The URLs of all declared views."""

from django.urls import path

from myapp import views

urlpatterns = [
    path(f"{route.style}/{route.endpoint.name}", route.view)
    for route in views.routes()
    if route.view
]
