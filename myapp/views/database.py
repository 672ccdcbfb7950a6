"""The 30 seeded rows from Postgres, as JSON and through a template; and a query that takes long."""

import re
from typing import Any

from django.core.exceptions import BadRequest
from django.db.models import CharField, Func, QuerySet, Value
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import render

from myapp.contract import OK, Contract, Endpoint, expected, ok
from myapp.models import Row

TEMPLATE = "myapp/rows.html"

JSON_QUERY = Endpoint(
    name="json_query",
    title="Queries returned as JSON",
    kind="database",
    summary="Reads 30 rows from Postgres and answers them as JSON.",
    contract=Contract(body=expected("json_query.json"), postgres=1),
)
TEMPLATE_QUERY = Endpoint(
    name="template_query",
    title="Queries returned as HTML",
    kind="template",
    summary="Reads 30 rows from Postgres and renders them through a Django template.",
    contract=Contract(body=expected("template_query.html"), content_type="text/html", postgres=1),
)

SLOW_S = 0.05
SLOW_QUERY = Endpoint(
    name="slow_query",
    title="A query that takes 50 ms",
    kind="waiting",
    summary="Waits 50 ms for Postgres, on a connection of the pool, then answers a small JSON.",
    contract=ok(delay_s=SLOW_S, pooled=True, postgres=1),
)


def _name(text: str) -> str:
    if "\0" in text:  # which Postgres text cannot hold
        raise BadRequest("name holds a NUL character")
    return text


def _value(text: str) -> int:
    # Stricter than int(), which also takes spaces, underscores and other scripts' digits.
    if not re.fullmatch(r"-?[0-9]{1,10}", text):
        raise BadRequest("value is not an integer")
    return int(text)


FILTERS = {"name": _name, "value": _value}


def filters(query: QueryDict) -> dict[str, Any]:
    """Turn a query string into conditions on a row; what is not on the list is a 400."""
    conditions = {}
    for parameter, texts in query.lists():
        if parameter not in FILTERS or len(texts) > 1:
            raise BadRequest(f"use each of {', '.join(FILTERS)} at most once, and nothing else")
        conditions[parameter] = FILTERS[parameter](texts[0])
    return conditions


def _rows(**conditions: Any) -> QuerySet[Row, dict[str, Any]]:
    return Row.objects.filter(**conditions).order_by("value").values("name", "value")


@JSON_QUERY.view()
def json_query_sync(request: HttpRequest) -> JsonResponse:
    """Answer the rows that the filters of the query string leave."""
    return JsonResponse(list(_rows(**filters(request.GET))), safe=False)


@JSON_QUERY.view()
async def json_query_async(request: HttpRequest) -> JsonResponse:
    """Answer the rows that the filters of the query string leave."""
    return JsonResponse([row async for row in _rows(**filters(request.GET))], safe=False)


@TEMPLATE_QUERY.view()
def template_query_sync(request: HttpRequest) -> HttpResponse:
    """Answer a page with a table of the rows."""
    return render(request, TEMPLATE, {"rows": list(_rows())})


@TEMPLATE_QUERY.view()
async def template_query_async(request: HttpRequest) -> HttpResponse:
    """Answer a page with a table of the rows."""
    # Rows first: a template that runs a query inside a coroutine is an error.
    return render(request, TEMPLATE, {"rows": [row async for row in _rows()]})


def _slept() -> QuerySet[Row, dict[str, Any]]:
    sleep = Func(Value(SLOW_S), function="pg_sleep", output_field=CharField())
    # Selected, or it would not be run; of one row, or it would be for each.
    return Row.objects.annotate(slept=sleep).values("value", "slept").filter(value=1)


@SLOW_QUERY.view()
def slow_query_sync(request: HttpRequest) -> JsonResponse:
    """Answer once Postgres has slept."""
    _slept().get()
    return JsonResponse(OK)


@SLOW_QUERY.view()
async def slow_query_async(request: HttpRequest) -> JsonResponse:
    """Answer once Postgres has slept."""
    await _slept().aget()
    return JsonResponse(OK)
