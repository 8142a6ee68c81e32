"""An account as it stood at one of its entries, made from the entries alone. PURE.

`replay` adds one entry after the other. What an entry does to balances, grants and overdraft is in its amounts and
allocations, so it can also be added out of order, or taken away (`weigh`): sums do not mind. Only which of its parts a
hold has used up depends on the order, and nothing but `replay` follows that.

Allocations say (g, part): the part that grant g bears or gets; (0, part): overdraft; (−g, part): overdraft that grant g
repays. Whether a part is taken or given, the kind says; on REALLOCATE parts carry a sign of their own.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

import orjson

from credits.ledger.account import Grant
from credits.ledger.burn_order import order
from credits.ledger.entries import OVERDRAFT, Allocations, Entry, Kind, about
from credits.ledger.holds import split

FORM = 1  # how `encode` writes; another number when it changes: older ones are then passed over and made anew

# Which lifetime total an amount counts in. Gross: what corrections take and give changes the balance alone.
GRANTED = frozenset({Kind.GRANT})
BURNED = frozenset({Kind.BURN, Kind.SETTLE})
EXPIRED = frozenset({Kind.EXPIRE, Kind.UNEXPIRE})

_GIVES = frozenset({Kind.GRANT, Kind.REVERSE, Kind.UNEXPIRE})
_FREES = frozenset({Kind.RELEASE, Kind.LAPSE})

LineKey = tuple[Kind, int | None, str | None]  # kind, feature, source of the grant it is about


@dataclass(slots=True)
class Effect:
    """What replaying needs of an entry; or of `count` burns by one grant alone, added up."""

    kind: Kind
    amount: int
    held_amount: int
    allocations: Allocations
    hold_number: int | None = None
    feature_id: int | None = None
    source: str | None = None
    count: int = 1
    sequence: int = 0


@dataclass(slots=True)
class Line:
    """How many entries of one kind, feature and source, and what they came to. Micro-credits."""

    count: int = 0
    amount: int = 0


@dataclass(slots=True)
class Standing:
    """Amounts are micro-credits. `remaining` and `kept` by grant number: what is left of it, what open holds keep of it.

    Invariant at every entry: `balance = Σ remaining − overdraft = Σ lines`, and what the lifetime totals come to;
    `held = Σ parts of the holds`.
    """

    sequence: int = 0
    balance: int = 0
    held: int = 0
    overdraft: int = 0
    remaining: dict[int, int] = field(default_factory=dict)
    holds: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    voided: set[int] = field(default_factory=set)
    lines: dict[LineKey, Line] = field(default_factory=dict)

    @property
    def granted(self) -> int:
        return self._total(GRANTED)

    @property
    def burned(self) -> int:
        return -self._total(BURNED)

    @property
    def expired(self) -> int:
        return -self._total(EXPIRED)

    @property
    def given_back(self) -> int:
        return self._total({Kind.REVERSE})

    @property
    def voided_in_all(self) -> int:
        return -self._total({Kind.VOID})

    @property
    def clawed_back(self) -> int:
        return -self._total({Kind.CLAWBACK})

    @property
    def adjusted(self) -> int:
        return self._total({Kind.ADJUST})

    @property
    def kept(self) -> dict[int, int]:
        """What the open holds keep of each grant."""
        kept: dict[int, int] = {}
        for parts in self.holds.values():
            for number, part in parts:
                if number != OVERDRAFT:
                    kept[number] = kept.get(number, 0) + part
        return kept

    @property
    def size(self) -> int:
        """How much there is to write down."""
        return len(self.remaining) + len(self.lines) + sum(1 + len(parts) for parts in self.holds.values())

    def copy(self) -> "Standing":
        return replace(
            self,
            remaining=dict(self.remaining),
            holds=dict(self.holds),  # their lists are replaced, never changed
            voided=set(self.voided),
            lines={key: Line(line.count, line.amount) for key, line in self.lines.items()},
        )

    def _total(self, kinds: AbstractSet[Kind]) -> int:
        return sum(line.amount for (kind, _, _), line in self.lines.items() if kind in kinds)


def effect_of(entry: Entry, grants: Mapping[int, Grant]) -> Effect:
    """The effect of an entry that the rules have just made; `grants` are the account's."""
    of = grants.get(about(entry.kind, entry.allocations) or 0)
    return Effect(
        kind=entry.kind,
        amount=entry.amount,
        held_amount=entry.held_amount,
        allocations=entry.allocations,
        hold_number=entry.hold_number,
        feature_id=entry.cause.feature_id,
        source=None if of is None else of.source,
        sequence=entry.sequence,
    )


