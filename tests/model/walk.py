"""Random histories of one account: commands drawn from a seed, the same for the same seed.

Amounts are small and time is short, so that what matters meets: credits run out, holds outlive their grants, several
things fall due at one instant.
"""

import random
from collections import Counter
from dataclasses import dataclass, replace

from tests.model import corrections
from tests.model.ledger import Account
from tests.model.records import Entry, Grant, Hold, Refused

ORDERS = ("PRIORITY_THEN_EXPIRY", "EXPIRY_FIRST", "PAID_LAST", "OLDEST_FIRST")
CORRECTIONS = ("reverse", "reverse", "reverse", "void", "clawback", "clawback", "unclaw", "unclaw")
_REVERSED_BY = {"reverse": ("BURN", "SETTLE"), "unclaw": ("CLAWBACK",)}  # what each verb may reverse
VERBS = ("grant", "burn", "burn", "hold", "hold", "settle", "settle", "release", "extend") * 2 + CORRECTIONS
REFUND_LASTS = 9  # ticks that a refund lives in the place of a grant that has ended
STEPS_PER_ACCOUNT = 60  # then a fresh one: short histories reach more corners than one long one


@dataclass(frozen=True, slots=True)
class Command:
    """One thing asked of an account at `now`. `floor`: overdraft limit, None where nothing is blocked."""

    verb: str
    now: int
    amount: int = 0
    floor: int | None = 0
    hold: int = 0
    grant: int = 0
    entry: int = 0
    partial: bool = False
    effective: int | None = None
    expires: int | None = None
    priority: int = 50
    paid: bool = False

    @property
    def spends(self) -> bool:
        return self.verb in ("burn", "hold")


class Walk:
    """An endless history over ever new accounts. `burn_min` 0: also burns that cost nothing."""

    def __init__(self, draw: random.Random, *, burn_min: int = 0) -> None:
        self.draw = draw
        self.burn_min = burn_min
        self.tally: Counter[str] = Counter()
        self.accounts = 0
        self.begin_account()

    def begin_account(self) -> None:
        """A fresh account under the next burn order."""
        self.account = Account(ORDERS[self.accounts % len(ORDERS)])
        self.accounts += 1
        self.steps = 0
        self.now = 0
        self.booked = 0
        self.limit = self.draw.choice((0, 0, 5, None))

    def next_command(self) -> Command:
        """The next command, on a fresh account every STEPS_PER_ACCOUNT."""
        self.tally.update(map(self._said, self.account.entries[self.booked :]))
        self.booked = len(self.account.entries)
        if self.steps == STEPS_PER_ACCOUNT:
            self.begin_account()
        self.steps += 1
        draw, account = self.draw, self.account
        self.now += draw.choice((0, 0, 1, 1, 2, 5))
        now = self.now
        verb = draw.choice(VERBS)
        command = Command(verb, now, draw.randint(1, 12), self.limit)
        if verb in CORRECTIONS and (aimed := self._correction(command)):
            return aimed
        if verb == "grant":
            effective = draw.choice((None, None, now, now + draw.randint(1, 9)))  # the past: test_late.py
            expires = draw.choice((None, now + draw.randint(0, 25), now + draw.randint(1, 6)))
            return replace(
                command,
                amount=draw.randint(1, 25),
                effective=effective,
                expires=expires,
                priority=draw.choice((10, 50, 50)),
                paid=draw.random() < 0.5,
            )
        if verb == "burn":
            return replace(command, amount=draw.randint(self.burn_min, 12))
        if verb in ("hold", *CORRECTIONS) or not account.holds:
            return replace(command, verb="hold", expires=now + draw.randint(1, 15))
        numbers = [number for number, hold in account.holds.items() if hold.status == "OPEN"]
        hold = draw.choice(numbers) if numbers and draw.random() < 0.9 else draw.choice(list(account.holds))
        return replace(command, hold=hold, partial=draw.random() < 0.4, expires=now + draw.randint(1, 15))

    def _said(self, entry: Entry) -> str:
        """Its kind; of a reversal also what it reverses, where that is a clawback."""
        clawed = entry.kind == "REVERSE" and self.account.entries[entry.subject - 1].kind == "CLAWBACK"
        return "REVERSE of CLAWBACK" if clawed else entry.kind

    def _correction(self, command: Command) -> Command | None:
        """The command aimed at a grant or an entry, mostly one where it can do something."""
        draw, account = self.draw, self.account
        if command.verb in _REVERSED_BY:
            entries = [entry for entry in account.entries if entry.kind in _REVERSED_BY[command.verb]]
            entries = entries if draw.random() < 0.95 else account.entries
            chosen = draw.choice(entries[-8:]) if entries else None
            return chosen and replace(command, entry=chosen.sequence)
        grants = [grant for grant in account.grants.values() if not grant.ended] or list(account.grants.values())
        return replace(command, grant=draw.choice(grants).number) if grants else None

    @staticmethod
    def apply(account: Account, command: Command) -> Entry | Grant | Hold | Refused:
        """The command put to the model."""
        now = command.now
        if command.verb == "void":
            return corrections.void(account, now, command.grant)
        if command.verb == "clawback":
            return corrections.clawback(account, now, command.grant, command.amount)
        if command.verb in _REVERSED_BY:
            ends, kinds = now + REFUND_LASTS, _REVERSED_BY[command.verb]
            return corrections.reverse(account, now, command.entry, command.amount, refund_expires=ends, kinds=kinds)
        if command.verb == "grant":
            return account.grant(
                now,
                command.amount,
                effective=command.effective,
                expires=command.expires,
                priority=command.priority,
                paid=command.paid,
            )
        if command.verb == "burn":
            return account.burn(now, command.amount, floor=command.floor)
        if command.verb == "release":
            return account.release(now, command.hold)
        if command.verb == "settle":
            return account.settle(now, command.hold, command.amount, partial=command.partial, floor=command.floor)
        assert command.expires is not None
        if command.verb == "hold":
            return account.hold(now, command.amount, expires=command.expires, floor=command.floor)
        return account.extend(now, command.hold, command.expires)
