"""The clock first: whatever fell due is booked before anything else happens to an account. PURE.

Expiry, lapse and becoming effective are functions of time, not of a job. `advance` books them in order of their due
instants, each recorded at that instant, so that a late sweep changes nothing that anyone can see. At one instant:
expiries, lapses, then scheduled grants; within a kind by number.
"""

from datetime import datetime
from heapq import heapify, heappop, heappush

from credits.ledger.account import Account, Grant
from credits.ledger.entries import BY_THE_CLOCK, Kind
from credits.ledger.grants import begin
from credits.ledger.holds import release
from credits.ledger.phases import Boundary, Rank

_EXPIRY, _LAPSE, _START = 1, 2, 3  # their order at one instant


def advance(account: Account, now: datetime) -> None:
    """Books everything due up to and at `now`."""
    if account.due_at is None or account.due_at > now:
        return
    due = _everything(account)
    while due and due[0][0] <= now:
        at, kind, number = heappop(due)
        if not _is_due(account, kind, number):
            continue
        if kind == _EXPIRY:
            _expire(account, account.grants[number], at)
        elif kind == _LAPSE:
            release(account, account.holds[number], at=at, lapsed=True)
        else:
            grant = account.grants[number]
            begin(account, grant, recorded_at=at)
            if grant.expires_at is not None:
                heappush(due, (grant.expires_at, _EXPIRY, number))
    while due and not _is_due(account, *due[0][1:]):
        heappop(due)
    account.due_at = due[0][0] if due else None
    account.falls_due(account.later_hold_at)


def _everything(account: Account) -> list[tuple[datetime, int, int]]:
    """Whatever is going to fall due, as a heap of (instant, kind, number): an account may have thousands."""
    due = [
        (grant.expires_at, _EXPIRY, grant.number)
        for grant in account.grants.values()
        if grant.expires_at is not None and grant.state == "ACTIVE"
    ]
    due += [(hold.expires_at, _LAPSE, hold.number) for hold in account.holds.values() if hold.status == "OPEN"]
    due += [
        (grant.effective_at, _START, grant.number) for grant in account.grants.values() if grant.state == "SCHEDULED"
    ]
    heapify(due)
    return due


def _is_due(account: Account, kind: int, number: int) -> bool:
    """Still, after what came before it: a grant may have paid overdraft to its last credit meanwhile."""
    if kind == _LAPSE:
        return account.holds[number].status == "OPEN"
    return account.grants[number].state == ("ACTIVE" if kind == _EXPIRY else "SCHEDULED")


def _expire(account: Account, grant: Grant, at: datetime) -> None:
    """The grant ends. What open holds keep of it stays until they close."""
    amount = grant.free
    account.end_phase(at, Rank.EXPIRY, Boundary.END, [(grant.number, amount), (-grant.number, grant.held)])
    grant.state = "EXPIRED"
    grant.remaining -= amount
    grant.expired += amount
    account.changed_grants.add(grant.number)
    account.regroup()
    if amount:
        account.expired += amount
        account.append(
            Kind.EXPIRE,
            amount=-amount,
            held_amount=0,
            occurred_at=at,
            recorded_at=at,
            allocations=[(grant.number, amount)],
            cause=BY_THE_CLOCK,
        )
