"""A top-up with all that its provider has to be told of it."""

from dataclasses import dataclass

from credits.access.actors import ensure_actor
from credits.amount import MICRO_DECIMALS
from credits.customers.customers import read_customers
from credits.db import bare
from credits.posting.reader import Page
from credits.recharge import booking, settle
from credits.recharge.methods import payer_of
from credits.recharge.provider import Order, Payer, Payment, Provider
from credits.recharge.settle import Issue
from credits.recharge.top_ups import KeptPayback, Place, TopUp


@dataclass(frozen=True, slots=True)
class Seen:
    """`name` is that of the bundle, `credit_type` a key; `unit` is its least credit, in micro-credits."""

    top_up: TopUp
    kept: list[KeptPayback]
    payer: Payer
    name: str
    credit_type: str
    unit: int

    def order(self) -> Order:
        """What the provider is asked with."""
        of = self.top_up
        return Order(
            id=of.id,
            payer=self.payer,
            name=self.name,
            quantity=of.quantity,
            unit_price=of.price // of.quantity,
            price=of.price,
            currency=of.currency,
            mode=of.mode,
            return_url=of.return_url,
            session=of.session,
            payment=of.payment,
            method=of.method,
            created_at=of.asked_at,
        )

    def mismatches(self, payment: Payment, provider: Provider | None) -> tuple[Issue, ...]:
        """What this truth says that was never asked for; `provider` is who takes the workspace's money now."""
        if provider is None or provider.name != self.top_up.provider:
            name = None if provider is None else provider.name
            return (Issue("PROVIDER", "another provider takes the money now", self.top_up.provider, name),)
        return settle.mismatches(self.top_up, payment, self.payer.provider_id, live=provider.live)


async def see(page: Page, place: Place) -> Seen | None:
    """The top-up as it is; under the customer's lock, where the caller has it."""
    found = await booking.read(await bare(page.connection), place)
    if found is None:
        return None
    top_up, kept = found
    customer = (await read_customers(page.connection, [place[0]]))[place[0]]
    bundle = page.catalog.bundle(top_up.bundle_id)
    credit_type = page.catalog.credit_type(top_up.credit_type_id)
    if bundle is None or credit_type is None:
        raise LookupError(f"{top_up.id} points to what the catalog does not have")
    payer = await payer_of(page, customer, top_up.provider)
    return Seen(top_up, kept, payer, bundle.name, credit_type.key, 10 ** (MICRO_DECIMALS - credit_type.scale))


async def theirs(page: Page, seen: Seen) -> int | None:
    """Who has paid back what nobody here has asked for: the provider's own people; None: the system."""
    if seen.top_up.provider != "stripe":
        return None
    return await ensure_actor(page.connection, page.workspace.id, "STRIPE", "stripe", "Stripe")
