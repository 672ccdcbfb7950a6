"""The smallest answer: what Django and the server cost by themselves."""

from django.http import HttpRequest, JsonResponse

from myapp.contract import Contract, Endpoint, expected

JSON = Endpoint(
    name="json",
    title="JSON performance",
    kind="cpu",
    summary="Serialises one small object and touches no service.",
    contract=Contract(body=expected("json.json")),
)


@JSON.view()
def json_sync(request: HttpRequest) -> JsonResponse:
    """Answer a list of one object."""
    return JsonResponse([{"name": "name", "value": 1}], safe=False)


@JSON.view()
async def json_async(request: HttpRequest) -> JsonResponse:
    """Answer a list of one object."""
    return JsonResponse([{"name": "name", "value": 1}], safe=False)
