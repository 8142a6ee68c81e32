"""The pure core of the ledger, driven by the same commands as the reference model, and the two laid side by side."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from credits.ledger import account as core
from credits.ledger import advance, burn, corrections, grants, holds
from credits.ledger.entries import GENESIS, Cause, chain
from credits.ledger.entries import Entry as CoreEntry
from tests.model.ledger import Account
from tests.model.records import OVERDRAFT, Refused
from tests.model.walk import CORRECTIONS, REFUND_LASTS, Command

_TOTALS = ("balance", "held", "overdraft", "granted", "burned", "expired", "given_back", "voided", "clawed_back")
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def instant(ticks: int) -> datetime:
    """The model counts ticks; here one is a second."""
    return _EPOCH + timedelta(seconds=ticks)


def ticks(at: datetime) -> int:
    return int((at - _EPOCH).total_seconds())


class Core:
    """One account of the real rules, with what the batch writer does around them: the clock first, then decide."""

    def __init__(self, order: str) -> None:
        self.account = core.Account(1, 1, 1, order)
        self.verified = 0
        self.head = GENESIS

    def apply(self, command: Command) -> str | None:
        """Puts the command to the rules; the code of the refusal, or None where it happened."""
        account, now = self.account, instant(command.now)
        advance.advance(account, now)
        if command.verb == "grant":
            return self._grant(command, now)
        if command.verb in CORRECTIONS:
            return self._correct(command, now)
        hold = account.holds.get(command.hold)
        if command.verb in ("settle", "release", "extend") and (hold is None or hold.status != "OPEN"):
            return "HOLD_NOT_OPEN"
        needed = command.amount
        if hold is not None and command.verb == "settle":
            needed -= hold.remaining
        asks = command.verb in ("burn", "hold", "settle") and needed > 0
        if asks and command.floor is not None and account.available + command.floor < needed:
            return "INSUFFICIENT_CREDITS"
        self._spend(command, hold, now)
        return None

    def _grant(self, command: Command, now: datetime) -> str | None:
        effective = now if command.effective is None else instant(command.effective)
        expires = None if command.expires is None else instant(command.expires)
        if expires is not None and (expires <= now or expires <= effective):
            return "INVALID_INPUT"
        grant = core.Grant(
            number=0,
            source="PURCHASE" if command.paid else "MANUAL",
            state="SCHEDULED",
            amount=command.amount,
            remaining=command.amount,
            priority=command.priority,
            effective_at=effective,
            expires_at=expires,
            created_at=now,
            cost_amount=Decimal(1) if command.paid else None,
        )
        grants.give(self.account, grant, now)
        return None

    def _correct(self, command: Command, now: datetime) -> str | None:
        account, cause = self.account, Cause()
        if command.verb in ("reverse", "unclaw"):
            entry, later = account.entries[command.entry - 1], account.entries[command.entry :]
            if entry.kind.name not in (("BURN", "SETTLE") if command.verb == "reverse" else ("CLAWBACK",)):
                return "INVALID_INPUT"
            left = corrections.left_of(entry, later)
            if command.amount > left or left == 0:
                return "OVER_REVERSED"
            ends = instant(command.now + REFUND_LASTS)
            corrections.reverse(
                account, entry, command.amount, later=later, refund_expires_at=ends, now=now, cause=cause
            )
            return None
        grant = account.grants[command.grant]
        if command.verb == "void":
            if grant.state not in ("ACTIVE", "SCHEDULED"):
                return "GRANT_NOT_ACTIVE"
            corrections.void(account, grant, now=now, cause=cause)
            return None
        if grant.state == "SCHEDULED":
            return "GRANT_NOT_ACTIVE"
        corrections.clawback(account, grant, command.amount, now=now, cause=cause)
        return None

    def _spend(self, command: Command, hold: core.Hold | None, now: datetime) -> None:
        account, cause = self.account, Cause()
        if command.verb == "burn":
            burn.burn(account, command.amount, occurred_at=now, now=now, cause=cause)
        elif command.verb == "hold":
            assert command.expires is not None
            holds.open_hold(account, command.amount, expires_at=instant(command.expires), now=now, cause=cause)
        elif command.verb == "settle":
            assert hold is not None
            holds.settle(account, hold, command.amount, closes=not command.partial, now=now, cause=cause)
        elif command.verb == "release":
            assert hold is not None
            holds.release(account, hold, at=now, cause=cause)
        else:
            assert hold is not None
            assert command.expires is not None
            holds.extend(account, hold, instant(command.expires), now=instant(command.now))

    def verify_chain(self) -> None:
        """Every entry since the last call follows from the one before."""
        for entry in self.account.entries[self.verified :]:
            self.head = chain(self.head, entry)
            assert self.head == entry.hash, entry
        self.verified = len(self.account.entries)
        assert self.head == self.account.head


def told(entry: CoreEntry) -> tuple[object, ...]:
    """What an entry of the core says, in the model's words."""
    drawn: dict[int, int] = {}
    repaid: dict[int, int] = {}
    for number, amount in entry.allocations:
        side, grant = (repaid, -number) if number < 0 else (drawn, number)
        if amount:
            side[grant] = side.get(grant, 0) + amount
    return (
        *(entry.sequence, entry.kind.name, entry.amount, entry.held_amount, entry.balance_after, entry.held_after),
        *(ticks(entry.occurred_at), ticks(entry.recorded_at), drawn, repaid),
    )