def replay(standing: Standing, effect: Effect) -> None:
    """The standing after one more entry; entries come in the order of the book."""
    weigh(standing, effect)
    if effect.hold_number is not None:
        _keep(standing, effect, effect.hold_number)
    if effect.kind is Kind.VOID:
        standing.voided.update(number for number, _ in effect.allocations if number > 0)
    if effect.sequence:
        standing.sequence = effect.sequence


def weigh(standing: Standing, effect: Effect, sign: int = 1) -> None:
    """Adds what an entry came to, or takes it away again (`sign` −1), wherever it stands in the book."""
    standing.balance += sign * effect.amount
    standing.held += sign * effect.held_amount
    key = (effect.kind, effect.feature_id, effect.source)
    line = standing.lines.get(key)
    if line is None:
        line = standing.lines[key] = Line()
    line.count += sign * effect.count
    line.amount += sign * effect.amount
    gives = effect.kind in _GIVES or (effect.kind is Kind.ADJUST and effect.amount > 0)
    if effect.kind is Kind.HOLD or (effect.kind is Kind.VOID and not effect.amount):
        return  # nothing has left a grant: set aside; or ended before it began
    for number, part in effect.allocations:
        if effect.kind in _FREES and number >= 0:
            continue  # as if it had never been held
        change = sign * part
        if number == OVERDRAFT:
            standing.overdraft += -change if gives else change
        elif number < 0:
            standing.overdraft -= change
            if not gives:
                _move(standing, -number, -change)
        else:
            _move(standing, number, change if gives else -change)


def _move(standing: Standing, number: int, change: int) -> None:
    remaining = standing.remaining.get(number, 0) + change
    if remaining:
        standing.remaining[number] = remaining
    else:
        standing.remaining.pop(number, None)


def _keep(standing: Standing, effect: Effect, number: int) -> None:
    """What the hold still keeps, part by part: settling uses them up in the order they were drawn."""
    if effect.kind is Kind.HOLD:
        standing.holds[number] = list(effect.allocations)
        return
    parts = standing.holds.get(number)
    if parts is None:
        return  # closed already, or settled to its last credit and kept open
    left = sum(part for _, part in parts) + effect.held_amount
    if left > 0:
        standing.holds[number] = split(parts, -effect.held_amount)[1]
    else:
        del standing.holds[number]


def lots_of(standing: Standing, grants: Mapping[int, Grant], burn_order: str) -> list[tuple[Grant, int]]:
    """What each grant still has, never negative, together `balance` plus any overdraft.

    That is what the entries say, except where some were recorded later than the instant asked for: a late burn may have
    drawn on a grant that had not begun yet, a backdated grant repaid overdraft from before. The totals stand; what a
    grant cannot have lacked is then taken from the others in burn order, what it cannot have had goes to the others, the
    last to burn first, and what fits nowhere is overdraft or its repayment. More than its amount it has where it was
    corrected upwards: never more than was given back to it besides.
    """
    most = {number: grant.amount + grant.given_back for number, grant in grants.items()}
    known = order((grants[number] for number in standing.remaining if number in grants), burn_order)
    lots = {grant.number: max(0, min(standing.remaining[grant.number], most[grant.number])) for grant in known}
    missing = standing.balance + max(0, standing.overdraft) - sum(lots.values())
    for grant in known:
        taken = min(lots[grant.number], max(0, -missing))
        lots[grant.number] -= taken
        missing += taken
    for grant in reversed(known):
        given = min(most[grant.number] - lots[grant.number], max(0, missing))
        lots[grant.number] += given
        missing -= given
    return [(grant, lots[grant.number]) for grant in known if lots[grant.number]]


def encode(standing: Standing) -> bytes:
    """The standing as it is stored; without its sequence, which is a column of its own."""
    return orjson.dumps(
        [
            standing.balance,
            standing.held,
            standing.overdraft,
            list(standing.remaining.items()),
            [[number, *parts] for number, parts in standing.holds.items()],
            sorted(standing.voided),
            [
                [int(kind), feature, source, line.count, line.amount]
                for (kind, feature, source), line in _lines(standing)
            ],
        ]
    )


def decode(sequence: int, state: bytes) -> Standing:
    balance, held, overdraft, remaining, holds, voided, lines = orjson.loads(state)
    return Standing(
        sequence=sequence,
        balance=balance,
        held=held,
        overdraft=overdraft,
        remaining=dict(remaining),
        holds={number: [(grant, part) for grant, part in parts] for number, *parts in holds},
        voided=set(voided),
        lines={(Kind(kind), feature, source): Line(count, amount) for kind, feature, source, count, amount in lines},
    )


def _lines(standing: Standing) -> Iterable[tuple[LineKey, Line]]:
    return ((key, line) for key, line in standing.lines.items() if line.count or line.amount)
