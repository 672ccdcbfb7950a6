"""Production settings: what a team would deploy, with every address taken from the environment."""

import os

from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict

from myproject.redis_pool import SharedPool


def _required(name: str, what_to_type: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise ImproperlyConfigured(f"{name} is not set. Type: {what_to_type}")
    return value


def _positive(name: str, default: int) -> int:
    text = os.environ.get(name, str(default))
    if not text.isdecimal() or int(text) < 1:
        raise ImproperlyConfigured(f"{name}={text!r} is not a number from 1 up.")
    return int(text)


# No default: a key that everybody can read must not reach production by accident.
SECRET_KEY = _required(
    "DJANGO_SECRET_KEY",
    "export DJANGO_SECRET_KEY=$(python -c 'import secrets; print(secrets.token_urlsafe(50))')",
)
DEBUG = False
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "127.0.0.1,localhost,[::1]").split(",")

# Admin and static files are left out: no middleware needs them and no endpoint uses them.
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "myapp",
]
# All seven that startproject writes. They are a quarter to a half of a small answer's cost, and a
# deployed site has them.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "myproject.urls"
WSGI_APPLICATION = "myproject.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]


def _database(url: str) -> dict[str, object]:
    """Read a libpq URL, so that whatever psql accepts (a socket folder too) works here."""
    parts = conninfo_to_dict(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", "postgres"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": str(parts.pop("port", "")),
        "OPTIONS": {
            **parts,
            "pool": {
                # Small, because every worker process has a pool: what they hold while idle adds up
                # against Postgres's max_connections. The pool grows while a load is warming up.
                "min_size": 1,
                "max_size": _positive("DATABASE_POOL_SIZE", 16),
                # With many more requests in flight than connections a request queues for its turn.
                # That wait is what is measured, so it must not end in a 500: 30 s is enough for
                # 2,000 in flight at 100 a second. A dead database shows after as long.
                "timeout": 30,
            },
        },
    }


DATABASES = {
    "default": _database(
        os.environ.get("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/postgres")
    )
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0"),
        "OPTIONS": {
            "pool_class": SharedPool,
            "max_connections": _positive("REDIS_POOL_SIZE", 16),
            "timeout": 30,  # seconds to wait for a free connection, as for the database
        },
    }
}
# Where the outbound endpoints fetch from (`python -m myproject.upstream`). Port 9 is the discard
# port: without an upstream a call is refused at once.
UPSTREAM_URL = os.environ.get("UPSTREAM_URL", "http://127.0.0.1:9").rstrip("/")

USE_TZ = True
TIME_ZONE = (
    "UTC"  # the default sets the process to Chicago, and the dates in a server's log with it
)
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"first_few": {"()": "myproject.logs.FirstFew", "limit": 20}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "filters": ["first_few"]}},
    # Errors only: an answer that is right logs nothing. Not propagated and without Django's mail
    # handler, which would render a report for each error.
    "loggers": {"django": {"handlers": ["stderr"], "level": "ERROR", "propagate": False}},
}
