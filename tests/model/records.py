"""What the reference model keeps: grants, holds, entries. Whole micro-credits, whole microseconds."""

from dataclasses import dataclass, field

NEVER = 2**62  # later than any expiry
OVERDRAFT = 0  # stands for the grant where there is none


@dataclass(slots=True)
class Grant:
    """Credits given. `begun` from its effective instant on, `ended` when it expired with something left."""

    number: int
    amount: int
    effective: int
    expires: int | None
    priority: int = 50
    paid: bool = False
    begun: bool = False
    ended: bool = False
    void: bool = False  # ended by hand
    remaining: int = 0
    held: int = 0
    burned: int = 0
    expired: int = 0
    voided: int = 0
    clawed_back: int = 0
    given_back: int = 0

    @property
    def status(self) -> str:
        if not self.begun:
            return "SCHEDULED"
        if self.void:
            return "VOIDED"
        if self.ended:
            return "EXPIRED"
        return "ACTIVE" if self.remaining else "DEPLETED"

    @property
    def is_live(self) -> bool:
        """It has begun, has not ended, and something is left of it."""
        return self.begun and not self.ended and self.remaining > 0

    @property
    def free(self) -> int:
        return self.remaining - self.held if self.is_live else 0

    def rank(self, order: str) -> tuple[int, ...]:
        """Its place in the burn order; smaller burns first."""
        expiry = NEVER if self.expires is None else self.expires
        match order:
            case "PRIORITY_THEN_EXPIRY":
                return (self.priority, expiry, self.effective, self.number)
            case "EXPIRY_FIRST":
                return (expiry, self.priority, self.effective, self.number)
            case "PAID_LAST":
                return (int(self.paid), expiry, self.priority, self.effective, self.number)
            case "OLDEST_FIRST":
                return (self.effective, self.number)
        raise ValueError(order)


@dataclass(slots=True)
class Hold:
    """Credits set aside: `parts` in the order they were drawn; what no grant backs is `unbacked`."""

    number: int
    amount: int
    expires: int
    parts: list[tuple[Grant, int]]
    unbacked: int
    status: str = "OPEN"
    settled: int = 0

    @property
    def left(self) -> int:
        return sum(amount for _, amount in self.parts) + self.unbacked


@dataclass(slots=True)
class Debt:
    """Overdraft that one entry made: what is owed of it, and who has paid the rest, (grant number, amount) in order."""

    sequence: int
    owed: int
    paid: list[tuple[int, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger. `allocations`: (grant number, amount), `OVERDRAFT` for none.

    `repaid`: the part of the entry's credits that paid old overdraft, by grant.
    """

    sequence: int
    kind: str
    amount: int
    held_amount: int
    balance_after: int
    held_after: int
    occurred: int
    recorded: int
    allocations: tuple[tuple[int, int], ...] = ()
    repaid: tuple[tuple[int, int], ...] = ()
    subject: int = 0  # number of the grant or hold it is about

    def in_contract_words(self) -> tuple[object, ...]:
        """What a server says of it: one allocation per grant; what of a release paid overdraft is not given back."""
        drawn: dict[int, int] = {}
        for number, amount in self.allocations:
            drawn[number] = drawn.get(number, 0) + amount
        if self.kind in ("RELEASE", "LAPSE", "REVERSE"):
            for number, amount in self.repaid:
                drawn[number] -= amount
        drawn = {number: amount for number, amount in drawn.items() if amount}
        numbers = (self.amount, self.held_amount, self.balance_after, self.held_after)
        return (self.sequence, self.kind, *numbers, self.occurred, self.recorded, drawn, dict(self.repaid))


@dataclass(frozen=True, slots=True)
class Refused:
    """An expected answer that changes nothing."""

    code: str
    needed: int = 0
    available: int = 0
