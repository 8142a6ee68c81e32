"""Holds: credits set aside for work in progress, then settled, released or lapsed. PURE.

A hold keeps the grants it was given, also past their expiry, until it closes. What goes back is as if it had never
been held: it pays overdraft first, and where its grant has ended meanwhile it ends likewise, at once.
"""

from collections.abc import Iterable
from datetime import datetime

from credits.ledger.account import Account, Grant, Hold
from credits.ledger.burn import draw
from credits.ledger.entries import BY_THE_CLOCK, OVERDRAFT, Cause, Entry, Kind
from credits.ledger.phases import Boundary, Rank


def open_hold(
    account: Account, amount: int, *, expires_at: datetime, now: datetime, cause: Cause
) -> tuple[Hold, Entry]:
    """Sets `amount` micro-credits aside, in burn order. What no grant covers is kept from overdraft: part 0."""
    parts: list[tuple[int, int]] = []
    left = amount
    burnable = account.burnable()
    while left and burnable:
        grant = burnable[0]
        part = min(left, grant.free)
        grant.held += part
        left -= part
        parts.append((grant.number, part))
        account.changed_grants.add(grant.number)
        if grant.free == 0:
            burnable.pop(0)
    if parts:
        account.end_phase(now, Rank.ASKED, Boundary.TAKE, list(parts))
    if left:
        parts.append((OVERDRAFT, left))
    account.hold_count += 1
    hold = Hold(
        number=account.hold_count,
        amount=amount,
        remaining=amount,
        opened_at=now,
        expires_at=expires_at,
        parts=parts,
        feature_id=cause.feature_id,
        rate_id=cause.rate_id,
        member=cause.member,
        dimensions=cause.dimensions,
    )
    account.holds[hold.number] = hold
    account.changed_holds.add(hold.number)
    account.new_holds.add(hold.number)
    account.falls_due(expires_at)
    entry = account.append(
        Kind.HOLD,
        amount=0,
        held_amount=amount,
        occurred_at=now,
        recorded_at=now,
        allocations=list(parts),
        cause=cause,
        hold_number=hold.number,
    )
    return hold, entry


def settle(account: Account, hold: Hold, amount: int, *, closes: bool, now: datetime, cause: Cause) -> Entry:
    """Burns `amount` for the hold: first what it keeps, then, beyond it, like any burn. Closing releases the rest."""
    from_hold = min(amount, hold.remaining)
    taken, hold.parts = split(hold.parts, from_hold)
    allocations: list[tuple[int, int]] = []
    uncovered = amount - from_hold
    for number, part in taken:
        if number == OVERDRAFT:
            uncovered += part
            continue
        grant = account.grants[number]
        grant.held -= part
        grant.remaining -= part
        grant.burned += part
        allocations.append((number, part))
        _touch(account, grant)
    if uncovered:
        beyond = draw(account, uncovered)
        account.end_phase(now, Rank.ASKED, Boundary.TAKE, beyond)
        allocations = _merge(allocations, beyond)
    hold.remaining -= from_hold
    hold.settled += amount
    account.burned += amount
    held_amount = -from_hold
    ended: list[tuple[Grant, int]] = []
    if closes:
        held_amount -= hold.remaining
        repaid, ended = _give_back(account, hold.parts, now, Rank.ASKED)
        allocations += repaid
        _close(hold, "SETTLED", now)
    account.changed_holds.add(hold.number)
    entry = account.append(
        Kind.SETTLE,
        amount=-amount,
        held_amount=held_amount,
        occurred_at=now,
        recorded_at=now,
        allocations=allocations,
        cause=cause,
        hold_number=hold.number,
    )
    _end_likewise(account, ended, now)
    return entry


def release(account: Account, hold: Hold, *, at: datetime, cause: Cause = BY_THE_CLOCK, lapsed: bool = False) -> Entry:
    """Gives back all that the hold still keeps, to the grants that bore it. A lapse is a release by the clock."""
    back = hold.parts
    amount = hold.remaining
    repaid, ended = _give_back(account, back, at, Rank.LAPSE if lapsed else Rank.ASKED)
    paid = {-number: part for number, part in repaid}
    allocations = [(number, part - paid.get(number, 0)) for number, part in back if part > paid.get(number, 0)]
    _close(hold, "LAPSED" if lapsed else "RELEASED", at)
    account.changed_holds.add(hold.number)
    entry = account.append(
        Kind.LAPSE if lapsed else Kind.RELEASE,
        amount=0,
        held_amount=-amount,
        occurred_at=at,
        recorded_at=at,
        allocations=allocations + repaid,
        cause=cause,
        hold_number=hold.number,
    )
    _end_likewise(account, ended, at)
    return entry


def extend(account: Account, hold: Hold, expires_at: datetime) -> None:
    """Gives the hold another end. No entry: nothing moves."""
    hold.expires_at = expires_at
    account.changed_holds.add(hold.number)
    account.falls_due(expires_at)


def split(parts: Iterable[tuple[int, int]], amount: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """The first `amount` of the parts, and the rest."""
    taken: list[tuple[int, int]] = []
    rest: list[tuple[int, int]] = []
    for number, part in parts:
        use = min(part, amount)
        amount -= use
        if use:
            taken.append((number, use))
        if part > use:
            rest.append((number, part - use))
    return taken, rest


def _merge(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """One allocation per grant: a settlement may draw on a grant both through the hold and beyond it."""
    merged = dict(first)
    for number, part in second:
        merged[number] = merged.get(number, 0) + part
    return list(merged.items())


def _give_back(
    account: Account, parts: Iterable[tuple[int, int]], at: datetime, rank: Rank
) -> tuple[list[tuple[int, int]], list[tuple[Grant, int]]]:
    """Frees held parts. Returns what of it repaid overdraft (as −grant), and what belongs to grants that have ended."""
    repaid: list[tuple[int, int]] = []
    ended: list[tuple[Grant, int]] = []
    given: list[tuple[int, int]] = []
    for number, part in parts:
        if number == OVERDRAFT:
            continue
        grant = account.grants[number]
        grant.held -= part
        if grant.state != "ACTIVE":
            ended.append((grant, part))
            account.changed_grants.add(number)
            continue
        given.append((number, part))
        debt = min(account.overdraft, part)
        if debt:
            grant.remaining -= debt
            grant.burned += debt
            account.overdraft -= debt
            repaid.append((-number, debt))
        _touch(account, grant)
    if given:
        account.end_phase(at, rank, Boundary.GIVE, given, [(-number, debt) for number, debt in repaid])
    return repaid, ended


def _touch(account: Account, grant: Grant) -> None:
    if grant.remaining == 0 and grant.state == "ACTIVE":
        grant.state = "DEPLETED"
    account.changed_grants.add(grant.number)
    account.regroup()


def _close(hold: Hold, status: str, at: datetime) -> None:
    hold.status = status
    hold.remaining = 0
    hold.parts = []
    hold.closed_at = at


def _end_likewise(account: Account, ended: Iterable[tuple[Grant, int]], at: datetime) -> None:
    """What goes back to a grant that has ended ends at once as the grant did: it expires, or is voided."""
    for grant, part in ended:
        grant.remaining -= part
        if grant.state == "VOIDED":
            grant.voided += part
            account.voided += part
        else:
            grant.expired += part
            account.expired += part
        account.append(
            Kind.VOID if grant.state == "VOIDED" else Kind.EXPIRE,
            amount=-part,
            held_amount=0,
            occurred_at=at,
            recorded_at=at,
            allocations=[(grant.number, part)],
            cause=BY_THE_CLOCK,
        )
