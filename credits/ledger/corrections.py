"""Taking back and giving back: void, reverse, clawback, adjust, move. PURE.

One function a verb changes grants, and writes the entry that says so. Allocations: (grant, part) what the entry did
to that grant, (0, part) to overdraft, (−g, part) overdraft that grant g repaid in the same entry, because whatever
becomes free while there is debt pays it at once. VOID and CLAWBACK name their grant first, also where they take nothing
of it; the reversal of a clawback names it first, too, with zero.
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
    made_since: int = 0,
    refund_expires_at: datetime,
    now: datetime,
    cause: Cause,
) -> Entry:
    """Gives `amount` of a burn, settlement or clawback back, to whoever bore it, in the reverse of the order they were drawn.

    `later` are the entries after it that made, paid or lessened overdraft or reversed it, in order; those that only made
    some may be left out, `made_since` is what they came to. A part whose grant has ended since becomes a new grant of
    source REFUND. Overdraft parts lessen the debt; what a later grant has repaid of them goes back to that grant. The caller has seen that so much is left: see `left_of`.
    """
    given: dict[int, int] = {}
    made = account.grant_count
    clawed, bearers = _goes_to(account, entry, amount, later, made_since)
    for bearer, part in [*reversed(bearers), *clawed]:
        if bearer == OVERDRAFT:
            account.overdraft -= part
            number = OVERDRAFT
        else:
            grant = account.grants[bearer]
            number = _give_home(account, grant, part, expires_at=refund_expires_at, now=now, cause=cause)
        given[number] = given.get(number, 0) + part
    for bearer, part in bearers:
        if (
            bearer != OVERDRAFT and bearer in given
        ):  # home, where it has not ended; what was clawed of it, it never bore
            account.grants[bearer].reversed += part
    account.given_back += amount
    repaid = repay(account)
    home = [(number, part) for number, part in given.items() if number <= made]
    anew = [(number, part) for number, part in given.items() if number > made]
    _end_phase(account, Boundary.GIVE, home, [] if anew else repaid, now)  # debt first, as above
    for refund in anew:
        _end_phase(account, Boundary.BEGIN, [refund], repaid if refund is anew[-1] else [], now)
    of = [(entry.allocations[0][0], 0)] if entry.kind is Kind.CLAWBACK else []
    allocations = of + _net(list(given.items()), repaid)
    cause = replace(cause, reverses=entry.sequence)
    return _append(account, Kind.REVERSE, amount, allocations, now=now, cause=cause)


def goes_to(
    account: Account, entry: Entry, amount: int, later: Sequence[Entry], made_since: int
) -> list[tuple[int, int]]:
    """To whom `amount` of a burn, settlement or clawback would be given back, last first; 0: the debt becomes less."""
    clawed, bearers = _goes_to(account, entry, amount, later, made_since)
    return clawed + bearers


def _goes_to(
    account: Account, entry: Entry, amount: int, later: Sequence[Entry], made_since: int
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """What was clawed back of its grant, which nothing that is laid again moves; and who bore or bears the rest."""
    left, _ = split(borne(entry), left_of(entry, later))
    _, back = split(left, left_of(entry, later) - amount)
    if entry.kind is not Kind.CLAWBACK:
        return [], _bearers(account, entry, back, later, made_since)
    clawed = [(number, part) for number, part in back if number != OVERDRAFT and part]
    debt = [(number, part) for number, part in back if number == OVERDRAFT]
    return clawed, _bearers(account, entry, debt, later, made_since) if debt else []


def borne(entry: Entry) -> list[tuple[int, int]]:
    """Who bore a burn, settlement or clawback, in the order drawn: grants, last overdraft. What repaid is not it."""
    return [(number, part) for number, part in entry.allocations if number >= OVERDRAFT]


def left_of(entry: Entry, later: Sequence[Entry]) -> int:
    """How much of a burn, settlement or clawback has not been given back."""
    return -entry.amount - sum(each.amount for each in later if each.cause.reverses == entry.sequence)


def debt_of(entry: Entry, overdraft: int, later: Sequence[Entry]) -> tuple[int, list[tuple[int, int]]]:
    """Of the overdraft that the entry made: what is not repaid, and which grants have repaid the rest, in order.

    The oldest debt is repaid first. `overdraft` is the account's now, without what was made by entries that are left out
    of `later`; what there was before the entry follows from it. What reversals have given back already counts neither here nor there: they took what was unpaid first, then what
    was repaid last.
    """
    unpaid = sum(part for number, part in entry.allocations if number == OVERDRAFT)
    paid: list[tuple[int, int]] = []
    paying: list[tuple[int, int]] = []  # more than was owed: what the entries after it say never was
    ahead = overdraft - sum(_change_of_debt(each) for each in (entry, *later))
    for each in (entry, *later):
        lessened = sum(part for number, part in each.allocations if number == OVERDRAFT)
        if each.cause.reverses == entry.sequence:
            unpaid -= lessened
            paid, _ = split(paid, max(0, sum(part for _, part in paid) + lessened - each.amount))
        elif each.cause.reverses is not None and each.cause.reverses < entry.sequence:
            ahead -= lessened
        for number, part in each.allocations:
            if number < OVERDRAFT and part < 0:  # a repayment that never was, as it is laid now
                own = _unpay(paid, -number, -part)
                ahead, unpaid = ahead - part - own, unpaid + own
        if each.kind is Kind.REALLOCATE and lessened < 0:  # others have taken it over
            older = min(-lessened, max(0, ahead))
            own = 0 if entry.kind is Kind.CLAWBACK else min(-lessened - older, unpaid)  # a clawback stays as it is
            ahead, unpaid = ahead - older, unpaid - own
        paying += [(-number, part) for number, part in each.allocations if number < OVERDRAFT and part > 0]
        for index, (payer, part) in enumerate(paying):
            older = min(part, max(0, ahead))
            own = min(part - older, unpaid)
            ahead, unpaid = ahead - older, unpaid - own
            paying[index] = (payer, part - older - own)
            if own:
                paid.append((payer, own))
        paying = [(payer, part) for payer, part in paying if part]
    return unpaid, paid


def _unpay(paid: list[tuple[int, int]], payer: int, part: int) -> int:
    """Takes `part` of the payer's repayments back, the last first; how much there was to take."""
    left = part
    for index in range(len(paid) - 1, -1, -1):
        number, own = paid[index]
        if number == payer:
            paid[index] = (number, own - min(own, left))
            left -= min(own, left)
    paid[:] = [(number, own) for number, own in paid if own]
    return part - left


