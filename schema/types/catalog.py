"""What is sold: credit types, features, rate cards, bundles."""

from datetime import datetime
from decimal import Decimal

import strawberry

from credits.catalog import values
from schema.scalars import JSON, Credits
from schema.types.enums import BurnOrder, Rounding


@strawberry.type
class Money:
    amount: Decimal
    currency: str


@strawberry.type
class CreditType:
    key: str
    name: str
    unit_singular: str
    unit_plural: str
    scale: int = strawberry.field(description="Decimal places shown and accepted (0..6).")
    burn_order: BurnOrder
    default_expiry: str | None

    @staticmethod
    def of(catalog: values.Catalog, credit_type_id: int) -> "CreditType":
        """A credit type that a row points to. Raises `LookupError` where the catalog at hand does not know it."""
        found = catalog.credit_type(credit_type_id)
        if found is None:
            raise LookupError(f"credit type {credit_type_id}")
        return CreditType.from_value(found)

    @staticmethod
    def from_value(found: values.CreditType) -> "CreditType":
        return CreditType(
            key=found.key,
            name=found.name,
            unit_singular=found.unit_singular,
            unit_plural=found.unit_plural,
            scale=found.scale,
            burn_order=BurnOrder(found.burn_order),
            default_expiry=found.default_expiry,
        )


@strawberry.type
class Feature:
    key: str
    name: str
    description: str | None
    event_type: str | None
    unit: str

    @staticmethod
    def of(catalog: values.Catalog, feature_id: int | None) -> "Feature | None":
        found = None if feature_id is None else catalog.feature(feature_id)
        return None if found is None else Feature.from_value(found)

    @staticmethod
    def from_value(found: values.Feature) -> "Feature":
        return Feature(
            key=found.key,
            name=found.name,
            description=found.description,
            event_type=found.event_type,
            unit=found.unit,
        )


@strawberry.type
class Rate:
    feature: Feature
    credit_type: CreditType
    match: JSON = strawberry.field(
        description=(
            'Dimensions an event must carry for this rate to apply, e.g. {"model": "gpt-4o"}; the most specific rate wins.'
        )
    )
    per_unit: Decimal | None = strawberry.field(description="Credits per unit.")
    rounding: Rounding


@strawberry.type(description="One published, immutable version of a cohort's prices.")
class RateCard:
    cohort: str
    version: int
    published_at: datetime
    effective_at: datetime
    note: str | None
    rates: list[Rate]

    @staticmethod
    def from_value(catalog: values.Catalog, card: values.RateCard) -> "RateCard":
        rates = []
        for rate in card.rates:
            feature = Feature.of(catalog, rate.feature_id)
            if feature is not None:
                rates.append(
                    Rate(
                        feature=feature,
                        credit_type=CreditType.of(catalog, rate.credit_type_id),
                        match=match_of(rate),
                        per_unit=rate.per_unit,
                        rounding=Rounding(rate.rounding),
                    )
                )
        return RateCard(
            cohort=card.cohort,
            version=card.version,
            published_at=card.published_at,
            effective_at=card.effective_at,
            note=card.note,
            rates=rates,
        )


@strawberry.type(description="A pack of credits on sale: a top-up.")
class Bundle:
    key: str
    name: str
    credit_type: CreditType
    credits: Credits
    bonus: Credits
    price: Money
    expires_after: str | None
    available: bool

    @staticmethod
    def from_value(catalog: values.Catalog, bundle: values.Bundle, *, available: bool) -> "Bundle":
        return Bundle(
            key=bundle.key,
            name=bundle.name,
            credit_type=CreditType.of(catalog, bundle.credit_type_id),
            credits=bundle.amount_micro,
            bonus=bundle.bonus_micro,
            price=Money(amount=bundle.price, currency=bundle.currency),
            expires_after=bundle.expires_after,
            available=available,
        )


@strawberry.type
class Catalog:
    version: int
    credit_types: list[CreditType]
    features: list[Feature]
    rate_cards: list[RateCard]
    bundles: list[Bundle]

    @staticmethod
    def from_value(catalog: values.Catalog) -> "Catalog":
        """What is offered now; of the rate cards every published version, newest first within its cohort."""
        on_sale = {bundle.id for bundle in catalog.on_sale()}
        return Catalog(
            version=catalog.version,
            credit_types=[CreditType.from_value(item) for item in catalog.credit_types if not item.archived],
            features=[Feature.from_value(item) for item in catalog.features if not item.archived],
            rate_cards=[
                RateCard.from_value(catalog, card)
                for cohort in catalog.cohorts
                if not cohort.archived
                for card in reversed(cohort.cards)
            ],
            bundles=[
                Bundle.from_value(catalog, item, available=item.id in on_sale)
                for item in catalog.bundles
                if not item.archived
            ],
        )


@strawberry.type
class CatalogChange:
    action: str
    path: str
    before: JSON | None
    after: JSON | None


def match_of(rate: values.Rate) -> JSON:
    """The dimensions of a rate, as the document wrote them."""
    return dict(rate.match)
