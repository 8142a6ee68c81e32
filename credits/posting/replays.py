"""Idempotency by replay: a key that was used before gets its first answer, with the present balance.

Read once the batch has committed, because the first answer may be part of it.
"""

from collections.abc import Sequence
from typing import Any

from credits.amount import from_micro
from credits.canonical import canonical_json
from credits.db import Database
from credits.errors import IdempotencyConflict
from credits.ledger.account import Account, Grant, Hold
from credits.ledger.entries import Entry, Kind
from credits.ledger.reads import read_accounts, read_entries, read_grants, read_holds
from credits.posting.book import Book
from credits.posting.commands import Burn, Command, GiveGrant, OpenHold, Release, Settle, Spend
from credits.posting.correct import reversal_decision
from credits.posting.corrections import (
    Adjust,
    Clawback,
    Correction,
    ExtendGrant,
    ReverseBurn,
    ReverseClawback,
    VoidGrant,
)
from credits.posting.outcomes import Answer, Burned, Decision, GivenBack, Granted, HoldTaken, Replay, Settled, UsedKey

_KIND_OF = {Burn: Kind.BURN, GiveGrant: Kind.GRANT, OpenHold: Kind.HOLD, Settle: Kind.SETTLE, Release: Kind.RELEASE}
_KIND_OF |= {VoidGrant: Kind.VOID, ExtendGrant: Kind.ADJUST, Adjust: Kind.ADJUST, Clawback: Kind.CLAWBACK}
_KIND_OF |= {ReverseBurn: Kind.REVERSE, ReverseClawback: Kind.REVERSE}
_OF_ONE_GRANT = (Kind.VOID, Kind.ADJUST, Kind.CLAWBACK)  # their first allocation names it


async def read_firsts(database: Database, book: Book, replays: Sequence[Replay]) -> "Firsts":
    """What the used keys of a batch stand for. Raises what the store raises."""
    return await Firsts(book, [replay.used for replay in replays]).read(database)


class Firsts:
    """What the used keys of a batch stand for, read in one go."""

    def __init__(self, book: Book, used: Sequence[UsedKey]) -> None:
        self.book = book
        self._used = used
        self.accounts: dict[tuple[int, int], Account] = {}
        self._entries: dict[tuple[int, int, int], Entry] = {}
        self._grants: dict[tuple[int, int, int], Grant] = {}
        self._holds: dict[tuple[int, int, int], Hold] = {}

    async def read(self, database: Database) -> "Firsts":
        used = self._used
        async with database.view(self.book.workspace_id) as connection:
            customer_ids = list({key.customer_id for key in used})
            self.accounts = await read_accounts(connection, self.book.catalog, customer_ids, self.book.now)
            self._entries = await read_entries(
                connection, [(k.customer_id, k.credit_type_id, k.sequence) for k in used if k.sequence is not None]
            )
            given = [(k.customer_id, k.credit_type_id, k.grant_number) for k in used if k.grant_number is not None]
            named = [
                (*place[:2], abs(entry.allocations[0][0]))
                for place, entry in self._entries.items()
                if entry.kind in _OF_ONE_GRANT
            ]
            self._grants = await read_grants(connection, [*given, *named])
            self._holds = await read_holds(
                connection,
                [(k.customer_id, k.credit_type_id, k.hold_number) for k in used if k.hold_number is not None],
            )
        return self

    def answer(self, command: Command, replay: Replay) -> Answer:
        """The first answer, or the conflict where the payload is another. Raises `LookupError` for a broken key."""
        return _answer(self, command, replay)

    def account(self, used: UsedKey) -> Account:
        return self.accounts[used.customer_id, used.credit_type_id]

    def entry(self, used: UsedKey) -> Entry | None:
        return self._entries.get((used.customer_id, used.credit_type_id, used.sequence or 0))

    def grant(self, used: UsedKey) -> Grant | None:
        """As it is now: what fell due is in the advanced account."""
        number, entry = used.grant_number, self.entry(used)
        if entry is not None and entry.kind in _OF_ONE_GRANT:
            number = abs(entry.allocations[0][0])
        stored = self._grants.get((used.customer_id, used.credit_type_id, number or 0))
        return stored and self.account(used).grants.get(stored.number, stored)

    def hold(self, used: UsedKey) -> Hold | None:
        stored = self._holds.get((used.customer_id, used.credit_type_id, used.hold_number or 0))
        return stored and self.account(used).holds.get(stored.number, stored)


