"""The application: what answers requests, put together.

requests → graphql, events, embed token → schema → the writer or a page of the reader → PostgreSQL
after each commit: the writer → the hub → subscriptions, here and in other processes
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import cache

from fastapi import FastAPI
from sqlalchemy import text
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from credits.db import Database, is_unavailable
from credits.posting.configuration import Configuration
from credits.posting.reader import Reader
from credits.posting.standings import Keeper
from credits.posting.writer import Writer
from credits.proof.seal import Seal
from credits.recharge.cashier import Cashier
from credits.recharge.recharger import Recharger, forgive, suffering
from schema.context import Services
from schema.loaders import Loaders
from schema.schema import build
from server import metrics
from server.auth import Authenticator
from server.clock import real_now
from server.disk import DiskFloor
from server.embed import create_embed_routes
from server.embed_token import create_embed_token_route
from server.events import create_events_route
from server.graphql import create_graphql_routes
from server.jobs import for_ever, keeping_standings, rolling_up, sweeping, telling_revenue
from server.live import Hub
from server.outgoing import Outgoing
from server.payments import providers
from server.proving import Prover
from server.recharging import Recharging
from server.sandbox.provider import open_sandbox
from server.sandbox.routes import create_sandbox_routes
from server.settings import Settings
from server.stripe_gateway.wiring import Hearing, create_stripe_routes, open_gateway
from server.tokens import minter
from server.webhooks import Sender, sending


class Application(FastAPI):
    """FastAPI, with one road past it: `/graphql` is one ASGI application, and routing it cost a quarter of its time."""

    graphql: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/graphql":
            await self.graphql(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(settings: Settings, *, mutation: type | None = None) -> Application:
    """The application with these settings; `database_url` and `broadcast_url` are filled in.

    `mutation` replaces the schema's mutation type: the benchmarks measure one that does nothing.
    """
    floor = DiskFloor(settings.data_dir if settings.embedded else None)
    schema = build() if mutation is None else build(mutation)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            services = await _open(app, settings, floor, stack)
            app.state.services = services
            yield

    app = Application(title="Scrip", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.state.settings = settings
    app.state.floor = floor
    authenticator = Authenticator(settings)
    http, socket = create_graphql_routes(schema, authenticator, app, settings)
    app.graphql = http.app
    app.router.routes += [http, socket]
    app.router.routes += [create_events_route(authenticator, app), create_embed_token_route(authenticator, app)]
    app.router.routes += create_embed_routes()
    app.router.routes += create_sandbox_routes(authenticator, app, settings)
    app.router.routes += create_stripe_routes(app, settings)
    app.add_route("/healthz", _alive)
    app.add_route("/readyz", _ready)
    app.add_route("/metrics", metrics.route)
    return app


async def _open(app: FastAPI, settings: Settings, floor: DiskFloor, stack: AsyncExitStack) -> Services:
    """Opens everything a request needs, in the order in which it is needed; the stack closes it the other way round."""
    database = await Database.connect(settings.database_url)
    stack.push_async_callback(database.close)
    hub = Hub(settings.broadcast_url, settings.database_url)
    await hub.start()
    metrics.SUBSCRIBERS.set_function(lambda: hub.state().subscribers)
    metrics.DISK_FREE_BYTES.set_function(lambda: floor.free_bytes() or 0)
    stack.push_async_callback(hub.stop)
    configuration = Configuration(settings.late_event_cutoff, settings.refund_lifetime)
    reader = Reader(database, configuration, refuse_writes=floor.low)
    keeper = Keeper(database)

    def publish(workspace_id: int, customer_id: int, credit_type_id: int, version: int) -> None:
        hub.publish(workspace_id, customer_id, credit_type_id, version)
        keeper.note(workspace_id, customer_id, credit_type_id, version)
        recharging.note(workspace_id, customer_id, credit_type_id)

    writer = Writer(database, configuration, publish=publish, refuse_writes=floor.low, committed=metrics.note_batch)
    stack.push_async_callback(writer.close)
    stripe = open_gateway(settings)
    if stripe is not None:
        stack.push_async_callback(stripe.close)
    provider_for = providers(stripe, open_sandbox(database, settings, floor.low))
    ends = (suffering(settings.recharge_attempts),)
    cashier = Cashier(
        reader, writer, provider_for, hub.publish_top_up, real_now, changed=ends, methods_changed=(forgive,)
    )
    recharging = Recharging(database, Recharger(reader, cashier, provider_for, real_now), floor.low)
    payments = Hearing(stripe, database, reader, cashier, settings=settings, refuse_writes=floor.low)
    app.state.stripe_teller = payments.teller
    await stack.enter_async_context(for_ever(payments.reconciler.run(), "payments"))
    await stack.enter_async_context(for_ever(recharging.run(), "recharge"))
    await stack.enter_async_context(keeping_standings(database, keeper))
    await stack.enter_async_context(sweeping(database, reader, writer))
    prover = Prover(
        database,
        Seal(settings.secret_key),
        checkpoint_every=settings.checkpoint_every,
        reconcile_every=settings.reconcile_every,
        refuse_writes=floor.low,
    )
    await stack.enter_async_context(for_ever(prover.run(), "prove"))
    await stack.enter_async_context(rolling_up(database, floor.low))
    outgoing = await _send(settings, database, hub, floor, stack)
    await stack.enter_async_context(telling_revenue(database, floor.low))
    return Services(
        database=database,
        reader=reader,
        writer=writer,
        watch=hub.subscribe,
        publish_config=hub.publish_config,
        mint_token=minter(settings.secret_key),
        pepper=settings.secret_key,
        report=prover.report,
        watch_config=hub.subscribe_config,
        watch_disputes=hub.subscribe_disputes,
        publish_dispute=hub.publish_dispute,
        dispute_sla=settings.dispute_sla,
        cashier=cashier,
        watch_rule=recharging.watch,
        watch_top_ups=hub.subscribe_top_ups,
        allowed_origins=settings.allowed_origins,
        webhook_problem=outgoing.problem_of,
        loaders=cache(lambda workspace_id: Loaders(database, workspace_id, reader)),
    )


async def _send(settings: Settings, database: Database, hub: Hub, floor: DiskFloor, stack: AsyncExitStack) -> Outgoing:
    """Webhooks go out from now on."""
    outgoing = Outgoing(settings.webhook_private_addresses)
    stack.push_async_callback(outgoing.close)
    sender = Sender(
        database,
        outgoing,
        pepper=settings.secret_key,
        schedule=settings.webhook_retries,
        config_changed=hub.publish_config,
        refuse_writes=floor.low,
    )
    await stack.enter_async_context(sending(sender))
    return outgoing


async def _alive(_: Request) -> Response:
    """The process answers."""
    return JSONResponse({"status": "ok"})


async def _ready(request: Request) -> Response:
    """Can serve: the database answers, and there is room on the disk."""
    problems = []
    if request.app.state.floor.low():
        problems.append("the disk is too full: writes are refused")
    try:
        async with request.app.state.services.database.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
    except Exception as error:
        if not is_unavailable(error):
            raise
        problems.append("the database does not answer")
    status = {"status": "ok"} if not problems else {"status": "not ready", "problems": problems}
    return JSONResponse(status, status_code=503 if problems else 200)
