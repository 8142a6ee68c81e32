"""What the demo's routes ask of a request: our own page's, small, and with an object of JSON in it."""

from typing import Any
from urllib.parse import urlsplit

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_BODY_BYTES_MAX = 4_096


def read_key(body: dict[str, Any]) -> str:
    key = body.get("key")
    if not isinstance(key, str):
        raise HTTPException(400, "key is missing")
    return key


async def read_body(request: Request) -> dict[str, Any]:
    """The JSON object that our own page sent. Other pages cannot send this media type without asking first, and
    nobody allows them."""
    require_same_origin(request)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "send application/json")
    raw = b""
    async for part in request.stream():
        raw += part
        if len(raw) > _BODY_BYTES_MAX:
            raise HTTPException(413, "too large")
    try:
        body = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise HTTPException(400, "not JSON") from error
    if not isinstance(body, dict):
        raise HTTPException(400, "not a JSON object")
    return body


def require_same_origin(request: Request) -> None:
    """Refuses what another site's page has sent; browsers say so by themselves."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site not in (None, "same-origin") or (
        origin is not None and urlsplit(origin).netloc != request.headers.get("host")
    ):
        raise HTTPException(403, "not from this page")


def answer_json(value: dict[str, Any]) -> Response:
    return Response(orjson.dumps(value), media_type="application/json", headers={"cache-control": "no-store"})
