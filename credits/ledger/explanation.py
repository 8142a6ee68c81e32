"""What an entry means, in one sentence for the customer whose credits they are; and what a group of entries is called. PURE.

Names come from the catalog. Amounts are exact, never rounded. Nothing here repeats what an operator wrote, or an id.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from decimal import Decimal

from credits.amount import from_micro, plain
from credits.bounds import LATE_AFTER
from credits.catalog.values import Catalog, CreditType, Feature
from credits.ledger.account import Grant
from credits.ledger.entries import OVERDRAFT, Allocations, Entry, Kind, about
from credits.ledger.wording import counted, day, grouped, listed, unit

_ORIGIN = {
    "PURCHASE": "bought",
    "RECHARGE": "bought by automatic recharge",
    "PLAN": "from the plan",
    "TRIAL": "for the trial",
    "PROMOTION": "from a promotion",
    "MANUAL": "granted",
    "REFUND": "refunded",
    "ROLLOVER": "rolled over from the period before",
    "ADJUSTMENT": "granted as a correction",
}
_GROUP = {
    "PURCHASE": "purchased credits",
    "RECHARGE": "credits from automatic recharge",
    "PLAN": "plan credits",
    "TRIAL": "trial credits",
    "PROMOTION": "promotional credits",
    "MANUAL": "granted credits",
    "REFUND": "refunded credits",
    "ROLLOVER": "rolled-over credits",
    "ADJUSTMENT": "credits from corrections",
}
_GROUP_PREFIX = {
    Kind.EXPIRE: "Expired: ",
    Kind.UNEXPIRE: "Expiry undone: ",
    Kind.VOID: "Withdrawn: ",
    Kind.CLAWBACK: "Taken back: ",
    Kind.REVERSE: "Given back: ",
}


class _Telling:
    """One entry, with everything its sentence is made of."""

    def __init__(self, entry: Entry, catalog: Catalog, grants: Mapping[int, Grant], zone: tzinfo) -> None:
        credit_type = catalog.credit_type(entry.credit_type_id)
        if credit_type is None:
            raise LookupError(f"credit type {entry.credit_type_id}")
        self.entry, self.catalog, self.grants, self.zone = entry, catalog, grants, zone
        self.credit_type: CreditType = credit_type
        cause = entry.cause
        self.feature: Feature | None = None if cause.feature_id is None else catalog.feature(cause.feature_id)

    def credits(self, micro: int) -> str:
        """`1 credit`, `0.5 credits`"""
        return counted(from_micro(abs(micro)), self.credit_type.unit_singular, self.credit_type.unit_plural)

    def day(self, at: datetime) -> str:
        return day(at, self.zone, beside=self.entry.recorded_at)

    def expiry(self, grant: Grant) -> str:
        """`that expire Jan 31`; in the past where that lies before the entry."""
        if grant.expires_at is None:
            return "that never expire"
        past = grant.expires_at <= self.entry.occurred_at
        return f"that {'expired' if past else 'expire'} {self.day(grant.expires_at)}"

    def lot(self, number: int) -> str:
        """`500 credits that expire Jan 31`"""
        grant = self.grants.get(number)
        return (
            f"other {self.credit_type.unit_plural}"
            if grant is None
            else f"{self.credits(grant.amount)} {self.expiry(grant)}"
        )

    def parts(self, allocations: Allocations, joint: str = "of") -> str:
        """Which credits, and how many of each where there are several."""
        if len(allocations) == 1 and allocations[0][0] > OVERDRAFT:
            return self.lot(allocations[0][0])
        return listed([self.part(number, part, joint) for number, part in allocations])

    def part(self, number: int, part: int, joint: str) -> str:
        amount = grouped(from_micro(abs(part)))
        return f"{amount} more than there was" if number == OVERDRAFT else f"{amount} {joint} {self.lot(abs(number))}"

    def usage(self) -> str:
        """`374 tokens of Input tokens (model large) at 0.001 credits each`; in credits where it was not metered."""
        cause, feature = self.entry.cause, self.feature
        amount = self.credits(self.entry.amount or self.entry.held_amount)
        if feature is None:
            return amount
        if cause.quantity is None:
            return f"{amount} for {feature.name}"
        quantity = f"{grouped(cause.quantity)} {unit(feature.unit, cause.quantity)} of {feature.name}"
        rate = None if cause.rate_id is None else self.catalog.rate(cause.rate_id)
        if rate is None:
            return quantity
        match = ", ".join(f"{name} {_said(value)}" for name, value in sorted(rate.match.items()))
        price = counted(rate.per_unit, self.credit_type.unit_singular, self.credit_type.unit_plural)
        return f"{quantity}{f' ({match})' if match else ''} at {price} each"

    def reported(self) -> str:
        """Where it came in late."""
        if self.entry.recorded_at - self.entry.occurred_at <= LATE_AFTER:
            return ""
        used, reported = self.day(self.entry.occurred_at), self.day(self.entry.recorded_at)
        return ", reported later on the same day" if used == reported else f", used {used} and reported {reported}"

    def repaid(self) -> str:
        """What of it paid for earlier usage beyond all credits."""
        paid = sum(part for number, part in self.entry.allocations if number < OVERDRAFT)
        return f"; {self.credits(paid)} of it paid for earlier usage beyond what there was" if paid else ""

    def drawn(self) -> Allocations:
        return [(number, part) for number, part in self.entry.allocations if number >= OVERDRAFT and part]

    def first(self) -> Grant | None:
        return next((self.grants.get(abs(number)) for number, _ in self.entry.allocations if number), None)


def _said(value: str | bool | int | Decimal) -> str:
    """A dimension's value as the catalog's document writes it."""
    if isinstance(value, bool):
        return str(value).lower()
    return plain(value) if isinstance(value, Decimal) else str(value)


def sentence(entry: Entry, catalog: Catalog, grants: Mapping[int, Grant], zone: tzinfo) -> str:
    """What the entry means. `grants` by number, those that its allocations name; `zone` is the customer's.

    Raises `LookupError` where the catalog does not know the entry's credit type.
    """
    return _SENTENCES[entry.kind](_Telling(entry, catalog, grants, zone))


def _grant(it: _Telling) -> str:
    grant = it.first()
    if grant is None:
        return f"{it.credits(it.entry.amount)} granted"
    ends = "without expiry" if grant.expires_at is None else f"expiring {it.day(grant.expires_at)}"
    return f"{it.credits(it.entry.amount)} {_ORIGIN[grant.source]}, {ends}{it.repaid()}"


def _from(it: _Telling) -> str:
    drawn = it.drawn()
    if drawn and all(number == OVERDRAFT for number, _ in drawn):
        return ", more than there was"
    return f", from {it.parts(drawn)}" if drawn else ""


def _burn(it: _Telling) -> str:
    return f"{it.usage()}{it.reported()}{_from(it)}"


def _settle(it: _Telling) -> str:
    released = -it.entry.held_amount + it.entry.amount
    rest = f"; free again: {it.credits(released)} that had been set aside" if released > 0 else ""
    return f"{it.usage()}{_from(it)}{rest}{it.repaid()}"


def _hold(it: _Telling) -> str:
    what = it.usage() if it.feature is not None else it.credits(it.entry.held_amount)
    return f"Set aside: {what}{_from(it)}"


def _free_again(it: _Telling) -> str:
    return f"Free again: {it.credits(it.entry.held_amount)} that had been set aside{it.repaid()}"


def _lapse(it: _Telling) -> str:
    return f"Free again, because the time for it ran out: {it.credits(it.entry.held_amount)} that had been set aside{it.repaid()}"


def _expire(it: _Telling) -> str:
    grant = it.first()
    of = "" if grant is None else f" of {it.credits(grant.amount)} {_ORIGIN[grant.source]}"
    end = it.day(grant.expires_at if grant is not None and grant.expires_at else it.entry.occurred_at)
    return f"{grouped(from_micro(-it.entry.amount))}{of or ' ' + it.credit_type.unit_plural} expired unused on {end}"


def _unexpire(it: _Telling) -> str:
    day_of = it.day(it.entry.occurred_at)
    return f"{it.credits(it.entry.amount)} that expired on {day_of} given back, because usage from before was reported late"


def _reallocate(it: _Telling) -> str:
    lots: dict[str, int] = {}  # what reads the same is the same to whoever reads it
    for number, part in it.entry.allocations:
        if number:
            lots[it.lot(abs(number))] = lots.get(it.lot(abs(number)), 0) + part
    backdated = any(
        grant is not None and grant.effective_at < grant.created_at == it.entry.recorded_at
        for grant in (it.grants.get(abs(number)) for number, _ in it.entry.allocations)
    )
    # What a grant in the past repaid, its own entry says.
    repaid = 0 if backdated else sum(part for number, part in it.entry.allocations if number < OVERDRAFT)
    debt = sum(part for number, part in it.entry.allocations if number == OVERDRAFT) - repaid
    amounts = [(part, f"of {lot}") for lot, part in lots.items()] + [(debt, "beyond what there was")]
    said = [f"{grouped(from_micro(part))} more {of}" for part, of in amounts if part > 0]
    said += [f"{grouped(from_micro(-part))} less {of}" for part, of in amounts if part < 0]
    why = "Credits added for a time in the past change" if backdated else "Usage reported late changes"
    return f"{why} which credits were used{': ' + listed(said) if said else ', of those with the same expiry'}"


def _void(it: _Telling) -> str:
    grant = it.first()
    if not it.entry.amount:
        return f"{it.lot(grant.number) if grant else 'Credits'} withdrawn before they began"
    of = "" if grant is None else f" of {it.lot(grant.number)}"
    return f"{grouped(from_micro(-it.entry.amount))}{of or ' ' + it.credit_type.unit_plural} withdrawn"


def _reverse(it: _Telling) -> str:
    name = f" for {it.feature.name}" if it.feature is not None else ""
    back = [(number, part) for number, part in it.entry.allocations if number > OVERDRAFT and part]
    debt = sum(part for number, part in it.entry.allocations if number <= OVERDRAFT)
    to_one = len(back) == 1 and not debt
    new = it.grants.get(back[0][0]) if to_one else None
    if new is not None and new.source == "REFUND" and new.created_at == it.entry.recorded_at:
        home = f" as new credits {it.expiry(new)}"
    elif to_one:
        home = f", to {it.lot(back[0][0])}"
    else:
        home = f": {listed([it.part(number, part, 'to') for number, part in back])}" if back else ""
    of_clawback = about(it.entry.kind, it.entry.allocations) is not None
    owed = "no longer owed" if of_clawback else "less used beyond what there was"
    less = f"; {grouped(from_micro(debt))} of it {owed}" if debt else ""
    why = ", because their payment stands after all" if of_clawback else ""
    return f"{it.credits(it.entry.amount)}{name} given back{why}{home}{less}"


def _clawback(it: _Telling) -> str:
    return f"{it.credits(it.entry.amount)} taken back, because their payment was returned{_from(it)}"


def _adjust(it: _Telling) -> str:
    to = it.drawn()
    grant = it.first()
    if it.entry.amount > 0 and grant is not None and grant.rolled_from and grant.created_at == it.entry.recorded_at:
        return f"{it.credits(it.entry.amount)} moved to a new expiry: credits {it.expiry(grant)}"
    if it.entry.amount < 0 and grant is not None and it.entry.cause.key is None:  # the other half of a move has the key
        return f"{it.part(grant.number, it.entry.amount, 'of')} moved to a new expiry"
    direction = "added" if it.entry.amount > 0 else "taken"
    where = f", {'to' if it.entry.amount > 0 else 'from'} {it.parts(to)}" if to else ""
    return f"Correction: {it.credits(it.entry.amount)} {direction}{where}{it.repaid()}"


_SENTENCES: dict[Kind, Callable[[_Telling], str]] = {
    Kind.GRANT: _grant,
    Kind.BURN: _burn,
    Kind.HOLD: _hold,
    Kind.SETTLE: _settle,
    Kind.RELEASE: _free_again,
    Kind.LAPSE: _lapse,
    Kind.EXPIRE: _expire,
    Kind.UNEXPIRE: _unexpire,
    Kind.REALLOCATE: _reallocate,
    Kind.VOID: _void,
    Kind.REVERSE: _reverse,
    Kind.CLAWBACK: _clawback,
    Kind.ADJUST: _adjust,
}


def label(kind: Kind, feature_id: int | None, source: str | None, catalog: Catalog) -> str:
    """What a line of an explanation is called: `Input tokens`, `Plan credits`, `Expired: plan credits`."""
    feature = None if feature_id is None else catalog.feature(feature_id)
    used = "Credits used" if feature is None else feature.name
    group = "credits" if source is None else _GROUP[source]
    match kind:
        case Kind.BURN | Kind.SETTLE:
            return used
        case Kind.REVERSE if source is None:
            return f"Given back: {used[0].lower() + used[1:] if feature is None else used}"
        case Kind.GRANT:
            return group[0].upper() + group[1:]
        case Kind.ADJUST:
            return "Corrections"
    return f"{_GROUP_PREFIX[kind]}{group}" if kind in _GROUP_PREFIX else kind.name.capitalize()
