"""What a spend costs: credits as they are, or a quantity rated by the customer's rate card. PURE."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Self

from credits.amount import decimals, to_micro
from credits.canonical import canonical_json
from credits.catalog.values import CreditType, Feature, Rate, RateCard
from credits.errors import InvalidInput, NotFound
from credits.posting.book import Book, LockedCustomer
from credits.posting.commands import Spend
from credits.rating.rate import find_rate, rate


@dataclass(slots=True)
class Dimensions:
    """What usage is priced by besides its quantity, and as the text that every entry of it keeps."""

    values: Mapping[str, Any]
    text: str | None

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        return cls(values, canonical_json(values) if values else None)


@dataclass(slots=True)
class Price:
    """Amount in micro-credits, and the price that made it. Never changed."""

    credit_type: CreditType
    amount_micro: int
    feature: Feature | None = None
    rate_id: int | None = None
    quantity: Decimal | None = None
    exact_amount: Decimal | None = None
    dimensions: str | None = None


def price(book: Book, customer: LockedCustomer, spend: Spend, at: datetime) -> Price | InvalidInput | NotFound:
    """What the spend costs the customer at that instant."""
    if spend.feature is None:
        return _as_credits(book, spend)
    feature = book.catalog.feature_by_key(spend.feature)
    if feature is None:
        return NotFound(f"no feature {spend.feature!r} in the catalog", code="UNKNOWN_FEATURE")
    assert spend.quantity is not None  # noqa: S101 -- `Spend.form` has seen it
    return rated(book, book.rate_card(customer, at), feature, spend.quantity, Dimensions.of(spend.dimensions))


def rated(
    book: Book, card: RateCard | None, feature: Feature, quantity: Decimal, dimensions: Dimensions
) -> Price | InvalidInput | NotFound:
    """The quantity at the rate that applies on the customer's rate card."""
    applied = None if card is None else find_rate(card, feature.id, dimensions.values)
    if applied is None:
        return no_rate(card, feature)
    return at_rate(book, feature, applied, quantity, dimensions)


def no_rate(card: RateCard | None, feature: Feature) -> NotFound:
    """Why the feature has no price."""
    if card is None:
        return NotFound("no rate card is in effect for this customer", code="NO_RATE")
    return NotFound(
        f"rate card {card.cohort!r} version {card.version} has no rate for {feature.key!r} with these dimensions",
        code="NO_RATE",
    )


def at_rate(
    book: Book, feature: Feature, applied: Rate, quantity: Decimal, dimensions: Dimensions
) -> Price | InvalidInput:
    """The quantity at that rate: exact, rounded once."""
    credit_type = book.credit_type(applied.credit_type_id)
    result = rate(applied, quantity, credit_type.scale)
    if isinstance(result, InvalidInput):
        return result
    exact_amount = result.exact if result.rounded else None
    return Price(credit_type, result.amount_micro, feature, applied.id, quantity, exact_amount, dimensions.text)


def scaled(credit_type: CreditType, amount: Decimal) -> int | InvalidInput:
    """Credits as they are, in micro-credits: never with more decimals than the credit type has."""
    if decimals(amount) > credit_type.scale:
        return InvalidInput(f"{credit_type.key!r} has {credit_type.scale} decimals", field="amount")
    return to_micro(amount)


def _as_credits(book: Book, spend: Spend) -> Price | InvalidInput | NotFound:
    credit_type = book.catalog.credit_type_by_key(spend.credit_type or "")
    if credit_type is None:
        return NotFound(f"no credit type {spend.credit_type!r} in the catalog")
    assert spend.amount is not None  # noqa: S101 -- `Spend.form` has seen it
    amount = scaled(credit_type, spend.amount)
    return amount if isinstance(amount, InvalidInput) else Price(credit_type, amount)
