"""A usage event becomes burns, or a dead letter with its reason. PURE.

Events tell of what has happened: they always burn, in any mode, beyond any limit if need be. One event may burn for
several features; it burns for all of them or becomes a dead letter as a whole, so that it can be tried again.
"""

from datetime import datetime

from credits import bounds
from credits.amount import INT64_MAX
from credits.canonical import canonical_json
from credits.errors import InvalidInput
from credits.ledger.account import Account
from credits.ledger.burn import burn
from credits.ledger.entries import Cause, Entry
from credits.ledger.late import is_late
from credits.ledger.laying import LateBurn
from credits.posting.book import Book, LockedCustomer, NewEvent
from credits.posting.commands import TakeEvent
from credits.posting.outcomes import EventOutcome, EventTaken
from credits.posting.pricing import no_rate
from credits.rating.meter import MEMBER, quantity_of
from credits.rating.rate import rate

_BURNED = EventTaken(EventOutcome.BURNED)
_DUPLICATE = EventTaken(EventOutcome.DUPLICATE)
_CONTRADICTION = EventTaken(
    EventOutcome.INVALID,
    "another event with this source and id came before, and says something else; the first one stands",
)


# What an event burns from which account, and why.
_Burns = list[tuple[Account, int, Cause]]


def take_event(book: Book, event: TakeEvent) -> EventTaken:
    """Stores the event with what became of it, and burns."""
    seen = book.seen_events.get(event.key)
    again = event.again and seen is not None and seen.outcome not in (EventOutcome.BURNED, EventOutcome.DISCARDED)
    if seen is not None and not again:
        if event.again and seen.outcome is EventOutcome.DISCARDED:
            return EventTaken(EventOutcome.DISCARDED, "it was given up before")
        return _DUPLICATE if seen.content == event.content else _CONTRADICTION
    customer = book.customer(event.subject)
    occurred_at = event.time or book.now
    burns = _judge(book, event, customer, occurred_at)
    taken, entries = _BURNED, list[Entry]()
    if isinstance(burns, EventTaken):
        taken = burns
    elif customer is not None:
        book.tag(customer)
        for account, amount_micro, cause in burns:
            if not amount_micro:
                continue
            if account.phased_at is not None and is_late(account, occurred_at):
                _place(book, account, LateBurn(amount_micro, occurred_at, cause), entries)
            else:
                entries.append(burn(account, amount_micro, occurred_at=occurred_at, now=book.now, cause=cause))
    whom = None if customer is None else customer.id
    stored = NewEvent(event, whom, occurred_at, taken.outcome, taken.message, entries)
    book.seen_events[event.key] = stored
    if again and seen is not None:
        stored.was, stored.attempts = seen.outcome, seen.attempts + 1
        book.retried_events.append(stored)
    else:
        book.new_events.append(stored)
    return taken


def _judge(book: Book, event: TakeEvent, customer: LockedCustomer | None, occurred_at: datetime) -> EventTaken | _Burns:
    """What the event burns, or why it is a dead letter."""
    if event.problem is not None:
        return EventTaken(EventOutcome.INVALID, event.problem)
    if customer is None:
        return EventTaken(EventOutcome.UNKNOWN_CUSTOMER, f"no customer {event.subject!r}")
    if occurred_at > book.now and occurred_at > book.now + bounds.FUTURE_SKEW:
        return EventTaken(EventOutcome.FUTURE, "its time lies more than 5 minutes ahead")
    if occurred_at < book.cutoff(customer) and not event.accept_late:
        return EventTaken(EventOutcome.LATE, "its time lies before the cutoff for late usage")
    data = event.data
    meter = book.meter(book.rate_card(customer, occurred_at), event.type)
    if not meter.features:
        return EventTaken(EventOutcome.UNKNOWN_TYPE, f"no feature meters events of type {event.type!r}")
    dimensions = meter.dimensions_of(data)
    text = canonical_json(dimensions) if dimensions else None
    member = data.get(MEMBER)
    if not isinstance(member, str) or not member:
        member = None
    burns: _Burns = []
    together: dict[int, int] = {}  # credit type → micro-credits: features of one event may burn from one account
    for applied in meter.priced(dimensions, text):
        feature, credit_type = applied.feature, applied.credit_type
        quantity = quantity_of(feature, data)
        if isinstance(quantity, str):
            return EventTaken(EventOutcome.INVALID, quantity)
        if applied.rate is None or credit_type is None:
            return EventTaken(EventOutcome.UNRATED, no_rate(meter.card, feature).message)
        cost = rate(applied.rate, quantity, credit_type.scale)
        if isinstance(cost, InvalidInput):
            return EventTaken(EventOutcome.INVALID, cost.message)
        exact = cost.exact if cost.rounded else None
        cause = Cause(None, feature.id, applied.rate.id, quantity, exact, text, member, event.key)
        account = book.account_before_late(customer.id, credit_type)
        burns.append((account, cost.amount_micro, cause))
        together[credit_type.id] = together.get(credit_type.id, 0) + cost.amount_micro
    for credit_type_id, sum_micro in together.items():
        account = book.accounts[customer.id, credit_type_id]
        if account.outgoing + book.late_micro(account) + sum_micro > INT64_MAX:
            return EventTaken(EventOutcome.INVALID, "would burn more than 64 bits of micro-credits in all")
    return burns


def _place(book: Book, account: Account, late: LateBurn, entries: list[Entry]) -> None:
    """Late usage waits, so that all of an account is laid at once; its entry then goes to the event's `entries`."""
    book.late.setdefault((account.customer_id, account.credit_type_id), []).append((late, entries))
