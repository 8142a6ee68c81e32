"""The application that is measured: Scrip's own, with a mutation that does nothing, a route that does less, and the same
mutation behind the stock stack.

`noop` takes the input of `burn`, asks the same rule and answers the same shape; between the two lies nothing but
what a burn is. `/stock` is Strawberry's own router for FastAPI with its parser and validation caches, as most projects
have it: it neither guards nor authenticates.
"""

from datetime import UTC, datetime
from typing import Any

import strawberry
from fastapi import FastAPI
from starlette.routing import Route
from starlette.types import Receive, Scope, Send
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.fastapi import GraphQLRouter
from strawberry.schema.config import StrawberryConfig

from credits.ledger.balance import Balance as BalanceValue
from credits.ledger.entries import BY_THE_CLOCK, Entry, Kind
from schema.inputs import BurnInput
from schema.permission import allow, staff
from schema.queries import Query
from schema.scalars import SCALARS
from schema.schema import Mutation
from schema.types.balance import Balance
from schema.types.ledger import Info, LedgerEntry
from schema.types.results import BurnOk, BurnResult
from server.app import create_app as create_scrip
from server.bench.page import create_page_routes
from server.settings import Settings

_AT = datetime(2026, 1, 1, tzinfo=UTC)
_ENTRY = Entry(1, 1, 1, 1, Kind.BURN, -1, 0, 1_000_000, 0, _AT, _AT, [(1, 1)], None, BY_THE_CLOCK)
_BALANCE = BalanceValue(1, 1, 1_000_000, 0, 0, 1_000_001, 1, 0, 1, _AT, ())
_NOTHING: Any = {
    "entry": LedgerEntry.from_value(_ENTRY),
    "balance": Balance.from_value(_BALANCE),
    "decision": None,  # nobody selects it
    "replayed": False,
}
_DONE = BurnOk(**_NOTHING)


@strawberry.type(name="Mutation")
class BenchMutation(Mutation):
    @strawberry.mutation(metadata=allow(staff("BACKEND")))  # type: ignore[untyped-decorator]  # Strawberry's
    async def noop(self, info: Info, input: BurnInput) -> BurnResult:  # noqa: A002, ARG002 -- as `burn`
        return _DONE


async def _bare(_: Scope, receive: Receive, send: Send) -> None:
    """The least an ASGI application can do with a request: read its body, answer."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"application/json"), (b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


class _Bare:
    """A class, because Starlette takes a function for an endpoint of its own kind."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await _bare(scope, receive, send)


def create_app(settings: Settings) -> FastAPI:
    """As `server.app.create_app`, and what the benchmarks compare with."""
    app = create_scrip(settings, mutation=BenchMutation)
    app.router.routes += [Route("/bare", _Bare(), methods=["POST"]), *create_page_routes()]
    app.include_router(GraphQLRouter(_stock(), path="/stock", graphql_ide=None, allow_queries_via_get=False))
    return app


def _stock() -> strawberry.Schema:
    return strawberry.Schema(
        query=Query,
        mutation=BenchMutation,
        config=StrawberryConfig(scalar_map=SCALARS),
        extensions=[ParserCache, ValidationCache],
    )
