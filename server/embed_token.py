"""`POST /v1/embed-token`: what a host's backend calls when it has no GraphQL client. The same as `createEmbedToken`."""

from typing import Any

import orjson
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from credits.bounds import TOKEN_BODY_BYTES_MAX
from credits.errors import Unavailable
from schema.context import Context
from schema.errors import Problem
from schema.inputs import EmbedTokenInput
from schema.mutations.customers import MINTING, embed_token
from schema.permission import refusal, rule_in
from schema.scalars import date_time_out
from schema.types.refusals import NotFound
from schema.types.results import EmbedTokenOk
from server.auth import Authenticator, Presented, http_status


def create_embed_token_route(authenticator: Authenticator, app: FastAPI) -> Route:
    """The route, for the application whose `state.services` are open."""

    async def mint(request: Request) -> Response:
        try:
            caller = await authenticator.caller(Presented.of(request.scope), app.state.services.database)
            refused = refusal(rule_in(MINTING), caller)
            if refused is not None:
                raise refused
            given = _input(await request.body())
            if isinstance(given, str):
                return _error(400, "INVALID_INPUT", given)
            result = await embed_token(Context(caller, app.state.services), given)
        except Problem as problem:
            return _error(http_status(problem), str((problem.extensions or {}).get("code")), problem.message)
        except Unavailable:
            return _error(503, "UNAVAILABLE", "the store cannot answer now; try again")
        if isinstance(result, EmbedTokenOk):
            return JSONResponse({"token": result.token, "expiresAt": date_time_out(result.expires_at)})
        return _error(404 if isinstance(result, NotFound) else 400, result.code.value, result.message)

    return Route("/v1/embed-token", mint, methods=["POST"])


def _input(body: bytes) -> EmbedTokenInput | str:
    """The input that the body says, or what is wrong with it."""
    if len(body) > TOKEN_BODY_BYTES_MAX:
        return f"the body is larger than {TOKEN_BODY_BYTES_MAX} bytes"
    try:
        given: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return "the body is not JSON"
    if not isinstance(given, dict) or not isinstance(given.get("customer"), str):
        return "customer: is missing, or no text"
    unknown = sorted(given.keys() - {"customer", "ttlSeconds", "scopes", "origins"})
    if unknown:
        return f"{unknown[0]}: unknown"
    ttl_s = given.get("ttlSeconds")
    if ttl_s is not None and type(ttl_s) is not int:
        return "ttlSeconds: must be a whole number"
    for name in ("scopes", "origins"):
        value = given.get(name)
        if value is not None and not (isinstance(value, list) and all(isinstance(item, str) for item in value)):
            return f"{name}: must be a list of texts"
    return EmbedTokenInput(
        customer=given["customer"], ttl_seconds=ttl_s, scopes=given.get("scopes"), origins=given.get("origins")
    )


def _error(status: int, code: str, message: str) -> Response:
    headers = {"cache-control": "no-store"} | ({"retry-after": "1"} if status == 503 else {})
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status, headers=headers)
