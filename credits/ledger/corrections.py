"""Taking back and giving back: void, reverse, clawback, adjust, move. PURE.

One function a verb changes grants, and writes the entry that says so. Allocations: (grant, part) what the entry did
to that grant, (0, part) to overdraft, (−g, part) overdraft that grant g repaid in the same entry, because whatever
becomes free while there is debt pays it at once. VOID and CLAWBACK name their grant first, also where they take nothing
of it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from credits.ledger.account import Account, Grant
from credits.ledger.burn import repay
from credits.ledger.entries import OVERDRAFT, Cause, Entry, Kind
from credits.ledger.holds import split
from credits.ledger.phases import Boundary, Rank

# The kinds whose allocation to no grant is debt; in a HOLD and what ends it, it is a part that nothing covers.
_MOVES_DEBT = (Kind.BURN, Kind.SETTLE, Kind.CLAWBACK, Kind.REVERSE, Kind.REALLOCATE)


def void(account: Account, grant: Grant, *, now: datetime, cause: Cause) -> Entry:
    """Ends the grant: what remains and is not held is gone. What holds keep of it stays until they close, and what then
    comes back is voided at once. A scheduled grant was never in the balance: its entry is zero."""
    amount = grant.free
    posted = 0 if grant.state == "SCHEDULED" else amount
    if grant.state != "SCHEDULED":
        account.end_phase(now, Rank.ASKED, Boundary.CLOSE, [(grant.number, amount)])
    grant.state = "VOIDED"
    grant.remaining -= amount
    grant.voided += amount
    account.voided += posted
    _changed(account, grant)
    return _append(account, Kind.VOID, -posted, [(grant.number, posted)], now=now, cause=cause)


def clawback(account: Account, grant: Grant, amount: int, *, now: datetime, cause: Cause) -> Entry:
    """Takes back `amount`: first what is free of that grant, the rest is overdraft, whatever any limit says, which other
    grants repay at once as far as they can. What holds keep stays until they close, and pays what debt is left then."""
    taken = min(amount, grant.free) if grant.state == "ACTIVE" else 0
    grant.remaining -= taken
    grant.clawed_back += taken
    account.clawed_back += amount
    _changed(account, grant)
    allocations = [(grant.number, taken)]
    if amount > taken:
        account.overdraft += amount - taken
        allocations.append((OVERDRAFT, amount - taken))
    repaid = repay(account)
    _end_phase(account, Boundary.TAKE, allocations, repaid, now)
    return _append(account, Kind.CLAWBACK, -amount, allocations + repaid, now=now, cause=cause)


def adjust(account: Account, grant: Grant, amount: int, *, now: datetime, cause: Cause) -> Entry:
    """Corrects a grant by a signed `amount`: up, as if given back, paying debt first; or down, of what is free, as if
    voided. The caller has seen that so much is free."""
    account.adjusted += amount
    if amount < 0:
        grant.remaining += amount
        grant.voided -= amount
        _changed(account, grant)
        account.end_phase(now, Rank.ASKED, Boundary.TAKE, [(grant.number, -amount)])
        return _append(account, Kind.ADJUST, amount, [(grant.number, -amount)], now=now, cause=cause)
    _give(account, grant, amount)
    repaid = repay(account)
    _end_phase(account, Boundary.GIVE, [(grant.number, amount)], repaid, now)
    return _append(account, Kind.ADJUST, amount, _net([(grant.number, amount)], repaid), now=now, cause=cause)


def move(
    account: Account, grant: Grant, *, expires_at: datetime | None, now: datetime, cause: Cause
) -> tuple[Grant, Entry]:
    """Moves what remains of a live grant and is not held into a new one with that expiry: ADJUST down, ADJUST up.

    The key goes with the second entry. What holds keep stays with the old grant, and with its expiry.
    """
    amount = grant.free
    adjust(account, grant, -amount, now=now, cause=replace(cause, key=None, fingerprint=None))
    new = _continue(account, grant, amount, source=grant.source, expires_at=expires_at, now=now, cause=cause)
    _end_phase(account, Boundary.BEGIN, [(new.number, amount)], [], now)
    account.adjusted += amount
    return new, _append(account, Kind.ADJUST, amount, [(new.number, amount)], now=now, cause=cause)


def reverse(
    account: Account,
    entry: Entry,
    amount: int,
    *,
    later: Sequence[Entry],
    refund_expires_at: datetime,
    now: datetime,
    cause: Cause,
) -> Entry:
    """Gives `amount` of a burn or settlement back, to whoever bore it, in the reverse of the order they were drawn.

    `later` are the entries after it that made, paid or lessened overdraft or reversed it, in order. A part whose grant
    has ended since becomes a new grant of source REFUND. Overdraft parts lessen the debt; what a later grant has repaid
    of them goes back to that grant. The caller has seen that so much is left: see `left_of`.
    """
    left, _ = split(borne(entry), left_of(entry, later))
    _, back = split(left, left_of(entry, later) - amount)
    given: dict[int, int] = {}
    made = account.grant_count
    for bearer, part in reversed(_bearers(account, entry, back, later)):
        if bearer == OVERDRAFT:
            account.overdraft -= part
            number = OVERDRAFT
        else:
            number = _give_home(
                account, account.grants[bearer], part, expires_at=refund_expires_at, now=now, cause=cause
            )
        given[number] = given.get(number, 0) + part
    account.given_back += amount
    repaid = repay(account)
    home = [(number, part) for number, part in given.items() if number <= made]
    anew = [(number, part) for number, part in given.items() if number > made]
    _end_phase(account, Boundary.GIVE, home, [] if anew else repaid, now)  # debt first, as above
    for new in anew:
        _end_phase(account, Boundary.BEGIN, [new], repaid if new is anew[-1] else [], now)
    allocations = _net(list(given.items()), repaid)
    cause = replace(cause, reverses=entry.sequence)
    return _append(account, Kind.REVERSE, amount, allocations, now=now, cause=cause)


def borne(entry: Entry) -> list[tuple[int, int]]:
    """Who bore a burn or settlement, in the order drawn: grants, last overdraft. What a settlement repaid is not it."""
    return [(number, part) for number, part in entry.allocations if number >= OVERDRAFT]


def left_of(entry: Entry, later: Sequence[Entry]) -> int:
    """How much of a burn or settlement has not been given back."""
    return -entry.amount - sum(each.amount for each in later if each.cause.reverses == entry.sequence)


def debt_of(entry: Entry, overdraft: int, later: Sequence[Entry]) -> tuple[int, list[tuple[int, int]]]:
    """Of the overdraft that the entry made: what is not repaid, and which grants have repaid the rest, in order.

    The oldest debt is repaid first, also by grants that bear it since burns were laid again. `overdraft` is the account's
    now; what there was before the entry follows from it. What reversals have given back already counts neither here nor
    there: they took what was unpaid first, then what was repaid last.
    """
    unpaid = sum(part for number, part in entry.allocations if number == OVERDRAFT)
    paid: list[tuple[int, int]] = []
    ahead = overdraft - sum(_change_of_debt(each) for each in (entry, *later))
    for each in (entry, *later):
        lessened = sum(part for number, part in each.allocations if number == OVERDRAFT)
        if each.cause.reverses == entry.sequence:
            unpaid = max(0, unpaid - lessened)  # it may have lessened what others owed, too
            paid, _ = split(paid, max(0, sum(part for _, part in paid) + lessened - each.amount))
        elif each.cause.reverses is not None and each.cause.reverses < entry.sequence:
            ahead -= lessened
        for number, part in _payments(each):
            older = min(part, ahead)
            own = min(part - older, unpaid)
            ahead, unpaid = ahead - older, unpaid - own
            if own:
                paid.append((number, own))
    return unpaid, paid


def _payments(entry: Entry) -> list[tuple[int, int]]:
    """Which grants paid overdraft by it. What was laid again may take a payment back (a negative part, which is older
    debt again), and where it lessens the overdraft itself, the grants that bear more now have paid that."""
    paid = [(-number, part) for number, part in entry.allocations if number < OVERDRAFT]
    lessened = -sum(part for number, part in entry.allocations if number == OVERDRAFT)
    if entry.kind is Kind.REALLOCATE and lessened > 0:
        taken_over, _ = split([(n, part) for n, part in entry.allocations if n > OVERDRAFT and part > 0], lessened)
        paid += taken_over
    return sorted(paid, key=lambda payment: payment[1] > 0)


def _change_of_debt(entry: Entry) -> int:
    """What the entry did to the account's overdraft."""
    made = sum(part for number, part in entry.allocations if number == OVERDRAFT and entry.kind in _MOVES_DEBT)
    repaid = sum(part for number, part in entry.allocations if number < OVERDRAFT)
    return (-made if entry.kind is Kind.REVERSE else made) - repaid


