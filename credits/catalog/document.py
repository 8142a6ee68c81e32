"""The catalog document, read and checked in itself: its form, its bounds, its rates against each other. PURE.

What it says about things that the workspace has already is checked by `check.py`. Parts of the contract that Scrip
does not have yet are refused by name: a price that is not applied must never look applied.
"""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Protocol, TypeVar

from credits import amount, bounds
from credits.catalog.currencies import money_decimals
from credits.catalog.drafts import BundleDraft, CreditTypeDraft, Document, FeatureDraft, RateCardDraft, RateDraft
from credits.catalog.fields import Fields, Problems, exact
from credits.catalog.matching import Scalar, ambiguities
from credits.catalog.values import COUNT
from credits.errors import InvalidInput

BURN_ORDERS = ("PRIORITY_THEN_EXPIRY", "EXPIRY_FIRST", "PAID_LAST", "OLDEST_FIRST")
ROUNDINGS = ("UP", "HALF_EVEN", "DOWN")
EXISTING = ("keep", "follow")
_UNBUILT_SECTIONS = {"plans": "plans", "promotions": "promotions"}
_UNBUILT_OF_RATES = {"tiers": "tiers", "packageSize": "package sizes", "minimum": "minimums"}
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_INT32 = 2**31 - 1

D = TypeVar("D")


class Keyed(Protocol):
    """A draft with a key."""

    @property
    def path(self) -> str: ...
    @property
    def key(self) -> str: ...


def parse(document: object) -> Document | InvalidInput:
    """The document as drafts, or what is wrong with it; `field` is the path of the first problem."""
    problems = Problems()
    fields = Fields(document, "", problems, unbuilt=_UNBUILT_SECTIONS)
    parsed = Document(
        credit_types=_section(fields, "creditTypes", bounds.CREDIT_TYPES_MAX, _credit_type),
        features=_section(fields, "features", bounds.FEATURES_MAX, _feature),
        rate_cards=_section(fields, "rateCards", bounds.COHORTS_MAX, _rate_card),
        bundles=_section(fields, "bundles", bounds.BUNDLES_MAX, _bundle),
    )
    fields.done()
    refused = refusal(problems)
    if refused:
        return refused
    for drafts, name in (
        (parsed.credit_types, "key"),
        (parsed.features, "key"),
        (parsed.rate_cards, "cohort"),
        (parsed.bundles, "key"),
    ):
        _refuse_repeats(drafts or (), name, problems)
    for card in parsed.rate_cards or ():
        _refuse_ambiguities(card, problems)
    return refusal(problems) or parsed


def refusal(problems: Problems) -> InvalidInput | None:
    """All that was noted, as one refusal: a line each, the first one's path as its field; None where nothing was."""
    if not problems.found:
        return None
    shown = problems.found[: bounds.PROBLEMS_MAX]
    lines = [f"{path or 'the document'}: {message}" for path, message in shown]
    if len(problems.found) > len(shown):
        lines.append(f"… and {len(problems.found) - len(shown)} more")
    return InvalidInput("\n".join(lines), field=shown[0][0] or None)


def _section(fields: Fields, name: str, most: int, read: Callable[[Fields], D]) -> tuple[D, ...] | None:
    return tuple([read(row) for row in fields.rows(name, most)]) if fields.has(name) else None


def _credit_type(row: Fields) -> CreditTypeDraft:
    key = row.key("key")
    draft = CreditTypeDraft(
        path=row.path,
        key=key,
        name=row.text("name", key),
        unit_singular=row.text("unitSingular", "credit"),
        unit_plural=row.text("unitPlural", "credits"),
        scale=row.whole("scale", 0, amount.MICRO_DECIMALS, amount.MICRO_DECIMALS),
        burn_order=row.choice("burnOrder", BURN_ORDERS, BURN_ORDERS[0]),
        default_expiry=row.duration("defaultExpiry"),
        archived=row.flag("archived"),
    )
    row.done()
    return draft


def _feature(row: Fields) -> FeatureDraft:
    key = row.key("key")
    draft = FeatureDraft(
        path=row.path,
        key=key,
        name=row.text("name", key),
        description=row.paragraph("description"),
        event_type=row.line("eventType"),
        quantity=row.text("quantity", COUNT),
        unit=row.text("unit", "unit"),
        archived=row.flag("archived"),
    )
    row.done()
    return draft


