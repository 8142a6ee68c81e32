"""Placing an order: the intent to buy is there before anybody outside is asked for money.

A key that was used before finds the order it made, whatever has become of it: nobody is ever asked twice.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from credits import bounds
from credits.amount import INT64_MAX
from credits.canonical import fingerprint
from credits.catalog.currencies import money_decimals, to_minor
from credits.catalog.values import Bundle
from credits.customers.customers import Customer, lock_customer
from credits.db import bare
from credits.errors import Conflict, IdempotencyConflict, InvalidInput, NotAllowed, NotFound, Refusal
from credits.posting.keys import key_form
from credits.posting.reader import Page
from credits.recharge import statements
from credits.recharge.booking import LOOK_SOON
from credits.recharge.provider import Mode, ProviderName
from credits.recharge.reads import count_open, find_by_key, read_top_ups
from credits.recharge.top_ups import Place, TopUp, top_up_of

OTHER_PAYLOAD = "this idempotency key was used before with another payload"
_MONEY_MAX = 10**12  # smallest units of one payment: twelve digits are the most that is known to be taken anywhere


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody wants to buy, as it was said. `key` is the idempotency key; `replaces`, no recharge, is ended first,
    so that nobody pays both, and is no part of what the key stands for: whoever asks again may have forgotten it."""

    bundle: str
    quantity: int
    mode: Mode
    return_url: str | None
    key: str
    actor_id: int | None
    replaces: Place | None = None

    def form(self) -> InvalidInput | None:
        if not 0 < self.quantity <= bounds.TOP_UP_QUANTITY_MAX:
            return InvalidInput(f"must be 1 to {bounds.TOP_UP_QUANTITY_MAX:,}", field="quantity")
        return key_form(self.key)

    def meaning(self) -> int:
        return fingerprint("top-up", self.bundle, self.quantity, self.mode, self.return_url)


@dataclass(frozen=True, slots=True)
class Sale:
    """What an order of so many bundles comes to: micro-credits with bonus, and its price in the smallest unit."""

    bundle: Bundle
    quantity: int
    credits: int
    price: int


async def to_be_ended(page: Page, customer: Customer, wish: Wish) -> Place | Refusal | None:
    """What the wish replaces, where that is to be ended first. A wish that has no form ends nothing; nor does one whose key
    was used before: what it has bought may be the very one."""
    problem = wish.form()
    if problem or wish.replaces is None or await find_by_key(page.connection, customer.id, wish.key) is not None:
        return problem
    replaced = (await read_top_ups(page.connection, [wish.replaces])).get(wish.replaces)
    if replaced is not None and replaced.mode == "OFF_SESSION":
        # Its charge may be under way, which nobody can see yet: it could be canceled here, and be paid all the same.
        return Conflict("a recharge is not replaced; it can be canceled")
    return wish.replaces


async def place_order(
    page: Page, customer: Customer, wish: Wish, *, provider: ProviderName | None, real_now: datetime
) -> TopUp | Refusal:
    """The order of that key: the one that it has made before, or a new one, open and not yet known to the provider.

    `provider` is who would take the money; None: nobody is set up to. Refused, naming the field, where the bundle is not on
    sale or its price cannot be paid.
    """
    problem = wish.form()
    if problem:
        return problem
    if await lock_customer(page.connection, customer.id) is None:
        return NotFound(f"no customer {customer.key!r}")
    before = await find_by_key(page.connection, customer.id, wish.key)
    if before is not None:
        same = before.fingerprint == wish.meaning()
        return before if same else IdempotencyConflict(OTHER_PAYLOAD, first_seen_at=before.created_at)
    bundle = page.catalog.bundle_by_key(wish.bundle)
    if bundle is None:
        return NotFound(f"no bundle {wish.bundle!r} in the catalog")
    sale = price_of(page, bundle, wish.quantity)
    if isinstance(sale, Refusal):
        return sale
    if provider is None:
        return nobody_takes_money()
    if await count_open(page.connection, customer.id) >= bounds.TOP_UPS_OPEN_MAX:
        return Conflict(f"{bounds.TOP_UPS_OPEN_MAX} purchases are open; pay or cancel one of them first")
    return await insert_order(
        page,
        customer.id,
        sale,
        provider=provider,
        mode=wish.mode,
        return_url=wish.return_url,
        key=wish.key,
        meaning=wish.meaning(),
        actor_id=wish.actor_id,
        real_now=real_now,
    )


