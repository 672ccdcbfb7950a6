"""All routes."""

from catalogue import views
from django.urls import include, path, re_path

urlpatterns = [
    path("", views.home),
    path("products.json", views.products),
    path("products/<int:number>/", views.product),
    path("account/", views.account),
    path("login/", views.login),
    path("logout/", views.home),
    path("visit/", views.visit),
    path("invite/", views.invite),
    path("rates/", views.rates),
    path("code/", views.code),
    path("broken/", views.broken),
    path("slow/", views.slow),
    path("api/", include("catalogue.api")),
    re_path(r"^old/(?P<slug>[a-z]+)/$", views.home),
]
