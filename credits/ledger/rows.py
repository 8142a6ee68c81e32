"""Rows ↔ what the rules see. One place knows how an account, a grant, a hold and an entry lie in the tables."""

from collections.abc import Sequence
from dataclasses import fields
from typing import Any, Protocol

from credits.ledger.account import Account, Grant, Hold
from credits.ledger.entries import Cause, Entry, Kind
from credits.ledger.phases import Boundary, Phase, Rank


class Row(Protocol):
    """A row of either driver, by column name."""

    def __getitem__(self, name: str, /) -> Any: ...


def account_of(row: Row, burn_order: str) -> Account:
    return Account(
        workspace_id=row["workspace_id"],
        customer_id=row["customer_id"],
        credit_type_id=row["credit_type_id"],
        burn_order=burn_order,
        balance=row["balance"],
        held=row["held"],
        overdraft=row["overdraft"],
        granted=row["granted"],
        burned=row["burned"],
        expired=row["expired"],
        given_back=row["given_back"],
        voided=row["voided"],
        clawed_back=row["clawed_back"],
        adjusted=row["adjusted"],
        recorded_at=row["recorded_at"],
        due_at=row["due_at"],
        stored_due_at=row["due_at"],
        sequence=row["sequence"],
        grant_count=row["grants"],
        hold_count=row["holds"],
        phase_count=row["phases"],
        phased_at=row["phased_at"],
        drawn=dict(pairs(row["drawn"])),
        head=row["head"],
    )


# What `stored_account` takes, in its order: whoever reads many makes them by place, not by name.
ACCOUNT_COLUMNS = (
    *("customer_id", "credit_type_id", "balance", "held", "overdraft", "granted", "burned", "expired"),
    *("given_back", "voided", "clawed_back", "adjusted", "recorded_at", "due_at"),
    *("sequence", "grants", "holds", "phases", "phased_at", "drawn", "head"),
)


def stored_account(workspace_id: int, burn_order: str, values: Sequence[Any]) -> Account:
    """An account by the values of its columns, `drawn` in PostgreSQL's text form."""
    customer_id, credit_type_id, *totals = values[:14]
    sequence, grants, holds, phases, phased_at, drawn, head = values[14:]
    account = Account(workspace_id, customer_id, credit_type_id, burn_order, *totals)
    account.stored_due_at = account.due_at
    account.sequence, account.head = sequence, head
    account.grant_count, account.hold_count, account.phase_count, account.phased_at = grants, holds, phases, phased_at
    if drawn is not None:
        account.drawn = dict(pairs([int(number) for number in drawn[1:-1].split(",") if number]))
    return account


def grant_of(row: Row) -> Grant:
    return Grant(
        number=row["number"],
        source=row["source"],
        state=row["state"],
        amount=row["amount"],
        remaining=row["remaining"],
        priority=row["priority"],
        effective_at=row["effective_at"],
        expires_at=row["expires_at"],
        created_at=row["created_at"],
        held=row["held"],
        burned=row["burned"],
        expired=row["expired"],
        voided=row["voided"],
        clawed_back=row["clawed_back"],
        given_back=row["given_back"],
        reversed=row["reversed"],
        actor_id=row["actor_id"],
        reason=row["reason"],
        note=row["note"],
        cost_amount=row["cost_amount"],
        cost_currency=row["cost_currency"],
        metadata=row["metadata"],
        key=row["key"],
        fingerprint=row["fingerprint"],
        rolled_from=row["rolled_from"],
    )


# The columns of a grant that `Grant` has, in its order: whoever reads many makes them by place, not by name.
GRANT_COLUMNS = tuple(field.name for field in fields(Grant))


def hold_of(row: Row) -> Hold:
    return Hold(
        number=row["number"],
        amount=row["amount"],
        remaining=row["remaining"],
        opened_at=row["opened_at"],
        expires_at=row["expires_at"],
        parts=pairs(row["parts"]),
        status=row["status"],
        settled=row["settled"],
        closed_at=row["closed_at"],
        feature_id=row["feature_id"],
        rate_id=row["rate_id"],
        member=row["member"],
        dimensions=row["dimensions"],
    )


def phase_of(row: Row) -> Phase:
    return Phase(
        number=row["number"],
        until=row["until"],
        rank=Rank(row["rank"]),
        boundary=Boundary(row["boundary"]),
        moved=pairs(row["moved"]),
        repaid=pairs(row["repaid"]),
        drawn=dict(pairs(row["drawn"])),
    )


def entry_of(row: Row) -> Entry:
    allocations = pairs(row["allocations"])
    if row["grant_number"] is not None:
        allocations = [(row["grant_number"], max(abs(row["amount"]), abs(row["held_amount"] or 0)))]
    return Entry(
        workspace_id=row["workspace_id"],
        customer_id=row["customer_id"],
        credit_type_id=row["credit_type_id"],
        sequence=row["sequence"],
        kind=Kind(row["kind"]),
        amount=row["amount"],
        held_amount=row["held_amount"] or 0,
        balance_after=row["balance_after"],
        held_after=row["held_after"] or 0,
        occurred_at=row["occurred_at"] or row["recorded_at"],
        recorded_at=row["recorded_at"],
        allocations=allocations,
        hold_number=row["hold_number"],
        cause=Cause(
            actor_id=row["actor_id"],
            feature_id=row["feature_id"],
            rate_id=row["rate_id"],
            quantity=row["quantity"],
            exact_amount=row["exact_amount"],
            dimensions=row["dimensions"],
            member=row["member"],
            event=row["event"],
            reason=row["reason"],
            note=row["note"],
            key=row["key"],
            fingerprint=row["fingerprint"],
            reverses=row["reverses"],
        ),
        hash=row["hash"],
    )


def sole_grant(entry: Entry) -> int | None:
    """The one grant that bore the whole entry, which is stored in four bytes instead of a list."""
    if len(entry.allocations) != 1:
        return None
    number, part = entry.allocations[0]
    whole = max(abs(entry.amount), abs(entry.held_amount)) if entry.held_amount else abs(entry.amount)
    return number if number > 0 and part == whole else None


def pairs(flat: Sequence[int] | None) -> list[tuple[int, int]]:
    """[1, 50, 2, 30] → [(1, 50), (2, 30)]"""
    if not flat:
        return []
    return list(zip(flat[::2], flat[1::2], strict=True))


def flatten(parts: Sequence[tuple[int, int]]) -> list[int]:
    """[(1, 50), (2, 30)] → [1, 50, 2, 30]"""
    return [number for part in parts for number in part]
