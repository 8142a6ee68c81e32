"""What was paid for a grant and what is left of it to be earned; and what one entry did to money. PURE.

Money is whole smallest units of a currency, credits are micro-credits; nothing here divides without saying how it rounds.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from credits.amount import MICRO_DECIMALS, QUANTITY_DECIMALS
from credits.catalog.currencies import money_decimals
from credits.ledger.entries import Kind


def worth(paid: int, amount: int, micro: int) -> int:
    """What `micro` credits of a grant of `amount` for `paid` are worth, half a unit rounded up. All of it is worth `paid`."""
    if amount <= 0 or micro <= 0:
        return 0
    return paid if micro >= amount else (2 * paid * micro + amount) // (2 * amount)


def share(money: int, part: int, whole: int) -> int:
    """The part's share of the money. Taken one after another, each of what is left, the shares add up to the money: whoever
    comes last has the remainder."""
    return worth(max(0, money), whole, part) if part < whole else max(0, money)


def paid_for(cost: Decimal, amount: int, currency: str) -> int:
    """A cost basis per credit times `amount` micro-credits, in smallest units of the currency, half to even."""
    _, digits, exponent = cost.as_tuple()
    assert isinstance(exponent, int)  # noqa: S101 -- a CHECK of the table: a number
    factor: int = int("".join(map(str, digits))) * 10 ** (QUANTITY_DECIMALS + exponent)
    scale: int = QUANTITY_DECIMALS + MICRO_DECIMALS - money_decimals(currency)
    one: int = 10**scale
    whole, rest = divmod(factor * amount, one)
    return whole + int(2 * rest + whole % 2 > one)


@dataclass(frozen=True, slots=True)
class Terms:
    """What the fold must know of a grant that an entry names."""

    source: str
    cost_amount: Decimal | None
    cost_currency: str | None
    rolled_from: int | None


@dataclass(frozen=True, slots=True)
class Moved:
    """The money movement that goes with an entry."""

    kind: str
    minor: int
    currency: str
    grant: int


@dataclass(slots=True)
class Lot:
    """A grant that money was paid for.

    `deferred` is a function of what remains alone: `paid × remaining ÷ amount`, half up. Credits that were added by hand
    (`adjusted` above zero) cost nothing and are used last. `earned` and `burned` (net of what was given back) say what goes
    along when burned credits become a new grant; `ended` and `ended_minor`, what the latest expiry, move or clawback took.
    """

    number: int
    currency: str
    paid: int
    amount: int
    remaining: int
    adjusted: int = 0
    deferred: int = 0
    burned: int = 0
    earned: int = 0
    ended: int = 0
    ended_minor: int = 0

    def shift(self, change: int) -> int:
        """So many credits more remain, or fewer; the money that is released by it, negative where it is deferred again."""
        before = self.deferred
        self.remaining += change
        self.deferred = worth(self.paid, self.amount, self.remaining - max(0, self.adjusted))
        return before - self.deferred


@dataclass(slots=True)
class Line:
    """What one entry did to money of one currency.

    `recognized` is what was earned less what of it was paid back. Invariant: what is deferred changes by `sold − recognized −
    breakage − refunded`. `elsewhere`: the host sold it, and says for how much. Sequence 0: money without credits.
    """

    sequence: int
    at: datetime
    kind: Kind | None
    currency: str
    elsewhere: bool = False
    sold: int = 0
    earned: int = 0
    returned: int = 0
    breakage: int = 0
    refunded: int = 0

    @property
    def recognized(self) -> int:
        return self.earned - self.returned

    @property
    def change(self) -> int:
        """Of what is deferred."""
        return self.sold - self.recognized - self.breakage - self.refunded

    @property
    def says_something(self) -> bool:
        return bool(self.sold or self.earned or self.returned or self.breakage or self.refunded)

    def move_alone(self, moved: Moved) -> None:
        """Money that moved no deferred: what comes is earned at once, what goes was earned."""
        match moved.kind:
            case "SALE":
                self.sold += moved.minor
                self.earned += moved.minor
            case "REFUND" | "CHARGEBACK":
                self.refunded += moved.minor
                self.returned += moved.minor
            case "REFUND_FAILED" | "CHARGEBACK_WON":
                self.refunded -= moved.minor
                self.returned -= moved.minor
            case _:
                raise ValueError(f"no kind of movement: {moved.kind}")
