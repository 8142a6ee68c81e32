"""Who acts, as entries and timelines point to it."""

from credits.access.actors import ensure_actor
from credits.customers.customers import read_customers
from credits.posting.reader import Page
from schema.context import Context


async def actor_id_of(context: Context, page: Page) -> int | None:
    """The caller's actor. A token's customer becomes one with its first act."""
    caller = context.caller
    if caller.actor_id is not None or caller.customer_id is None:
        return caller.actor_id
    own = (await read_customers(page.connection, [caller.customer_id])).get(caller.customer_id)
    name = caller.subject if own is None else own.name
    return await ensure_actor(page.connection, context.workspace_id, "CUSTOMER", caller.subject, name)
