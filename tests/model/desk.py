"""The same again one floor up: commands decided as the batch writer decides them, with policies, prices and keys.

`credits.posting.decide.apply` takes a command against a page of the book. Here the page is kept in memory, so that law
7 can be asked too: a key once used gives its first answer again, another payload under it a conflict.
"""

import random
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

from credits.catalog.values import Catalog, CreditType
from credits.enforcement.decide import Policies
from credits.enforcement.values import Policy
from credits.errors import Refusal
from credits.posting.book import Book, LockedCustomer
from credits.posting.commands import Burn, ExtendHold, GiveGrant, HoldId, Keyed, OpenHold, Release, Settle, Spend
from credits.posting.commands import Command as Command_
from credits.posting.corrections import (
    Clawback,
    Correction,
    EntryId,
    GrantId,
    ReverseBurn,
    ReverseClawback,
    VoidGrant,
)
from credits.posting.decide import apply
from credits.posting.outcomes import Replay
from tests.model.pure_core import Core, instant
from tests.model.walk import REFUND_LASTS, Command

_MICRO = Decimal("0.000001")


def catalog_with(order: str) -> Catalog:
    """One credit type, `ai`, under that burn order."""
    kind = CreditType(1, "ai", "AI", "credit", "credits", 6, order, None, False)  # type: ignore[arg-type]
    return Catalog(1, 1, (kind,), (), (), ())


def policies_with(floor: int | None) -> Policies:
    """A workspace policy with that overdraft limit; None: nothing is blocked."""
    mode = "SOFT" if floor is None else "ENFORCE"
    words = (None, None, None, None, None, None, mode, None, 100, floor, instant(0), None)
    return Policies([Policy("pol_1", *words)])  # type: ignore[arg-type]


@dataclass(slots=True)
class Used:
    """A command that was granted under a key, and what the key stands for since."""

    command: Keyed
    answer: Replay | None = field(default=None)


class Desk(Core):
    """One account behind the desk where commands are decided."""

    def __init__(self, order: str) -> None:
        super().__init__(order)
        self.book = Book(1, instant(0), timedelta(days=7), catalog_with(order), policies_with(0))
        self.book.refund_lifetime = timedelta(seconds=REFUND_LASTS)
        self.book.customers[1] = LockedCustomer(1, "c", "UTC", "default", None)
        self.book.customer_ids["c"] = 1
        self.book.accounts[1, 1] = self.account
        self.floor: int | None = 0
        self.used: list[Used] = []
        self.keys = 0

    def apply(self, command: Command) -> str | None:
        self.book.now = instant(command.now)
        if command.floor != self.floor:
            self.floor, self.book.policies = command.floor, policies_with(command.floor)
        asked = self.asked(command)
        answer = apply(self.book, asked)
        assert not isinstance(answer, Replay), "a fresh key is no replay"
        if isinstance(answer, Refusal):
            # A refusal writes nothing, not even what is due; a read of the account does, and the model has.
            self.book.account(1, self.book.credit_type(1))
            return str(getattr(answer, "code"))  # noqa: B009 -- each refusal has one, their base has not
        if not isinstance(asked, ExtendHold):
            self.used.append(Used(asked))
        return None

    def asked(self, command: Command) -> Command_:
        """The command in the words of the batch writer."""
        self.keys += 1
        key, amount = f"k{self.keys}", command.amount * _MICRO
        ends = 0 if command.expires is None else command.expires - command.now
        match command.verb:
            case "grant":
                money = (Decimal(1), "USD") if command.paid else (None, None)
                times = [None if at is None else instant(at) for at in (command.effective, command.expires)]
                return GiveGrant(
                    *("c", "ai", amount, "MANUAL", key, None, None, None, command.priority, *times, *money)
                )
            case "burn":
                return Burn("c", Spend(credit_type="ai", amount=amount), key, None)
            case "hold":
                return OpenHold("c", Spend(credit_type="ai", amount=amount), f"PT{ends}S", key, None)
            case "settle":
                return Settle(HoldId(1, 1, command.hold), key, None, amount=amount, partial=command.partial)
            case "void":
                return VoidGrant(grant=GrantId(1, 1, command.grant), key=key, actor_id=None)
            case "clawback":
                micro = command.amount
                return Clawback(grant=GrantId(1, 1, command.grant), amount_micro=micro, key=key, actor_id=None)
            case "reverse":
                return ReverseBurn(entry=EntryId(1, 1, command.entry), amount=amount, key=key, actor_id=None)
            case "unclaw":
                place, micro = EntryId(1, 1, command.entry), command.amount
                return ReverseClawback(entry=place, amount_micro=micro, key=key, actor_id=None)
            case "release":
                return Release(HoldId(1, 1, command.hold), key, None)
        return ExtendHold(HoldId(1, 1, command.hold), f"PT{ends}S")

    def ask_again(self, draw: random.Random) -> None:
        """Law 7: a used key again, with the same payload and with another; nothing is written."""
        used = draw.choice(self.used)
        before = (len(self.account.entries), self.account.head)
        again = apply(self.book, used.command)
        assert isinstance(again, Replay), (used, again)
        assert not again.contradicts, used
        assert used.answer in (None, again), (used, again)
        used.answer = again
        changed = apply(self.book, self.contradicted(used.command))
        assert isinstance(changed, Replay), (used, changed)
        assert changed.contradicts, used
        assert (len(self.account.entries), self.account.head) == before, "a repeat wrote something"

    @staticmethod
    def contradicted(command: Keyed) -> Keyed:
        match command:
            case Burn() | OpenHold():
                return replace(command, spend=replace(command.spend, amount=Decimal("0.5")))
            case Correction():
                return replace(command, note="another")
            case Release():
                return replace(command, hold=replace(command.hold, number=command.hold.number + 1))
        return replace(command, amount=Decimal("0.5"))
