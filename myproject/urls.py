"""All URLs of the project are those of the app."""

from django.urls import include, path

urlpatterns = [path("myapp/", include("myapp.urls"))]
