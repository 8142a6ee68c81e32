"""Which commands are an operator's act, and what the audit log says of them. PURE.

Recorded in the transaction of the batch itself. A further kind of command that people give gets its case here; what goes
with a reversal is said by its companion.
"""

from collections.abc import Iterable
from typing import Any

from credits import ids
from credits.amount import plain_micro
from credits.audit.log import Act
from credits.ledger.account import Grant
from credits.ledger.entries import Entry
from credits.posting.book import Book
from credits.posting.commands import Command, GiveGrant, TakeEvent
from credits.posting.corrections import Adjust, Clawback, ExtendGrant, GrantId, ReverseBurn, ReverseClawback, VoidGrant
from credits.posting.outcomes import Answer, Burned, EventTaken, GivenBack, Granted, Replay


def acts_of(book: Book, commands: Iterable[Command], answers: Iterable[Answer | Replay]) -> list[Act]:
    """The acts of a batch, in order. What was refused, and what a used key stands for already, is none."""
    acts: list[Act] = []
    retried = {id(event.command): event.was for event in book.retried_events}
    for command, answer in zip(commands, answers, strict=True):
        match command, answer:
            case TakeEvent(again=False), _:
                pass  # the many: looked at no further
            case TakeEvent(), EventTaken():
                if (was := retried.get(id(command))) is not None:
                    before, after = {"outcome": was.name}, {"outcome": answer.outcome.name}
                    acts.append(Act(command.actor_id, "deadLetter.retried", ids.event(command.key), before, after))
            case GiveGrant(by_hand=True), Granted():
                acts.append(_given(command, answer))
            case ((VoidGrant() | Adjust() | Clawback()), Granted(entry=Entry() as entry)):
                acts.append(_changed(command, answer, entry))
            case ExtendGrant(), Granted():
                acts.append(_extended(book, command, answer))
            case ReverseBurn(), Burned():
                acts.append(_reversed(book, command, answer.entry))
            case ReverseClawback(), GivenBack(entries=[reversal]):
                acts.append(_reversed(book, command, reversal))
    return acts


def _given(command: GiveGrant, answer: Granted) -> Act:
    grant = answer.grant
    after = {
        "customer": ids.make("cus", answer.customer_id),
        "creditType": command.credit_type,
        "amount": plain_micro(grant.amount),
        "source": grant.source,
        "reason": grant.reason,
        "effectiveAt": grant.effective_at,
        "expiresAt": grant.expires_at,
    }
    return Act(command.actor_id, "grant.given", _id_of(answer, grant), None, after)


_DONE = {VoidGrant: "grant.voided", Adjust: "grant.adjusted", Clawback: "grant.clawedBack"}


def _changed(command: VoidGrant | Adjust | Clawback, answer: Granted, entry: Entry) -> Act:
    """What is left of the grant, before and after; of one that had not begun, all of it."""
    grant = answer.grant
    taken = sum(part for number, part in entry.allocations if number == grant.number)
    if isinstance(command, Adjust):
        taken = -entry.amount  # what of it paid debt left the grant at once
        taken += sum(part for number, part in entry.allocations if number == -grant.number)
    scheduled = isinstance(command, VoidGrant) and grant.effective_at > entry.recorded_at
    before: dict[str, Any] = {"remaining": plain_micro(grant.amount if scheduled else grant.remaining + taken)}
    after: dict[str, Any] = {"remaining": plain_micro(grant.remaining), "reason": command.reason}
    if isinstance(command, VoidGrant):
        before["state"], after["state"] = "SCHEDULED" if scheduled else "ACTIVE", grant.state
    else:
        after["amount"] = plain_micro(entry.amount)
    return Act(command.actor_id, _DONE[type(command)], _id_of(answer, grant), before, after)


def _extended(book: Book, command: ExtendGrant, answer: Granted) -> Act:
    """Said of the grant that was extended; what remains of it is in the one that continues it."""
    new, old_id = answer.grant, command.grant
    old = book.accounts[old_id.customer_id, old_id.credit_type_id].grants[old_id.number]
    after = {
        "expiresAt": new.expires_at,
        "grant": _id_of(answer, new),
        "moved": plain_micro(new.amount),
        "reason": command.reason,
    }
    return Act(command.actor_id, "grant.extended", _named(old_id), {"expiresAt": old.expires_at}, after)


def _reversed(book: Book, command: ReverseBurn | ReverseClawback, reversal: Entry) -> Act:
    place = command.entry.place
    stored = book.reversible.get(place)
    account = book.accounts[place[:2]]
    earlier = [*(stored.later if stored else ()), *account.entries]
    given_back = sum(
        each.amount
        for each in earlier
        if each.cause.reverses == command.entry.sequence and each.sequence < reversal.sequence
    )
    after = {
        "givenBack": plain_micro(given_back + reversal.amount),
        "entry": ids.make("ent", *place[:2], reversal.sequence),
        "reason": command.reason,
    }
    before = {"givenBack": plain_micro(given_back)}
    done = "burn.reversed" if isinstance(command, ReverseBurn) else "clawback.reversed"
    return Act(command.actor_id, done, ids.make("ent", *place), before, after)


def _id_of(answer: Granted, grant: Grant) -> str:
    return ids.make("gra", answer.customer_id, answer.credit_type_id, grant.number)


def _named(grant: GrantId) -> str:
    return ids.make("gra", grant.customer_id, grant.credit_type_id, grant.number)
