"""The catalog as its document says it: keys instead of ids, decimals instead of micro-credits. PURE.

A draft is what a document asks for, and equally what a workspace has, written as a document would (`document_of`).
Two drafts are equal when they mean the same; where they stood in the document (`path`) does not count.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from credits import amount
from credits.catalog.matching import Match, meaning
from credits.catalog.values import Bundle, Catalog, CreditType, Feature, Rate, RateCard

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class CreditTypeDraft:
    path: str = field(compare=False)
    key: str
    name: str
    unit_singular: str
    unit_plural: str
    scale: int
    burn_order: str
    default_expiry: str | None
    archived: bool = False

    def to_json(self) -> Json:
        return _present(
            key=self.key,
            name=self.name,
            unitSingular=self.unit_singular,
            unitPlural=self.unit_plural,
            scale=self.scale,
            burnOrder=self.burn_order,
            defaultExpiry=self.default_expiry,
            archived=self.archived or None,
        )


@dataclass(frozen=True, slots=True)
class FeatureDraft:
    path: str = field(compare=False)
    key: str
    name: str
    description: str | None
    event_type: str | None
    quantity: str
    unit: str
    archived: bool = False

    def to_json(self) -> Json:
        return _present(
            key=self.key,
            name=self.name,
            description=self.description,
            eventType=self.event_type,
            quantity=self.quantity,
            unit=self.unit,
            archived=self.archived or None,
        )


@dataclass(frozen=True, slots=True)
class RateDraft:
    path: str = field(compare=False)
    feature: str
    credit_type: str
    match: Match
    per_unit: Decimal
    rounding: str

    def to_json(self) -> Json:
        return _present(
            feature=self.feature,
            creditType=self.credit_type,
            perUnit=amount.plain(self.per_unit),
            match=dict(sorted(self.match.items())) or None,
            rounding=self.rounding,
        )

    @property
    def meaning(self) -> tuple[Any, ...]:
        """Equal for rates that price alike."""
        return (self.feature, self.credit_type, meaning(self.match), self.per_unit, self.rounding)


@dataclass(frozen=True, slots=True)
class RateCardDraft:
    """`effective_at` None: from when it is published. The order of its rates has no meaning."""

    path: str = field(compare=False)
    cohort: str
    effective_at: datetime | None
    follow: bool
    note: str | None
    rates: tuple[RateDraft, ...]

    @property
    def key(self) -> str:
        return self.cohort

    @property
    def prices(self) -> frozenset[tuple[Any, ...]]:
        """Equal for cards that price alike."""
        return frozenset(rate.meaning for rate in self.rates)

    def to_json(self) -> Json:
        return _present(
            cohort=self.cohort,
            effectiveAt=None if self.effective_at is None else _instant(self.effective_at),
            existing="follow" if self.follow else None,
            note=self.note,
            rates=[rate.to_json() for rate in self.rates],
        )


@dataclass(frozen=True, slots=True)
class BundleDraft:
    path: str = field(compare=False)
    key: str
    name: str
    credit_type: str
    amount: Decimal
    bonus: Decimal
    price: Decimal
    currency: str
    expires_after: str | None
    priority: int
    archived: bool = False

    def to_json(self) -> Json:
        return _present(
            key=self.key,
            name=self.name,
            creditType=self.credit_type,
            credits=amount.plain(self.amount),
            bonus=amount.plain(self.bonus),
            price={"amount": amount.plain(self.price), "currency": self.currency},
            expiresAfter=self.expires_after,
            priority=self.priority,
            archived=self.archived or None,
        )


@dataclass(frozen=True, slots=True)
class Document:
    """A catalog document. A section that is None was not given and stays as it is."""

    credit_types: tuple[CreditTypeDraft, ...] | None = None
    features: tuple[FeatureDraft, ...] | None = None
    rate_cards: tuple[RateCardDraft, ...] | None = None
    bundles: tuple[BundleDraft, ...] | None = None

    def to_json(self) -> Json:
        sections = {
            "creditTypes": self.credit_types,
            "features": self.features,
            "rateCards": self.rate_cards,
            "bundles": self.bundles,
        }
        return {name: [draft.to_json() for draft in drafts] for name, drafts in sections.items() if drafts is not None}


def document_of(catalog: Catalog) -> Document:
    """The document that, applied to this catalog, changes nothing, and to an empty workspace makes the same offer.

    Of each cohort that is not archived, the newest published version. Archived credit types and features that these
    or the bundles on sale still name are listed as archived; everything else that is archived is left out.
    """
    cards = [card_draft(catalog, cohort.cards[-1]) for cohort in catalog.cohorts if not cohort.archived]
    bundles = [bundle_draft(catalog, bundle) for bundle in catalog.bundles if not bundle.archived]
    rates = [rate for card in cards for rate in card.rates]
    credit_types = {rate.credit_type for rate in rates} | {bundle.credit_type for bundle in bundles}
    features = {rate.feature for rate in rates}
    return Document(
        credit_types=tuple(
            credit_type_draft(kind) for kind in catalog.credit_types if not kind.archived or kind.key in credit_types
        ),
        features=tuple(
            feature_draft(feature) for feature in catalog.features if not feature.archived or feature.key in features
        ),
        rate_cards=tuple(cards),
        bundles=tuple(bundles),
    )


def credit_type_draft(kind: CreditType) -> CreditTypeDraft:
    return CreditTypeDraft(
        path="",
        key=kind.key,
        name=kind.name,
        unit_singular=kind.unit_singular,
        unit_plural=kind.unit_plural,
        scale=kind.scale,
        burn_order=kind.burn_order,
        default_expiry=kind.default_expiry,
        archived=kind.archived,
    )


def feature_draft(feature: Feature) -> FeatureDraft:
    return FeatureDraft(
        path="",
        key=feature.key,
        name=feature.name,
        description=feature.description,
        event_type=feature.event_type,
        quantity=feature.quantity,
        unit=feature.unit,
        archived=feature.archived,
    )


def card_draft(catalog: Catalog, card: RateCard) -> RateCardDraft:
    return RateCardDraft(
        path="",
        cohort=card.cohort,
        effective_at=card.effective_at,
        follow=card.follow,
        note=card.note,
        rates=tuple(_rate_draft(catalog, rate) for rate in card.rates),
    )


def bundle_draft(catalog: Catalog, bundle: Bundle) -> BundleDraft:
    return BundleDraft(
        path="",
        key=bundle.key,
        name=bundle.name,
        credit_type=_key(catalog.credit_type(bundle.credit_type_id)),
        amount=amount.from_micro(bundle.amount_micro),
        bonus=amount.from_micro(bundle.bonus_micro),
        price=bundle.price,
        currency=bundle.currency,
        expires_after=bundle.expires_after,
        priority=bundle.priority,
        archived=bundle.archived,
    )


def _rate_draft(catalog: Catalog, rate: Rate) -> RateDraft:
    return RateDraft(
        path="",
        feature=_key(catalog.feature(rate.feature_id)),
        credit_type=_key(catalog.credit_type(rate.credit_type_id)),
        match=rate.match,
        per_unit=rate.per_unit,
        rounding=rate.rounding,
    )


def _key(thing: CreditType | Feature | None) -> str:
    if thing is None:
        raise LookupError("a rate or bundle names what its catalog does not have")
    return thing.key


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _present(**fields: Any) -> Json:
    return {name: value for name, value in fields.items() if value is not None}