def _bearers(
    account: Account, entry: Entry, back: list[tuple[int, int]], later: Sequence[Entry]
) -> list[tuple[int, int]]:
    """`back` with its overdraft taken apart: what grants have repaid of it, in order, then what is still owed."""
    overdrawn = sum(part for number, part in back if number == OVERDRAFT)
    if not overdrawn:
        return back
    unpaid, paid = debt_of(entry, account.overdraft, later)
    owed = min(overdrawn, unpaid, account.overdraft)
    _, repaid = split(paid, max(0, sum(part for _, part in paid) - (overdrawn - owed)))
    missing = overdrawn - owed - sum(part for _, part in repaid)
    owed += (more := min(missing, account.overdraft - owed))  # debt comes first, whoever is given it
    rest = [(number, part) for number, part in back if number != OVERDRAFT]
    others = _who_bears(account, missing - more, besides=rest + repaid)
    return rest + others + repaid + ([(OVERDRAFT, owed)] if owed else [])


def _who_bears(account: Account, amount: int, besides: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Grants that bear so much more burns than was given back to them, the newest last: where an earlier reversal has
    lessened a debt in the place of another, what it should have given back is theirs still."""
    if not amount:
        return []
    borne_by = {number: grant.burned - grant.given_back for number, grant in account.grants.items()}
    for number, part in besides:
        borne_by[number] -= part
    candidates = sorted((number, part) for number, part in borne_by.items() if part > 0)
    _, found = split(candidates, max(0, sum(part for _, part in candidates) - amount))
    lacking = amount - sum(part for _, part in found)  # what was adjusted upwards counts as given back, too
    return found + ([(max(account.grants), lacking)] if lacking else [])


def _give_home(account: Account, grant: Grant, part: int, *, expires_at: datetime, now: datetime, cause: Cause) -> int:
    """Gives the part back to its grant, or where that has ended (a depleted one by the clock) to one that continues it;
    the number of the grant that has it."""
    over = grant.expires_at is not None and grant.expires_at <= now
    if over or grant.state in ("EXPIRED", "VOIDED"):
        return _continue(account, grant, part, source="REFUND", expires_at=expires_at, now=now, cause=cause).number
    _give(account, grant, part)
    return grant.number


def _give(account: Account, grant: Grant, part: int) -> None:
    grant.remaining += part
    grant.given_back += part
    grant.state = "ACTIVE"
    account.falls_due(grant.expires_at)
    _changed(account, grant)


def _continue(
    account: Account,
    old: Grant,
    amount: int,
    *,
    source: str,
    expires_at: datetime | None,
    now: datetime,
    cause: Cause,
) -> Grant:
    """A live grant in the place of a part of another: same cost basis, same priority. The entry that moves the credits
    names it; it has no GRANT entry, because nothing new was given."""
    account.grant_count += 1
    grant = Grant(
        number=account.grant_count,
        source=source,
        state="ACTIVE",
        amount=amount,
        remaining=amount,
        priority=old.priority,
        effective_at=now,
        expires_at=expires_at,
        created_at=now,
        actor_id=cause.actor_id,
        reason=cause.reason,
        note=cause.note,
        cost_amount=old.cost_amount,
        cost_currency=old.cost_currency,
        metadata=old.metadata,
        rolled_from=old.number,
    )
    account.grants[grant.number] = grant
    account.new_grants.add(grant.number)
    account.falls_due(expires_at)
    _changed(account, grant)
    return grant


def _net(given: list[tuple[int, int]], repaid: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """What each keeps of what it was given, and what it repaid of it."""
    paid = {-number: part for number, part in repaid}
    kept = [(number, part - paid.get(number, 0)) for number, part in given]
    return [(number, part) for number, part in kept if part] + repaid


def _end_phase(
    account: Account, boundary: Boundary, moved: list[tuple[int, int]], repaid: list[tuple[int, int]], now: datetime
) -> None:
    parts = [(number, part) for number, part in moved if part]
    account.end_phase(now, Rank.ASKED, boundary, parts, [(-number, part) for number, part in repaid])


def _changed(account: Account, grant: Grant) -> None:
    if grant.state == "ACTIVE" and grant.remaining == 0:
        grant.state = "DEPLETED"
    account.changed_grants.add(grant.number)
    account.regroup()


def _append(
    account: Account, kind: Kind, amount: int, allocations: list[tuple[int, int]], *, now: datetime, cause: Cause
) -> Entry:
    return account.append(
        kind,
        amount=amount,
        held_amount=0,
        occurred_at=now,
        recorded_at=now,
        allocations=allocations,
        cause=cause,
    )