def _answer(first: Firsts, command: Command, replay: Replay) -> Answer:
    used = replay.used
    if replay.contradicts:
        what = _difference(first, command, used)
        return IdempotencyConflict(
            f"this idempotency key was used before with another payload: {what} differs",
            first_seen_at=used.first_seen_at,
        )
    place = (used.customer_id, used.credit_type_id)
    balance = first.book.balance(first.account(used))
    entry, grant, hold = first.entry(used), first.grant(used), first.hold(used)
    if isinstance(command, ReverseBurn) and entry is not None:
        return Burned(entry, balance, reversal_decision(first.book, entry), replayed=True)
    if isinstance(command, ReverseClawback) and entry is not None:
        return GivenBack([entry], replayed=True)
    if isinstance(command, GiveGrant | Correction) and grant is not None:
        return Granted(*place, grant, entry, balance, replayed=True)
    if isinstance(command, Burn) and entry is not None:
        return Burned(entry, balance, _decision(first, entry), replayed=True)
    if isinstance(command, Settle) and entry is not None and hold is not None:
        return Settled(*place, hold, entry, balance, replayed=True)
    if entry is None or hold is None:
        raise LookupError(f"key of customer {used.customer_id} points to nothing")
    decision = _decision(first, entry) if isinstance(command, OpenHold) else None
    return HoldTaken(*place, hold, entry, balance, decision, replayed=True)


def _decision(first: Firsts, entry: Entry) -> Decision:
    """It was allowed: only what was allowed has an entry."""
    book = first.book
    customer = book.customers[entry.customer_id]
    return Decision(
        allowed=True,
        would_block=False,
        mode=book.enforcement(customer, entry.cause.feature_id, entry.credit_type_id).mode,
        reason=None,
        cost_micro=max(abs(entry.amount), abs(entry.held_amount)),
        credit_type_id=entry.credit_type_id,
    )


def _difference(first: Firsts, command: Command, used: UsedKey) -> str:
    """The first field in which the two payloads differ, as the caller spells it."""
    entry, grant = first.entry(used), first.grant(used)
    before = entry.kind if entry else Kind.GRANT if grant else None
    if before is not _KIND_OF.get(type(command)):
        return "the operation"
    stored: dict[str, Any] = {}
    if grant is not None and before is Kind.GRANT:
        stored = {"amount": from_micro(grant.amount), "source": grant.source, "reason": grant.reason}
        stored |= {"note": grant.note, "priority": grant.priority, "expiresAt": grant.expires_at}
    elif entry is not None:
        stored = _entry_payload(first, entry)
    given = _payload(command)
    given_type = given.pop("creditType", None)
    if given_type is not None and given_type != first.book.credit_type(used.credit_type_id).key:
        return "creditType"
    return next((name for name, value in given.items() if name in stored and stored[name] != value), "the payload")


def _entry_payload(first: Firsts, entry: Entry) -> dict[str, Any]:
    cause = entry.cause
    feature = None if cause.feature_id is None else first.book.catalog.feature(cause.feature_id)
    return {
        "feature": feature.key if feature else None,
        "quantity": cause.quantity,
        "amount": from_micro(max(abs(entry.amount), abs(entry.held_amount))) if cause.quantity is None else None,
        "dimensions": cause.dimensions,
        "member": cause.member,
        "note": cause.note,
        "reason": cause.reason,
        "hold": entry.hold_number,
        "entry": (entry.credit_type_id, cause.reverses),
    }


def _payload(command: Command) -> dict[str, Any]:
    match command:
        case Burn():
            return _spend_payload(command.spend) | {"note": command.note}
        case OpenHold():
            return _spend_payload(command.spend)
        case Settle():
            return {"hold": command.hold.number, "quantity": command.quantity, "amount": command.amount}
        case Release():
            return {"hold": command.hold.number}
        case GiveGrant():
            return {
                "creditType": command.credit_type,
                "amount": command.amount,
                "source": command.source,
                "reason": command.reason,
                "note": command.note,
                "priority": command.priority,
                "expiresAt": command.expires_at,
            }
        case Correction():
            # Entries keep what was given back, not that all of it was asked for; and no sign.
            given = command.payload()
            amount = given.pop("amount", None)
            return given if amount is None else {**given, "amount": abs(amount)}
        case _:
            return {}


def _spend_payload(spend: Spend) -> dict[str, Any]:
    return {
        "creditType": spend.credit_type,
        "feature": spend.feature,
        "quantity": spend.quantity,
        "amount": spend.amount,
        "dimensions": canonical_json(spend.dimensions) if spend.dimensions else None,
        "member": spend.member,
    }