def _rate_card(row: Fields) -> RateCardDraft:
    draft = RateCardDraft(
        path=row.path,
        cohort=row.key("cohort"),
        effective_at=row.instant("effectiveAt"),
        follow=row.choice("existing", EXISTING, EXISTING[0]) == "follow",
        note=row.paragraph("note"),
        rates=tuple([_rate(rate) for rate in row.rows("rates", bounds.RATES_MAX, unbuilt=_UNBUILT_OF_RATES)]),
    )
    row.done()
    return draft


def _rate(row: Fields) -> RateDraft:
    draft = RateDraft(
        path=row.path,
        feature=row.text("feature"),
        credit_type=row.text("creditType"),
        match=_match(row),
        per_unit=row.number("perUnit"),
        rounding=row.choice("rounding", ROUNDINGS, "HALF_EVEN"),
    )
    row.done()
    return draft


def _match(row: Fields) -> dict[str, Scalar]:
    """The dimensions that a rate asks for: names of the author's own, each with one value."""
    match: dict[str, Scalar] = {}
    written = row.mapping("match")
    if len(written) > bounds.DIMENSIONS_MAX:
        row.problem("match", f"names {len(written)} dimensions, {bounds.DIMENSIONS_MAX} is the most")
        return match
    for name, value in written.items():
        path = f"match.{name}"
        if not isinstance(name, str) or not 0 < len(name) <= bounds.NAME_MAX or not name.isprintable():
            row.problem(path, "must have a name of visible characters")
        elif isinstance(value, bool):
            match[name] = value
        elif isinstance(value, str):
            match[name] = value
            if len(value) > bounds.NAME_MAX or not value.isprintable():
                row.problem(path, f"must be at most {bounds.NAME_MAX} visible characters")
        elif isinstance(value, int | Decimal):
            number = exact(value)
            if number is None:
                row.problem(path, "must be a plain number: at most 13 digits and 12 decimals")
            else:
                match[name] = int(number) if number == int(number) else number
        else:
            row.problem(path, "must be one text, number, true or false that usage carries")
    return match


def _bundle(row: Fields) -> BundleDraft:
    key = row.key("key")
    price = row.child("price")
    draft = BundleDraft(
        path=row.path,
        key=key,
        name=row.text("name", key),
        credit_type=row.text("creditType"),
        amount=_positive(row, "credits"),
        bonus=row.number("bonus", Decimal(0)),
        price=_positive(price, "amount"),
        currency=price.text("currency"),
        expires_after=row.duration("expiresAfter"),
        priority=row.whole("priority", 0, _INT32, 50),
        archived=row.flag("archived"),
    )
    price.done()
    row.done()
    if not _CURRENCY.fullmatch(draft.currency):
        price.problem("currency", "must be three capital letters, such as USD")
    elif amount.decimals(draft.price) > money_decimals(draft.currency):
        price.problem("amount", f"has more decimals than {draft.currency} can be paid in")
    for name, given in (("credits", draft.amount), ("bonus", draft.bonus)):
        if amount.decimals(given) > amount.MICRO_DECIMALS or not amount.fits(int(given * amount.MICRO)):
            row.problem(name, "must be an amount of credits: at most 6 decimals and 64 bits of millionths")
    return draft


def _positive(row: Fields, name: str) -> Decimal:
    number = row.number(name)
    if number == 0 and not row.wrong(name):
        row.problem(name, "must be more than zero")
    return number


def _refuse_repeats(drafts: Sequence[Keyed], name: str, problems: Problems) -> None:
    """One definition of each key."""
    first: dict[str, str] = {}
    for draft in drafts:
        if first.setdefault(draft.key, draft.path) != draft.path:
            problems.note(f"{draft.path}.{name}", f"{draft.key!r} is there already, at {first[draft.key]}")


def _refuse_ambiguities(card: RateCardDraft, problems: Problems) -> None:
    """Of two equally specific rates that could both apply, none may win by chance, in whatever credit types."""
    by_feature: dict[str, list[RateDraft]] = {}
    for rate in card.rates:
        by_feature.setdefault(rate.feature, []).append(rate)
    for feature, rates in by_feature.items():
        if len({frozenset(rate.match) for rate in rates}) > bounds.SHAPES_MAX:
            problems.note(
                f"{card.path}.rates",
                f"price {feature!r} by more than {bounds.SHAPES_MAX} different sets of dimensions",
            )
            continue
        for one, other in ambiguities(rates):
            problems.note(
                f"{other.path}.match",
                f"is as specific as {one.path}.match, and usage of {feature!r} could carry both: "
                "which price is meant? Let one name more dimensions, or another value of a dimension that both name",
            )
