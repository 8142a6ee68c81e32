"""The reference model's corrections, from the contract alone: void, clawback, reverse either. See `ledger.py`."""

from collections.abc import Sequence

from tests.model.ledger import Account
from tests.model.records import OVERDRAFT, Entry, Grant, Refused


def void(account: Account, now: int, number: int) -> Entry | Refused:
    """End what remains and is not held; what holds keep is voided when it comes back."""
    account.advance(now)
    grant = account.grants[number]
    if not grant.begun:  # it never was in the balance: nothing leaves it
        grant.begun = grant.ended = grant.void = True
        grant.voided = grant.amount
        return account.write("VOID", 0, 0, times=(now, now), drawn=(), subject=number)
    if not grant.is_live:
        return Refused("GRANT_NOT_ACTIVE")
    free = grant.free
    grant.ended = grant.void = True
    return account.void(grant, free, now)


def clawback(account: Account, now: int, number: int, amount: int) -> Entry | Refused:
    """From what is free of the grant; the rest is overdraft, whatever the limit, and debt comes first."""
    account.advance(now)
    grant = account.grants[number]
    if not grant.begun:
        return Refused("GRANT_NOT_ACTIVE")
    taken = min(grant.free, amount)
    grant.remaining -= taken
    grant.clawed_back += taken
    account.clawed_back += amount
    if amount > taken:
        account.owe(amount - taken)
    repaid = account.repay()
    drawn = [(number, taken), (OVERDRAFT, amount - taken)]
    return account.write("CLAWBACK", -amount, 0, times=(now, now), drawn=drawn, repaid=repaid, subject=number)


def reverse(
    account: Account,
    now: int,
    sequence: int,
    amount: int,
    *,
    refund_expires: int,
    kinds: Sequence[str] = ("BURN", "SETTLE"),
) -> Entry | Refused:
    """Give a burn, or a clawback, back, last drawn first: what is owed, who has repaid, then who bore it."""
    account.advance(now)
    entry = account.entries[sequence - 1]
    if entry.kind not in kinds:
        return Refused("INVALID_INPUT")
    bore = account.bore.setdefault(sequence, bearers(entry))
    debt = next((each for each in account.debts if each.sequence == sequence), None)
    left = sum(part for _, part in bore) + (debt.owed + sum(part for _, part in debt.paid) if debt else 0)
    if amount > left or left == 0:
        return Refused("OVER_REVERSED")
    owed = min(debt.owed, amount) if debt else 0
    wanted = amount - owed
    parts: list[tuple[int, int]] = []
    if debt:
        debt.owed -= owed
        parts += take_last(debt.paid, wanted)
    parts += take_last(bore, wanted - sum(part for _, part in parts))
    given = [give(account, account.grants[number], part, now, refund_expires) for number, part in parts]
    account.given_back += amount
    repaid = account.repay()
    drawn = [(OVERDRAFT, owed), *given]
    return account.write("REVERSE", amount, 0, times=(now, now), drawn=drawn, repaid=repaid, subject=sequence)


def bearers(entry: Entry) -> list[tuple[int, int]]:
    """The grants that bore it, one part each, in the order in which they were first drawn."""
    parts: dict[int, int] = {}
    for number, part in entry.allocations:
        if number != OVERDRAFT:
            parts[number] = parts.get(number, 0) + part
    return list(parts.items())


def take_last(parts: list[tuple[int, int]], wanted: int) -> list[tuple[int, int]]:
    """Takes `wanted`, or all there is, from the end."""
    taken = []
    while parts and wanted:
        number, part = parts.pop()
        used = min(part, wanted)
        if part > used:
            parts.append((number, part - used))
        taken.append((number, used))
        wanted -= used
    return taken


def give(account: Account, grant: Grant, part: int, now: int, refund_expires: int) -> tuple[int, int]:
    """Home, or to a refund in its place where home has ended."""
    if grant.ended or (grant.expires is not None and grant.expires <= now):
        number = len(account.grants) + 1
        refund = Grant(number, part, now, refund_expires, grant.priority, grant.paid, begun=True, remaining=part)
        account.grants[number] = refund
        return number, part
    grant.remaining += part
    grant.given_back += part
    return grant.number, part
