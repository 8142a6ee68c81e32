"""Whom the provider knows as our customer, and which payment methods are saved with it."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert

from credits.customers.customers import Customer, lock_customer
from credits.db import bare
from credits.posting.reader import Page, Reader
from credits.recharge import statements
from credits.recharge.provider import (
    Method,
    Payer,
    PayerUnknown,
    Provider,
    ProviderName,
    ProviderRefused,
    ProviderUnavailable,
)
from credits.recharge.reads import list_methods, read_payer_id
from credits.recharge.tables import payment_methods

logger = logging.getLogger(__name__)


async def payer_of(page: Page, customer: Customer, provider: ProviderName) -> Payer:
    """The customer as that provider needs to know it."""
    return Payer(
        workspace_id=page.workspace.id,
        customer_id=customer.id,
        key=customer.key,
        name=customer.name,
        email=customer.email,
        locale=customer.locale,
        provider_id=await read_payer_id(page.connection, customer.id, provider),
    )


async def known_to(reader: Reader, workspace_id: int, provider: Provider, payer: Payer) -> Payer:
    """The payer with the id that the provider has for it now, instead of the one that it had; where two ask, the one that
    counts was told first. Raises as the provider does."""
    known = await provider.know(replace(payer, provider_id=None))
    async with reader.changing(workspace_id) as page:
        told = (payer.customer_id, provider.name, known, payer.provider_id)
        await (await bare(page.connection)).execute(statements.KNOW_PAYER, *told)
        counts = await read_payer_id(page.connection, payer.customer_id, provider.name)
    return replace(payer, provider_id=counts or known)


async def know_again(
    reader: Reader, workspace_id: int, provider: Provider, payer: Payer, refusal: ProviderRefused
) -> None:
    """Where the provider has refused because it knows no such customer, the next question finds one. It is no answer to
    this one: under its key stands the refusal."""
    if isinstance(refusal, PayerUnknown):
        try:
            await known_to(reader, workspace_id, provider, payer)
        except (ProviderRefused, ProviderUnavailable) as error:
            logger.warning("customer %s stays unknown to the payment provider: %s", payer.customer_id, error)


async def keep_methods(page: Page, customer_id: int, provider: ProviderName, methods: Sequence[Method]) -> bool:
    """Keeps what is saved with the provider now, and nothing else of it; whether anything became another."""
    await lock_customer(page.connection, customer_id)
    was = {
        (each.provider_id, each.label, each.expires, each.is_default)
        for each in await list_methods(page.connection, customer_id, provider)
    }
    now = {(each.provider_id, each.label, each.expires, each.is_default) for each in methods}
    if was == now:
        return False
    of = (payment_methods.c.customer_id == customer_id, payment_methods.c.provider == provider)
    gone = delete(payment_methods).where(*of)
    await page.connection.execute(gone.where(payment_methods.c.provider_id.not_in([name for name, *_ in now])))
    # One default at a time, also in between.
    await page.connection.execute(update(payment_methods).values(is_default=False).where(*of))
    for each in methods:
        changing = {"label": each.label, "expires": each.expires, "is_default": each.is_default}
        new: dict[str, Any] = {"customer_id": customer_id, "provider": provider, "provider_id": each.provider_id}
        new |= {"workspace_id": page.workspace.id, "saved_at": page.workspace.now}
        statement = insert(payment_methods).values(**new, **changing)
        key = ["customer_id", "provider", "provider_id"]
        await page.connection.execute(statement.on_conflict_do_update(index_elements=key, set_=changing))
    return True