def _change_of_debt(entry: Entry) -> int:
    """What the entry did to the account's overdraft."""
    made = sum(part for number, part in entry.allocations if number == OVERDRAFT and entry.kind in _MOVES_DEBT)
    repaid = sum(part for number, part in entry.allocations if number < OVERDRAFT)
    return (-made if entry.kind is Kind.REVERSE else made) - repaid


def _bearers(
    account: Account, entry: Entry, back: list[tuple[int, int]], later: Sequence[Entry], made_since: int
) -> list[tuple[int, int]]:
    """`back`, with what others have taken over from a grant, and its overdraft taken apart: what grants have repaid of
    it, in order, then what is still owed."""
    overdrawn = sum(part for number, part in back if number == OVERDRAFT)
    unpaid, paid = debt_of(entry, account.overdraft - made_since, later) if overdrawn else (0, [])
    owed = max(0, min(overdrawn, unpaid, account.overdraft))
    _, repaid = split(paid, max(0, sum(part for _, part in paid) - (overdrawn - owed)))
    moved, _ = split(_taken_over(later), overdrawn - owed - sum(part for _, part in repaid))
    rest = [(number, part) for number, part in back if number != OVERDRAFT] + moved + repaid
    found = _as_borne_now(account, rest, later)
    # What none of them bears is owed, or else was paid by who bore it first.
    missing = sum(part for _, part in back) - owed - sum(part for _, part in found)
    more = min(missing, account.overdraft - owed)
    if missing > more:
        first = [*(number for number, _ in rest), *_bearing_since(later), abs(entry.allocations[0][0])][0]
        found.append((first, missing - more))
    return found + ([(OVERDRAFT, owed + more)] if owed + more else [])


def borne_still(grant: Grant) -> int:
    """What the grant bears and has not got back: by what was laid again since, it may be less than its entries say."""
    return grant.burned - grant.reversed


def _as_borne_now(account: Account, parts: list[tuple[int, int]], later: Sequence[Entry]) -> list[tuple[int, int]]:
    """What of the parts is borne still; where a grant bears less by now, another has taken the burns over."""
    left: dict[int, int] = {}
    found: list[tuple[int, int]] = []
    for number, drawn in parts:
        part = drawn
        for bearer in (number, *(taker for taker, _ in _taken_over(later)), *reversed(_bearing_since(later))):
            still = left.setdefault(bearer, max(0, borne_still(account.grants[bearer])))
            own = min(part, still)
            left[bearer] -= own
            part -= own
            if own:
                found.append((bearer, own))
    return found


def _bearing_since(later: Sequence[Entry]) -> list[int]:
    """Grants that took part in what moved debt and burns since."""
    return [abs(number) for each in later for number, _ in each.allocations if number]


def _taken_over(later: Sequence[Entry]) -> list[tuple[int, int]]:
    """Grants that have taken over what was overdraft, by what was laid again since: last first."""
    return [
        (number, part)
        for each in reversed(later)
        if each.kind is Kind.REALLOCATE
        for number, part in each.allocations
        if number > OVERDRAFT and part > 0
    ]


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
