"""Burning credits: the only way they are consumed. PURE.

Nothing here asks whether a burn may happen: enforcement has decided before. What no grant covers is overdraft.
"""

from datetime import datetime

from credits.ledger import phases
from credits.ledger.account import Account
from credits.ledger.entries import OVERDRAFT, Cause, Entry, Kind


def burn(account: Account, amount: int, *, occurred_at: datetime, now: datetime, cause: Cause) -> Entry:
    """Burns `amount` micro-credits in burn order."""
    allocations = draw(account, amount)
    phases.add(account.drawn, allocations)
    account.burned += amount
    return account.append(
        Kind.BURN,
        amount=-amount,
        held_amount=0,
        occurred_at=occurred_at,
        recorded_at=now,
        allocations=allocations,
        cause=cause,
    )


def draw(account: Account, amount: int) -> list[tuple[int, int]]:
    """Takes `amount` from what is free, grant by grant in burn order; the rest becomes overdraft."""
    allocations: list[tuple[int, int]] = []
    burnable = account.burnable()
    while amount and burnable:
        grant = burnable[0]
        part = min(amount, grant.remaining - grant.held)
        grant.remaining -= part
        grant.burned += part
        amount -= part
        allocations.append((grant.number, part))
        account.changed_grants.add(grant.number)
        if grant.remaining == grant.held:
            burnable.pop(0)
            if grant.remaining == 0:
                grant.state = "DEPLETED"
    if amount:
        account.overdraft += amount
        allocations.append((OVERDRAFT, amount))
    return allocations


def repay(account: Account) -> list[tuple[int, int]]:
    """Debt first: what is free pays overdraft at once, in burn order. Its allocations, each as −grant."""
    debt, account.overdraft = account.overdraft, 0
    if not debt:
        return []
    return [(-number, part) for number, part in draw(account, debt) if number != OVERDRAFT]
