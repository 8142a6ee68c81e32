"""A usage event becomes burns, or a dead letter with its reason. PURE.

Events tell of what has happened: they always burn, in any mode, beyond any limit if need be. One event may burn for
several features; it burns for all of them or becomes a dead letter as a whole, so that it can be tried again.
"""

from datetime import datetime

from credits import bounds
from credits.amount import INT64_MAX
from credits.errors import InvalidInput, NotFound
from credits.ledger.account import Account
from credits.ledger.burn import burn
from credits.ledger.entries import Cause, Entry
from credits.ledger.late import is_late
from credits.ledger.laying import LateBurn
from credits.posting.book import Book, LockedCustomer, NewEvent, SeenEvent
from credits.posting.commands import TakeEvent
from credits.posting.outcomes import EventOutcome, EventTaken
from credits.posting.pricing import Dimensions, Price, rated
from credits.rating.meter import MEMBER, dimensions_of, features_for, quantity_of

_BURNED = EventTaken(EventOutcome.BURNED)
_DUPLICATE = EventTaken(EventOutcome.DUPLICATE)
_CONTRADICTION = EventTaken(
    EventOutcome.INVALID,
    "another event with this source and id came before, and says something else; the first one stands",
)


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
    taken, burns = _judge(book, event, customer, occurred_at)
    entries: list[Entry] = []
    if taken is _BURNED and customer is not None:
        book.tag(customer)
        for account, priced in burns:
            if priced.amount_micro:
                _burn(book, account, LateBurn(priced.amount_micro, occurred_at, _cause(event, priced)), entries)
    attempts = seen.attempts + 1 if again and seen is not None else 1
    book.seen_events[event.key] = SeenEvent(event.content, taken.outcome, attempts)
    (book.retried_events if again else book.new_events).append(
        NewEvent(
            event,
            customer.id if customer else None,
            occurred_at,
            taken.outcome,
            taken.message,
            entries,
            was=seen.outcome if again and seen is not None else None,
        )
    )
    return taken


def _judge(
    book: Book, event: TakeEvent, customer: LockedCustomer | None, occurred_at: datetime
) -> tuple[EventTaken, list[tuple[Account, Price]]]:
    """What becomes of the event, and from which accounts it burns, at which prices."""
    if event.problem is not None:
        return EventTaken(EventOutcome.INVALID, event.problem), []
    if customer is None:
        return EventTaken(EventOutcome.UNKNOWN_CUSTOMER, f"no customer {event.subject!r}"), []
    if occurred_at > book.now + bounds.FUTURE_SKEW:
        return EventTaken(EventOutcome.FUTURE, "its time lies more than 5 minutes ahead"), []
    if occurred_at < book.cutoff(customer) and not event.accept_late:
        return EventTaken(EventOutcome.LATE, "its time lies before the cutoff for late usage"), []
    card = book.rate_card(customer, occurred_at)
    features = features_for(book.catalog, event.type, card)
    if not features:
        return EventTaken(EventOutcome.UNKNOWN_TYPE, f"no feature meters events of type {event.type!r}"), []
    dimensions = Dimensions.of(dimensions_of(features, event.data))
    burns: list[tuple[Account, Price]] = []
    together: dict[int, int] = {}  # credit type → micro-credits: features of one event may burn from one account
    for feature in features:
        quantity = quantity_of(feature, event.data)
        if isinstance(quantity, str):
            return EventTaken(EventOutcome.INVALID, quantity), []
        priced = rated(book, card, feature, quantity, dimensions)
        if isinstance(priced, NotFound):
            return EventTaken(EventOutcome.UNRATED, priced.message), []
        if isinstance(priced, InvalidInput):
            return EventTaken(EventOutcome.INVALID, priced.message), []
        account = book.account_before_late(customer.id, priced.credit_type)
        amount_micro = together[account.credit_type_id] = together.get(account.credit_type_id, 0) + priced.amount_micro
        if account.outgoing + book.late_micro(account) + amount_micro > INT64_MAX:
            return EventTaken(EventOutcome.INVALID, "would burn more than 64 bits of micro-credits in all"), []
        burns.append((account, priced))
    return _BURNED, burns


def _burn(book: Book, account: Account, burned: LateBurn, entries: list[Entry]) -> None:
    """Burns, and puts the entry to the event's `entries`; late usage waits, so that all of an account is laid at once."""
    if is_late(account, burned.occurred_at):
        book.late.setdefault((account.customer_id, account.credit_type_id), []).append((burned, entries))
        return
    entries.append(burn(account, burned.amount, occurred_at=burned.occurred_at, now=book.now, cause=burned.cause))


def _cause(event: TakeEvent, priced: Price) -> Cause:
    member = event.data.get(MEMBER)
    return Cause(
        None,
        None if priced.feature is None else priced.feature.id,
        priced.rate_id,
        priced.quantity,
        priced.exact_amount,
        priced.dimensions,
        member if isinstance(member, str) and member else None,
        event.key,
    )
