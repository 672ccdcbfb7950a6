"""What an endpoint promises, declared once beside its views."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from inspect import iscoroutinefunction
from pathlib import Path
from typing import Any, Literal, TypeVar

Style = Literal["sync", "async", "control"]
Kind = Literal[
    "cpu", "database", "template", "waiting", "compression", "cache", "outbound", "control"
]
Interface = Literal["wsgi", "asgi"]
View = TypeVar("View", bound=Callable[..., Any])

EXPECTED = Path(__file__).parent / "expected"


def expected(file: str) -> bytes:
    """Read the golden body that a person has reviewed."""
    return (EXPECTED / file).read_bytes()


@dataclass(frozen=True, kw_only=True)
class Contract:
    """What a right answer is, and how many operations it takes in each service behind the app."""

    body: bytes = field(repr=False)  # after undoing content_encoding
    status: int = 200
    content_type: str = "application/json"  # the media type, without parameters
    content_encoding: str | None = None
    delay_s: float = 0.0
    pooled: bool = False  # the delay is the database's: a connection of the pool is held meanwhile
    postgres: int = 0
    redis: int = 0
    upstream: int = 0

    def record(self) -> dict[str, Any]:
        """Return the contract as JSON data, with the body's length and digest for the body."""
        facts = asdict(self)
        body = facts.pop("body")
        digest = hashlib.sha256(body).hexdigest()
        return facts | {"body_bytes": len(body), "body_sha256": digest}


@dataclass(frozen=True, kw_only=True)
class Route:
    """One style of an endpoint, at its path; `view` is None where Django is bypassed."""

    endpoint: "Endpoint"
    style: Style
    path: str
    view: Callable[..., Any] | None
    isolated: bool = False  # can poison what is measured next on the same server process
    note: str | None = None  # shown beside the number
    unsupported: Mapping[Interface, str] = field(default_factory=dict)  # and the reason

    def record(self) -> dict[str, Any]:
        """Return the route with its endpoint and contract as JSON data."""
        return {
            "name": self.endpoint.name,
            "style": self.style,
            "path": self.path,
            "title": self.endpoint.title,
            "kind": self.endpoint.kind,
            "summary": self.endpoint.summary,
            "isolated": self.isolated,
            "note": self.note,
            "unsupported": dict(self.unsupported),
            "contract": self.endpoint.contract.record(),
        }


_routes: dict[tuple[str, Style], Route] = {}


def declared() -> list[Route]:
    """Return the routes in the order in which they were declared."""
    return list(_routes.values())


def _declare(route: Route) -> None:
    key = (route.endpoint.name, route.style)
    if key in _routes:
        raise ValueError(f"the endpoint {route.endpoint.name!r} already has a {route.style} view")
    _routes[key] = route


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """One workload: what it is called, what it does and what it promises in every style."""

    name: str
    title: str
    kind: Kind
    summary: str
    contract: Contract

    def view(self, **of_route: Any) -> Callable[[View], View]:
        """Declare the decorated function as a view; `async def` makes it the async style.

        Keywords are those of `Route`: `isolated`, `note`, `unsupported`.
        """

        def declare(view: View) -> View:
            style: Style = "async" if iscoroutinefunction(view) else "sync"
            path = f"/myapp/{style}/{self.name}"
            _declare(Route(endpoint=self, style=style, path=path, view=view, **of_route))
            return view

        return declare

    def control(self, path: str, **of_route: Any) -> None:
        """Declare that the server's entry points answer `path` themselves, without Django."""
        _declare(Route(endpoint=self, style="control", path=path, view=None, **of_route))


OK = {"status": "ok"}


def ok(**facts: Any) -> Contract:
    """Promise a bare `{"status": "ok"}`, with what it takes to get there."""
    return Contract(body=expected("ok.json"), **facts)
