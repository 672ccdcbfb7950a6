"""The Django project under test: settings, entry points, and the upstream it calls."""
