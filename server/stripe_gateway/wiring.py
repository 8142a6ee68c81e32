"""Stripe put together for one process: the gateway from the settings, and what hears of its events."""

import asyncio
import logging
from collections.abc import Callable

from fastapi import FastAPI
from starlette.routing import Route

from credits.customers.customers import read_customers
from credits.db import Database
from credits.posting.reader import Reader
from credits.recharge.cashier import Cashier
from server.clock import real_now
from server.payment_jobs import AT_ONCE, Reconciler
from server.settings import Settings
from server.stripe_gateway.asking import Asker
from server.stripe_gateway.done_page import done_page
from server.stripe_gateway.gateway import StripeGateway
from server.stripe_gateway.listing import EventList
from server.stripe_gateway.telling import Teller
from server.stripe_gateway.webhooks import PATH, StripeWebhooks

logger = logging.getLogger(__name__)

DONE_PATH = "/payments/done"


def open_gateway(settings: Settings) -> StripeGateway | None:
    """The gateway, where Stripe takes the money; to be closed at the end. It asks nothing yet."""
    if settings.pays_by != "stripe":
        return None
    return StripeGateway(
        Asker(settings.stripe_secret_key, settings.stripe_api_base or None),
        live=settings.stripe_is_live,
        done_url=f"{settings.public_url}{DONE_PATH}",
        tax=settings.stripe_tax,
    )


class Hearing:
    """What hears of payments: of their events (`teller`, where Stripe takes money), and by asking (`reconciler`)."""

    def __init__(
        self,
        gateway: StripeGateway | None,
        database: Database,
        reader: Reader,
        cashier: Cashier,
        *,
        settings: Settings,
        refuse_writes: Callable[[], bool],
    ) -> None:
        self._reader, self._cashier = reader, cashier
        self.teller: Teller | None = None
        events = None
        every, turn = settings.payments_every, asyncio.Semaphore(AT_ONCE)
        if gateway is not None:
            self.teller = Teller(
                database, cashier, gateway.asker, refresh=self._refresh, live=gateway.live, real_now=real_now
            )
            events = EventList(database, gateway.asker, self.teller, every=every, real_now=real_now, turn=turn)
            if not settings.stripe_webhook_secret:
                logger.warning("SCRIP_STRIPE_WEBHOOK_SECRET is not set: payments are seen only when Stripe is asked")
        self.reconciler = Reconciler(
            database, cashier, events, every=every, real_now=real_now, turn=turn, refuse_writes=refuse_writes
        )

    async def _refresh(self, workspace_id: int, customer_id: int) -> None:
        async with self._reader.page(workspace_id) as page:
            customer = (await read_customers(page.connection, [customer_id])).get(customer_id)
        if customer is not None:
            await self._cashier.refresh_methods(workspace_id, customer)


def create_stripe_routes(app: FastAPI, settings: Settings) -> list[Route]:
    """The webhook's route, and the page for whoever has no other to go back to."""
    webhooks = StripeWebhooks(settings.stripe_webhook_secret, lambda: app.state.stripe_teller)
    return [Route(PATH, webhooks), Route(DONE_PATH, done_page, methods=["GET"])]
