"""What is sold, as values: credit types, features, rate cards, bundles. PURE: no SQL comes with this module.

A `Catalog` is one workspace's whole catalog at one version, archived things and all published rate cards included,
because ledger entries point to them for ever. Ids are those of the rows. Amounts are micro-credits.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from credits.catalog.matching import Match, Shape, shapes

Rounding = Literal["UP", "HALF_EVEN", "DOWN"]
BurnOrder = Literal["PRIORITY_THEN_EXPIRY", "EXPIRY_FIRST", "PAID_LAST", "OLDEST_FIRST"]

COUNT = "1"  # as a feature's `quantity`: count events instead of summing a field


@dataclass(frozen=True, slots=True)
class CreditType:
    """A kind of credits. `scale` is the decimals shown and accepted; `default_expiry` an ISO 8601 duration."""

    id: int
    key: str
    name: str
    unit_singular: str
    unit_plural: str
    scale: int
    burn_order: BurnOrder
    default_expiry: str | None
    archived: bool


@dataclass(frozen=True, slots=True)
class Feature:
    """What usage is metered as. `quantity` is the field of an event's data to sum, or `COUNT`."""

    id: int
    key: str
    name: str
    description: str | None
    event_type: str | None
    quantity: str
    unit: str
    archived: bool


@dataclass(frozen=True, slots=True)
class Rate:
    """The price of one feature, for usage that carries `match`. `per_unit` is credits per unit, exact."""

    id: int
    rate_card_id: int
    feature_id: int
    credit_type_id: int
    match: Match
    per_unit: Decimal
    rounding: Rounding


@dataclass(frozen=True, slots=True)
class RateCard:
    """One published, immutable version of a cohort's prices. `follow`: it moves the cohort's customers by itself."""

    id: int
    cohort: str
    version: int
    published_at: datetime
    effective_at: datetime
    follow: bool
    note: str | None
    rates: tuple[Rate, ...]
    shapes: dict[int, tuple[Shape[Rate], ...]] = field(init=False, repr=False, compare=False)  # by feature id

    def __post_init__(self) -> None:
        by_feature: dict[int, list[Rate]] = {}
        for rate in self.rates:
            by_feature.setdefault(rate.feature_id, []).append(rate)
        object.__setattr__(self, "shapes", {feature: shapes(rates) for feature, rates in by_feature.items()})


@dataclass(frozen=True, slots=True)
class Cohort:
    """A group of customers with prices of its own: its versions, oldest first. Archived: nobody new is given one."""

    name: str
    archived: bool
    cards: tuple[RateCard, ...]


@dataclass(frozen=True, slots=True)
class Bundle:
    """A pack of credits on sale. `expires_after` is an ISO 8601 duration; `price` is money in `currency`."""

    id: int
    key: str
    name: str
    credit_type_id: int
    amount_micro: int
    bonus_micro: int
    price: Decimal
    currency: str
    expires_after: str | None
    priority: int
    archived: bool


@dataclass(frozen=True, slots=True)
class Catalog:
    """One workspace's catalog. Each tuple is in the order of the document; archived things are among them.

    `version` grows with every change of the catalog; `config_version`, with policies too, is what caches compare.
    """

    version: int
    config_version: int
    credit_types: tuple[CreditType, ...]
    features: tuple[Feature, ...]
    cohorts: tuple[Cohort, ...]
    bundles: tuple[Bundle, ...]
    _index: dict[str, dict[Any, Any]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        cards = [card for cohort in self.cohorts for card in cohort.cards]
        by_event: dict[str, tuple[Feature, ...]] = {}
        for feature in self.features:
            if feature.event_type is not None:
                by_event[feature.event_type] = (*by_event.get(feature.event_type, ()), feature)
        index = {
            "credit_type": _by(self.credit_types, "id"),
            "credit_type_key": _by(self.credit_types, "key"),
            "feature": _by(self.features, "id"),
            "feature_key": _by(self.features, "key"),
            "event_type": by_event,
            "cohort": _by(self.cohorts, "name"),
            "card": _by(cards, "id"),
            "rate": {rate.id: rate for card in cards for rate in card.rates},
            "bundle": _by(self.bundles, "id"),
            "bundle_key": _by(self.bundles, "key"),
        }
        object.__setattr__(self, "_index", index)

    def credit_type(self, credit_type_id: int) -> CreditType | None:
        return self._index["credit_type"].get(credit_type_id)

    def credit_type_by_key(self, key: str) -> CreditType | None:
        return self._index["credit_type_key"].get(key)

    def feature(self, feature_id: int) -> Feature | None:
        return self._index["feature"].get(feature_id)

    def feature_by_key(self, key: str) -> Feature | None:
        return self._index["feature_key"].get(key)

    def features_metering(self, event_type: str) -> tuple[Feature, ...]:
        """Every feature that meters this type of event, archived ones included: see `rating.meter.features_for`."""
        found: tuple[Feature, ...] = self._index["event_type"].get(event_type, ())
        return found

    def cohort(self, name: str) -> Cohort | None:
        return self._index["cohort"].get(name)

    def cards(self, cohort: str) -> tuple[RateCard, ...]:
        """The cohort's published versions, oldest first; empty for an unknown cohort."""
        known = self.cohort(cohort)
        return () if known is None else known.cards

    def card(self, rate_card_id: int) -> RateCard | None:
        return self._index["card"].get(rate_card_id)

    def rate(self, rate_id: int) -> Rate | None:
        return self._index["rate"].get(rate_id)

    def bundle(self, bundle_id: int) -> Bundle | None:
        return self._index["bundle"].get(bundle_id)

    def bundle_by_key(self, key: str) -> Bundle | None:
        return self._index["bundle_key"].get(key)

    def on_sale(self) -> Iterator[Bundle]:
        """Bundles that can be bought: neither they nor their credit type are archived."""
        for bundle in self.bundles:
            credit_type = self.credit_type(bundle.credit_type_id)
            if not bundle.archived and credit_type is not None and not credit_type.archived:
                yield bundle


def card_for(
    catalog: Catalog, cohort: str, tagged_version: int | None, at: datetime, *, now: datetime | None = None
) -> RateCard | None:
    """The version of its cohort's rate card that a customer pays at the instant `at`; None where there is none.

    A tagged customer stays on its version, also for usage from before that version took effect, until a newer one
    that was published to be followed takes effect. An untagged customer gets the newest effective version, which
    becomes its tag; an archived cohort gives none out. With `now`, an untagged customer's usage from before the
    cohort's first version is priced by the one in force now, as if the customer had been tagged before it arrived.
    """
    known = catalog.cohort(cohort)
    if known is None:
        return None
    if tagged_version is None:
        if known.archived:
            return None
        card = _newest_effective(known.cards, at)
        return card if card or now is None else _newest_effective(known.cards, now)
    for card in reversed(known.cards):
        if card.version == tagged_version or (
            card.version > tagged_version and card.follow and card.effective_at <= at
        ):
            return card
    return None


def _newest_effective(cards: tuple[RateCard, ...], at: datetime) -> RateCard | None:
    return next((card for card in reversed(cards) if card.effective_at <= at), None)


def _by(things: Iterable[Any], name: str) -> dict[Any, Any]:
    return {getattr(thing, name): thing for thing in things}
