"""Giving credits. PURE."""

from datetime import datetime

from credits.ledger.account import Account, Grant
from credits.ledger.entries import Entry, Kind
from credits.ledger.phases import Boundary, Rank


def give(account: Account, grant: Grant, now: datetime) -> Entry | None:
    """Takes a new grant into the account; its GRANT entry is written when it begins, so None for a scheduled one.

    `grant.number` is given here. A grant effective in the past begins now, with its own `occurred_at`.
    """
    take_in(account, grant)
    if grant.effective_at > now:
        account.falls_due(grant.effective_at)
        return None
    return begin(account, grant, recorded_at=now)


def take_in(account: Account, grant: Grant) -> None:
    """Gives the new grant its number; it has not begun."""
    account.grant_count += 1
    grant.number = account.grant_count
    account.grants[grant.number] = grant
    account.changed_grants.add(grant.number)
    account.new_grants.add(grant.number)


def begin(account: Account, grant: Grant, *, recorded_at: datetime) -> Entry:
    """The grant becomes live. Overdraft is debt: the grant pays it first, with an allocation that says so."""
    repaid = min(account.overdraft, grant.amount)
    account.end_phase(
        grant.effective_at, Rank.START, Boundary.BEGIN, [(grant.number, grant.amount)], [(grant.number, repaid)]
    )
    grant.state = "ACTIVE"
    grant.remaining = grant.amount - repaid
    grant.burned = repaid
    account.overdraft -= repaid
    account.granted += grant.amount
    allocations = [(grant.number, grant.remaining)] if grant.remaining else []
    if repaid:
        allocations.append((-grant.number, repaid))
    if grant.remaining == 0:
        grant.state = "DEPLETED"
    else:
        account.falls_due(grant.expires_at)
    account.changed_grants.add(grant.number)
    account.regroup()
    return account.append(
        Kind.GRANT,
        amount=grant.amount,
        held_amount=0,
        occurred_at=grant.effective_at,
        recorded_at=recorded_at,
        allocations=allocations,
        cause=grant.cause,
    )