def price_of(page: Page, bundle: Bundle, quantity: int) -> Sale | InvalidInput:
    """What so many of a bundle come to, where it is on sale and can be paid for."""
    if bundle not in page.catalog.on_sale():
        return InvalidInput(f"{bundle.key!r} is not on sale any more", field="bundle")
    return sale_of(bundle, quantity)


def sale_of(bundle: Bundle, quantity: int) -> Sale | InvalidInput:
    """What so many of a bundle come to, also where it is archived: it is still valid for whoever has it."""
    unit = to_minor(bundle.price, bundle.currency)
    if bundle.price <= 0:
        return InvalidInput(f"{bundle.key!r} costs nothing: there is nothing to pay", field="bundle")
    if unit is None:
        return InvalidInput(f"the price of {bundle.key!r} has more decimals than {bundle.currency}", field="bundle")
    # Where a currency has three decimals, cards are charged in tens of its smallest unit.
    if money_decimals(bundle.currency) == 3 and unit % 10:
        return InvalidInput(
            f"the price of {bundle.key!r} must end in 0 to be paid in {bundle.currency}", field="bundle"
        )
    micro, price = quantity * (bundle.amount_micro + bundle.bonus_micro), quantity * unit
    if micro > INT64_MAX:
        return InvalidInput("would be more than 64 bits of micro-credits", field="quantity")
    if price >= _MONEY_MAX:
        return InvalidInput("would cost more than can be paid at once", field="quantity")
    return Sale(bundle, quantity, micro, price)


def most_of(one: Sale) -> int:
    """How many of what is sold fit into one payment."""
    return min(bounds.TOP_UP_QUANTITY_MAX, (_MONEY_MAX - 1) // one.price, INT64_MAX // one.credits)


async def insert_order(
    page: Page,
    customer_id: int,
    sale: Sale,
    *,
    provider: ProviderName,
    mode: Mode,
    real_now: datetime,
    return_url: str | None = None,
    method: str | None = None,
    key: str | None = None,
    meaning: int = 0,
    actor_id: int | None = None,
    automatic: bool = False,
) -> TopUp:
    """Writes the intent, under the customer's lock. `automatic`: a recharge, of which an account has one open at most;
    the caller has looked. `method`: the provider's id of what an OFF_SESSION order is charged by."""
    bundle = sale.bundle
    runs = await bare(page.connection)
    of: tuple[Any, ...] = (
        *(customer_id, bundle.credit_type_id, bundle.id, sale.quantity, sale.credits, sale.price, bundle.currency),
        *(automatic, provider, mode, bundle.priority, bundle.expires_after, actor_id, return_url, method, key, meaning),
        *(page.workspace.now, real_now, real_now + LOOK_SOON),
    )
    row = await runs.fetchrow(statements.INSERT_TOP_UP, *of)
    assert row is not None  # noqa: S101 -- it returns what it has inserted
    return top_up_of(row)


def unavailable() -> Conflict:
    return Conflict("the payment provider cannot answer now; try again with the same idempotency key", "UNAVAILABLE")


def nobody_takes_money() -> NotAllowed:
    return NotAllowed("no payment provider is set up")


def money(amount: Decimal, currency: str, of: str) -> int | InvalidInput:
    """An amount of money in the smallest unit of the currency it has to be in."""
    if currency != of:
        return InvalidInput(f"must be {of}, as it was paid", field="amount.currency")
    minor = to_minor(amount, currency)
    if minor is None:
        return InvalidInput(f"has more decimals than {currency} can be paid in", field="amount.amount")
    if minor <= 0:
        return InvalidInput("must be more than zero", field="amount.amount")
    return minor
