"""What a batch has to tell of, for webhooks. PURE.

Messages are written with the entries they tell of, in the same database transaction; in a workspace where nobody wants
to be told nothing here runs.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from credits import bounds, ids
from credits.amount import plain_micro
from credits.ledger.account import Account, Grant
from credits.ledger.entries import Entry, Kind
from credits.posting.book import Book, NewEvent
from credits.posting.outcomes import EventOutcome
from credits.webhooks.crossing import crossed, threshold_of
from credits.webhooks.messages import OF_THE_WORKSPACE, Message


def messages_of(book: Book, changed: Iterable[Account]) -> list[Message]:
    """What the batch did that somebody wants to be told of; of one account in the order of its entries."""
    told = [message for account in changed for message in _of_account(book, account)]
    if "event.dead_lettered" in book.wanted:
        told += _dead_letters(book)
    return [message for message in told if message.type in book.wanted]


def _of_account(book: Book, account: Account) -> Iterator[Message]:
    low_micro = _low_micro(book, account)
    waiting = set(account.new_grants)
    heard: set[str] = set()
    steps = _steps(account.entries)
    for entry in account.entries:
        for number in dict.fromkeys(abs(number) for number, _ in entry.allocations):
            if number in waiting:
                waiting.discard(number)
                yield _created(book, account, account.grants[number])
        if entry.kind is Kind.EXPIRE:
            yield from (_expired(book, account, entry, *part) for part in entry.allocations)
        elif entry.kind is Kind.LAPSE:
            yield _lapsed(book, account, entry)
        for type_ in crossed(*steps[entry.sequence], low_micro):
            if type_ not in heard:  # once in a batch, however often it goes up and down in between
                heard.add(type_)
                yield _crossed(book, account, entry, type_, low_micro)
    for number in sorted(waiting):  # scheduled, or all of it paid debt
        yield _created(book, account, account.grants[number])


def _steps(entries: Sequence[Entry]) -> dict[int, tuple[int, int]]:
    """What was available before and after each entry, by its sequence. Where the past was laid again, all of it is one
    step, at the last entry: what came back of an end that is undone, and goes again, was never there to be spent."""
    if not entries:
        return {}
    after = {entry.sequence: entry.balance_after - entry.held_after for entry in entries}
    before = {entry.sequence: after[entry.sequence] - entry.amount + entry.held_amount for entry in entries}
    if any(map(_lays_again, entries)):
        first, last = entries[0].sequence, entries[-1].sequence
        return dict.fromkeys(after, (0, 0)) | {last: (before[first], after[last])}
    return {sequence: (before[sequence], after[sequence]) for sequence in after}


def _lays_again(entry: Entry) -> bool:
    again = entry.kind in (Kind.UNEXPIRE, Kind.REALLOCATE)
    return again or (entry.kind is Kind.EXPIRE and entry.occurred_at < entry.recorded_at)


def _low_micro(book: Book, account: Account) -> int:
    """Below what this balance is low. Of the grants those count that were live in this batch: also one that it emptied."""
    began = sum(
        grant.amount
        for grant in account.grants.values()
        if grant.state == "ACTIVE"
        or (grant.state in ("DEPLETED", "EXPIRED") and grant.number in account.changed_grants)
    )
    return threshold_of(began, book.low_thresholds.get((account.customer_id, account.credit_type_id)))


def _crossed(book: Book, account: Account, entry: Entry, type_: str, low_micro: int) -> Message:
    data = {
        "balance": plain_micro(entry.balance_after),
        "held": plain_micro(entry.held_after),
        "available": plain_micro(entry.balance_after - entry.held_after),
        "version": entry.sequence,
        "entry": _entry_id(entry),
    }
    if type_ == "balance.low":
        data["threshold"] = plain_micro(low_micro)
    return _message(book, account, type_, entry.recorded_at, fact=_entry_id(entry), data=data)


def _created(book: Book, account: Account, grant: Grant) -> Message:
    name = _grant_id(account, grant.number)
    data = {
        "grant": name,
        "source": grant.source,
        "status": grant.state,
        "amount": plain_micro(grant.amount),
        "effectiveAt": grant.effective_at,
        "expiresAt": grant.expires_at,
        "version": account.sequence,
    }
    return _message(book, account, "grant.created", grant.created_at, fact=name, data=data)


def _expired(book: Book, account: Account, entry: Entry, number: int, amount_micro: int) -> Message:
    """Also what a hold gave back to a grant that had ended meanwhile: each part is told when it is lost."""
    data = {
        "grant": _grant_id(account, number),
        "amount": plain_micro(amount_micro),
        "expiresAt": account.grants[number].expires_at if number in account.grants else None,
        "version": entry.sequence,
        "entry": _entry_id(entry),
    }
    return _message(book, account, "grant.expired", entry.recorded_at, fact=f"{_entry_id(entry)} {number}", data=data)


def _lapsed(book: Book, account: Account, entry: Entry) -> Message:
    hold = ids.make("hld", account.customer_id, account.credit_type_id, entry.hold_number or 0)
    data = {
        "hold": hold,
        "amount": plain_micro(-entry.held_amount),
        "version": entry.sequence,
        "entry": _entry_id(entry),
    }
    return _message(book, account, "hold.lapsed", entry.recorded_at, fact=hold, data=data)


def _dead_letters(book: Book) -> Iterator[Message]:
    """One message for all of a batch that have the same customer and outcome: a broken import makes thousands."""
    grouped: dict[tuple[int, EventOutcome], list[NewEvent]] = {}
    for event in book.new_events:
        if EventOutcome.LATE <= event.outcome < EventOutcome.DISCARDED:
            grouped.setdefault((event.customer_id or OF_THE_WORKSPACE, event.outcome), []).append(event)
    for (customer_id, outcome), events in grouped.items():
        named = events[: bounds.WEBHOOK_EVENTS_TOLD_MAX]
        data = {
            "customer": book.customers[customer_id].key if customer_id in book.customers else None,
            "outcome": outcome.name,
            "message": events[0].message,
            "count": len(events),
            "events": [
                {
                    "id": ids.event(each.command.key),
                    "source": each.command.source,
                    "eventId": each.command.event_id,
                    "type": each.command.type,
                    "subject": each.command.subject,
                }
                for each in named
            ],
        }
        fact = ids.event(events[0].command.key)
        yield Message(book.workspace_id, "event.dead_lettered", book.now, fact, data, customer_id)


def _message(book: Book, account: Account, type_: str, at: datetime, *, fact: str, data: Mapping[str, Any]) -> Message:
    whose = {
        "customer": book.customers[account.customer_id].key,
        "customerId": ids.make("cus", account.customer_id),
        "creditType": book.credit_type(account.credit_type_id).key,
    }
    return Message(book.workspace_id, type_, at, fact, {**whose, **data}, account.customer_id)


def _entry_id(entry: Entry) -> str:
    return ids.make("ent", entry.customer_id, entry.credit_type_id, entry.sequence)


def _grant_id(account: Account, number: int) -> str:
    return ids.make("gra", account.customer_id, account.credit_type_id, number)
