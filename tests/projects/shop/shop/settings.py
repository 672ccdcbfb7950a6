"""Settings that print, read `.env` and want more, make a key at import, and name production."""

import os
import secrets
from pathlib import Path
from urllib.parse import urlsplit

print("the shop is open")  # noqa: T201 - to stdout, as some settings do

BASE_DIR = Path(__file__).resolve().parent.parent
for line in (BASE_DIR / ".env").read_text().splitlines():
    name, _, value = line.partition("=")
    os.environ.setdefault(name, value)
CURRENCY = os.environ["SHOP_CURRENCY"]
PAYMENT_KEY = os.environ["SHOP_SECRET_KEY"]
SECRET_KEY = secrets.token_hex()  # another in each process
DEBUG = os.environ.get("DEBUG", "True") == "True"
ALLOWED_HOSTS = ["shop.example.org"]
SECURE_SSL_REDIRECT = True
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "catalogue",
]


def plain_middleware(get_response):
    """Be of the old kind, which cannot be awaited."""
    return get_response


plain_middleware.async_capable = False

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "shop.settings.plain_middleware",
]
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
DATABASE_URL = os.environ.get("SHOP_DATABASE_URL", "")
if DATABASE_URL.startswith("postgres://"):  # and in no other spelling
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "HOST": urlsplit(DATABASE_URL).hostname or "database.example.org",
            "NAME": "production",
            "USER": "shop",
            "PASSWORD": "hunter2",
            "OPTIONS": {"sslmode": "require"},
        }
    }
else:
    DATABASES = {
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": BASE_DIR / "db.sqlite3"}
    }
CACHES = {
    "default": {
        "BACKEND": "shop.cache.QuietRedisCache",
        "LOCATION": f"{os.environ['SHOP_CACHE']}/0",
    }
}
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "static_files"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"},
}
EMAIL_HOST = os.environ["SHOP_MAIL_HOST"]
LOGIN_URL = "/login/"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
