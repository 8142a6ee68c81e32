"""What the tests of the rules take as given: an account, instants, grants."""

from datetime import UTC, datetime, timedelta
from typing import Any

from credits.ledger import advance, burn, corrections, grants, holds
from credits.ledger.account import Account, Grant, Hold
from credits.ledger.entries import GENESIS, Cause, Entry, Kind, about, chain

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
US = timedelta(microseconds=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NOBODY = Cause()


def an_account(burn_order: str = "PRIORITY_THEN_EXPIRY") -> Account:
    return Account(1, 2, 3, burn_order)


def a_grant(amount: int = 100, *, now: datetime = NOON, **more: Any) -> Grant:
    fixed = {"number": 0, "source": "MANUAL", "state": "SCHEDULED", "amount": amount, "remaining": amount}
    times = {"priority": 50, "effective_at": now, "expires_at": None, "created_at": now}
    return Grant(**{**fixed, **times, **more})


def give(account: Account, amount: int = 100, *, now: datetime = NOON, **more: Any) -> Grant:
    """A grant, given."""
    grant = a_grant(amount, now=now, **more)
    grants.give(account, grant, now)
    return grant


def spend(account: Account, amount: int, *, now: datetime = NOON) -> Entry:
    advance.advance(account, now)
    return burn.burn(account, amount, occurred_at=now, now=now, cause=NOBODY)


def hold(account: Account, amount: int, *, now: datetime = NOON, lasts: timedelta = HOUR) -> Hold:
    advance.advance(account, now)
    return holds.open_hold(account, amount, expires_at=now + lasts, now=now, cause=NOBODY)[0]


def settle(account: Account, of: Hold, amount: int, *, now: datetime = NOON, closes: bool = True) -> Entry:
    advance.advance(account, now)
    return holds.settle(account, of, amount, closes=closes, now=now, cause=NOBODY)


def release(account: Account, of: Hold, *, now: datetime = NOON) -> Entry:
    advance.advance(account, now)
    return holds.release(account, of, at=now)


def void(account: Account, of: Grant, *, now: datetime = NOON) -> Entry:
    advance.advance(account, now)
    return corrections.void(account, of, now=now, cause=NOBODY)


def claw_back(account: Account, of: Grant, amount: int, *, now: datetime = NOON) -> Entry:
    advance.advance(account, now)
    return corrections.clawback(account, of, amount, now=now, cause=NOBODY)


def reverse(account: Account, entry: Entry, amount: int | None = None, *, now: datetime = NOON) -> Entry:
    """All that is left of it, where no amount is given."""
    advance.advance(account, now)
    later = account.entries[entry.sequence :]
    left = corrections.left_of(entry, later)
    return corrections.reverse(
        account,
        entry,
        left if amount is None else amount,
        later=later,
        refund_expires_at=now + 30 * DAY,
        now=now,
        cause=NOBODY,
    )


def told(account: Account, since: int = 0) -> list[tuple[str, int, int, list[tuple[int, int]]]]:
    """Each entry as kind, effects and allocations."""
    return [
        (Kind(entry.kind).name, entry.amount, entry.held_amount, list(entry.allocations))
        for entry in account.entries[since:]
    ]


def check(account: Account) -> None:
    """Every law that an account and its entries can show."""
    begun = [grant for grant in account.grants.values() if grant.state != "SCHEDULED"]
    assert account.balance == sum(grant.remaining for grant in begun) - account.overdraft
    taken = account.burned + account.expired + account.voided + account.clawed_back
    assert account.balance == account.granted + account.given_back + account.adjusted - taken
    assert 0 <= account.given_back <= account.burned + account.clawed_back
    assert account.held == sum(of.remaining for of in account.holds.values())
    assert account.overdraft >= 0
    free = sum(grant.free for grant in begun if grant.state == "ACTIVE")
    assert not (account.overdraft and free), "debt, and something free that could pay it"
    kept: dict[int, int] = {}
    for of in account.holds.values():
        assert of.remaining == sum(part for _, part in of.parts)
        assert (of.status == "OPEN") or not of.parts
        for number, part in of.parts:
            assert part > 0
            kept[number] = kept.get(number, 0) + part
    for grant in account.grants.values():
        assert grant.held == kept.get(grant.number, 0)
        assert 0 <= grant.held <= grant.remaining
        assert grant.amount + grant.given_back == (
            grant.remaining + grant.burned + grant.expired + grant.voided + grant.clawed_back
        )
        assert (grant.state == "DEPLETED") <= (grant.remaining == 0)
        assert (grant.state == "ACTIVE") <= (grant.remaining > 0)
    check_entries(account)


def check_entries(account: Account) -> None:
    balance = held = 0
    head, recorded = GENESIS, None
    for number, entry in enumerate(account.entries, 1):
        assert entry.sequence == number
        balance, held = balance + entry.amount, held + entry.held_amount
        assert (entry.balance_after, entry.held_after) == (balance, held)
        assert recorded is None or entry.recorded_at >= recorded, "the account's clock never goes back"
        head, recorded = chain(head, entry), entry.recorded_at
        assert entry.hash == head
        reversed_ = account.entries[entry.cause.reverses - 1].kind if entry.cause.reverses else None
        # Besides what it comes to, the reversal of a clawback names its grant.
        numbers = [number for number, _ in entry.allocations[reversed_ is Kind.CLAWBACK :]]
        assert len(set(numbers)) == len(numbers), "one allocation for each grant"
        names_its_grant = Kind.CLAWBACK in (entry.kind, reversed_) or entry.kind is Kind.VOID
        assert all(part > 0 for _, part in entry.allocations[names_its_grant:])
        if reversed_ is Kind.CLAWBACK:
            of = account.entries[(entry.cause.reverses or 0) - 1].allocations[0][0]
            assert (entry.allocations[0], about(entry.kind, entry.allocations)) == ((of, 0), of)
        elif entry.kind is Kind.REVERSE:
            assert about(entry.kind, entry.allocations) is None
    assert (account.balance, account.held, account.head) == (balance, held, head)
    assert account.sequence == len(account.entries)
