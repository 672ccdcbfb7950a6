"""The endpoints, one module a topic."""

from importlib import import_module

from myapp.contract import Route, declared

# In the order of the report that this project grows out of; the control comes last.
TOPICS = ("basic", "database", "waiting", "compression", "cache", "outbound", "control")
for _topic in TOPICS:
    import_module(f"{__name__}.{_topic}")


def routes() -> list[Route]:
    """Return every declared route, in the order of the report."""
    return declared()
