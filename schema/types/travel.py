"""The past and what can be told from it: balances at an instant, explanations, how long credits last."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import strawberry

from credits.catalog import values
from credits.customers.customers import Customer
from credits.ledger import history, runway
from credits.ledger.explanation import label
from credits.ledger.travel import Asked
from credits.posting.reader import Page
from schema.context import Context
from schema.errors import bad_request
from schema.scalars import Credits
from schema.types.balance import Balance
from schema.types.catalog import Bundle, CreditType, Feature
from schema.types.enums import CreditSource, EntryKind


@strawberry.type(description="Lines add up: opening + sum(amount) = closing.")
class ExplanationLine:
    kind: EntryKind
    label: str
    feature: Feature | None
    source: CreditSource | None
    count: int
    amount: Credits


@strawberry.type
class Explanation:
    credit_type: CreditType
    from_: datetime = strawberry.field(name="from")
    to: datetime
    opening: Credits
    closing: Credits
    lines: list[ExplanationLine]


@strawberry.type
class Runway:
    credit_type: CreditType
    daily_burn: Credits
    runs_out_at: datetime | None
    projected_expiry_loss: Credits
    suggested_bundle: Bundle | None
    basis: str


def asked_of(page: Page, of: Customer, credit_type: values.CreditType, known_at: datetime | None = None) -> Asked:
    """The account to ask about. Nothing is known yet of what comes after now: a later `known_at` is now."""
    known = known_at if known_at is not None and known_at < page.workspace.now else None
    return Asked(page.workspace.id, of.id, credit_type.id, credit_type.burn_order, known)


def known_type(page: Page, key: str) -> values.CreditType:
    """Raises an input error for a credit type that the catalog does not have."""
    known = page.catalog.credit_type_by_key(key)
    if known is None:
        raise bad_request(f"creditType: no credit type {key!r} in the catalog")
    return known


async def past_balance(
    page: Page, of: Customer, credit_type: values.CreditType, at: datetime | None, known_at: datetime | None
) -> Balance:
    """The balance at `at` as known at `known_at`; each is now where left out."""
    limit = page.enforcement(of, None, credit_type.id).overdraft_limit_micro
    found = await history.balance_at(
        page.connection, asked_of(page, of, credit_type, known_at), at or page.workspace.now, limit
    )
    return Balance.from_value(found)


async def explained(page: Page, of: Customer, key: str, since: datetime, until: datetime) -> Explanation:
    """Why the balance is what it is."""
    if until < since:
        raise bad_request("to: lies before from")
    credit_type = known_type(page, key)
    found = await history.explain(page.connection, asked_of(page, of, credit_type), since, until)
    return Explanation(
        credit_type=CreditType.from_value(credit_type),
        from_=since,
        to=until,
        opening=found.opening,
        closing=found.closing,
        lines=[
            ExplanationLine(
                kind=EntryKind(line.kind.name),
                label=label(line.kind, line.feature_id, line.source, page.catalog),
                feature=Feature.of(page.catalog, line.feature_id),
                source=None if line.source is None else CreditSource(line.source),
                count=line.count,
                amount=line.amount,
            )
            for line in found.lines
        ],
    )


async def runway_of(page: Page, of: Customer, key: str) -> Runway:
    """How long the credits last."""
    credit_type = known_type(page, key)
    rate = await _rate(page, of, credit_type)
    account = (await page.accounts(of)).get((of.id, credit_type.id))
    told = runway.forecast(account, page.workspace.now, rate.per_day) if account else runway.Forecast(None, {})
    on_sale = [bundle for bundle in page.catalog.on_sale() if bundle.credit_type_id == credit_type.id]
    bundle = runway.suggested(on_sale, rate.per_day)
    return Runway(
        credit_type=CreditType.from_value(credit_type),
        daily_burn=rate.per_day,
        runs_out_at=told.runs_out_at,
        projected_expiry_loss=sum(told.lost.values()),
        suggested_bundle=None if bundle is None else Bundle.from_value(page.catalog, bundle, available=True),
        basis=rate.basis,
    )


async def _rate(page: Page, of: Customer, credit_type: values.CreditType) -> runway.Rate:
    return await history.burn_rate(
        page.connection, asked_of(page, of, credit_type), page.workspace.now, ZoneInfo(of.timezone)
    )


def losses(context: Context, of: Customer, credit_type: values.CreditType) -> Callable[[int], Awaitable[int]]:
    """By grant number, what of it will expire unused: worked out once for the account, and only when asked."""
    work: asyncio.Task[dict[int, int]] | None = None

    async def forecast() -> dict[int, int]:
        async with context.page() as page:
            rate = await _rate(page, of, credit_type)
            account = (await page.accounts(of)).get((of.id, credit_type.id))
            return runway.forecast(account, page.workspace.now, rate.per_day).lost if account else {}

    async def lost(number: int) -> int:
        nonlocal work
        if work is None:
            work = asyncio.create_task(forecast())
        return (await work).get(number, 0)

    return lost
