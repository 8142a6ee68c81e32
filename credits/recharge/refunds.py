"""Asking for a refund: the wish is there before the provider is asked, under the customer's lock."""

from dataclasses import dataclass, replace
from decimal import Decimal

from credits.audit.log import record
from credits.canonical import fingerprint
from credits.catalog.currencies import from_minor
from credits.customers.customers import lock_customer
from credits.db import bare
from credits.errors import Conflict, IdempotencyConflict, InvalidInput, NotFound, Refusal
from credits.posting.commands import note_form
from credits.posting.keys import key_form
from credits.posting.reader import Page
from credits.recharge import booking
from credits.recharge.orders import OTHER_PAYLOAD, money
from credits.recharge.reads import find_payback_by_key
from credits.recharge.settle import Step
from credits.recharge.top_ups import KeptPayback, Place, TopUp


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundWish:
    """What an operator wants: `amount` and `currency` of what was paid, with tax; None: all that is left of it."""

    amount: Decimal | None
    currency: str | None
    reason: str
    note: str | None
    key: str
    actor_id: int | None

    def form(self) -> InvalidInput | None:
        return key_form(self.key) or note_form(self.note)

    def meaning(self, number: int) -> int:
        return fingerprint("refund", number, self.amount, self.currency, self.reason, self.note)


async def ask(
    page: Page, place: Place, wish: RefundWish, *, writing: booking.Writing
) -> tuple[TopUp, KeptPayback] | Refusal:
    """The refund of that key: the one that was asked for before, or a new one. Refused where it was never paid, or where
    less is left of what was paid: what others have asked for meanwhile counts."""
    problem = wish.form()
    if problem:
        return problem
    connection = page.connection
    if await lock_customer(connection, place[0]) is None:
        return NotFound("no such top-up")
    runs = await bare(connection)
    found = await booking.read(runs, place)
    if found is None:
        return NotFound("no such top-up")
    top_up, kept = found
    before = await find_payback_by_key(connection, place[0], wish.key)
    if before is not None:
        same = (before.top_up, before.fingerprint) == (top_up.number, wish.meaning(top_up.number))
        at = before.created_at or writing.now
        return (top_up, before) if same else IdempotencyConflict(OTHER_PAYLOAD, first_seen_at=at)
    if not top_up.is_paid or top_up.paid is None:
        return Conflict("the top-up was never paid")
    left = top_up.paid - top_up.paid_back - sum(each.amount for each in kept if each.status == "ASKED")
    amount = left if wish.amount is None else money(wish.amount, wish.currency or "", top_up.currency)
    if isinstance(amount, InvalidInput):
        return amount
    if left <= 0:
        return Conflict("nothing is left of what was paid")
    if amount > left:
        most = f"{from_minor(left, top_up.currency)} {top_up.currency}"
        return InvalidInput(f"more than is left of what was paid: {most}", field="amount")
    number = 1 + max((each.number for each in kept), default=0)
    payback = KeptPayback(
        *(*place, number, "REFUND", "ASKED", amount),
        actor_id=wish.actor_id,
        reason=wish.reason,
        note=wish.note,
        key=wish.key,
        fingerprint=wish.meaning(top_up.number),
    )
    asked, kept = await booking.write(runs, top_up, kept, Step(top_up, payback=payback), writing)
    after = {"amount": str(from_minor(amount, top_up.currency)), "currency": top_up.currency, "reason": wish.reason}
    await record(connection, wish.actor_id, "topUp.refundAsked", top_up.id, before=None, after=after)
    return asked, kept[-1]


async def give_up(page: Page, refund: KeptPayback, *, writing: booking.Writing) -> None:
    """The provider would not, or was not reached in time: the refund has failed, unless its truth says otherwise."""
    await lock_customer(page.connection, refund.customer_id)
    runs = await bare(page.connection)
    found = await booking.read(runs, refund.of)
    payback = None if found is None else next((each for each in found[1] if each.number == refund.number), None)
    if found is not None and payback is not None and payback.status == "ASKED":
        step = Step(found[0], payback=replace(payback, status="FAILED"))
        await booking.write(runs, *found, step, writing)
