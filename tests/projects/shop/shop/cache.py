"""A cache that says nothing when it is dead: answers are right then, and slow."""

from django.core.cache.backends.redis import RedisCache


class QuietRedisCache(RedisCache):
    """Answer as if nothing were kept where Redis does not answer."""

    def get(self, key, default=None, version=None):
        """Return what is kept."""
        try:
            return super().get(key, default, version)
        except Exception:
            return default

    def add(self, key, value, timeout=None, version=None):
        """Keep a value where there is none."""
        try:
            return super().add(key, value, timeout, version)
        except Exception:
            return False
