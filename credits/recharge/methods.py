"""Whom the provider knows as our customer, and which payment methods are saved with it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, update
from sqlalchemy.dialects.postgresql import insert

from credits.customers.customers import Customer
from credits.db import bare
from credits.posting.reader import Page
from credits.recharge import statements
from credits.recharge.provider import Method, Payer, ProviderName
from credits.recharge.reads import list_methods, read_payer_id
from credits.recharge.tables import payment_methods


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


async def know(page: Page, customer_id: int, provider: ProviderName, provider_id: str) -> str:
    """Remembers by what id the provider knows the customer; the one that counts, which was told first."""
    await (await bare(page.connection)).execute(statements.KNOW_PAYER, customer_id, provider, provider_id)
    return await read_payer_id(page.connection, customer_id, provider) or provider_id


async def keep_methods(page: Page, customer_id: int, provider: ProviderName, methods: Sequence[Method]) -> bool:
    """Keeps what is saved with the provider now, and nothing else of it; whether anything became another."""
    await page.connection.scalar(statements.lock_customer(customer_id))
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
