"""Stripe put together for one process: the gateway from the settings, and what hears of its events."""

from collections.abc import Callable
from datetime import datetime

from credits.customers.customers import read_customers
from credits.db import Database
from credits.posting.reader import Reader
from credits.recharge.cashier import Cashier
from server.settings import Settings
from server.stripe_gateway.asking import Asker
from server.stripe_gateway.gateway import StripeGateway
from server.stripe_gateway.listing import EventList
from server.stripe_gateway.telling import Teller

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


def open_teller(
    gateway: StripeGateway, database: Database, reader: Reader, cashier: Cashier, real_now: Callable[[], datetime]
) -> Teller:
    """What acts upon events, whichever way they come."""

    async def refresh(workspace_id: int, customer_id: int) -> None:
        async with reader.page(workspace_id) as page:
            customer = (await read_customers(page.connection, [customer_id])).get(customer_id)
        if customer is not None:
            await cashier.refresh_methods(workspace_id, customer)

    return Teller(database, cashier, gateway.asker, refresh=refresh, live=gateway.live, real_now=real_now)


def open_event_list(
    gateway: StripeGateway, teller: Teller, database: Database, settings: Settings, real_now: Callable[[], datetime]
) -> EventList:
    return EventList(database, gateway.asker, teller, every=settings.payments_every, real_now=real_now)
