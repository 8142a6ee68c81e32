"""What a line comes to in double-entry bookkeeping. PURE. The chart of accounts is in the README."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from credits.ledger.entries import Kind
from credits.revenue.lots import Line

JournalAccount = Literal["cash", "clearing", "deferred revenue", "revenue", "refunds", "breakage"]

_WORDS = {
    Kind.GRANT: "credits sold",
    Kind.BURN: "credits used",
    Kind.SETTLE: "credits used",
    Kind.RELEASE: "overdraft repaid",
    Kind.LAPSE: "overdraft repaid",
    Kind.EXPIRE: "credits expired",
    Kind.UNEXPIRE: "expiry undone by late usage",
    Kind.REALLOCATE: "late usage placed",
    Kind.VOID: "credits voided",
    Kind.REVERSE: "usage given back",
    Kind.CLAWBACK: "credits taken back",
    Kind.ADJUST: "credits corrected",
}


@dataclass(frozen=True, slots=True)
class Placed:
    """A line, whose it is, and the number of its movement where it is money without credits."""

    customer_id: int
    credit_type_id: int
    line: Line
    movement: int = 0

    @property
    def order(self) -> tuple[datetime, int, int, int, str, int]:
        line = self.line
        return line.at, self.customer_id, self.credit_type_id, line.sequence, line.currency, self.movement


@dataclass(frozen=True, slots=True)
class Posting:
    """One line of the journal: `debit` or `credit`, the other is 0, in the smallest unit of the currency."""

    date: date
    account: JournalAccount
    debit: int
    credit: int
    currency: str
    memo: str
    entry: tuple[int, int, int] | None  # customer, credit type, sequence


def postings(placed: Placed, customer: str, credit_type: str) -> Iterator[Posting]:
    """The journal lines of one entry and currency, debits before credits. Both sums are the same."""
    line = placed.line
    money: JournalAccount = "clearing" if line.elsewhere else "cash"
    balances: dict[JournalAccount, int] = {
        money: line.sold - line.refunded,
        "deferred revenue": -line.change,
        "refunds": line.returned,
        "revenue": -line.earned,
        "breakage": -line.breakage,
    }
    word = "money without credits" if line.kind is None else _WORDS.get(line.kind, line.kind.name)
    entry = (placed.customer_id, placed.credit_type_id, line.sequence) if line.sequence else None
    memo = f"{customer}, {credit_type}: {word}"
    for account, balance in sorted(balances.items(), key=lambda each: each[1] < 0):
        if balance:
            yield Posting(line.at.date(), account, max(0, balance), max(0, -balance), line.currency, memo, entry)
