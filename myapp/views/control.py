"""The control that shows a server without Django."""

from myapp.contract import Contract, Endpoint, expected
from myproject import raw

RAW = Endpoint(
    name="raw",
    title="Without Django",
    kind="control",
    summary="Answers the bytes of json from a bare WSGI or ASGI callable on the same server.",
    contract=Contract(body=expected("json.json")),
)
RAW.control(raw.PATH, note="control: bypasses Django, so it shows the server's own ceiling")
