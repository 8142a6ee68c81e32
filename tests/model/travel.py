"""The reference of time travel: what counts at one instant as known at another, written from the contract alone.

`balance(at, knownAt)` counts entries with `occurredAt ≤ at` and `recordedAt ≤ knownAt`, with what was known at `knownAt`
to fall due by `at`, booked or not. Slow: every question replays the whole book by its allocations and lets the reference
ledger's own clock run. Where a burn was placed is what its entry says; nothing is placed again here.
"""

from tests.model.ledger import Account
from tests.model.records import Book, Booked, Grant, Hold

_SIGN = {"GRANT": 1, "REVERSE": 1, "UNEXPIRE": 1}  # what the other kinds' allocations say is taken


def travel(book: Book, at: int, known: int) -> dict[str, int]:
    """What the contract's Balance says."""
    seen = [entry for entry in book.entries if entry.recorded <= known]
    account = as_known(book, seen, known)
    account.advance(at)
    counted = [(entry.kind, entry.amount, entry.held) for entry in seen if entry.occurred <= at]
    counted += [(entry.kind, entry.amount, entry.held_amount) for entry in account.entries]

    def total(*kinds: str) -> int:
        return sum(amount for kind, amount, _ in counted if kind in kinds)

    balance, held = sum(amount for _, amount, _ in counted), sum(held for _, _, held in counted)
    return {
        "balance": balance,
        "held": held,
        "available": balance - held,
        "granted": total("GRANT"),
        "burned": -total("BURN", "SETTLE"),
        "expired": -total("EXPIRE", "UNEXPIRE"),
    }


def as_known(book: Book, seen: list[Booked], known: int) -> Account:
    """The account as the entries seen so far leave it, before anything else falls due."""
    account, debt = Account(), 0
    for given in book.grants:
        if given.created <= known:
            grant = Grant(given.number, given.amount, given.effective, given.expires)
            grant.begun = given.effective <= given.created  # what is not scheduled is known by its entries alone
            account.grants[given.number] = grant
    for entry in seen:
        sign = 1 if entry.kind == "ADJUST" and entry.amount > 0 else _SIGN.get(entry.kind, -1)
        for number, part in entry.allocations:
            repaid, bearer = number < 0, account.grants.get(abs(number))
            if entry.kind == "HOLD" or (entry.kind in ("RELEASE", "LAPSE") and not repaid):
                continue
            if bearer is None or repaid:
                debt -= part if repaid else sign * part
            if bearer is not None and not (repaid and sign > 0):
                bearer.remaining += sign * part
            if bearer is not None:
                bearer.begun = True
                bearer.ended = bearer.void = bearer.void or entry.kind == "VOID"
        if entry.hold is not None:
            keep(account, entry)
    account.owe(debt)
    for hold, since, end in book.ends:
        if hold in account.holds and since <= known:
            account.holds[hold].expires = end
    return account


def keep(account: Account, entry: Booked) -> None:
    """A hold keeps its parts until they are used up, in the order they were drawn, or all are given back."""
    if entry.kind == "HOLD":
        parts = [(account.grants[number], part) for number, part in entry.allocations if number]
        unbacked = sum(part for number, part in entry.allocations if not number)
        account.holds[entry.hold or 0] = Hold(entry.hold or 0, entry.held, 0, parts, unbacked)
        for grant, part in parts:
            grant.held += part
        return
    hold, used = account.holds[entry.hold or 0], -entry.held
    for grant, part in list(hold.parts):
        taken = min(part, used)
        grant.held, used = grant.held - taken, used - taken
        hold.parts.pop(0)
        if part > taken:
            hold.parts.insert(0, (grant, part - taken))
            break
    hold.unbacked -= min(hold.unbacked, used)
    if entry.kind in ("RELEASE", "LAPSE"):
        hold.status = "RELEASED"
