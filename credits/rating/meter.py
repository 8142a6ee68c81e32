"""What an event says that is priced: which features it is usage of, how much, and its dimensions. PURE.

A number is taken as the decimal it is written as: whoever parses events hands integers over as `int` and everything
else as `Decimal`, never as a float. Text that is a plain decimal counts as the number it spells, because CSV and many
senders know nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal, Inexact
from typing import Self

from credits.amount import QUANTITY_DECIMALS, decimals, parse_plain
from credits.catalog.matching import Scalar
from credits.catalog.values import COUNT, Catalog, CreditType, Feature, Rate, RateCard
from credits.rating.rate import find_rate

MEMBER = "member"  # the field of data that attributes usage to a member: not a dimension
QUANTITY_END = 10**13  # at most 13 digits before the point

_ONE = Decimal(1)
_MEANINGFUL = Context(prec=25, traps=[Inexact])  # 13 digits, 12 decimals
_SCALARS = frozenset({str, bool, int, Decimal})


@dataclass(slots=True)
class Applied:
    """A feature that an event is usage of, with the rate that applies and what it costs; None: no rate."""

    feature: Feature
    rate: Rate | None
    credit_type: CreditType | None


@dataclass(slots=True)
class Meter:
    """How events of one type are metered and priced on one rate card: looked up once for all of a batch that are alike.

    `not_dimensions` are the fields of data that are quantities, or name the member.
    """

    card: RateCard | None
    features: tuple[Feature, ...]
    not_dimensions: frozenset[str]
    catalog: Catalog
    _priced: dict[str | None, list[Applied]] = field(default_factory=dict)

    @classmethod
    def of(cls, catalog: Catalog, card: RateCard | None, event_type: str) -> Self:
        features = features_for(catalog, event_type, card)
        quantities = [feature.quantity for feature in features if feature.quantity != COUNT]
        return cls(card, features, frozenset([MEMBER, *quantities]), catalog)

    def dimensions_of(self, data: Mapping[str, object]) -> dict[str, Scalar]:
        """The scalar fields of the event's data by which its usage is priced."""
        no_dimension = self.not_dimensions
        return {
            name: value  # type: ignore[misc]
            for name, value in data.items()
            if name not in no_dimension and type(value) in _SCALARS
        }

    def priced(self, dimensions: Mapping[str, object], text: str | None) -> list[Applied]:
        """The features, each with the rate that applies. By `text`, the dimensions' canonical JSON, it knows them again:
        what means the same has the same text."""
        found = self._priced.get(text)
        if found is None:
            found = self._priced[text] = [self._applied(feature, dimensions) for feature in self.features]
        return found

    def _applied(self, feature: Feature, dimensions: Mapping[str, object]) -> Applied:
        rate = None if self.card is None else find_rate(self.card, feature.id, dimensions)
        return Applied(feature, rate, None if rate is None else self.catalog.credit_type(rate.credit_type_id))


def features_for(catalog: Catalog, event_type: str, card: RateCard | None) -> tuple[Feature, ...]:
    """The features that events of this type are usage of, for a customer on `card`; empty: nothing meters it.

    An archived feature still meters for whoever is on a card that prices it, and for nobody else.
    """
    features = catalog.features_metering(event_type)
    for feature in features:
        if feature.archived:
            break
    else:
        return features
    priced = {} if card is None else card.shapes
    return tuple(feature for feature in features if not feature.archived or feature.id in priced)


def quantity_of(feature: Feature, data: Mapping[str, object]) -> Decimal | str:
    """How much of the feature the event tells of; text says why it tells nothing that can be counted."""
    if feature.quantity == COUNT:
        return _ONE
    value = data.get(feature.quantity)
    if type(value) is int and 0 <= value < QUANTITY_END:
        return Decimal(value)
    if value is None:
        return f"data.{feature.quantity} is missing"
    try:
        return _within_bounds(_number(value))
    except ValueError as error:
        return f"data.{feature.quantity} {error}"


def _number(value: object) -> Decimal:
    if isinstance(value, str):
        try:
            return parse_plain(value)
        except ValueError as error:
            raise ValueError(f"is {error}") from error
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise ValueError("is not a number")  # noqa: TRY004 -- a caller's value, not a caller's code
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError("is not a number")
    return number


def _within_bounds(quantity: Decimal) -> Decimal:
    if quantity < 0:
        raise ValueError("is negative")
    if quantity >= QUANTITY_END:
        raise ValueError("has more than 13 digits before the point")
    try:
        # Zeros without meaning, however many, are dropped; a digit with meaning is not.
        quantity = _MEANINGFUL.plus(quantity)
    except Inexact:
        raise ValueError(f"has more than {QUANTITY_DECIMALS} decimals") from None
    if decimals(quantity) > QUANTITY_DECIMALS:
        raise ValueError(f"has more than {QUANTITY_DECIMALS} decimals")
    return quantity