def compare(real: Core, model: Account, since: int) -> int:
    """Asserts that both say the same, entry by entry since sequence `since`, then in everything they keep."""
    account = real.account
    assert len(account.entries) == len(model.entries), (account.entries[since:], model.entries[since:])
    for found, wanted in zip(account.entries[since:], model.entries[since:], strict=True):
        assert told(found) == wanted.in_contract_words(), (told(found), wanted)
    totals = [getattr(account, name) for name in _TOTALS]
    assert totals == [getattr(model, name) for name in _TOTALS], totals
    for grant in account.grants.values():
        other = model.grants[grant.number]
        mine = (grant.state, grant.amount, grant.remaining, grant.held, grant.burned, grant.expired)
        mine += (grant.voided, grant.clawed_back, grant.given_back)
        remaining = other.remaining if other.begun else other.amount
        theirs = (other.status, other.amount, remaining, other.held, other.burned, other.expired)
        theirs += (other.voided, other.clawed_back, other.given_back)
        assert mine == theirs, (mine, theirs)
        # Law 3 on the core's own numbers: what the database's CHECKs will ask of the same row.
        taken = grant.burned + grant.expired + grant.voided + grant.clawed_back
        assert grant.amount + grant.given_back == grant.remaining + taken
        assert 0 <= grant.held <= grant.remaining
    for hold in account.holds.values():
        kept = model.holds[hold.number]
        unbacked = sum(part for number, part in hold.parts if number == OVERDRAFT)
        mine_ = (hold.status, hold.remaining, hold.settled, unbacked, ticks(hold.expires_at))
        assert mine_ == (kept.status, kept.left, kept.settled, kept.unbacked, kept.expires), (mine_, kept)
        assert hold.remaining == sum(part for _, part in hold.parts)
    real.verify_chain()
    return len(account.entries)


def step(real: Core, model: Account, command: Command, answer: object, since: int) -> int:
    """One command put to the core as well, its answer and everything after it compared with the model's."""
    code = real.apply(command)
    assert code == (answer.code if isinstance(answer, Refused) else None), (code, answer, command)
    since = compare(real, model, since)
    account = real.account
    spent = command.verb in ("burn", "hold") or (command.verb == "settle" and code is None)
    if spent and code is None and command.floor is not None and command.amount and command.verb != "settle":
        assert account.available >= -command.floor, (account.available, command)
    return since
